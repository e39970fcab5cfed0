"""`Recognizer`: from pictures to the expressions of the faces in them.

A face is prepared as the training data were when they were packed: the detector's five points, one
warp to 66x66 grey pixels, CLAHE (faces/landmarks.py, faces/augment.py), then Caffe's TEST phase,
the centre 64x64 times 1/255 (inference/images.py). A reference of one's own is prepared in the same
way.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Union

import numpy as np
from numpy.typing import NDArray

from gcnet_caffe.errors import GcnetError, ImageError, UsageError
from gcnet_caffe.evaluation.calibration import with_temperature
from gcnet_caffe.faces.augment import face_crop
from gcnet_caffe.faces.landmarks import Detected, Detector, detector_model
from gcnet_caffe.inference.images import as_tested
from gcnet_caffe.inference.model import TrainedModel, latent_channels
from gcnet_caffe.inference.network import Network, open_network
from gcnet_caffe.inference.own_reference import open_with_own_reference
from gcnet_caffe.nets.layer_names import DELTA, GENERATED_REFERENCE, PROB, QUERY, REFERENCE
from gcnet_caffe.recognition.face import Face
from gcnet_caffe.recognition.find_model import open_model
from gcnet_caffe.recognition.inputs import Input, as_grey, check_colour, check_several
from gcnet_caffe.recognition.pictures import open_source
from gcnet_caffe.recognition.results import rows
from gcnet_caffe.recognition.watching import AUTO, Reference, check_auto, neutral_references, watch

#: Faces that a network is given at once.
BATCH = 64


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

    def __init__(
        self, model: TrainedModel, network: Network, detector: Detector, engine: str = "torch"
    ) -> None:
        self.model, self._network, self._detector = model, network, detector
        self._channels, self._engine = latent_channels(model), engine
        calibration = model.facts.get("calibration")
        self._temperature = calibration["temperature"] if calibration else 1.0

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
            small network that comes with this package (docs/photographs.md tells how often it is
            right about photographs).
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
        return cls(model, network, Detector(detector_model(detector)), engine)

    @property
    def threshold(self) -> float | None:
        """The confidence below which an answer is "not sure", 0..1; None of most networks."""
        calibration = self.model.facts.get("calibration")
        return calibration["threshold"] if calibration else None

    @property
    def classes(self) -> tuple[str, ...]:
        """The expressions, in the order of the network's outputs."""
        return self.model.classes

    def predict(
        self, image: Input, colour: str | None = None, *, reference: Input | Face | None = None
    ) -> list[Face]:
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
        reference : picture or Face, optional
            The neutral face of the person in `image`, which then takes the place of the generated
            one: a picture, as `image`, with one face in it; or a face that was found before (its
            `query`). Every face in `image` is compared with it.

        Returns
        -------
        list of Face
            The largest face first; empty where none is found.

        Raises
        ------
        ImageError
            The file cannot be read, is not a whole image, or is too large; or there is not exactly
            one face in `reference`.
        UsageError
            `image` is none of these; or the network compares with no reference.
        """
        return self.predict_batch([image], colour, reference=reference)[0]

    def predict_batch(
        self,
        images: Iterable[Input],
        colour: str | None = None,
        *,
        reference: Input | Face | None = None,
    ) -> list[list[Face]]:
        """Find the faces in several pictures, and their expressions.

        Parameters
        ----------
        images : iterable of pictures
            Each as `predict` takes it.
        colour, reference : optional
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
        for result in self.stream(images, colour, reference=reference):
            if isinstance(result, GcnetError):
                raise result
            results.append(result)
        return results

    def stream(
        self,
        images: Iterable[Input],
        colour: str | None = None,
        batch: int = BATCH,
        *,
        reference: Input | Face | None = None,
    ) -> Iterator[list[Face] | ImageError | UsageError]:
        """As `predict_batch`, but yield the faces of each picture while the next ones are read.

        Where a picture cannot be read, the error that `predict` would raise is yielded, and the
        next pictures follow. An ImageError among `images` is yielded as it is.

        Parameters
        ----------
        images : iterable of pictures
            Each as `predict` takes it.
        colour, reference : optional
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
            `images` is one picture, `colour` is neither of the two orders, or the network compares
            with no reference.
        ImageError
            The reference cannot be read, or there is not exactly one face in it.
        """
        check_colour(colour)
        check_several(images)
        compared = None if reference is None else self._reference(reference, colour)
        waiting: list[_Found] = []
        count = 0
        for image in images:
            found = self._find(image, colour)
            waiting.append(found)
            count += 0 if isinstance(found, GcnetError) else len(found)
            if count >= batch or len(waiting) >= batch:
                yield from self._finish(waiting, compared)
                waiting, count = [], 0
        yield from self._finish(waiting, compared)

    def compare(self, faces: Sequence[Face], references: Sequence[Face]) -> list[Face]:
        """Compare faces that were found before with others' `query` as their references.

        Parameters
        ----------
        faces, references : sequence of Face
            As many of the one as of the other.

        Returns
        -------
        list of Face
            `faces` with what the network says of them now.

        Raises
        ------
        UsageError
            The network compares with no reference.
        """
        if not faces:
            return []
        query, reference = (
            np.stack([face.query for face in some])[:, None] for some in (faces, references)
        )
        blobs = self._run(query, reference)
        return [face._replace(**self._said(blobs, i)) for i, face in enumerate(faces)]

    def rows(
        self, path: str | Path, every: int = 1, reference: Input | Face | None = None
    ) -> Iterator[dict[str, Any]]:
        """Yield the faces in a picture, video or folder as rows of a table, as they are found.

        ``pandas.DataFrame(recognizer.rows("video.mp4"))`` is that table.

        Parameters
        ----------
        path : path
            An image file, a video, or a folder of both.
        every : int
            Of a video, one frame of this many is taken, from the first on.
        reference : picture, Face or "auto", optional
            As for `predict`. With "auto" each person of a video is compared with the mean of that
            person's most neutral frames, and the video is read twice.

        Yields
        ------
        dict
            A face, or a picture without one. None stands for what there is not.

            ``image``, ``file``, ``frame``, ``time``: the picture's name, its file and, in a video,
            the number of the frame from 0 on and the seconds since the start.
            ``face``: number in this picture, the largest is 1. ``person``: number in this video.
            ``note``: why there is no face.
            ``expression``, ``confidence`` (0..1), ``sure``; then a probability for each class.
            ``x``, ``y``, ``width``, ``height``, ``score``; ``right_eye_x`` and so on: see `Face`.
            ``reference``: "generated" or "own".

        Raises
        ------
        UsageError
            There is no such file; or of "auto", `path` is no video, or no class is neutral.
        ImageError
            As `predict` raises for `reference`.
        """
        if isinstance(reference, str) and reference == AUTO:
            check_auto(self, path)
            pictures = open_source(str(path), every).pictures
            people: Reference = neutral_references(watch(self, pictures, batch=BATCH))
        else:
            people = reference
        for seen in watch(self, open_source(str(path), every).pictures, people, batch=BATCH):
            yield from rows(seen, self.classes)

    def predict_crops(self, crops: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
        """Run the network on aligned faces.

        Parameters
        ----------
        crops : (N, 66, 66) ndarray of uint8
            Aligned and equalised by `faces.augment.face_crop`, as packing does.

        Returns
        -------
        dict of str to ndarray
            ``query``, (N, 1, 64, 64), 0..1; ``prob``, (N, classes), as calibrated; and,
            where the network has them, ``generated_reference`` (N, 1, 64, 64), ``delta`` (N, values
            of an embedding) and ``feature`` (N, 384).
        """
        return self._run(as_tested(np.asarray(crops)[:, None]))

    def _run(
        self, query: NDArray[np.float32], reference: NDArray[np.float32] | None = None
    ) -> dict[str, NDArray[np.float32]]:
        """The inputs, (N, 1, 64, 64) each, and what the network makes of them."""
        inputs, network = {QUERY: query}, self._network
        if reference is not None:
            inputs[REFERENCE], network = reference, self._comparing
        blobs = {**inputs, **network.forward_all(inputs, BATCH)}
        blobs[PROB] = with_temperature(blobs[PROB], self._temperature)
        return blobs

    @cached_property
    def _comparing(self) -> Network:
        """The network without its generator."""
        model = self.model
        outputs = [blob for blob in model.outputs if blob != GENERATED_REFERENCE]
        return open_with_own_reference(self._engine, model.net, model.weights, outputs, fast=True)

    def _reference(self, given: Input | Face, colour: str | None) -> NDArray[np.float32]:
        """A reference as the network sees it, (64, 64)."""
        if isinstance(given, Face):
            return given.query
        found = self._find(given, colour)
        if isinstance(found, GcnetError):
            raise found
        if len(found) != 1:
            name = given if isinstance(given, (str, os.PathLike)) else "reference"
            raise ImageError(f"{name}: found {len(found) or 'no'} faces; wanted the person's alone")
        reference: NDArray[np.float32] = as_tested(found[0][1][None])[0]
        return reference

    def _find(self, image: Input, colour: str | None) -> _Found:
        if isinstance(image, ImageError):  # the caller could not read it
            return image
        try:
            grey = as_grey(image, colour)
        except (ImageError, UsageError) as error:
            return error
        return [(face, face_crop(grey, face.points)) for face in self._detector.faces(grey)]

    def _finish(
        self, waiting: list[_Found], reference: NDArray[np.float32] | None
    ) -> Iterator[list[Face] | ImageError | UsageError]:
        pairs = [pair for found in waiting if not isinstance(found, GcnetError) for pair in found]
        faces = iter(self._faces(pairs, reference) if pairs else ())
        for found in waiting:
            yield found if isinstance(found, GcnetError) else [next(faces) for _ in found]

    def _faces(
        self,
        pairs: list[tuple[Detected, NDArray[np.uint8]]],
        reference: NDArray[np.float32] | None,
    ) -> Iterator[Face]:
        query = as_tested(np.stack([crop for _, crop in pairs])[:, None])
        if reference is not None:
            reference = np.tile(reference, (len(pairs), 1, 1, 1))
        blobs = self._run(query, reference)
        for i, (face, _) in enumerate(pairs):
            said = self._said(blobs, i)
            yield Face(face.box, face.points, face.score, query=query[i, 0], **said)

    def _said(self, blobs: dict[str, NDArray[np.float32]], i: int) -> dict[str, Any]:
        """What the network says of its `i`-th face: fields of `Face`."""
        values = blobs[PROB][i].tolist()
        compared = blobs.get(REFERENCE, blobs.get(GENERATED_REFERENCE))
        return {
            "expression": self.classes[int(np.argmax(values))],
            "probabilities": dict(zip(self.classes, values)),
            "reference": None if compared is None else compared[i, 0],
            "delta": self._delta_map(blobs[DELTA][i]) if DELTA in blobs else None,
            "own_reference": REFERENCE in blobs,
            "sure": self.threshold is None or max(values) >= self.threshold,
        }

    def _delta_map(self, delta: NDArray[np.float32]) -> NDArray[np.float32]:
        side = round((delta.size // self._channels) ** 0.5)
        pixels = delta.reshape(self._channels, side, side)
        lengths: NDArray[np.float32] = np.sqrt((pixels**2).sum(0))
        return lengths
