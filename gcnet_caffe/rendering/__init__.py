"""Synthetic faces with expressions, ground-truth landmarks and CK+'s layout on disk.

`heads` renders them in three dimensions; the modules beside it draw simpler ones, for tests.
"""

from gcnet_caffe.rendering.trees import (
    CK_SUBJECTS,
    write_ck_tree,
    write_identity_tree,
    write_pair_tree,
)

__all__ = ["CK_SUBJECTS", "write_ck_tree", "write_identity_tree", "write_pair_tree"]
