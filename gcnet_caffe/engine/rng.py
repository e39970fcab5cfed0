"""The random numbers of CPU Caffe, bit for bit, and PyTorch's own.

Source: Caffe src/caffe/util/math_functions.cpp (caffe_rng_*) over boost::mt19937.
"""

from __future__ import annotations

import os
from collections.abc import MutableSequence
from typing import Any, Union

import numpy as np
import torch
from numpy.typing import NDArray

from gcnet_caffe.engine.libc_rand import LibcRand
from gcnet_caffe.engine.ziggurat import standard_normal

_F = np.float32
_MAX = np.finfo(_F).max
_BLOCK = 2**17  # numbers drawn at a time: what they need stays in the processor's cache


def random_seed() -> int:
    """Return 32 bits of the operating system's."""
    return int.from_bytes(os.urandom(4), "little")


class CaffeRng:
    """One mt19937 stream, drawn from as Caffe's caffe_rng_* functions do.

    Parameters
    ----------
    seed : int
        Its lower 32 bits count.

    Attributes
    ----------
    libc : LibcRand
        The stream of rand(), which has nothing to do with the seed.
    """

    def __init__(self, seed: int) -> None:
        self.libc = LibcRand()
        self._bits = np.random.MT19937()
        self._bits._legacy_seeding(seed % 2**32)

    def raw(self, count: int) -> NDArray[np.uint32]:
        """Return `count` 32-bit words, as uint32."""
        return self._bits.random_raw(count).astype(np.uint32)

    def seed(self) -> int:
        """Return one word, as caffe_rng_rand."""
        return int(self._bits.random_raw())

    def shuffle(self, items: MutableSequence[Any]) -> None:
        """Put `items` into another order, as caffe::shuffle does with boost::uniform_int."""
        ranges = np.arange(len(items) - 1, 0, -1)
        words, places = np.empty(0, np.int64), np.empty(0, np.int64)
        while len(places) < len(ranges):
            left = ranges[len(places) :]
            words = np.concatenate([words, self.raw(len(left) - len(words)).astype(np.int64)])
            found = words // (2**32 // (left + 1))
            refused = np.flatnonzero(found > left)  # boost draws another word in its place
            count = refused[0] if len(refused) else len(left)
            places, words = np.concatenate([places, found[:count]]), words[count + 1 :]
        for place, other in zip(ranges.tolist(), places.tolist()):
            items[place], items[other] = items[other], items[place]

    def uniform(self, count: int, low: float, high: float) -> NDArray[np.float32]:
        """Return `count` float32 in [low, high], as caffe_rng_uniform.

        `low` is finite and below the largest float32: elsewhere Caffe never returns.
        """
        return self._below(count, _F(low), np.nextafter(_F(high), _MAX))

    def _below(self, count: int, low: np.float32, high: np.float32) -> NDArray[np.float32]:
        if high / 2 - low / 2 > _MAX / 2:  # their difference would be infinite
            return self._below(count, low / 2, high / 2) * _F(2)
        found, filled = np.empty(count, _F), 0
        while filled < count:
            numbers = self.raw(count - filled).astype(_F) * _F(2.0**-32) * (high - low) + low
            numbers = numbers[numbers < high]
            found[filled : filled + len(numbers)] = numbers
            filled += len(numbers)
        return found

    def gaussian(self, count: int, mean: float, std: float) -> NDArray[np.float32]:
        """Return `count` normal float32 of `mean` and `std`, as caffe_rng_gaussian."""
        found, filled, rest = np.empty(count, _F), 0, np.empty(0, np.uint32)
        while filled < count:
            before, wanted = self._bits.state, min(count - filled, _BLOCK)
            block = np.concatenate([rest, self.raw(wanted + wanted // 32 + 64)])
            numbers, used = standard_normal(block, count - filled)
            found[filled : filled + len(numbers)] = numbers
            filled += len(numbers)
            taken, rest = used - len(rest), block[used:]
        if count:
            self._bits.state = before
            self.raw(taken)
        with np.errstate(over="ignore", invalid="ignore"):  # a huge std gives inf, as in Caffe
            found *= _F(std)
            found += _F(mean)
        return found

    def bernoulli(self, count: int, probability: float) -> NDArray[np.bool_]:
        """Return `count` booleans, true with `probability`, as caffe_rng_bernoulli."""
        share = _F(probability)
        if share == 0:
            return np.zeros(count, bool)  # and no word is drawn
        return self.raw(count).astype(_F) <= share * _F(2**32 - 1)

    @property
    def state(self) -> dict[str, Any]:
        """What `set_state` takes, as numbers that JSON keeps."""
        state = self._bits.state["state"]
        return {"key": state["key"].tolist(), "pos": int(state["pos"])}

    def set_state(self, state: dict[str, Any]) -> None:
        """Continue from where `state` was taken."""
        key = np.array(state["key"], np.uint32)
        self._bits.state = {"bit_generator": "MT19937", "state": {"key": key, "pos": state["pos"]}}


class DeviceRng:
    """PyTorch's generator of a device, with the methods of `CaffeRng`; gives tensors.

    Parameters
    ----------
    seed : int
    device : torch.device
        Where the numbers are drawn, and where the tensors are.

    Attributes
    ----------
    libc : LibcRand
        As of `CaffeRng`.
    """

    def __init__(self, seed: int, device: torch.device) -> None:
        self.libc = LibcRand()
        self._device = device
        self._generator = torch.Generator(device).manual_seed(seed)

    def seed(self) -> int:
        """Return 32 random bits."""
        return int(torch.randint(2**32, (1,), generator=self._generator, device=self._device))

    def uniform(self, count: int, low: float, high: float) -> torch.Tensor:
        """Return `count` float32 in [low, high)."""
        return self._empty(count).uniform_(low, high, generator=self._generator)

    def gaussian(self, count: int, mean: float, std: float) -> torch.Tensor:
        """Return `count` normal float32 of `mean` and `std`."""
        return self._empty(count).normal_(mean, std, generator=self._generator)

    def bernoulli(self, count: int, probability: float) -> torch.Tensor:
        """Return `count` booleans, true with `probability`."""
        return self._empty(count).bernoulli_(probability, generator=self._generator).bool()

    def _empty(self, count: int) -> torch.Tensor:
        return torch.empty(count, device=self._device)

    @property
    def state(self) -> str:
        """What `set_state` takes, as a string that JSON keeps."""
        return bytes(self._generator.get_state().tolist()).hex()

    def set_state(self, state: str) -> None:
        """Continue from where `state` was taken."""
        self._generator.set_state(torch.tensor(list(bytes.fromhex(state)), dtype=torch.uint8))


#: What nets and solvers draw their random numbers from.
Rng = Union[CaffeRng, DeviceRng]
