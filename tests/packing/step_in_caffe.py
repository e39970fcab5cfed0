"""Do one iteration of each solver of a list in real Caffe, each in a process of its own.

usage: python3 step_in_caffe.py SOLVERS OUT: SOLVERS holds a path a line; OUT gets the exit statuses
as JSON. Paths in a solver are relative to its folder.
"""

import json
import os
import resource
import sys

import caffe


def step(path: str) -> None:
    os.chdir(os.path.dirname(path) or ".")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    caffe.get_solver(os.path.basename(path)).step(1)


def main(solvers: str, out: str) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    statuses = {}
    with open(solvers) as file:
        paths = file.read().split()
    for path in paths:
        child = os.fork()
        if not child:
            try:
                step(path)
            except BaseException:
                os._exit(1)
            os._exit(0)
        statuses[path] = os.waitpid(child, 0)[1]
    with open(out, "w") as file:
        json.dump(statuses, file)


if __name__ == "__main__":
    main(*sys.argv[1:])
