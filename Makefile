# `make demo` and `make test` do all of their own set-up on a fresh Debian machine.

PYTHON ?= python3
ENGINE ?= torch
# Where pip finds PyTorch. On ordinary Linux its default comes with gigabytes of CUDA; for a CPU:
# make demo TORCH_INDEX="--extra-index-url https://download.pytorch.org/whl/cpu"
TORCH_INDEX ?=
BIN := .venv/bin
# Processes that share the tests, a file at a time.
JOBS ?= $(shell nproc)
# one thread for every library, so that tests neither compete nor vary
THREADS := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1

.PHONY: demo test lint bench setup image

# From synthetic faces to a trained and tested S1R1, in the folder demo/; needs Python 3.11 for Snakemake.
# ENGINE=caffe trains in real Caffe, in the image.
demo: setup $(if $(filter caffe,$(ENGINE)),image)
	$(BIN)/gcnet demo -o demo --engine $(ENGINE)

# What continuous integration runs. Without an image the tests of real Caffe are skipped, and without
# chromium those of the web page, except in CI.
test: lint
	docker/image || test -z "$$CI"
	command -v chromium || { test "$$(id -u)" = 0 && apt-get update -q && apt-get install -q -y chromium; } || \
	    test -z "$$CI"
	$(THREADS) $(BIN)/pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: setup image
	$(BIN)/python benchmarks/rendering.py
	$(BIN)/python benchmarks/packing.py
	$(BIN)/python benchmarks/training_step.py
	$(BIN)/python -m benchmarks.step_parts
	$(BIN)/python -m benchmarks.step_parts --precision bf16
	$(BIN)/python -m benchmarks.caffes_order
	$(BIN)/python benchmarks/engines.py
	$(BIN)/python -m benchmarks.live_camera
	$(BIN)/python -m benchmarks.waiting

setup: .venv/ready

.venv/ready: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 9))' || \
	    { echo "needs Python 3.9 or newer: make PYTHON=python3.11"; exit 1; }
	$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	    { test "$$(id -u)" = 0 && apt-get update -q && apt-get install -q -y python3-venv; } || \
	    { echo "needs Python's venv: sudo apt-get install python3-venv"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/pip install -q -c constraints.txt $(TORCH_INDEX) torch
	$(BIN)/pip install -q -c constraints.txt -e '.[experiment,predict,onnx,leveldb,web,dev]'
	touch $@

# Real Caffe: docker, podman or buildah builds the image, whichever is there.
image:
	docker/image
