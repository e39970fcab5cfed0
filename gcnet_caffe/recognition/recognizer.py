"""`Recognizer`: from pictures to the expressions of the faces in them.

A face is prepared as the training data were when they were packed: the detector's five points, one
warp to 66x66 grey pixels, CLAHE (faces/landmarks.py, faces/augment.py), then Caffe's TEST phase,
the centre 64x64 times 1/255 (inference/images.py).
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple, Union

import numpy as np
from numpy.typing import NDArray

from gcnet_caffe.errors import GcnetError, ImageError, UsageError
from gcnet_caffe.faces.augment import face_crop
from gcnet_caffe.faces.landmarks import Detected, Detector, detector_model
from gcnet_caffe.inference.images import as_tested
from gcnet_caffe.inference.model import TrainedModel, latent_channels
from gcnet_caffe.inference.network import Network, open_network
from gcnet_caffe.nets.layer_names import DELTA, GENERATED_REFERENCE, PROB, QUERY
from gcnet_caffe.recognition.find_model import open_model
from gcnet_caffe.recognition.inputs import Input, as_grey, check_colour, check_several

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

    box: NDArray[np.float64]
    landmarks: NDArray[np.float64]
    score: float
    expression: str
    probabilities: dict[str, float]
    query: NDArray[np.float32]
    reference: NDArray[np.float32] | None
    delta: NDArray[np.float32] | None

    def ranking(self) -> list[tuple[str, float]]:
        """Return the expressions with their probabilities, the most probable first."""
        return sorted(self.probabilities.items(), key=lambda item: -item[1])


#: The detected faces of a picture, each with its crop; or why there are none.
_Found = Union["list[tuple[Detected, NDArray[np.uint8]]]", ImageError, UsageError]


class Recognizer:
    """A trained network and a face detector; made by `load`.

    Use it from one thread at a time: the detector keeps the size of its picture.

    Attributes
    ----------
    model : TrainedModel
        The network's files, classes and origin.
    """

    def __init__(self, model: TrainedModel, network: Network, detector: Detector) -> None:
        self.model, self._network, self._detector = model, network, detector
        self._channels = latent_channels(model)

    @classmethod
    def load(
        cls,
        folder: str | Path | None = None,
        engine: str = "torch",
        detector: str | Path | None = None,
        *,
        backend: str | None = None,
    ) -> Recognizer:
        """Open a trained network.

        Parameters
        ----------
        folder : path, optional
            A model folder (`gcnet package`), or the folder of a training of a run. By default the
            small network that comes with this package. It was trained on synthetic faces only: it
            shows how things work, and is often wrong on photographs.
        engine : str
            What runs the network: one of `inference.network.ENGINES`.
        detector : path, optional
            The face detector's model file (YuNet); by default the one of the `landmarks` extra.
        backend : str, optional
            The old name of `engine`; the next release does not take it.

        Raises
        ------
        UsageError
            `folder` is neither of the two, or what the engine needs is not installed.
        ModelError
            The folder has changed since it was written.
        NetError, WeightsError, SchemaError
            The network cannot be run, or its files cannot be read.
        """
        if backend is not None:
            text = "backend= is now engine=; the next release takes the new spelling only"
            warnings.warn(f"Recognizer.load: {text}", FutureWarning, stacklevel=2)
            engine = backend
        model = open_model(folder)
        network = open_network(engine, model.net, model.weights, model.outputs, fast=True)
        return cls(model, network, Detector(detector_model(detector)))

    @property
    def classes(self) -> tuple[str, ...]:
        """The expressions, in the order of the network's outputs."""
        return self.model.classes

    def predict(self, image: Input, colour: str | None = None) -> list[Face]:
        """Find the faces in one picture, and their expressions.

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
            The largest face first; empty where none is found.

        Raises
        ------
        ImageError
            The file cannot be read, is not a whole image, or is too large.
        UsageError
            `image` is none of these.
        """
        return self.predict_batch([image], colour)[0]

    def predict_batch(self, images: Iterable[Input], colour: str | None = None) -> list[list[Face]]:
        """Find the faces in several pictures, and their expressions.

        Parameters
        ----------
        images : iterable of pictures
            Each as `predict` takes it.
        colour : {"rgb", "bgr"}, optional
            As for `predict`.

        Returns
        -------
        list of list of Face
            One list per picture.

        Raises
        ------
        ImageError, UsageError
            As `predict` raises for the first picture that is wrong.
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
        """As `predict_batch`, but yield the faces of each picture while the next ones are read.

        Where a picture cannot be read, the error that `predict` would raise is yielded, and the
        next pictures follow. An ImageError among `images` is yielded as it is.

        Parameters
        ----------
        images : iterable of pictures
            Each as `predict` takes it.
        colour : {"rgb", "bgr"}, optional
            As for `predict`.
        batch : int
            Faces to collect before the network runs on them; and pictures, at most.

        Yields
        ------
        list of Face, ImageError or UsageError
            One per picture, in their order.

        Raises
        ------
        UsageError
            `images` is one picture, or `colour` is neither of the two orders.
        """
        check_colour(colour)
        check_several(images)
        waiting: list[_Found] = []
        count = 0
        for image in images:
            found = self._find(image, colour)
            waiting.append(found)
            count += 0 if isinstance(found, GcnetError) else len(found)
            if count >= batch or len(waiting) >= batch:
                yield from self._finish(waiting)
                waiting, count = [], 0
        yield from self._finish(waiting)

    def predict_crops(self, crops: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
        """Run the network on aligned faces.

        Parameters
        ----------
        crops : (N, 66, 66) ndarray of uint8
            Aligned and equalised by `faces.augment.face_crop`, as packing does.

        Returns
        -------
        dict of str to ndarray
            ``query``, (N, 1, 64, 64), 0..1; ``prob``, (N, classes); and, where the network has
            them, ``generated_reference`` (N, 1, 64, 64), ``delta`` (N, values of an embedding) and
            ``feature`` (N, 384).
        """
        query = as_tested(np.asarray(crops)[:, None])
        return {QUERY: query, **self._network.forward_all({QUERY: query}, BATCH)}

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
            yield found if isinstance(found, GcnetError) else [next(faces) for _ in found]

    def _faces(self, pairs: list[tuple[Detected, NDArray[np.uint8]]]) -> Iterator[Face]:
        blobs = self.predict_crops(np.stack([crop for _, crop in pairs]))
        for i, (face, _) in enumerate(pairs):
            values = blobs[PROB][i].tolist()
            yield Face(
                face.box,
                face.points,
                face.score,
                self.classes[int(np.argmax(values))],
                dict(zip(self.classes, values)),
                blobs[QUERY][i, 0],
                blobs[GENERATED_REFERENCE][i, 0] if GENERATED_REFERENCE in blobs else None,
                self._delta_map(blobs[DELTA][i]) if DELTA in blobs else None,
            )

    def _delta_map(self, delta: NDArray[np.float32]) -> NDArray[np.float32]:
        side = round((delta.size // self._channels) ** 0.5)
        pixels = delta.reshape(self._channels, side, side)
        lengths: NDArray[np.float32] = np.sqrt((pixels**2).sum(0))
        return lengths
