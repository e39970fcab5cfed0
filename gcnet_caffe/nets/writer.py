"""A NetParameter under construction: one call a layer."""

import re

from gcnet_caffe.formats import caffe_pb, to_text

#: What each phase's layer carries.
TRAIN_ONLY = [{"phase": caffe_pb.TRAIN}]
TEST_ONLY = [{"phase": caffe_pb.TEST}]

#: Parameters that are not learned: BatchNorm's mean, variance and scale factor.
FIXED = {"lr_mult": 0, "decay_mult": 0}


class NetWriter:
    """Collect the layers of a net named `name`."""

    def __init__(self, name):
        self.net = caffe_pb.NetParameter(name=name)

    def add(self, name, type, bottoms=(), tops=None, **fields):
        """Append a layer; return its only top, or the list of its tops.

        `bottoms` and `tops` are a blob name or a sequence of them; `tops` defaults to one blob
        named like the layer. `fields` are LayerParameter's fields, as dicts and lists.
        """
        bottoms = [bottoms] if isinstance(bottoms, str) else list(bottoms)
        tops = [name] if tops is None else [tops] if isinstance(tops, str) else list(tops)
        fields["param"] = [] if not any(fields.get("param", ())) else fields["param"]
        self.net.layer.add(name=name, type=type, bottom=bottoms, top=tops, **fields)
        return tops[0] if len(tops) == 1 else tops

    def silence(self, *blobs):
        """Add a Silence for each of `blobs` that nothing reads; else it is an output of the net."""
        read = {blob for layer in self.net.layer for blob in layer.bottom}
        for blob in blobs:
            if blob not in read:
                self.add(f"{blob}_unused", "Silence", blob, [])

    def text(self, header=()):
        """Return the prototxt, each line of `header` first as a comment."""
        return "".join(f"# {line}\n" for line in header) + _short_blocks(to_text(self.net))


def learned(name=None, lr_mult=1.0):
    """Return a ParamSpec, shared under `name` when there is one; empty when all is default."""
    spec = {} if name is None else {"name": name}
    if lr_mult != 1:
        spec["lr_mult"] = lr_mult
    return spec


def fixed(name=None):
    """Return a ParamSpec of a parameter that is not learned."""
    return dict(FIXED) if name is None else {"name": name, **FIXED}


def _short_blocks(text, width=96):
    """Put every block inside a layer that fits on one line on one line."""
    block = re.compile(r"^( +\w+) \{\n([^{}]*(?:\{[^{}\n]*\}[^{}]*)*)\n *\}$", re.M)

    def shorten(match):
        line = f"{match[1]} {{ {' '.join(match[2].split())} }}"
        return line if len(line) <= width else match[0]

    shorter = block.sub(shorten, text)
    return text if shorter == text else _short_blocks(shorter, width)
