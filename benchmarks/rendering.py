"""How many synthetic faces a core makes, by kind: stills of 250x250, five of each person.

Seconds are of processor time, after the first picture; the best of some rounds counts.
"""

import argparse
import importlib
import time

import cv2
import numpy as np

from gcnet_caffe.rendering.trees import KINDS

_SIZE, _PEOPLE, _STILLS = (250, 250), 12, 5


def main():
    """Print a line for each kind."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3, help="rounds, of which the best counts")
    args = parser.parse_args()
    cv2.setNumThreads(1)
    for kind, module in KINDS.items():
        renderer = importlib.import_module(module)
        _people(renderer, 1)  # Numba compiles
        best = min(_people(renderer, _PEOPLE) for _ in range(args.rounds))
        print(f"{kind}: {_PEOPLE * _STILLS / best:.1f} images/s")


def _people(renderer, count):
    start = time.process_time()
    for seed in range(count):
        rng = np.random.default_rng(seed)
        subject = renderer.draw_subject(rng)
        for _ in range(_STILLS):
            renderer.render_still(subject, _SIZE, rng)
    return time.process_time() - start


if __name__ == "__main__":
    main()
