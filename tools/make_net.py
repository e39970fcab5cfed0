"""`gcnet make-net` as a script: python tools/make_net.py --help"""

from _gcnet import run

run("make-net")
