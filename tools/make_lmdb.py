"""`gcnet make-lmdb` as a script: python tools/make_lmdb.py --help"""

from _gcnet import run

run("make-lmdb")
