# Shared by docker/image and docker/caffe: what the image is called and where buildah keeps it.

root=$(cd "$(dirname "$0")/.." && pwd -P)

# The tag changes with the recipe and the plug-in; Python code is taken from the checkout.
recipe=$(cd "$root" && find docker/{cpu.Dockerfile,gcnet,with_layers} native -type f \
             -not -name '*.md' | LC_ALL=C sort | xargs sha256sum | sha256sum | cut -c1-12)
tag=gcnet-caffe:cpu-$recipe

# Without Docker or Podman: buildah's images, and each image unpacked, ready to be entered.
store=${GCNET_IMAGE_DIR:-/var/lib/gcnet-caffe}
rootfs=$store/rootfs/cpu-$recipe

fail() {
    echo "docker/$(basename "$0"): error: $*" >&2
    exit 1
}
