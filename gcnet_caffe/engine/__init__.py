"""The torch engine: executes prototxts, solvers and LMDBs of Caffe, reads and writes its files.

It knows Caffe's files only, never the package's own networks. PyTorch is imported by the modules
below this one, not by this one.
"""
