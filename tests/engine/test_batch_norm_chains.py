"""BatchNorm, Scale, ReLU and 2x2 pooling or unpooling by our loops, beside the layers one by one.

The layers one by one are PyTorch's, in float64 and in Caffe's memory format.
"""

import numpy as np
import pytest
import torch

from gcnet_caffe.engine import vectors
from gcnet_caffe.engine.layers import TRAIN
from gcnet_caffe.engine.loops import compiled
from gcnet_caffe.engine.net import open_net
from gcnet_caffe.engine.rng import CaffeRng
from gcnet_caffe.errors import NetError
from tests.engine import runs

INPUT = 'layer {{ name: "{0}" type: "Input" top: "{0}" input_param {{ shape {{ {1} }} }} }}'
NORM = """
layer {{ name: "bn{0}" type: "BatchNorm" bottom: "{0}" top: "{1}" }}
layer {{ name: "scale{0}" type: "Scale" bottom: "{1}" top: "{1}" scale_param {{ bias_term: true }}}}
layer {{ name: "relu{0}" type: "ReLU" bottom: "{1}" top: "{1}" }}
"""
WINDOWS = "pooling_param { pool: MAX kernel_size: 2 stride: 2 }"
POOL = f'layer {{ name: "pool" type: "Pooling" bottom: "a" top: "pooled" top: "mask" {WINDOWS} }}'
UNPOOL = f"""
layer {{ name: "unpool" type: "MaxUnpool" bottom: "b" bottom: "mask" top: "full" {WINDOWS} }}
"""
#: What comes after the BatchNorms of x and of z -> the chains that then run.
NETS = {
    "both": (POOL, UNPOOL, ["NormalizedPooled", "NormalizedUnpooled"]),
    "pooling": (POOL.replace(' top: "mask"', ""), "", ["NormalizedPooled", "Normalized"]),
    "unpooling": (POOL, UNPOOL.replace('"b"', '"z"'), ["NormalizedPooled", "Unpooled"]),
}


def opened(tmp_path, what, shape, kept=()):
    """Return a net of two BatchNorms, whose scales and shifts are drawn: some negative, one 0.

    They read x, of `shape`, and z, of the size to which x is pooled.
    """
    first, second, _ = NETS[what]
    inputs = [
        INPUT.format(name, " ".join(f"dim: {size}" for size in sizes))
        for name, sizes in (("x", shape), ("z", pooled(shape)))
    ]
    text = "\n".join([*inputs, NORM.format("x", "a"), first, NORM.format("z", "b"), second])
    (tmp_path / "net.prototxt").write_text(f"force_backward: true\n{text}")
    net = open_net(tmp_path / "net.prototxt", TRAIN, CaffeRng(1))
    net.keep(kept)
    rng = np.random.default_rng(0)
    for layer in net.layers:
        for blob in layer.blobs if layer.layer_type == "Scale" else ():
            drawn = rng.uniform(-0.5, 1.5, len(blob))
            drawn[1] = 0
            blob.data = torch.from_numpy(drawn).float()
    return net


