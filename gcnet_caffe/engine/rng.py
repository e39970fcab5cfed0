"""The random numbers of CPU Caffe, bit for bit, and PyTorch's own.

Source: Caffe src/caffe/util/math_functions.cpp (caffe_rng_*) over boost::mt19937.
"""

import numpy as np
import torch

from gcnet_caffe.engine.ziggurat import standard_normal

_F = np.float32


class CaffeRng:
    """One mt19937 stream, drawn from as Caffe's caffe_rng_* functions do.

    Parameters
    ----------
    seed : int
        Its lower 32 bits count.
    """

    def __init__(self, seed):
        self._bits = np.random.MT19937()
        self._bits._legacy_seeding(seed % 2**32)

    def raw(self, count):
        """Return `count` 32-bit words, as uint32."""
        return self._bits.random_raw(count).astype(np.uint32)

    def seed(self):
        """Return one word, as caffe_rng_rand."""
        return int(self._bits.random_raw())

    def uniform(self, count, low, high):
        """Return `count` float32 in [low, high], as caffe_rng_uniform."""
        low, high = _F(low), np.nextafter(_F(high), _F(np.inf))
        found = np.empty(0, _F)
        while len(found) < count:
            words = self.raw(count - len(found)).astype(_F)
            numbers = words * _F(2.0**-32) * (high - low) + low
            found = np.concatenate([found, numbers[numbers < high]])
        return found

    def gaussian(self, count, mean, std):
        """Return `count` float32, as caffe_rng_gaussian."""
        before = self._bits.state
        seen = np.empty(0, np.uint32)

        def words(wanted):
            nonlocal seen
            if wanted > len(seen):
                seen = np.concatenate([seen, self.raw(wanted - len(seen))])
            return seen[:wanted]

        numbers, used = standard_normal(words, count)
        self._bits.state = before
        self.raw(used)
        return numbers * _F(std) + _F(mean)

    def bernoulli(self, count, probability):
        """Return `count` booleans, true with `probability`, as caffe_rng_bernoulli."""
        probability = _F(probability)
        if probability == 0:
            return np.zeros(count, bool)
        return self.raw(count).astype(_F) <= probability * _F(2**32 - 1)

    @property
    def state(self):
        """What `set_state` takes, as numbers that JSON keeps."""
        state = self._bits.state["state"]
        return {"key": state["key"].tolist(), "pos": int(state["pos"])}

    def set_state(self, state):
        """Go on from where `state` was taken."""
        key = np.array(state["key"], np.uint32)
        self._bits.state = {"bit_generator": "MT19937", "state": {"key": key, "pos": state["pos"]}}


class DeviceRng:
    """PyTorch's generator of a device, with the methods of `CaffeRng`; gives tensors."""

    def __init__(self, seed, device):
        self._device = device
        self._generator = torch.Generator(device).manual_seed(seed)

    def seed(self):
        """Return 32 random bits."""
        return int(torch.randint(2**32, (1,), generator=self._generator, device=self._device))

    def uniform(self, count, low, high):
        """Return `count` float32 in [low, high)."""
        return self._empty(count).uniform_(low, high, generator=self._generator)

    def gaussian(self, count, mean, std):
        """Return `count` normal float32."""
        return self._empty(count).normal_(mean, std, generator=self._generator)

    def bernoulli(self, count, probability):
        """Return `count` booleans, true with `probability`."""
        return self._empty(count).bernoulli_(probability, generator=self._generator).bool()

    def _empty(self, count):
        return torch.empty(count, device=self._device)

    @property
    def state(self):
        """What `set_state` takes, as a string that JSON keeps."""
        return bytes(self._generator.get_state().tolist()).hex()

    def set_state(self, state):
        """Go on from where `state` was taken."""
        self._generator.set_state(torch.tensor(list(bytes.fromhex(state)), dtype=torch.uint8))
