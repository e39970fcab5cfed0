"""`gcnet make-faces` as a script: python tools/make_faces.py --help"""

from _gcnet import run

run("make-faces")
