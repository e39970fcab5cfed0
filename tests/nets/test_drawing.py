"""Nets as pictures: ours as figure 3, any other layer by layer."""

import itertools

import pytest
from matplotlib import pyplot

from gcnet_caffe import cli, nets
from gcnet_caffe.engine.net import open_net
from gcnet_caffe.engine.rng import CaffeRng
from gcnet_caffe.errors import NetError
from gcnet_caffe.formats import caffe_pb, parse_text, read_net
from gcnet_caffe.nets import drawing
from gcnet_caffe.nets.drawing import data_flow, draw_net, is_ours
from gcnet_caffe.nets.layered import arrange
from gcnet_caffe.nets.net_graph import net_graph
from tests.nets.some_nets import NETS, given, layer, resnet
from tests.scratch import ROOT


def flow(name):
    return data_flow(read_net(ROOT / f"prototxt/{name}_train_test.prototxt"))[1]


def test_s1r1_has_the_arrows_of_figure_3():
    data = {edge for edge, kind in flow("ck_fold0_S1R1").items() if kind == "data"}
    named = {(a.replace("\n", " "), b.replace("\n", " ").strip()) for a, b in data}
    assert named == {
        ("query and reference", "encoder 1"),
        ("encoder 1", "decoder 1"),
        ("decoder 1", "generative loss"),
        ("decoder 1", "encoder 2 (reference)"),
        ("query and reference", "encoder 2 (query)"),
        ("encoder 2 (query)", "δ"),
        ("encoder 2 (reference)", "δ"),
        ("encoder 2 (query)", "contrastive loss (S)"),
        ("encoder 2 (reference)", "contrastive loss (S)"),
        ("encoder 2 (query)", "decoder 2 (query)"),
        ("encoder 2 (reference)", "decoder 2 (reference)"),
        ("decoder 2 (query)", "reconstruction loss (R)"),
        ("decoder 2 (reference)", "reconstruction loss (R)"),
        ("δ", "dropout, FC, ReLU, FC"),
        ("dropout, FC, ReLU, FC", "cross entropy (C)"),
    }


@pytest.mark.parametrize("net", [p for p in nets.committed() if p.startswith("prototxt/")])
def test_every_net_of_ours_is_drawn_block_by_block(net, tmp_path, monkeypatch):
    monkeypatch.delattr(drawing, "_draw_layers")
    draw_net(ROOT / net, tmp_path / "net.png")
    assert (tmp_path / "net.png").read_bytes()[:4] == b"\x89PNG"


def graph(text, **state):
    return net_graph(parse_text(text, caffe_pb.NetParameter), "net.prototxt", **state)


def named(found):
    """{(title, title): blobs} of a Graph's edges."""
    titles = [box.title for box in found.boxes]
    return {(titles[a], titles[b]): names for (a, b), names in found.edges.items()}


def test_a_net_of_both_phases_is_one_graph():
    found = graph(NETS["LeNet"])
    assert named(found) == {
        ("mnist (TRAIN)", "conv1"): ["data"],
        ("mnist (TEST)", "conv1"): ["data"],
        ("conv1", "pool1"): ["conv1"],
        ("pool1", "conv2"): ["pool1"],
        ("conv2", "pool2"): ["conv2"],
        ("pool2", "ip1"): ["pool2"],
        ("ip1", "ip2"): ["ip1"],
        ("ip2", "accuracy (TEST)"): ["ip2"],
        ("ip2", "loss"): ["ip2"],
    }
    lines = {box.title: box.lines for box in found.boxes}
    assert lines["ip1"] == ["InnerProduct 500", "+ ReLU"]
    assert lines["loss"] == ["SoftmaxWithLoss", "← label"]
    assert lines["mnist (TRAIN)"] == ["Data batch 64", "→ data", "→ label"]


def test_a_layer_of_both_phases_has_the_shape_of_the_training():
    given_by = "dummy_data_param {{ shape {{ dim: {} dim: 3 }} }} include {{ phase: {} }}"
    text = "".join(
        layer("DummyData", "d", "", "x", given_by.format(*batch))
        for batch in ((64, "TRAIN"), (1, "TEST"))
    )
    boxes = {box.title: box.lines for box in graph(text + layer("Exp", "e", "x", "y")).boxes}
    assert boxes == {
        "d (TRAIN)": ["DummyData", "→ x: 64x3"],
        "d (TEST)": ["DummyData", "→ x: 1x3"],
        "e": ["Exp", "→ y: 64x3"],
    }


