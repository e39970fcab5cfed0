"""`gcnet make-folds` as a script: python tools/make_folds.py --help"""

from _gcnet import run

run("make-folds")
