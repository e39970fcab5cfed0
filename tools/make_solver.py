"""`gcnet make-solver` as a script: python tools/make_solver.py --help"""

from _gcnet import run

run("make-solver")
