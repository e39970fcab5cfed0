# GPU image for Kepler to Pascal cards (K80 and the like): Caffe's own image, Caffe 1.0 with CUDA 8
# and cuDNN 6 on Ubuntu 16.04, plus our plug-in and nothing else. Data, nets and solvers are made on
# the host.
#
#   docker build -f docker/gpu.Dockerfile -t gcnet-caffe:gpu .
#   docker run --rm --gpus all -v "$PWD:$PWD" -w "$PWD" gcnet-caffe:gpu \
#       caffe train -solver solvers/ck_fold0.prototxt -gpu 0
#
# Not tried: it takes a registry and such a card. Tried are the plug-in's CUDA sources with a newer
# nvcc against Debian's Caffe headers (native/README.md).
FROM bvlc/caffe:gpu
COPY native /src/native
COPY docker/with_layers /src/with_layers
# The wrapper of the CPU image, for the place where this image has its tools.
RUN mkdir /src/build && cd /src/build \
 && cmake -DCAFFE_ROOT=/opt/caffe ../native && make install && ldconfig \
 && sed 's#/usr/bin#/opt/caffe/build/tools#' /src/with_layers > /usr/local/bin/caffe \
 && chmod +x /usr/local/bin/caffe
ENV PATH=/usr/local/bin:$PATH
