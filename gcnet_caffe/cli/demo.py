"""From synthetic faces to a trained and tested GCNet S1R1, step by step."""

from gcnet_caffe import cli
from gcnet_caffe.experiment.demo import ENGINES, run_demo


def add_arguments(parser):
    parser.add_argument("-o", "--output", default="demo", help="folder to fill", metavar="DIR")
    parser.add_argument("--engine", choices=ENGINES, default="torch", help="what trains the nets")


def run(args):
    found = run_demo(args.output, cli.main, engine=args.engine)
    generated = found["generated_reference"]
    print(
        f"Fold 0 of 30 synthetic subjects: accuracy {found['accuracy']:.3f} on {found['images']} "
        f"images (largest class {found['chance']:.3f}); generated references "
        f"{generated['gain']:.1f} times closer than the mean face.\n"
        f"Look at {args.output}/faces.png, {args.output}/loss.png and {args.output}/packed.png"
    )