def test_one_phase_and_stages():
    train = named(graph(NETS["LeNet"], phase="TRAIN"))
    assert ("mnist", "conv1") in train and ("ip2", "accuracy") not in train
    text = given("x", 1) + layer("ReLU", "r", "x", fields='include { stage: "deploy" }')
    assert named(graph(text)) == {}
    assert named(graph(text, stages=("deploy",))) == {("x", "r"): ["x"]}


def test_what_is_told_of_a_layer():
    lines = {box.title: box.lines for box in graph(NETS["AlexNet"]).boxes}
    assert lines["data"] == ["Input", "→ 10x3x227x227"]
    assert lines["conv1"] == ["Convolution 96 11x11/4", "+ ReLU", "→ 10x96x55x55"]
    assert lines["conv2"][0] == "Convolution 256 5x5 pad 2 group 2"
    assert lines["norm1"] == ["LRN 5", "→ 10x96x55x55"]
    assert lines["pool5"] == ["Pooling MAX 3x3/2", "→ 10x256x6x6"]
    assert lines["fc6"] == ["InnerProduct 4096", "+ ReLU, Dropout 0.5", "→ 10x4096"]


@pytest.mark.parametrize("net", ["U-Net", "ResNet-50", "MTCNN", "S1R1"])
def test_the_shapes_are_those_of_the_net(net, tmp_path):
    path = ROOT / "prototxt/ck_S1R1_deploy.prototxt"
    if net in NETS:
        path = tmp_path / "net.prototxt"
        path.write_text(NETS[net] if net != "ResNet-50" else resnet((1, 1)))
    built = open_net(str(path), caffe_pb.TEST, CaffeRng(1))
    wanted = {name: "x".join(map(str, built.shape(name))) for name in built.blob_names}
    found = {}
    for box in net_graph(read_net(path), "net").boxes:
        for line in box.lines:
            if line.startswith("→ "):
                name, _, shape = line[2:].rpartition(": ")
                found[name or box.title] = shape
    assert found == wanted


def test_nets_that_caffe_refuses_are_drawn():
    """A bottom that no layer makes, a blob read before it changes in place, a type of a fork."""
    text = layer("Normalize", "norm", "fc7") + layer("Exp", "e", "norm")
    text += layer("ReLU", "r", "norm", "norm") + layer("Silence", "s", "norm e", "")
    assert named(graph(text)) == {
        ("fc7", "norm"): ["fc7"],
        ("norm", "e"): ["norm"],
        ("norm", "r"): ["norm"],
        ("r", "s"): ["norm"],
        ("e", "s"): ["e"],
    }


def test_a_layer_in_place_on_the_data_of_each_phase_has_a_box_of_its_own():
    text = NETS["LeNet"].replace(
        'layer { name: "conv1"', layer("Power", "p", "data", "data") + 'layer { name: "conv1"'
    )
    found = named(graph(text))
    assert {edge for edge in found if "p" in edge} == {
        ("mnist (TRAIN)", "p"),
        ("mnist (TEST)", "p"),
        ("p", "conv1"),
    }


def inside(x, y, box, margin=1e-6):
    left, top, right, bottom = box
    return left + margin < x < right - margin and top + margin < y < bottom - margin


@pytest.mark.parametrize("net", [*NETS, "hundreds of layers"])
def test_boxes_lie_apart_and_no_edge_runs_through_one(net):
    found = graph(NETS.get(net) or resnet((8, 24, 36, 8)))
    sizes = [
        (0.1 * max(map(len, (b.title, *b.lines))), 0.2 + 0.1 * len(b.lines)) for b in found.boxes
    ]
    width, height, places, routes = arrange(sizes, list(found.edges))
    boxes = [(x - w / 2, y - h / 2, x + w / 2, y + h / 2) for (x, y), (w, h) in zip(places, sizes)]
    for left, top, right, bottom in boxes:
        assert -1e-6 <= left and -1e-6 <= top and right <= width + 1e-6 and bottom <= height + 1e-6
    for (a, b), (c, d) in itertools.combinations(zip(boxes, places), 2):
        apart = a[2] <= c[0] or c[2] <= a[0] or a[3] <= c[1] or c[3] <= a[1]
        assert apart, (b, d)
    assert set(routes) == set(found.edges)
    for (source, target), points in routes.items():
        assert points[0] == pytest.approx((places[source][0], boxes[source][3]))
        assert points[-1] == pytest.approx((places[target][0], boxes[target][1]))
        for (x, y), (next_x, next_y) in zip(points, points[1:]):
            for step in range(11):  # a bend lies between the rows, a straight line anywhere
                at = (x + (next_x - x) * step / 10, y + (next_y - y) * step / 10)
                assert not any(inside(*at, box) for box in boxes), (source, target)
    assert max(width / height, height / width) < 4, "a page, not a ribbon"


