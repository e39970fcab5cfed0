"""Images through io, a Transformer, a Classifier with its ten crops, and a Detector."""

import caffe
import numpy as np

NET = """
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 4 dim: 3 dim: 10
  dim: 8 } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv" convolution_param {
  num_output: 4 kernel_size: 3 stride: 2 weight_filler { type: "gaussian" std: 0.01 } } }
layer { name: "score" type: "InnerProduct" bottom: "conv" top: "score" inner_product_param {
  num_output: 5 weight_filler { type: "xavier" } } }
layer { name: "prob" type: "Softmax" bottom: "score" top: "prob" }
"""
SQUARE = NET.replace("dim: 8 ", "dim: 10 ")


def run(record):
    caffe.set_random_seed(2)
    for name, text in (("classify", NET), ("square", SQUARE)):
        with open(f"{name}.prototxt", "w") as out:
            out.write(text)
        caffe.Net(f"{name}.prototxt", caffe.TEST).save(f"{name}.caffemodel")
    pictures = dict(np.load("pictures.npz"))
    colour, grey = pictures["colour"], pictures["grey"]
    caffe.io.load_image = pictures.get  # real Caffe's wants a scikit-image of 2018
    images = [colour, grey, colour[3:, ::-1]]
    record("ten crops", caffe.io.oversample([colour, colour[::-1]], (10, 8)))
    record("larger", caffe.io.resize_image(colour, (31, 40)))
    record("two channels", caffe.io.resize_image(colour[..., :2], (9, 11)))
    record("constant", caffe.io.resize_image(np.full((5, 4, 3), 0.25, np.float32), (3, 2)))

    mean = np.random.RandomState(0).uniform(0, 255, (3, 12, 12)).astype(np.float32)
    options = dict(mean=mean, raw_scale=255, input_scale=0.5, channel_swap=(2, 1, 0))
    classifier = caffe.Classifier(
        "classify.prototxt", "classify.caffemodel", image_dims=(16, 16), **options
    )
    for crops in (True, False):
        record(f"classes {crops}", classifier.predict(images, oversample=crops))
    plain = caffe.Classifier(
        "classify.prototxt", "classify.caffemodel", mean=np.array([1.0, 2.0, 3.0])
    )
    record("classes of whole images", plain.predict(images, oversample=False))
    transformer = classifier.transformer
    made = transformer.preprocess("data", colour)
    record("preprocessed", made)
    record("deprocessed", transformer.deprocess("data", made))

    windows = [np.array([2, 1, 14, 12]), np.array([0, 0, 9, 20])]
    detector = caffe.Detector("square.prototxt", "square.caffemodel", **options)
    found = detector.detect_windows([("colour", windows), ("grey", windows[:1])])
    record("windows", [each["prediction"] for each in found])
    assert [each["filename"] for each in found] == ["colour"] * 2 + ["grey"]

    datum = caffe.io.array_to_datum((colour * 255).astype(np.uint8).transpose(2, 0, 1), 3)
    record("datum", caffe.io.datum_to_array(datum))
    record("label", datum.label)
    record("floats", caffe.io.datum_to_array(caffe.io.array_to_datum(colour.transpose(2, 0, 1))))
    blob = caffe.io.array_to_blobproto(colour, diff=colour * 2)
    record("blob", caffe.io.blobproto_to_array(blob))
    record("blob's diff", caffe.io.blobproto_to_array(blob, return_diff=True))
    text = caffe.io.arraylist_to_blobprotovector_str([grey, colour])
    record("vector", caffe.io.blobprotovector_str_to_arraylist(text)[1])
