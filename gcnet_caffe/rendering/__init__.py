"""Procedural faces with expressions, ground-truth landmarks and CK+'s layout on disk."""

from gcnet_caffe.rendering.trees import write_ck_tree, write_identity_tree

__all__ = ["write_ck_tree", "write_identity_tree"]
