"""CASIA-WebFace: faces with identities for the pre-trainings, as folders or as RecordIO.

  folders   [CASIA-WebFace/]0000045/001.jpg, one numeric folder per identity, gaps allowed
  RecordIO  [faces_webface_112x112/]train.rec with train.idx, whatever its property says

Of RecordIO both conventions are read: a first record that says which records are images, and the
newer one without it. Its crops lie on the ArcFace template (112x112; 128x128 with a wider border;
or multiples), so that their landmarks are known without looking. Images stay in train.rec: the
manifest names their place in it.
"""

import numpy as np

from gcnet_caffe.datasets.manifest import Row
from gcnet_caffe.datasets.readers._common import add_root, existing, first_of, folders_in, images_in
from gcnet_caffe.datasets.readers.survey import Survey
from gcnet_caffe.errors import ManifestError, shown
from gcnet_caffe.faces.images import read_grey
from gcnet_caffe.faces.recordio import read_image_record, read_index

#: The five points of an ArcFace crop of 112x112 (insightface, face_align.py).
ARCFACE_POINTS = np.array(
    [
        (38.2946, 51.6963),
        (73.5318, 51.5014),
        (56.0252, 71.7366),
        (41.5493, 92.3655),
        (70.7299, 92.2041),
    ]
)


def arcface_points(shape):
    """Return the five points of an ArcFace crop of `shape` (height, width).

    Crops of 112 pixels (or a multiple) are the template, those of 128 have 8 more on either side.

    Returns
    -------
    (5, 2) ndarray, or None
        None where the crops are of another size.

    References
    ----------
    insightface, face_align.py, estimate_norm.
    """
    height, width = shape
    if height != width or (width % 112 and width % 128):
        return None
    if width % 112 == 0:
        return ARCFACE_POINTS * (width / 112)
    return (ARCFACE_POINTS + (8, 0)) * (width / 128)


def add_arguments(parser):
    """Add this reader's options."""
    add_root(parser, "folder of the identities, or of train.rec", "CASIA-WebFace")


def read(root, source="CASIA-WebFace"):
    """List the images of CASIA-WebFace with their identities.

    Returns
    -------
    (list of Row, Survey)

    Raises
    ------
    UsageError
        There is no such folder.
    ManifestError
        It is neither form of the data set, or a record is broken.
    """
    names = ("", "train.rec", "CASIA-WebFace", "faces_webface_112x112", "casia-webface")
    top = first_of(
        existing(root), names, _is_webface, "identities (0000045/001.jpg, ...) or train.rec"
    )
    survey = Survey(where=top)
    if _record_file(top):
        rows = _records(_record_file(top), source, survey)
    else:
        rows = _tree(top, source, survey)
    survey.known = {
        "identities": (len({row.subject for row in rows}), "10,575 or, cleaned, 10,572"),
        "images": (len(rows), "494,414 or, cleaned, 490,623"),
    }
    return rows, survey


def _is_webface(path):
    return _record_file(path) is not None or (path.is_dir() and bool(_identities(path)))


def _record_file(path):
    path = path if path.suffix == ".rec" else path / "train.rec"
    return path if path.is_file() else None


def _identities(folder):
    return [path for path in folders_in(folder) if path.name.isdigit()]


def _tree(top, source, survey):
    rows = []
    for folder in _identities(top):
        images = images_in(folder, survey)
        if not images:
            survey.skipped["identities without images"] += 1
        rows += [Row(path=str(path), subject=folder.name, source=source) for path in images]
    if not rows:
        raise ManifestError(f"{top}: no image below its numeric folders{survey.instead()}")
    return rows


def _records(file, source, survey):
    index = read_index(file.with_suffix(".idx"))
    points, rows = None, []
    with open(file, "rb") as stream:
        for key in _image_keys(stream, file, index, survey):
            labels, _, _ = _record(stream, file, index, key)
            if not labels or not labels[0] >= 0 or labels[0] % 1:
                found = shown(labels)
                raise ManifestError(f"{file}: record {key}: label {found}; wanted 0, 1, 2, ...")
            path = f"{file}#{index[key]}"
            points = arcface_points(read_grey(path).shape) if not rows else points
            rows.append(
                Row(
                    path=path,
                    subject=str(int(labels[0])),
                    source=source,
                    landmarks=points,
                    route="" if points is None else "constant",
                )
            )
    return rows


def _image_keys(stream, file, index, survey):
    """The keys of the image records, whichever convention the file follows."""
    keys = sorted(index)
    labels, _, flag = _record(stream, file, index, keys[0])
    if flag == 0 or len(labels) < 2:
        return keys
    images = range(1, int(labels[0]))
    missing = [key for key in images if key not in index]
    if missing or not images:
        raise ManifestError(
            f"{file}: record {keys[0]} announces the images 1 to {int(labels[0]) - 1}, "
            f"and the index has {len(keys)} records"
        )
    survey.skipped["records that are no image"] += len(keys) - len(images)
    return images


def _record(stream, file, index, key):
    try:
        return read_image_record(stream, index[key], head_only=True)
    except ValueError as error:
        raise ManifestError(f"{file}: record {key}: {error}") from None
