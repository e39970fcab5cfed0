.PHONY: image

# The image with real Caffe: docker, podman or buildah builds it, whichever is there.
image:
	docker/image
