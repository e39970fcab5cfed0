"""`gcnet package`: a trained network as one folder that can be passed on."""

import json
import shutil

from gcnet_caffe import files
from gcnet_caffe.errors import ModelError
from gcnet_caffe.recognition.model import FACTS, NET, SUMS, WEIGHTS, read_model_folder, sums_text
from gcnet_caffe.schema import caffe_pb, read_net, read_weights

#: The layers of a deploy net that have weights.
_WITH_WEIGHTS = ("Convolution", "Deconvolution", "BatchNorm", "Scale", "InnerProduct")


def package(model, folder):
    """Write the `TrainedModel` `model` as the model folder `folder`, whole or not at all.

    The weights are those of the deploy net's layers, unchanged; what only training needs is left
    out.

    Returns
    -------
    TrainedModel
        As it is read back, verified.

    Raises
    ------
    UsageError
        `folder` exists.
    ModelError
        The weights lack a layer of the net.
    """
    with files.atomic(folder) as scratch:
        scratch.mkdir()
        shutil.copyfile(model.net, scratch / NET)
        deployed = deploy_weights(model.net, model.weights)
        (scratch / WEIGHTS).write_bytes(deployed.SerializeToString(deterministic=True))
        facts = json.dumps(model.facts, indent=1) + "\n"
        (scratch / FACTS).write_text(facts, encoding="utf-8")
        (scratch / SUMS).write_text(sums_text(scratch), encoding="utf-8")
        read_model_folder(scratch)
    return read_model_folder(folder)


def deploy_weights(net, weights):
    """The layers of the file `weights` that the prototxt `net` has, as a NetParameter.

    Raises
    ------
    ModelError
        A layer that has weights is not in the file.
    """
    param = read_net(net)
    found = {layer.name: layer for layer in read_weights(weights).layer if layer.blobs}
    deployed = caffe_pb.NetParameter(name=param.name)
    for layer in param.layer:
        if layer.type not in _WITH_WEIGHTS:
            continue
        if layer.name not in found:
            raise ModelError(f"{weights}: no weights of layer {layer.name!r}, which {net} has")
        saved = deployed.layer.add(name=layer.name, type=layer.type)
        for blob in found[layer.name].blobs:
            kept = saved.blobs.add()
            kept.CopyFrom(blob)
            kept.ClearField("diff")
    return deployed
