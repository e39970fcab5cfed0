"""`Recognizer`: from pictures to the expressions of the faces in them.

A face takes the way it took when the training data were packed: the detector's five points, one
warp to 66x66 grey pixels, CLAHE (faces/landmarks.py, faces/augment.py), then Caffe's TEST phase,
the centre 64x64 times 1/255 (inference/images.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, Union

import numpy as np

from gcnet_caffe.errors import GcnetError, ImageError, UsageError
from gcnet_caffe.faces.augment import face_crop
from gcnet_caffe.faces.landmarks import Detector, detector_model
from gcnet_caffe.inference.images import as_tested
from gcnet_caffe.inference.model import TrainedModel, latent_channels
from gcnet_caffe.inference.network import Network, open_network
from gcnet_caffe.recognition.inputs import Input, as_grey, check_colour, check_several
from gcnet_caffe.recognition.run_folder import open_model

#: Faces that a network is given at once.
BATCH = 64


class Face(NamedTuple):
    """One face of a picture.

    Attributes
    ----------
    box : (4,) ndarray
        x, y, width, height in pixels of the upright picture; it may reach beyond the border.
    landmarks : (5, 2) ndarray
        x, y of right eye, left eye, nose tip, right and left mouth corner; right is the subject's.
    score : float
        How sure the detector is that it is a face, 0 to 1.
    expression : str
        The most probable one.
    probabilities : dict of str to float
        Expression -> probability, in the order of the network's classes.
    query : (64, 64) ndarray of float32
        The aligned face as the network sees it, 0..1.
    reference : (64, 64) ndarray of float32, or None
        The person's neutral face as the network generated it; 0 or more, usually at most 1.
    delta : (h, w) ndarray of float32, or None
        Where query and generated reference differ for the network: at each place of the latent
        (8x8, with valid padding 6x6) the length of the normalised distance's vector over its
        channels. Row 0 is at the top of the face; no unit; comparable within one network.
    """

    box: np.ndarray
    landmarks: np.ndarray
    score: float
    expression: str
    probabilities: dict
    query: np.ndarray
    reference: np.ndarray | None
    delta: np.ndarray | None


#: The detected faces of a picture, each with its crop; or why there are none.
_Found = Union["list[tuple[Any, np.ndarray]]", ImageError, UsageError]


class Recognizer:
    """A network, a face detector, and what runs them; made by `load`.

    One thread at a time may use it: the detector keeps the size of its picture.
    """

    def __init__(self, model: TrainedModel, network: Network, detector: Detector) -> None:
        self.model, self._network, self._detector = model, network, detector
        self._channels = latent_channels(model)

    @classmethod
    def load(
        cls,
        folder: str | Path | None = None,
        backend: str = "torch",
        detector: str | Path | None = None,
    ) -> Recognizer:
        """Open a trained network.

        Parameters
        ----------
        folder : path, optional
            A model folder (`gcnet package`), or the folder of a training of a run. By default the
            small network that comes with this package. It was trained on synthetic faces: it shows
            how things work, and knows little about photographs.
        backend : str
            What runs the network: one of `inference.network.ENGINES`.
        detector : path, optional
            The face detector's model file; by default the `landmarks` extra's.

        Raises
        ------
        UsageError
            `folder` is neither, or something is not installed.
        ModelError
            The folder is not as it was written.
        """
        model = open_model(folder)
        network = open_network(backend, model.net, model.weights, model.outputs, fast=True)
        return cls(model, network, Detector(detector_model(detector)))

    @property
    def classes(self) -> tuple[str, ...]:
        """The expressions, in the order of the network's outputs."""
        return self.model.classes

    def predict(self, image: Input, colour: str | None = None) -> list[Face]:
        """Tell the expressions of the faces in one picture.

        Parameters
        ----------
        image : path, bytes, binary file, PIL image or ndarray
            An image file; its contents; the file open for reading in binary (its whole contents,
            wherever it has been read to); a PIL image of 8 or 16 bits, turned upright by its EXIF
            data, without its transparency; or an array: (H, W) grey or, in the order that `colour`
            says, (H, W, 3); uint8 of 0..255, or floating point of 0..1.
        colour : {"rgb", "bgr"}, optional
            The order of the colours of an (H, W, 3) array.

        Returns
        -------
        list of Face
            The largest first; empty where no face was found.

        Raises
        ------
        ImageError
            The file cannot be read, is not a whole image, or is too large.
        UsageError
            `image` is none of these.
        """
        return self.predict_batch([image], colour)[0]

    def predict_batch(self, images: Iterable[Input], colour: str | None = None) -> list[list[Face]]:
        """Tell the expressions of the faces in several pictures, as `predict` of each does.

        Returns
        -------
        list of list of Face
            One list a picture.

        Raises
        ------
        ImageError, UsageError
            As `predict` of the first picture that is wrong.
        """
        results = []
        for result in self.stream(images, colour):
            if isinstance(result, GcnetError):
                raise result
            results.append(result)
        return results

    def stream(
        self, images: Iterable[Input], colour: str | None = None, batch: int = BATCH
    ) -> Iterator[list[Face] | ImageError | UsageError]:
        """As `predict_batch`, but yields what is found after every `batch` of pictures or faces.

        For a picture that cannot be read, and for what is no picture, the error is yielded that
        `predict` raises, and the next ones follow. An ImageError among `images` is yielded, too.

        Raises
        ------
        UsageError
            `images` is one picture, or `colour` no order of colours.
        """
        check_colour(colour)
        check_several(images)
        waiting, count = [], 0
        for image in images:
            found = self._find(image, colour)
            waiting.append(found)
            count += 0 if isinstance(found, GcnetError) else len(found)
            if count >= batch or len(waiting) >= batch:
                yield from self._finish(waiting)
                waiting, count = [], 0
        yield from self._finish(waiting)

    def predict_crops(self, crops: np.ndarray) -> dict[str, np.ndarray]:
        """Run the network on aligned faces.

        Parameters
        ----------
        crops : (N, 66, 66) ndarray of uint8
            Aligned and equalised as `data.augment.face_crop` does, and packing.

        Returns
        -------
        dict of str to ndarray
            ``query`` (N, 1, 64, 64), and what `recognition.backends` tells.
        """
        query = as_tested(np.asarray(crops)[:, None])
        return {"query": query, **self._network.forward_all({"query": query}, BATCH)}

    def _find(self, image: Input, colour: str | None) -> _Found:
        if isinstance(image, ImageError):  # the caller could not read it
            return image
        try:
            grey = as_grey(image, colour)
        except (ImageError, UsageError) as error:
            return error
        return [(face, face_crop(grey, face.points)) for face in self._detector.faces(grey)]

    def _finish(self, waiting: list[_Found]) -> Iterator[list[Face] | ImageError | UsageError]:
        pairs = [pair for found in waiting if not isinstance(found, GcnetError) for pair in found]
        faces = iter(self._faces(pairs) if pairs else ())
        for found in waiting:
            wrong = isinstance(found, GcnetError)
            yield found if wrong else [next(faces) for _ in found]

    def _faces(self, pairs: list[tuple[Any, np.ndarray]]) -> Iterator[Face]:
        blobs = self.predict_crops(np.stack([crop for _, crop in pairs]))
        for i, (face, _) in enumerate(pairs):
            values = blobs["prob"][i].tolist()
            yield Face(
                face.box,
                face.points,
                face.score,
                self.classes[int(np.argmax(values))],
                dict(zip(self.classes, values)),
                blobs["query"][i, 0],
                blobs["generated_reference"][i, 0] if "generated_reference" in blobs else None,
                self._delta_map(blobs["delta"][i]) if "delta" in blobs else None,
            )

    def _delta_map(self, delta: np.ndarray) -> np.ndarray:
        side = round((delta.size // self._channels) ** 0.5)
        return np.sqrt((delta.reshape(self._channels, side, side) ** 2).sum(0))
