"""A NetParameter under construction: one call per layer."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from gcnet_caffe.formats import caffe_pb, to_text

#: The fields of a message, as Python's protobuf takes them.
Fields = dict[str, Any]

#: What each phase's layer carries.
TRAIN_ONLY = [{"phase": caffe_pb.TRAIN}]
TEST_ONLY = [{"phase": caffe_pb.TEST}]

#: Parameters that are not learned: BatchNorm's mean, variance and scale factor.
FIXED = {"lr_mult": 0, "decay_mult": 0}


class NetWriter:
    """Collect the layers of a net named `name`."""

    def __init__(self, name: str) -> None:
        self.net: Any = caffe_pb.NetParameter(name=name)

    def add(
        self,
        name: str,
        type: str,
        bottoms: str | Sequence[str] = (),
        top: str | None = None,
        **fields: Any,
    ) -> str:
        """Append a layer with one top; return that.

        Parameters
        ----------
        name, type : str
        bottoms : str or sequence of str
            The blobs that it reads.
        top : str, optional
            The blob that it makes; default: named like the layer.
        **fields
            LayerParameter's fields, as dicts and lists.
        """
        return self.add_tops(name, type, bottoms, [name if top is None else top], **fields)[0]

    def add_tops(
        self, name: str, type: str, bottoms: str | Sequence[str], tops: Sequence[str], **fields: Any
    ) -> list[str]:
        """Append a layer with any number of tops; return these. Parameters as for `add`."""
        bottoms = [bottoms] if isinstance(bottoms, str) else list(bottoms)
        fields["param"] = [] if not any(fields.get("param", ())) else fields["param"]
        self.net.layer.add(name=name, type=type, bottom=bottoms, top=tops, **fields)
        return list(tops)

    def silence(self, *blobs: str) -> None:
        """Add a Silence for each of `blobs` that no layer reads: Caffe takes it for an output."""
        read = {blob for layer in self.net.layer for blob in layer.bottom}
        for blob in blobs:
            if blob not in read:
                self.add_tops(f"{blob}_unused", "Silence", blob, [])

    def text(self, header: Iterable[str] = ()) -> str:
        """Return the prototxt, each line of `header` first as a comment."""
        return "".join(f"# {line}\n" for line in header) + _short_blocks(to_text(self.net))


def learned(name: str | None = None, lr_mult: float = 1.0) -> Fields:
    """Return a ParamSpec, shared under `name` when there is one; empty when all is default."""
    spec: Fields = {} if name is None else {"name": name}
    if lr_mult != 1:
        spec["lr_mult"] = lr_mult
    return spec


def fixed(name: str | None = None) -> Fields:
    """Return a ParamSpec of a parameter that is not learned."""
    return dict(FIXED) if name is None else {"name": name, **FIXED}


def _short_blocks(text: str, width: int = 96) -> str:
    """Put every block inside a layer that fits on one line on one line."""
    block = re.compile(r"^( +\w+) \{\n([^{}]*(?:\{[^{}\n]*\}[^{}]*)*)\n *\}$", re.M)

    def shorten(match: re.Match[str]) -> str:
        line = f"{match[1]} {{ {' '.join(match[2].split())} }}"
        return line if len(line) <= width else match[0]

    shorter = block.sub(shorten, text)
    return text if shorter == text else _short_blocks(shorter, width)
