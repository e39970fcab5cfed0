"""Run in the image: draw with Caffe's random functions, as a list says, and save checksums.

    draws_in_caffe.py DRAWS.npz OUT.npy

Each row of `draws` is one call: what (a name of tests/engine/draws.py), count, a, b. `states` are
states of the generator. OUT: a uint32 for each row, the CRC-32 of the numbers, or the word itself.
"""

import ctypes
import sys
import zlib

import caffe
import numpy as np

assert caffe.__version__
library = ctypes.CDLL(None)  # libcaffe is in it, by LD_PRELOAD
symbols = {
    b"gaussian": "_ZN5caffe18caffe_rng_gaussianIfEEviT_S1_PS1_",
    b"uniform": "_ZN5caffe17caffe_rng_uniformIfEEviT_S1_PS1_",
    b"bernoulli": "_ZN5caffe19caffe_rng_bernoulliIfEEviT_Pi",
    b"bernoulli unsigned": "_ZN5caffe19caffe_rng_bernoulliIfEEviT_Pj",
}
functions = {name: getattr(library, symbol) for name, symbol in symbols.items()}
word = library._ZN5caffe14caffe_rng_randEv
word.restype = ctypes.c_uint
exp = library._ZN5caffe9caffe_expIfEEviPKT_PS1_
get = library._ZN5caffe5Caffe3GetEv
get.restype = ctypes.POINTER(ctypes.POINTER(ctypes.POINTER(ctypes.c_void_p)))


def set_state(words):
    """Put Boost's mt19937 at the start of `words` (it holds them, then a size_t: the place)."""
    word()  # makes the generator
    generator = get()[0][0][0]
    ctypes.memmove(generator, words.ctypes.data, words.nbytes)
    ctypes.c_size_t.from_address(generator + words.nbytes).value = 0


with np.load(sys.argv[1]) as given:
    draws, states = given["draws"], given["states"]
buffer = np.empty(max(draws["count"].max(), 1), np.float32)
place = ctypes.c_void_p(buffer.ctypes.data)
found = np.zeros(len(draws), np.uint32)
for index, (what, count, a, b) in enumerate(draws.tolist()):
    if what == b"seed":
        caffe.set_random_seed(int(a))
    elif what == b"state":
        set_state(states[int(a)])
    elif what == b"word":
        found[index] = word()
    elif what == b"exp":
        numbers = np.arange(int(a), int(a) + count, dtype=np.uint32).view(np.float32)
        exp(count, ctypes.c_void_p(numbers.ctypes.data), place)
        found[index] = zlib.crc32(buffer[:count])
    else:
        arguments = [ctypes.c_float(a), ctypes.c_float(b)][: 1 if b"bernoulli" in what else 2]
        functions[what](count, *arguments, place)
        found[index] = zlib.crc32(buffer[:count])
np.save(sys.argv[2], found)
