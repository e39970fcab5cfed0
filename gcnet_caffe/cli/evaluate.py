"""Score a trained deploy net on its test LMDB, image by image.

Prints the accuracy beside chance, and the error of each generated image beside the trivial
predictors' (the mean image of the training set; the query itself). Writes evaluation.json,
predictions.csv and faces.png: query, true reference, then the net's images.
"""

from gcnet_caffe.analysis.evaluation import ENGINES, evaluate, write_evaluation
from gcnet_caffe.cli._caffe_flags import import_engine


def add_arguments(parser):
    parser.add_argument("--model", required=True, help="deploy prototxt")
    parser.add_argument("--weights", required=True, help=".caffemodel")
    parser.add_argument("--data", required=True, help="folder of train_lmdb and test_lmdb")
    parser.add_argument("--engine", choices=sorted(ENGINES), default="torch", help="what runs it")
    parser.add_argument("-o", "--output", required=True, help="folder to write to", metavar="DIR")


def run(args):
    if args.engine == "torch":
        import_engine()
    scores, outputs = evaluate(args.model, args.weights, args.data, ENGINES[args.engine])
    write_evaluation(scores, outputs, args.output)
    print(f"{scores['images']} test images")
    if "accuracy" in scores:
        print(f"accuracy {scores['accuracy']:.4f}, largest class {scores['chance']:.4f}")
    for name, found in scores.items():
        if isinstance(found, dict) and "mse" in found:
            values = " ".join(f"{key} {value:.4g}" for key, value in found.items())
            print(f"{name}: {values}")
