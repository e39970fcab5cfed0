"""Compare the readings that the paper leaves open, in real Caffe: docs/interpretation.md's tables.

    python benchmarks/interpretation.py last-block --data runs/orl --data runs/synthetic
    python benchmarks/interpretation.py contrastive --data runs/synthetic_pairs/fold0

Each case trains 300 iterations at its learning rate from the same seed, is evaluated on the test
LMDB, and adds a line to OUT/results.jsonl.
"""

import argparse
import dataclasses
import json
from pathlib import Path

from gcnet_caffe import nets
from gcnet_caffe.evaluation.evaluation import evaluate, write_evaluation
from gcnet_caffe.files import write_text
from gcnet_caffe.formats.lmdb_file import count_records
from gcnet_caffe.formats.log import read_log
from gcnet_caffe.real_caffe import tool as caffe_tool

#: name -> (NetOptions, SolverOptions) that differ from the defaults.
LAST_BLOCK = {
    "statistics": ({}, {}),
    "slow": ({"last_block": "slow"}, {}),
    "none": ({"last_block": "none"}, {}),
    "plain": ({"last_block": "plain"}, {}),
    "plain, clip 10": ({"last_block": "plain"}, {"clip_gradients": 10.0}),
    "plain, lr 1e-4": ({"last_block": "plain"}, {"base_lr": 1e-4}),
}
CONTRASTIVE = {
    "normalized, m 0.5": ({"margin": 0.5}, {}),
    "normalized, m 1": ({"margin": 1.0}, {}),
    "normalized, m 1.4": ({"margin": 1.4}, {}),
    "raw, m 1": ({"contrastive_on": "raw", "margin": 1.0}, {}),
    "raw, m 100": ({"contrastive_on": "raw", "margin": 100.0}, {}),
}
GAMMA = {
    reading: ({}, {"gamma_reading": reading})
    for reading in ("power-0.75", "gamma-0.75-power-0.75", "gamma-0.75-constant")
}
QUESTIONS = {"last-block": LAST_BLOCK, "contrastive": CONTRASTIVE, "gamma": GAMMA}


def run_case(question, case, variant, data, args):
    """Train and evaluate one case; return its row."""
    net_options, solver_options = QUESTIONS[question][case]
    words = f"{question} {variant} {data} {case}".replace(",", "").replace("/", "_")
    folder = Path(args.output) / "_".join(words.split())
    folder.mkdir(parents=True, exist_ok=True)
    batch, tests = nets.exact_test(count_records(Path(data) / "test_lmdb"))
    options = dataclasses.replace(
        nets.NetOptions(
            num_classes=args.num_classes,
            data=str(data),
            batch_size=args.batch_size,
            test_batch_size=batch,
            moving_average_fraction=args.moving_average_fraction,
        ),
        **net_options,
    )
    for name, text in nets.net_files(variant, options).items():
        write_text(folder / name, text)
    names = list(nets.net_files(variant, options))
    solver = dataclasses.replace(
        nets.SolverOptions(
            net=str(folder / names[0]),
            snapshot_prefix=str(folder / "net"),
            max_iter=args.iterations,
            display=10,
            test_iter=tests,
            test_interval=args.iterations,
            random_seed=1,
        ),
        **solver_options,
    )
    write_text(folder / "solver.prototxt", *nets.solver_files(variant, solver).values())
    weights = caffe_tool.train(folder / "solver.prototxt", folder / "train.log")
    scores, outputs = evaluate(folder / names[1], weights, data, engine="caffe")
    write_evaluation(scores, outputs, folder)
    return {
        "question": question,
        "case": case,
        "variant": variant,
        "data": str(data),
        **(summary(scores, read_log(folder / "train.log"))),
    }


def summary(scores, log):
    """Return the figures of a row: accuracy, image errors, first and last loss, margin share."""
    row = {key: scores[key] for key in ("images", "accuracy", "chance") if key in scores}
    for blob in ("generated_reference", "reconstruction"):
        row.update(scores.get(blob, {}))
    row["loss_first"], row["loss_last"] = (log["Train", "total loss"][i][1] for i in (0, -1))
    share = log.get(("Train", "dissimilar_in_margin"))
    if share:
        row["in_margin_first"] = share[0][1]
        row["in_margin_last"] = sum(value for _, value in share[-5:]) / len(share[-5:])
    return row


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("question", choices=QUESTIONS)
    parser.add_argument("--data", action="append", required=True, help="train_lmdb's folder")
    parser.add_argument("--variant", default="S1R1")
    parser.add_argument("--num-classes", type=int, default=7)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--iterations", type=int, default=300)
    parser.add_argument("--moving-average-fraction", type=float, default=0.95)
    parser.add_argument("--only", action="append", help="names of the cases to run (default: all)")
    parser.add_argument("-o", "--output", default="runs/interpretation")
    args = parser.parse_args()
    results = Path(args.output) / "results.jsonl"
    results.parent.mkdir(parents=True, exist_ok=True)
    for data in args.data:
        for case in args.only or QUESTIONS[args.question]:
            row = run_case(args.question, case, args.variant, data, args)
            with open(results, "a") as stream:
                stream.write(json.dumps(row) + "\n")
            print(row, flush=True)


if __name__ == "__main__":
    main()
