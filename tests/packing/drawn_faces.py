"""Drawn faces with known landmarks, and manifests of them."""

import csv

import cv2
import numpy as np

from gcnet_caffe.datasets.manifest import COLUMNS

#: Landmarks of the face that `drawn_face` puts at the middle of a 160x120 image.
POINTS = np.array([[65.0, 45.0], [95.0, 45.0], [80.0, 62.0], [68.0, 80.0], [92.0, 80.0]])


def drawn_face(points=POINTS, size=(160, 120), shade=150, mouth=2):
    """A grey picture (width x height) of a face with dark eyes and mouth at `points`."""
    image = np.full(size[::-1], 60, np.uint8)
    unit = np.linalg.norm(points[1] - points[0]) / 30
    centre = points.mean(axis=0)
    cv2.ellipse(image, _pixel(centre), (int(30 * unit), int(40 * unit)), 0, 0, 360, shade, -1)
    for eye in points[:2]:
        cv2.circle(image, _pixel(eye), max(2, int(4 * unit)), 20, -1)
    cv2.line(image, _pixel(points[3]), _pixel(points[4]), 30, max(1, int(mouth * unit)))
    return image


def numbers(points):
    return " ".join(f"{value:g}" for value in np.ravel(points))


def row(path, subject, expression="", reference="", **more):
    """The cells of one manifest row, with the landmarks of `drawn_face` unless told otherwise."""
    cells = dict.fromkeys(COLUMNS, "")
    cells.update(path=path, subject=subject, expression=expression, reference=reference)
    cells.update(landmarks=numbers(POINTS), reference_landmarks=numbers(POINTS), source="drawn")
    cells.update(more)
    return cells


def write_rows(path, rows, columns=COLUMNS):
    with open(path, "w", newline="") as file:
        writer = csv.DictWriter(file, columns, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    return path


def pair_rows(folder, subjects=4, expressions=("happy", "sad")):
    """Draw a neutral face and one of each expression per subject; return the manifest's rows."""
    rows = []
    for i in range(subjects):
        subject = f"S{i + 1}"
        for j, expression in enumerate(("neutral", *expressions)):
            name = f"{subject}_{expression}.png"
            face = drawn_face(shade=110 + 10 * i, mouth=2 + 3 * j)
            cv2.imwrite(str(folder / name), face)
            rows.append(row(name, subject, expression, f"{subject}_neutral.png"))
    return rows


def pair_manifest(folder, **options):
    """`pair_rows` as a manifest file."""
    return write_rows(folder / "pairs.csv", pair_rows(folder, **options))


def _pixel(point):
    return tuple(int(round(value)) for value in point)
