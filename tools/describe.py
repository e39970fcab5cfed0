"""`gcnet describe` as a script: python tools/describe.py --help"""

from _gcnet import run

run("describe")
