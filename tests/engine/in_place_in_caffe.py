"""Run in the image: what real Caffe makes of the nets of in_place.json, to in_place_found.json.

Of each net {"bottoms": {blob: values}, "in place": prototxt, "apart": prototxt or null}: "refused"
with the CHECK that does so; "right" where its top "x" has the numbers that the second net's "y"
has; "wrong" where it has others, or Caffe breaks down. Each net has a process of its own.
"""

import json
import os
import resource

import caffe
import numpy as np


def top(text, bottoms, name):
    """Return the blob `name` after one forward; None where the net gives a bottom another size."""
    with open("in_place.prototxt", "w") as out:
        out.write(text)
    caffe.set_random_seed(1)
    net = caffe.Net("in_place.prototxt", caffe.TRAIN)
    for blob, values in bottoms.items():
        if net.blobs[blob].count != len(values):
            return None
        net.blobs[blob].data.flat = values
    caffe.set_random_seed(2)
    net.forward()
    return net.blobs[name].data.ravel().copy()


def verdict(case):
    found = top(case["in place"], case["bottoms"], "x")
    if found is None:
        return "wrong"
    wanted = top(case["apart"], case["bottoms"], "y") if case["apart"] else found
    same = found.size == wanted.size and np.allclose(found, wanted, 1e-5, 1e-6)
    return "right" if same else "wrong"


def tried(case):
    read, write = os.pipe()
    child = os.fork()
    if not child:
        os.dup2(write, 2)
        os.write(write, ("\nVERDICT " + verdict(case) + "\n").encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read, errors="replace") as pipe:
        lines = pipe.read().splitlines()
    os.waitpid(child, 0)
    for line in lines:
        if line.startswith("VERDICT "):
            return {"verdict": line[8:], "words": ""}
        if line.startswith("F"):
            return {"verdict": "refused", "words": line.split("] ", 1)[1]}
    if any("Traceback" in line for line in lines):
        raise SystemExit("\n".join(lines))
    return {"verdict": "wrong", "words": " ".join(lines[:1])}  # it wrote where it must not


resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
with open("in_place.json") as lines:
    cases = json.load(lines)
with open("in_place_found.json", "w") as out:
    json.dump({name: tried(case) for name, case in cases.items()}, out)
