"""GCNet (Kim et al.) as ordinary Caffe files: networks, solvers, LMDBs, and what runs them."""

__version__ = "0.1.0.dev0"