@pytest.fixture
def drawn(monkeypatch, tmp_path):
    """A function: the Axes of the picture of a net's text, drawn."""

    def drawn(text, *words):
        axes = []

        def look(figure, out, dpi):
            figure.canvas.draw()
            axes.extend(figure.axes)
            for text in figure.axes[0].texts:
                text.extent = text.get_window_extent()
            for patch in figure.axes[0].patches:
                patch.extent = patch.get_window_extent()
            save(figure, out, dpi)

        save = drawing.save_figure
        with monkeypatch.context() as patched:
            patched.setattr(drawing, "save_figure", look)
            (tmp_path / "net.prototxt").write_text(text)
            out = tmp_path / "net.png"
            assert (
                cli.main(["draw-net", str(tmp_path / "net.prototxt"), "-o", str(out), *words]) == 0
            )
        assert out.read_bytes()[:4] == b"\x89PNG" and not pyplot.get_fignums()
        return axes[0]

    return drawn


@pytest.mark.parametrize("net", NETS)
def test_every_text_lies_in_its_box(net, drawn):
    axis = drawn(NETS[net])
    boxes = [patch.extent for patch in axis.patches if hasattr(patch, "get_xy")]
    texts = [text for text in axis.texts if text.get_ha() == "center"]
    graphed = graph(NETS[net]).boxes
    assert len(boxes) == len(graphed)
    assert len(texts) == sum(1 + len(box.lines) for box in graphed)
    for text in texts:
        middle = text.extent
        assert any(
            box.x0 <= middle.x0
            and middle.x1 <= box.x1
            and box.y0 <= middle.y0
            and middle.y1 <= box.y1
            for box in boxes
        ), text.get_text()


def test_blobs_of_one_layer_are_told_apart_and_signs_are_no_formulas(drawn):
    text = given("x", 1, 2) + layer("Slice", "cut", "x", "a$_1$ b")
    text += layer("ReLU", "ra", "a$_1$") + layer("ReLU", "rb", "b")
    shown = {label.get_text() for label in drawn(text).texts}
    assert {r"a\$_1\$", "b", r"→ a\$_1\$: 1x1"} <= shown


def test_old_nets_and_small_ones(drawn):
    old = 'input: "x" input_dim: 1 input_dim: 1 input_dim: 4 input_dim: 4\n'
    old += 'layers { name: "r" type: RELU bottom: "x" top: "y" }'
    assert {"r", "→ y: 1x1x4x4"} <= {text.get_text() for text in drawn(old).texts}
    assert drawn(layer("DummyData", "alone", "")).texts
    assert not is_ours(parse_text(layer("Data", "data", ""), caffe_pb.NetParameter))


@pytest.mark.parametrize(
    "text, words, status, message",
    [
        ('name: "x"', [], 1, "net.prototxt: no layer in phase TRAIN or TEST; nothing to draw"),
        (given("x", 1), ["-phase", "train"], 2, 'phase must be "TRAIN" or "TEST": found \'train\''),
        (given("x", 1), ["-o", "net.gif"], 2, "net.gif: wanted a name that ends in .png"),
        ("layer { name: ", [], 1, "net.prototxt"),
    ],
)
def test_what_cannot_be_drawn(text, words, status, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.prototxt").write_text(text)
    assert cli.main(["draw-net", "net.prototxt", *words]) == status
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["net.prototxt"]


def test_include_and_exclude_rules_together_are_refused_by_name():
    text = layer("ReLU", "both", "", fields="include { phase: TRAIN } exclude { phase: TEST }")
    with pytest.raises(NetError, match="layer 'both': has include rules and exclude rules"):
        graph(given("x", 1) + text)
