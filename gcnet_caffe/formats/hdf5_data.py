"""What an HDF5Data layer reads: the HDF5 files that a text file names.

Source: Caffe src/caffe/layers/hdf5_data_layer.cpp, src/caffe/util/hdf5.cpp.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np

from gcnet_caffe.errors import NetError, WeightsError
from gcnet_caffe.formats.hdf5 import opened

if TYPE_CHECKING:
    from numpy.typing import NDArray


class HDF5Files:
    """The files of one HDF5Data layer.

    Parameters
    ----------
    layer : LayerParameter
    origin : str
        The net's file, for messages.

    Attributes
    ----------
    batch_size : int
    paths : list of str

    Raises
    ------
    NetError
        There is a transform_param, batch_size is 0, or the source is missing or empty.
    """

    def __init__(self, layer: Any, origin: str) -> None:
        param = layer.hdf5_data_param
        self._names, self.batch_size = list(layer.top), param.batch_size
        self._rows: list[tuple[int, ...]] = []
        where = f"{origin}: layer {layer.name!r} (HDF5Data)"
        if layer.HasField("transform_param"):
            raise NetError(f"{where}: transform_param: HDF5 data is not transformed")
        if self.batch_size < 1:
            raise NetError(f"{where}: batch_size: found 0, wanted 1 or more")
        try:
            with open(param.source, "rb") as file:
                self.paths = os.fsdecode(file.read()).split()
        except (OSError, ValueError) as error:
            said = getattr(error, "strerror", None) or error
            raise NetError(f"{where}: source: {param.source}: {said}") from None
        if not self.paths:
            raise NetError(f"{where}: source: {param.source}: is empty; wanted the names of files")

    def check(self, index: int, file: Any) -> list[tuple[int, ...]]:
        """Return the shape of the dataset of each top in `file`, which is file `index`, open.

        Raises
        ------
        WeightsError
            It lacks a dataset, or one is empty, of another kind, or of other sizes than in the file
            that was checked first.
        """
        path, names = self.paths[index], self._names
        shapes = [self._shape(file, name, path) for name in names]
        counts = [shape[0] for shape in shapes]
        if len(set(counts)) > 1 or not counts[0]:
            raise WeightsError(f"{path}: found {counts} rows of {names}, wanted as many of each")
        rows = [shape[1:] for shape in shapes]
        self._rows = self._rows or rows
        if rows != self._rows:
            raise WeightsError(
                f"{path}: found rows of {rows}, wanted {self._rows} as in the first file"
            )
        return shapes

    def shapes(self, index: int) -> list[tuple[int, ...]]:
        """Return the shape of the dataset of each top in file `index`; errors as of `check`."""
        with opened(self.paths[index]) as file:
            return self.check(index, file)

    def read(self, index: int) -> list[NDArray[np.float32]]:
        """Return the dataset of each top in file `index`; errors as of `check`."""
        with opened(self.paths[index]) as file:
            self.check(index, file)
            return [np.asarray(file[name][()], np.float32) for name in self._names]

    @staticmethod
    def _shape(file: Any, name: str, path: str) -> tuple[int, ...]:
        data = file.get(name)
        if not hasattr(data, "dtype"):
            raise WeightsError(f"{path}: has no dataset {name!r}")
        if data.dtype.kind not in "fiu" or not data.shape:
            raise WeightsError(
                f"{path}: dataset {name!r}: found {data.dtype} of shape {data.shape}, wanted rows "
                "of numbers"
            )
        return tuple(data.shape)
