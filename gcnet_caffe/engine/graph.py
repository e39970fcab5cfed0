"""How the blobs of a net's layers connect.

Source: Caffe src/caffe/net.cpp (AppendBottom, AppendTop) and src/caffe/util/insert_splits.cpp. A
blob that several layers read needs no Split layer here:
every top has its own number, an in-place top gets a new one, and readers keep the number that
the name stood for where they are.
"""

from gcnet_caffe.errors import NetError


class Wiring:
    """Connects layers one after the other, as they are added."""

    def __init__(self, origin):
        self._origin = origin
        self._current = {}  # name -> number of the blob that the name stands for now
        self._unread = set()
        self.names = []

    def bottoms(self, layer):
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
        self._unread.difference_update(layer.bottom)
        return tuple(self._current[name] for name in layer.bottom)

    def tops(self, layer, count):
        """Return the numbers of the `count` tops of `layer`; those without a name come last.

        Raises
        ------
        NetError
            Another layer makes a blob of that name.
        """
        return tuple(self._top(layer, index) for index in range(count))

    def _top(self, layer, index):
        number = len(self.names)
        if index >= len(layer.top):
            self.names.append("(automatic)")
            return number
        name = layer.top[index]
        in_place = index < len(layer.bottom) and layer.bottom[index] == name
        if name in self._current and not in_place:
            raise NetError(
                f"{self._origin}: Top blob '{name}' produced by multiple sources (layer "
                f"'{layer.name}')"
            )
        self._current[name] = number
        self._unread.add(name)
        self.names.append(name)
        return number

    def outputs(self):
        """Return the numbers of the blobs that no layer reads, in the order of their names."""
        return [self._current[name] for name in sorted(self._unread)]

    def final(self):
        """Return {name: number} of what each name stands for after the last layer."""
        return dict(self._current)
