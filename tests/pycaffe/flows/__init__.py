"""Scripts against pycaffe's API, which run on real pycaffe and on ours: `python -m` this package.

Each has `run(record)`; `record(name, array)` keeps what both must agree on. They run in a folder
where tests/pycaffe/test_flows.py has put what they read, and write OUT, an .npz.
"""
