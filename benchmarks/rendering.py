"""How many synthetic faces a core makes, by kind, and in how many a detector finds one face.

Stills of 250x250, five of each person. Seconds are of processor time.
"""

import argparse
import importlib
import time

import cv2
import numpy as np

from gcnet_caffe.faces.landmarks import Detector, detector_model
from gcnet_caffe.rendering.trees import KINDS

_SIZE, _STILLS = (250, 250), 5


def main():
    """Print a line for each kind."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--people", type=int, default=40, help="people of each kind")
    args = parser.parse_args()
    cv2.setNumThreads(1)
    detector = Detector(detector_model())
    for kind, module in KINDS.items():
        renderer = importlib.import_module(module)
        _stills(renderer, 0)  # Numba compiles
        start = time.process_time()
        images = [image for seed in range(args.people) for image in _stills(renderer, seed)]
        speed = len(images) / (time.process_time() - start)
        one = sum(len(detector.faces(image)) == 1 for image in images)
        print(f"{kind}: {speed:.1f} images/s; one face found in {one} of {len(images)}")


def _stills(renderer, seed):
    rng = np.random.default_rng(seed)
    subject = renderer.draw_subject(rng)
    return [renderer.render_still(subject, _SIZE, rng)[0] for _ in range(_STILLS)]


if __name__ == "__main__":
    main()
