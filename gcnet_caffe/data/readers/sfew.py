"""SFEW 2.0: faces from films, for the cross-database tests.

  [Val/]Val_Aligned_Faces_new/Val_Aligned_Faces/Angry/*.png and Train_Aligned_Faces likewise,
  with any of the outer folders left out

The validation set is the one to test on: the test labels are not public. There are no subjects, so
no folds by subject, and no reference images.
"""

from gcnet_caffe.data.manifest import Row
from gcnet_caffe.data.readers._common import (
    add_root,
    class_folders,
    existing,
    first_of,
    images_in,
)
from gcnet_caffe.data.readers.survey import Survey
from gcnet_caffe.errors import ManifestError

_INNER = {
    "Val": (
        "Val_Aligned_Faces_new/Val_Aligned_Faces",
        "Val_Aligned_Faces",
        "Val_Aligned_Faces_new",
    ),
    "Train": ("Train_Aligned_Faces/Train_Aligned_Faces", "Train_Aligned_Faces"),
}
_PUBLISHED = {"Val": "436, 431 of them with an aligned face", "Train": "958, 891 aligned"}


def add_arguments(parser):
    """Add this reader's options."""
    add_root(parser, "folder that holds SFEW's", "SFEW")
    parser.add_argument("--split", choices=tuple(_INNER), default="Val", help="images to take")


def read(root, split="Val", source="SFEW"):
    """List the aligned images of one split of SFEW 2.0.

    Returns
    -------
    (list of Row, Survey)

    Raises
    ------
    UsageError
        There is no such folder.
    ManifestError
        It is not SFEW, or its zip file is still packed.
    """
    root = existing(root)
    for archive in [*root.glob(f"{split}*.zip"), *(root / split).glob(f"{split}*.zip")]:
        if not archive.with_suffix("").is_dir():
            raise ManifestError(f"{archive}: still packed; unzip it beside itself")
    names = [f"{top}{inner}" for inner in _INNER[split] for top in (f"{split}/", "")]
    top = first_of(root, [*names, split], class_folders, f"SFEW {split} folders (Angry, ...)")
    rows = [
        Row(path=str(path), subject="", expression=name, source=f"{source} {split}")
        for name, folder in class_folders(top).items()
        for path in images_in(folder)
    ]
    if not rows:
        raise ManifestError(f"{top}: no image in its folders")
    return rows, Survey(known={f"images of {split}": (len(rows), _PUBLISHED[split])})
