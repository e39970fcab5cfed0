"""Score a trained deploy net on its test LMDB, image by image, by real Caffe.

Prints the accuracy beside chance, and the error of each generated image beside the trivial
predictors' (the mean image of the training set; the query itself). Writes evaluation.json,
predictions.csv and faces.png: query, true reference, then the net's images.
"""

from gcnet_caffe.analysis.evaluation import by_real_caffe, evaluate, write_evaluation


def add_arguments(parser):
    parser.add_argument("--model", required=True, help="deploy prototxt")
    parser.add_argument("--weights", required=True, help=".caffemodel")
    parser.add_argument("--data", required=True, help="folder of train_lmdb and test_lmdb")
    parser.add_argument("-o", "--output", required=True, help="folder to write to", metavar="DIR")


def run(args):
    scores, outputs = evaluate(args.model, args.weights, args.data, by_real_caffe)
    write_evaluation(scores, outputs, args.output)
    print(f"{scores['images']} test images")
    if "accuracy" in scores:
        print(f"accuracy {scores['accuracy']:.4f}, largest class {scores['chance']:.4f}")
    for name, found in scores.items():
        if isinstance(found, dict) and "mse" in found:
            values = " ".join(f"{key} {value:.4g}" for key, value in found.items())
            print(f"{name}: {values}")
