"""What a Data layer needs of its records: the same rules for the engine and for `gcnet check`.

Source: Caffe src/caffe/layers/data_layer.cpp and src/caffe/data_transformer.cpp. The rules are
stricter than Caffe's, which reads memory that is not there, or stops only at the wrong record: all
records of an LMDB must have the same shape, unless a batch is one record.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from gcnet_caffe.errors import GcnetError, LmdbError, NetError
from gcnet_caffe.formats import caffe_pb, read_binary
from gcnet_caffe.formats.blobs import blob_from_proto
from gcnet_caffe.formats.databases import holds_leveldb
from gcnet_caffe.formats.datum import Shape
from gcnet_caffe.formats.labels import LabelRange, check_labels
from gcnet_caffe.formats.lmdb_file import holds_lmdb
from gcnet_caffe.formats.lmdb_survey import read_images

if TYPE_CHECKING:
    from numpy.typing import NDArray


class TransformRules:
    """The rules of the transform_param of a layer.

    Parameters
    ----------
    layer : LayerParameter
    origin : str
        The net's file, for messages.

    Attributes
    ----------
    mean : array of float32, or None
        What is subtracted: (C, H, W) of a mean_file, (C, 1, 1) or (1, 1, 1) of mean_value.

    Raises
    ------
    NetError
        mean_file and mean_value are both given, or the mean_file is missing or broken.
    """

    #: What is raised where an image does not suit the layer.
    failure: type[GcnetError] = LmdbError

    def __init__(self, layer: Any, origin: str) -> None:
        self._layer, self._origin = layer, origin
        self._param = layer.transform_param
        if self._param.HasField("mean_file") and self._param.mean_value:
            raise self.error("transform_param: give mean_file or mean_value, not both")
        self.mean = self._read_mean()

    def error(self, text: str) -> NetError:
        """Return (not raise) a NetError that names the file and the layer."""
        layer = self._layer
        return NetError(f"{self._origin}: layer {layer.name!r} ({layer.type}): {text}")

    def _read_mean(self) -> NDArray[np.float32] | None:
        if self._param.mean_value:
            return np.array(self._param.mean_value, np.float32).reshape(-1, 1, 1)
        if not self._param.HasField("mean_file"):
            return None
        try:
            return read_mean_file(self._param.mean_file)
        except (GcnetError, ValueError) as error:
            raise self.error(f"mean_file: {error}") from None

    def output_shape(self, shape: Shape, record: str) -> Shape:
        """Return the (C, H, W) of what a net gets of an image.

        Parameters
        ----------
        shape : (C, H, W)
            Of the image.
        record : str
            What errors call it.

        Raises
        ------
        GcnetError
            `failure`: the image is smaller than crop_size, or the mean does not fit it.
        """
        crop = self._param.crop_size
        if crop > min(shape[1:]):
            raise self.failure(
                f"{record}: {shape[1]} x {shape[2]}, crop_size needs {crop} x {crop}"
            )
        if self.mean is not None:
            self._check_mean(self.mean, shape, record)
        return (shape[0], crop, crop) if crop else shape

    def _check_mean(self, mean: NDArray[np.float32], shape: Shape, record: str) -> None:
        if self._param.mean_value:
            if len(mean) not in (1, shape[0]):
                raise self.failure(
                    f"{record}: {shape[0]} channels, mean_value: found {len(mean)}, wanted 1 "
                    f"or {shape[0]}"
                )
        elif mean.shape != tuple(shape):
            raise self.failure(
                f"{record}: of shape {tuple(shape)}, the mean_file's is {mean.shape}"
            )


class DataRules(TransformRules):
    """The rules of one Data layer.

    Parameters
    ----------
    layer : LayerParameter
    origin : str
        The net's file, for messages.

    Attributes
    ----------
    source : str
        The folder of the records.
    leveldb : bool
        Whether they are in a LEVELDB.
    color : bool or None
        An encoded image is made BGR (true), grey (false), or left as it is.

    Raises
    ------
    NetError
        The layer cannot read any records: batch_size is 0, fields of transform_param exclude
        each other, the mean_file is missing or broken, or the backend is the other one.
    """

    def __init__(self, layer: Any, origin: str) -> None:
        super().__init__(layer, origin)
        self.source, self.batch_size = layer.data_param.source, layer.data_param.batch_size
        if self.batch_size < 1:
            raise self.error("batch_size: found 0, wanted 1 or more")
        self.color = True if self._param.force_color else False if self._param.force_gray else None
        self.leveldb = layer.data_param.backend == caffe_pb.DataParameter.LEVELDB
        if self.leveldb and holds_lmdb(self.source):
            raise self.error(
                f"backend: LEVELDB (Caffe's default), but {self.source} is an LMDB; write "
                "backend: LMDB"
            )
        if not self.leveldb and holds_leveldb(self.source):
            raise self.error(
                f"backend: LMDB, but {self.source} is a LEVELDB; write backend: LEVELDB"
            )

    @property
    def keeps_values(self) -> bool:
        """Whether the numbers of an image stay as they are."""
        return self.mean is None and self._param.scale == 1

    def check_alike(self, first: Shape, other: Shape, record: str, encoded: bool) -> None:
        """Check that an image of shape `other` can be in one LMDB with one of shape `first`.

        Parameters
        ----------
        first, other : (C, H, W)
        record : str
            What errors call the record of the `other` shape.
        encoded : bool
            Whether it is an encoded image.

        Raises
        ------
        LmdbError
            The layer cannot take the other image at all; or the net would get two shapes, and a
            batch is more than one record, or the one mean_value is for all channels. The message
            says what would make the shapes equal.
        """
        if encoded and self._param.force_color and self._param.force_gray:
            raise LmdbError(f"{record}: encoded; give force_color or force_gray, not both")
        made, wanted = self.output_shape(other, record), self.output_shape(first, self.source)
        alike = made == wanted
        if self.batch_size == 1:  # Caffe repeats one mean_value for the channels, once for all
            alike = made[0] == wanted[0] or len(self._param.mean_value) != 1
        if alike:
            return
        channels = "nothing makes the channels of raw records (not encoded) equal"
        if encoded:
            channels = "force_color or force_gray makes the channels equal"
        hints = [channels] if made[0] != wanted[0] else []
        if made[1:] != wanted[1:] and self.batch_size > 1:
            hints.append("crop_size makes the sizes equal")
        batch = f"a batch of {self.batch_size}" if self.batch_size > 1 else "mean_value"
        raise LmdbError(
            f"{record}: records of different shapes {sorted([made, wanted])}; wanted one shape in "
            f"{batch}: {', '.join(hints)}"
        )


def read_mean_file(path: str) -> NDArray[np.float32]:
    """Read the (C, H, W) mean of a .binaryproto.

    Raises
    ------
    SchemaError
        It is missing, or not such a file.
    ValueError
        It is empty, or has more than four axes.
    """
    mean = blob_from_proto(read_binary(path, caffe_pb.BlobProto))
    if mean.ndim > 4 or not mean.size:
        raise ValueError(f"of shape {mean.shape}, wanted 1 x C x H x W")
    image: NDArray[np.float32] = mean.reshape((mean.shape + (1,) * 4)[:4])[0]
    return image


def check_layer_labels(
    rules: DataRules, records: Any, top: int, wanted: LabelRange, reader: str
) -> None:
    """Check that the labels from a Data layer are such as another layer can take.

    Parameters
    ----------
    rules : DataRules
        Of the Data layer.
    records : Survey, or the engine's Records
        What the Data layer reads.
    top : int
        Which of its tops holds the labels: 1, or 0 where each pixel of an image is a label.
    wanted : LabelRange
    reader : str
        What errors call the layer that reads the labels.

    Raises
    ------
    LmdbError
        The message names the first such record.
    """
    if top == 1:
        check_labels(records.labels, wanted, reader, records.name)
    elif rules.keeps_values:
        for name, image in read_images(rules.source, rules.color, rules.leveldb):

            def its_name(_: int, name: str = name) -> str:
                return name

            check_labels(np.unique(image), wanted, reader, its_name)
