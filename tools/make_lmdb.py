"""`gcnet make-lmdb` as a script: python tools/make_lmdb.py --help"""

from _gcnet import run

if __name__ == "__main__":  # its worker processes import this file, too
    run("make-lmdb")
