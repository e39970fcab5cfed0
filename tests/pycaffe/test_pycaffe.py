"""What of our pycaffe real pycaffe cannot be asked: its own errors, and the engine beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import gcnet_caffe.pycaffe as caffe
from gcnet_caffe.engine.log import Log
from gcnet_caffe.engine.options import EngineOptions
from gcnet_caffe.engine.solver import Solver
from gcnet_caffe.errors import GcnetError
from gcnet_caffe.formats import read_solver
from gcnet_caffe.pycaffe.state import STATE
from tests.engine.small import write_small


@pytest.fixture(autouse=True)
def _quiet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    caffe.init_log(2)


@pytest.mark.parametrize("kind", ["SGD", "Adam"])
def test_a_solver_does_what_gcnet_train_does(tmp_path: Path, kind: str) -> None:
    """Bit for bit, with iter_size and clipped gradients."""
    more = "momentum2: 0.99 iter_size: 2 clip_gradients: 0.5 test_iter: 1 test_interval: 2"
    write_small(tmp_path, more=f'type: "{kind}" {more}')
    engine = Solver(
        read_solver("solver.prototxt"),
        "solver.prototxt",
        options=EngineOptions(summation="caffe"),
        log=Log(silent=True),
    )
    engine.step(5)
    caffe.set_summation("caffe")
    try:
        ours = caffe.get_solver("solver.prototxt")
    finally:
        caffe.set_summation("torch")
    assert type(ours) is {"SGD": caffe.SGDSolver, "Adam": caffe.AdamSolver}[kind]
    ours.step(5)
    for one in engine.net.learnable:
        found = ours.net.params[one.owner.name][one.index].data
        assert np.array_equal(found, one.param.detach().numpy())
    for mine, theirs in zip(ours._solver.updater.history, engine.updater.history):
        assert np.array_equal(mine.numpy(), theirs.numpy())


def test_how_much_is_logged(monkeypatch: pytest.MonkeyPatch, capfd: Any) -> None:
    """Scripts set GLOG_minloglevel before they import caffe, which `gcnet python` has done."""
    monkeypatch.setattr(STATE, "level", None)
    for level, said in (("0", 1), ("2", 0)):
        monkeypatch.setenv("GLOG_minloglevel", level)
        caffe.log("a line")
        assert capfd.readouterr().err.count("a line") == said
    caffe.init_log(0)
    caffe.log("a line")
    assert capfd.readouterr().err.count("a line") == 1


def test_callbacks_and_a_loss_that_is_no_number(tmp_path: Path) -> None:
    write_small(tmp_path)
    solver = caffe.SGDSolver("solver.prototxt")
    seen: list[float] = []
    grown = solver.net.params["score"][0]
    solver.add_callback(
        lambda: seen.append(float(abs(grown.diff).sum())),
        lambda: seen.append(float(abs(grown.diff).sum())),
    )
    solver.step(2)
    assert [value > 0 for value in seen] == [False, True, False, True]
    grown.data[...] = np.nan
    solver.step(1)  # real pycaffe goes on, too
    assert np.isnan(solver.net.blobs["loss"].data) and solver.iter == 3


NET = """
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 dim: 6
  dim: 6 } } }
layer { name: "ip" type: "InnerProduct" bottom: "data" top: "ip" inner_product_param {
  num_output: 2 weight_filler { type: "xavier" } } }
