"""Run the flows that are named and write what they record: OUT FLOW ..."""

import importlib
import sys

import numpy as np

out, *names = sys.argv[1:]
found = {}
for name in names:

    def record(what, array, name=name):
        key = f"{name}: {what}"
        assert key not in found, key
        found[key] = np.array(array)

    importlib.import_module(f"tests.pycaffe.flows.{name}").run(record)
np.savez(out, **found)
