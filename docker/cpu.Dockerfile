# CPU image: Debian 11's BVLC Caffe 1.0 with pycaffe and OpenBLAS, our plug-in, this package.
# `make image` builds it from the repository's root, with or without Docker (see docker/README.md).

ARG BASE=debian:bullseye-slim
FROM ${BASE} AS caffe
ARG MIRROR=
# Bullseye's support has ended: its Release files may have expired, its files moved to the archive.
# libopenblas0-pthread: without it libcaffe runs on the slow reference BLAS.
RUN { [ -z "${MIRROR}" ] || sed -i -E "s#https?://[^ ]+/debian #${MIRROR} #" /etc/apt/sources.list; } \
 && echo 'Acquire::Check-Valid-Until "false";' > /etc/apt/apt.conf.d/10-archive \
 && echo force-unsafe-io > /etc/dpkg/dpkg.cfg.d/10-fast \
 && { apt-get update -q \
      || { sed -i -E 's#//[^/]+/debian#//archive.debian.org/debian#' /etc/apt/sources.list \
           && apt-get update -q; }; } \
 && DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends \
        caffe python3-caffe libopenblas0-pthread \
        python3-numpy python3-opencv python3-lmdb python3-protobuf python3-skimage python3-tqdm \
 && apt-get clean && rm -rf /var/lib/apt/lists/*


# The plug-in, compiled against Caffe's headers. libcaffe-dev leaves out what its headers need, and
# its caffe.pb.h comes from a newer protoc than bullseye's: ours is made from pycaffe's descriptor.
FROM caffe AS plugin
RUN apt-get update -q \
 && DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends \
        libcaffe-dev libboost-dev libgflags-dev libgoogle-glog-dev libprotobuf-dev libopenblas-dev \
        protobuf-compiler g++ cmake make \
 && apt-get clean && rm -rf /var/lib/apt/lists/*
COPY native /src/native
COPY docker/with_layers docker/gcnet /src/
RUN python3 /src/native/caffe_descriptor.py /tmp/caffe.desc && mkdir -p /build/include \
 && protoc --descriptor_set_in=/tmp/caffe.desc --cpp_out=/build/include caffe/proto/caffe.proto \
 && cd /build && cmake -DCPU_ONLY=ON -DCAFFE_PROTO_DIR=/build/include \
        -DCMAKE_INSTALL_PREFIX=/usr /src/native \
 && make install DESTDIR=/install \
 && install -D /src/with_layers /install/usr/local/bin/caffe \
 && install -D /src/with_layers /install/usr/local/bin/extract_features \
 && install -D /src/gcnet /install/usr/local/bin/gcnet

FROM caffe
# The plug-in, and the commands on PATH: `caffe` and `extract_features` that load it, `gcnet`.
COPY --from=plugin /install /
# This package last: a change of Python code rebuilds nothing above. (Bullseye's setuptools is too
# old for the metadata in pyproject.toml, so the folder is copied.)
COPY gcnet_caffe /usr/lib/python3/dist-packages/gcnet_caffe