"""


def test_errors_are_exceptions_of_one_line(tmp_path: Path) -> None:
    Path("net.prototxt").write_text(NET)
    net = caffe.Net("net.prototxt", caffe.TEST)
    other = caffe.Net("net.prototxt", phase=caffe.TEST)
    other.params["ip"][0].reshape(1, 108)
    net.blobs["data"].reshape(1, 3, 7, 6)
    wrong = [
        (lambda: caffe.Net("none.prototxt", caffe.TEST), "Could not open file none.prototxt"),
        (lambda: caffe.Net("net.prototxt", caffe.TEST, weights="w"), "Could not open file w"),
        (lambda: caffe.get_solver("none.prototxt"), "none.prototxt: No such file"),
        (net.reshape, "layer 'ip' .*blob 0 is .2, 108., the bottoms need .2, 126."),
        (net.forward, "layer 'ip'"),
        (lambda: net.copy_from("net.prototxt"), "net.prototxt: truncated, or not a binary"),
        (lambda: net.share_with(other), "layer 'ip': blobs of shapes"),
        (lambda: net.set_input_arrays(None, None), "wanted a first layer of type MemoryData"),
        (lambda: caffe.io.load_image("net.prototxt"), "net.prototxt: not an image"),
        (lambda: caffe.set_solver_count(2), "several GPUs are `gcnet train -gpu 0,1`"),
        (lambda: caffe.set_summation("none"), "wanted torch, caffe"),
    ]
    for call, said in wrong:
        with pytest.raises(GcnetError, match=said) as caught:
            call()
        assert "\n" not in str(caught.value)
    for given, said in (({"x": 1}, "do not match net inputs"), ({"data": 0}, "not batch sized")):
        arrays = {name: np.zeros((4, 3, 6, 6)) for name in given}
        with pytest.raises(Exception, match=said):
            net.forward(**arrays)


def test_a_backward_pass_needs_no_forward_pass(tmp_path: Path) -> None:
    """It computes with what the blobs hold: real Caffe's does, too (its own tests)."""
    Path("net.prototxt").write_text("force_backward: true" + NET)
    net = caffe.Net("net.prototxt", caffe.TRAIN)
    net.blobs["ip"].diff[...] = 1
    net.backward()
    wanted = net.params["ip"][0].data.sum(0).reshape(3, 6, 6)
    assert np.allclose(net.blobs["data"].diff[0], wanted, atol=1e-6)
    net.params["ip"][0].data[...] = 2
    net.backward()
    assert (net.blobs["data"].diff == 4).all()


def test_images(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (5, 4, 4)).astype(np.uint8)
    Image.fromarray(pixels).save("alpha.png")
    Image.fromarray(pixels[..., 0]).save("grey.png")
    found = caffe.io.load_image("alpha.png")
    assert found.dtype == np.float32 and np.allclose(found, pixels[..., :3] / 255)
    grey = caffe.io.load_image("grey.png")
    assert grey.shape == (5, 4, 3) and (grey == grey[..., :1]).all()
    assert caffe.io.load_image("grey.png", color=False).shape == (5, 4, 1)


def test_a_window_with_context_is_filled_up_with_the_mean(tmp_path: Path) -> None:
    """Real pycaffe's own context_pad fails under NumPy of today: it cuts with floats."""
    Path("net.prototxt").write_text(NET)
    caffe.Net("net.prototxt", caffe.TEST).save("net.caffemodel")
    mean = np.array([1.0, 2.0, 3.0])
    detector = caffe.Detector("net.prototxt", "net.caffemodel", context_pad=1)
    image = np.ones((12, 12, 3), np.float32)
    inside = detector.crop(image, np.array([4, 4, 7, 7]))
    corner = detector.crop(image, np.array([0, 0, 5, 5]))
    assert inside.shape == corner.shape == (6, 6, 3) and mean.size == 3
    assert (inside == 1).all() and (corner[0] == 0).all() and (corner[1:, 1:] == 1).any()


def test_the_messages_are_those_of_real_pycaffe() -> None:
    pb2 = caffe.proto.caffe_pb2
    assert pb2.TRAIN == caffe.TRAIN == 0 and pb2.SolverParameter.GPU == 1
    assert pb2.PoolingParameter.PoolMethod.Value("AVE") == caffe.params.Pooling.AVE
    assert pb2.Phase.Name(1) == "TEST" and caffe.io.caffe_pb2 is pb2
    kinds = pb2._V1LAYERPARAMETER_LAYERTYPE.values_by_number
    assert kinds[pb2.V1LayerParameter.CONVOLUTION].name == "CONVOLUTION"
    assert pb2._NETPARAMETER is pb2.NetParameter.DESCRIPTOR
    names: dict[str, object] = {}
    exec("from gcnet_caffe.pycaffe.proto.caffe_pb2 import *", names)
    assert names["Datum"] is pb2.Datum


def test_names_that_real_pycaffe_has_in_two_places() -> None:
    caffe.provide()
    from caffe._caffe import get_solver
    from caffe.pycaffe import Net

    assert (Net, get_solver) == (caffe.Net, caffe.get_solver)
    assert caffe.pycaffe.Net is caffe._caffe.Net is Net
    assert caffe.io.skimage.io and caffe.io.resize is caffe.io.skimage.transform.resize
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = caffe.io.nothing
