"""Real Caffe as a process: the tool, pycaffe's worker, two players."""