def pooled(shape):
    return (*shape[:2], *(-(-size // 2) for size in shape[2:]))


def values(shape):
    """Return x and z, of which many in a window are equal, with a mean far from 0."""
    rng = np.random.default_rng(0)
    drawn = [rng.integers(-4, 5, sizes) / 2 + 3 for sizes in (shape, pooled(shape))]
    return [torch.from_numpy(numbers).float() for numbers in drawn]


def learned(net, given, run):
    """Run it forward and back from drawn gradients of all outputs; return outputs and gradients."""
    batch = net.next_batch(dict(zip("xz", given)))
    outputs = run(batch)
    rng = np.random.default_rng(1)
    loss = 0.0
    for name in sorted(name for name, blob in outputs.items() if blob.requires_grad):
        weights = torch.from_numpy(rng.normal(size=outputs[name].shape))
        loss = loss + (outputs[name].double() * weights).sum()
    loss.backward()
    found = {name: blob.detach() for name, blob in outputs.items()}
    found.update((f"gradient {name}", batch[number].grad) for number, name in enumerate("xz"))
    for layer in net.layers:
        for index, blob in enumerate(layer.blobs):
            what = "gradient" if blob.requires_grad and blob.grad is not None else "blob"
            found[f"{what} {layer.name} {index}"] = blob.grad if what == "gradient" else blob.data
    return found, outputs


def one_by_one(net, given):
    """As `learned`, with nothing fused."""

    def run(batch):
        blobs = net.run_keeping(batch)[1]
        return {name: blobs[number] for name, number in zip(net.outputs, net.output_numbers)}

    return learned(net, given, run)[0]


def by_loops(net, given):
    net.use_channels_last()
    return learned(net, given, lambda batch: net.run(batch)[1])


def functions(outputs):
    """Return the names of the autograd functions that made `outputs`."""
    found, left = set(), [blob.grad_fn for blob in outputs.values()]
    while left:
        function = left.pop()
        if function is not None:
            found.add(function.name())
            left += [before for before, _ in function.next_functions]
    return found


SHAPES = [(3, 16, 4, 6), (1, 32, 8, 8), (5, 48, 2, 2), (2, 16, 34, 10)]


def assert_near(found, wanted, limit):
    assert found.keys() == wanted.keys()
    for name, blob in wanted.items():
        assert runs.distance(found[name].double().numpy(), blob.double().numpy()) < limit, name


@pytest.mark.parametrize("what", NETS)
@pytest.mark.parametrize("shape", SHAPES)
def test_chains_are_the_layers_one_by_one(what, shape, tmp_path):
    exact = [given.double() for given in values(shape)]
    wanted = one_by_one(opened(tmp_path, what, shape).double(), exact)
    found, outputs = by_loops(opened(tmp_path, what, shape), values(shape))
    assert_near(found, wanted, 3e-6)
    assert {f"{chain}Backward" for chain in NETS[what][2]} <= functions(outputs)


@pytest.mark.parametrize("what", NETS)
def test_bfloat16_is_rounded_and_no_more(what, tmp_path):
    """Every blob and gradient in memory is rounded to 8 bits once, by 2^-9 at most."""
    shape = (3, 32, 8, 6)
    reduced = [given.bfloat16() for given in values(shape)]
    exact = [given.double() for given in reduced]
    wanted = one_by_one(opened(tmp_path, what, shape).double(), exact)
    found, outputs = by_loops(opened(tmp_path, what, shape), reduced)
    assert_near(found, wanted, 0.006)
    assert next(iter(outputs.values())).dtype == torch.bfloat16
    assert {f"{chain}Backward" for chain in NETS[what][2]} <= functions(outputs)


@pytest.mark.parametrize("shape", [(1, 16, 64, 32), (7, 32, 16, 16)])
def test_any_number_of_threads_gives_the_same_bits(shape, tmp_path):
    alone, _ = by_loops(opened(tmp_path, "both", shape), values(shape))
    for count in (2, 3):
        with runs.threads(count):
            together, _ = by_loops(opened(tmp_path, "both", shape), values(shape))
        assert all(torch.equal(blob, together[name]) for name, blob in alone.items())


@pytest.mark.parametrize("shape", [(2, 16, 5, 4), (2, 20, 4, 4), (2, 16, 5, 7)])
def test_what_the_loops_do_not_take_runs_as_before(shape, tmp_path):
    """Odd sizes, and channels that are not whole vectors."""
    wanted = one_by_one(opened(tmp_path, "pooling", shape), values(shape))
    found, outputs = by_loops(opened(tmp_path, "pooling", shape), values(shape))
    assert_near(found, wanted, 3e-6)
    assert "NormalizedPooledBackward" not in functions(outputs)


@pytest.mark.parametrize("what", ["both", "unpooling"])
def test_a_mask_that_is_read_is_the_index_that_it_was(what, tmp_path):
    """Of equal values the first wins; whatever else reads the mask sees places, not codes."""
    shape = (3, 16, 8, 4)
    wanted = one_by_one(opened(tmp_path, what, shape, ["mask"]), values(shape))
    found, _ = by_loops(opened(tmp_path, what, shape, ["mask"]), values(shape))
    assert found["mask"].dtype == torch.int64
    assert torch.equal(found["mask"], wanted["mask"])
    assert len(found["mask"].unique()) > 20
    assert_near(found, wanted, 3e-6)


def test_a_mask_of_another_size_is_refused_as_before(tmp_path):
    """A window more than x has, at its odd end, is none of the plane that is restored."""
    net = opened(tmp_path, "unpooling", (2, 16, 4, 4))
    net.use_channels_last()
    with pytest.raises(NetError, match="outside its window"):
        net.run(net.next_batch(dict(zip("xz", values((2, 16, 4, 3))))))


def test_statistics_are_exact(tmp_path):
    """Of 2^19 values around 1000, whose squares float32 cannot hold."""
    shape = (8, 16, 256, 256)
    x = torch.randn(shape, generator=torch.Generator().manual_seed(0)) + 1000
    z = torch.zeros(pooled(shape))
    net = opened(tmp_path, "pooling", shape)
    net.use_channels_last()
    net.run(net.next_batch({"x": x, "z": z}))
    mean, variance, _ = (blob.data.double() for blob in net.layers[2].blobs)
    exact = x.double().transpose(0, 1).flatten(1)
    assert torch.allclose(mean, exact.mean(1), rtol=1e-7, atol=0)
    assert torch.allclose(variance, exact.var(1), rtol=1e-6, atol=0)


def test_numbers_become_bfloat16_as_in_pytorch():
    """All 2^16 upper halves, with lower halves around the middle; infinity and NaN among them."""
    upper = np.arange(1 << 16, dtype=np.uint32) << 16
    lower = np.array([0, 1, 0x7FFF, 0x8000, 0x8001, 0xFFFF], np.uint32)
    numbers = (upper[:, None] | lower).reshape(-1).view(np.float32)
    made, back = np.empty(len(numbers), np.int16), np.empty(len(numbers), np.float32)
    _copy(numbers, made)
    _copy(made, back)
    wanted = torch.from_numpy(numbers).bfloat16().float().numpy()
    assert np.array_equal(back, wanted, equal_nan=True)


_load, _store = vectors.load, vectors.store


@compiled
def _copy(numbers, made):
    for index in range(0, len(numbers), 16):
        _store(made, index, _load(numbers, index))
