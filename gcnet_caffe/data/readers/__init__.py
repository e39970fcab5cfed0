"""Readers: each lists one kind of data set as manifest rows.

A reader is a module with a docstring (shown by ``make_manifest.py READER --help``),
``add_arguments(parser)``, and ``read(**arguments)``, which returns (rows, `Survey`).
"""

from gcnet_caffe.data.readers import ck, manifest, pattern

READERS = {"ck": ck, "pattern": pattern, "manifest": manifest}
