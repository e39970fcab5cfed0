"""`gcnet make-manifest` as a script: python tools/make_manifest.py --help"""

from _gcnet import run

run("make-manifest")
