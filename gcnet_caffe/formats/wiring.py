"""How the blobs of a net's layers connect.

Source: Caffe src/caffe/net.cpp (AppendBottom, AppendTop) and src/caffe/util/insert_splits.cpp. A
blob that several layers read needs no Split layer here: every top has its own number, an in-place
top gets a new one, and a reader keeps the number that the name had at its place.
"""

from __future__ import annotations

from typing import Any

from gcnet_caffe.errors import NetError
from gcnet_caffe.formats import caffe_pb


class Wiring:
    """Connects layers one after the other, as they are added."""

    def __init__(self, origin: str) -> None:
        self._origin = origin
        self._current: dict[str, int] = {}  # what each name stands for now
        self._readers: list[list[str]] = []  # of each number; a loss_weight counts as one
        self._unread: set[str] = set()
        self.names: list[str] = []

    def bottoms(self, layer: Any) -> tuple[int, ...]:
        """Return the numbers of the bottoms of the LayerParameter `layer`.

        Raises
        ------
        NetError
            No earlier layer makes the blob.
        """
        for index, name in enumerate(layer.bottom):
            if name not in self._current:
                raise NetError(
                    f"{self._origin}: Unknown bottom blob '{name}' (layer '{layer.name}', bottom "
                    f"index {index}); wanted a top of an earlier layer"
                )
            self._readers[self._current[name]].append(f"layer '{layer.name}'")
        self._unread.difference_update(layer.bottom)
        return tuple(self._current[name] for name in layer.bottom)

    def tops(self, layer: Any, count: int) -> tuple[int, ...]:
        """Return the numbers of the tops of the LayerParameter `layer`.

        Call it right after `bottoms`. The layer makes `count` tops; those without a name come last.

        Raises
        ------
        NetError
            Another layer makes a blob of that name; or `layer` is in place, and not the only one
            that reads its bottom. There InsertSplits gives the bottom another name, so that
            AppendTop finds the name of the top taken.
        """
        return tuple(self._top(layer, index) for index in range(count))

    def _top(self, layer: Any, index: int) -> int:
        number = len(self.names)
        self._readers.append([])
        if index >= len(layer.top):
            self.names.append("(automatic)")
            return number
        name = layer.top[index]
        if name in self._current:
            self._check_in_place(layer, index)
        if index < len(layer.loss_weight) and layer.loss_weight[index]:
            self._readers[number].append("its loss_weight")
        self._current[name] = number
        self._unread.add(name)
        self.names.append(name)
        return number

    def _check_in_place(self, layer: Any, index: int) -> None:
        """Raise the NetError of a taken name, unless top `index` of `layer` may take it over."""
        name, why = layer.top[index], ""
        if index < len(layer.bottom) and layer.bottom[index] == name:
            readers = self._readers[self._current[name]]
            if len(readers) == 1:
                return
            if readers:  # none: it is an earlier top of the same layer
                why = f" in place, but {readers[0]} reads '{name}', too; give the top another name"
        raise NetError(
            f"{self._origin}: Top blob '{name}' produced by multiple sources (layer "
            f"'{layer.name}'{why and ':'}{why})"
        )

    def check_not_empty(self, phase: int) -> None:
        """Raise a NetError where no layer made a blob: a net that Caffe cannot run."""
        if not self.names:
            name = "TRAIN" if phase == caffe_pb.TRAIN else "TEST"
            raise NetError(f"{self._origin}: no layer in phase {name}; Caffe cannot run it")

    def outputs(self) -> list[int]:
        """Return the numbers of the blobs that no layer reads, in the order of their names."""
        return [self._current[name] for name in sorted(self._unread)]

    def final(self) -> dict[str, int]:
        """Return {name: number} of what each name stands for after the last layer."""
        return dict(self._current)
