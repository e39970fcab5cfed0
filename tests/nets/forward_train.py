"""Run in the image: one TRAIN and one TEST forward of S1R1, and the deploy net, to blobs.npz."""

import caffe
import numpy as np

caffe.set_random_seed(3)
train = caffe.Net("prototxt/ck_fold0_S1R1_train_test.prototxt", caffe.TRAIN)
for _ in range(3):  # so that BatchNorm has statistics
    train.forward()
train.save("three.caffemodel")
found = {f"train_{name}": blob.data.copy() for name, blob in train.blobs.items() if blob.data.ndim}
found.update({f"train_{name}": train.blobs[name].data.copy() for name in train.outputs})

net = "prototxt/ck_fold0_S1R1_train_test.prototxt"
test = caffe.Net(net, caffe.TEST, weights="three.caffemodel")
test.forward()
for name in ("query", "reference", "label", "score", "delta", "generated_reference", "feature"):
    found[f"test_{name}"] = test.blobs[name].data.copy()
found["test_reconstructed_query"] = test.blobs["reconstructed_query"].data.copy()

for key, model in (
    ("deploy", "prototxt/ck_S1R1_deploy.prototxt"),
    ("full", "prototxt/ck_S1R1_deploy_reconstruction.prototxt"),
):
    deploy = caffe.Net(model, caffe.TEST, weights="three.caffemodel")
    deploy.blobs["query"].reshape(*found["test_query"].shape)
    deploy.blobs["query"].data[...] = found["test_query"]
    deploy.forward()
    for name in ("prob", "delta", "generated_reference", "feature"):
        found[f"{key}_{name}"] = deploy.blobs[name].data.copy()
found["full_reconstructed_query"] = deploy.blobs["reconstructed_query"].data.copy()
np.savez("blobs.npz", **found)
