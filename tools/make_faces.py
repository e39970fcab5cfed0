"""`gcnet make-faces` as a script: python tools/make_faces.py --help"""

from _gcnet import run

if __name__ == "__main__":  # worker processes import this file
    run("make-faces")
