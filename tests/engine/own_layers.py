"""Layers in Python for tests, named by prototxts' python_param."""

import json

import caffe
import numpy as np
import torch
from torch import nn


class Rows(caffe.Layer):
    """Rows of numbers and their sums' signs, one place after the other; it knows its place."""

    def setup(self, bottom, top):
        options = json.loads(self.param_str_)
        self.place, self.batch = 0, options["batch"]
        self.all = np.random.RandomState(options["seed"]).uniform(-1, 1, (options["rows"], 4))

    def reshape(self, bottom, top):
        top[0].reshape(self.batch, 4)
        top[1].reshape(self.batch)

    def forward(self, bottom, top):
        places = (self.place + np.arange(self.batch)) % len(self.all)
        self.place = int(places[-1]) + 1
        top[0].data[...] = self.all[places]
        top[1].data[...] = self.all[places].sum(1) > 0

    def state(self):
        return {"place": self.place}

    def set_state(self, state):
        self.place = state["place"]


class Gains(caffe.Layer):
    """Each column times a learned gain."""

    def setup(self, bottom, top):
        self.blobs.add_blob(bottom[0].shape[1])
        self.blobs[0].data[...] = 1

    def reshape(self, bottom, top):
        top[0].reshape(*bottom[0].shape)

    def forward(self, bottom, top):
        top[0].data[...] = bottom[0].data * self.blobs[0].data

    def backward(self, top, propagate_down, bottom):
        self.blobs[0].diff[...] += (top[0].diff * bottom[0].data).sum(0)
        if propagate_down[0]:
            bottom[0].diff[...] = top[0].diff * self.blobs[0].data


def mish(bottom):
    """A torch function."""
    return bottom * torch.tanh(nn.functional.softplus(bottom))


def power(bottom, param_str):
    """A torch function with an option."""
    return bottom ** float(param_str)


class Temperature(nn.Module):
    """A torch module with a parameter that learns, and one that does not."""

    def __init__(self, shapes, param_str):
        super().__init__()
        self.scale = nn.Parameter(torch.full((shapes[0][1],), float(param_str)))
        self.shift = nn.Parameter(torch.ones(()), requires_grad=False)

    def forward(self, bottom):
        return bottom * self.scale + self.shift


class Counting(nn.Module):
    """A torch module with a state that is in no snapshot."""

    def __init__(self):
        super().__init__()
        self.register_buffer("seen", torch.zeros(1))

    def forward(self, bottom):
        return bottom


class Plain:
    """A class of neither kind."""


class Failing(caffe.Layer):
    """Raises an error of its own."""

    def setup(self, bottom, top):
        raise ValueError("wants another net")
