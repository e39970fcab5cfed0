"""Score a trained deploy net on its test LMDB, image by image.

Prints the accuracy beside chance, and of each generated image the error (mse), PSNR and SSIM beside
those of the trivial answers (the mean image of the training set; the query itself; another
subject's image); with an identity net the cosine distance of its embeddings, too. Beside the
accuracy per image stands that per sequence, the majority of its frames, where the test.csv of
make-lmdb tells the sequences. Writes evaluation.json (with recall and confusion matrix),
predictions.csv, features.npz (the 384 features of each image) and faces.png: query, true reference,
then the net's images.
"""

from gcnet_caffe.errors import UsageError
from gcnet_caffe.evaluation.evaluation import evaluate, write_evaluation
from gcnet_caffe.inference.network import ENGINES


def add_arguments(parser):
    parser.add_argument("--model", required=True, help="deploy prototxt")
    parser.add_argument("--weights", required=True, help=".caffemodel")
    parser.add_argument("--data", required=True, help="folder of train_lmdb and test_lmdb")
    parser.add_argument("--identity-model", help="deploy prototxt of pretrain-identity")
    parser.add_argument("--identity-weights", help="its .caffemodel: how well identity is kept")
    parser.add_argument("--engine", choices=sorted(ENGINES), default="torch", help="what runs it")
    parser.add_argument("-o", "--output", required=True, help="folder to write to", metavar="DIR")


def run(args):
    if bool(args.identity_model) != bool(args.identity_weights):
        raise UsageError("wanted --identity-model and --identity-weights together")
    identity = (args.identity_model, args.identity_weights) if args.identity_model else None
    scores, outputs = evaluate(args.model, args.weights, args.data, args.engine, identity)
    write_evaluation(scores, outputs, args.output)
    print_accuracy(scores)
    for name, found in scores.items():
        if isinstance(found, dict) and "mse" in found:
            values = " ".join(f"{key} {value:.4g}" for key, value in found.items())
            print(f"{name}: {values}")


def print_accuracy(scores):
    """Print how many images and, of a classifier, the accuracies of `analysis.classification`."""
    print(f"{scores['images']} test images")
    if "accuracy" in scores:
        print(f"accuracy {scores['accuracy']:.4f}, largest class {scores['chance']:.4f}")
    if "sequences" in scores:
        print(f"accuracy {scores['sequence_accuracy']:.4f} of {scores['sequences']} sequences")
