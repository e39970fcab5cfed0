# CPU image: Debian 11's BVLC Caffe 1.0 with pycaffe and OpenBLAS, our plug-in, this package.
# `make image` builds it from the repository's root, with or without Docker (see docker/README.md).

ARG BASE=debian:bullseye-slim
FROM ${BASE} AS caffe
ARG MIRROR=http://deb.debian.org/debian
# Bullseye's support has ended: its Release files may have expired, its files moved to the archive.
# libopenblas0-pthread: without it libcaffe runs on the slow reference BLAS.
RUN sed -i "s#http://deb.debian.org/debian#${MIRROR}#" /etc/apt/sources.list \
 && echo 'Acquire::Check-Valid-Until "false";' > /etc/apt/apt.conf.d/10-archive \
 && { apt-get update -q \
      || { sed -i 's#//deb\.debian\.org#//archive.debian.org#' /etc/apt/sources.list \
           && apt-get update -q; }; } \
 && DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends \
        caffe python3-caffe libopenblas0-pthread \
        python3-numpy python3-opencv python3-lmdb python3-protobuf python3-skimage python3-tqdm \
 && apt-get clean && rm -rf /var/lib/apt/lists/*

# This package last: a change of Python code rebuilds nothing above. (Bullseye's setuptools is too
# old for the metadata in pyproject.toml, so the folder is copied.)
COPY gcnet_caffe /usr/lib/python3/dist-packages/gcnet_caffe
COPY docker/gcnet /usr/local/bin/gcnet
