"""DenseImageData: what it reads, in which order, and that images and labels stay together."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from gcnet_caffe.engine.layers import TRAIN, Context, Layer, create_layer
from gcnet_caffe.engine.rng import CaffeRng
from gcnet_caffe.errors import NetError
from gcnet_caffe.formats import caffe_pb, parse_text

COUNT, HEIGHT, WIDTH = 5, 6, 8
LIST = "source: 'list.txt'"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Images whose blue values are 40 times their number plus the pixel's place; labels alike."""
    monkeypatch.chdir(tmp_path)
    lines = []
    for index in range(COUNT):
        plane = np.arange(HEIGHT * WIDTH, dtype=np.uint8).reshape(HEIGHT, WIDTH) + 40 * index
        image = np.stack([plane, 255 - plane, plane // 2], -1)
        cv2.imwrite(f"i{index}.png", image)
        cv2.imwrite(f"l{index}.png", plane)
        lines.append(f"i{index}.png  l{index}.png\n")
    Path("list.txt").write_text("".join(lines))
    return tmp_path


def made(fields: str, more: str = "") -> Layer:
    text = f"name: 'd' type: 'DenseImageData' top: 'a' top: 'b' {more} dense_image_data_param {{ "
    text += f"{'' if 'source' in fields else LIST} {fields} }}"
    layer = create_layer(parse_text(text, caffe_pb.LayerParameter), Context(TRAIN, CaffeRng(1)))
    shapes = layer.setup([])
    assert [tuple(top.shape) for top in layer()] == shapes
    return create_again(layer)


def create_again(layer: Layer) -> Layer:
    again = create_layer(layer.param, Context(TRAIN, CaffeRng(1)))
    again.setup([])
    return again


def numbers(layer: Layer, passes: int) -> list[int]:
    """Return the numbers of the images of some batches."""
    return [int(v) for _ in range(passes) for v in layer()[1][:, 0].amin((1, 2)).div(40).floor()]


def test_batches_in_the_order_of_the_list() -> None:
    layer = made("batch_size: 2 root_folder: './'")
    data, labels = layer()
    assert torch.equal(labels[1, 0], torch.arange(48.0).reshape(6, 8) + 40)
    assert torch.equal(data[:, 0], labels[:, 0]) and torch.equal(data[:, 1], 255 - labels[:, 0])
    assert numbers(layer, 4) == [2, 3, 4, 0, 1, 2, 3, 4]


def test_shuffled_each_time_round_and_resumed() -> None:
    layer = made("batch_size: 1 shuffle: true mirror: true crop_height: 3 crop_width: 4")
    first, second = numbers(layer, COUNT), numbers(layer, COUNT)
    assert sorted(first) == sorted(second) == list(range(COUNT)) and first != second
    again = create_again(layer)
    again.set_state(layer.state())
    for _ in range(7):
        for one, other in zip(layer(), again()):
            assert torch.equal(one, other)


def test_images_and_labels_are_cut_and_mirrored_together() -> None:
    layer, seen = made("batch_size: 5 mirror: true crop_height: 3 crop_width: 4"), set()
    for _ in range(8):
        data, labels = layer()
        assert data.shape == (5, 3, 3, 4) and torch.equal(data[:, 0], labels[:, 0])
        for index, one in enumerate(labels[:, 0] - 40 * torch.arange(5)[:, None, None]):
            row, column = divmod(int(one.min()), WIDTH)
            step = one[0, 1] - one[0, 0]
            assert step in (1, -1) and (one[1] - one[0] == WIDTH).all()
            seen.add((index, row, column, int(step)))
    assert {row for _, row, _, _ in seen} == set(range(4))
    assert {column for _, _, column, _ in seen} == set(range(5))
    assert {step for *_, step in seen} == {1, -1}


def test_sizes_mean_and_scale() -> None:
    transform = "transform_param { scale: 0.5 mean_value: 10 mean_value: 20 mean_value: 30 }"
    layer = made("batch_size: 1 new_height: 12 new_width: 16", transform)
    data, labels = layer()
    plane = np.arange(48, dtype=np.uint8).reshape(6, 8)
    assert torch.equal(labels[0, 0], torch.from_numpy(plane.repeat(2, 0).repeat(2, 1)).float())
    wanted = cv2.resize(255 - plane, (16, 12)).astype(np.float32)
    assert np.array_equal(data[0, 1], (wanted - 20) / 2)
    grey = made("batch_size: 1 is_color: false")()[0]
    assert grey.shape == (1, 1, 6, 8)


@pytest.mark.parametrize(
    "fields, more, said",
    [
        ("", "", "batch_size: found 0"),
        ("batch_size: 1 new_height: 3", "", "wanted new_height and new_width"),
        ("batch_size: 1 crop_width: 3", "", "wanted crop_height and crop_width"),
        ("batch_size: 1 crop_width: 9 crop_height: 2", "", "6 x 8, crop needs 2 x 9"),
        ("batch_size: 1", "transform_param { crop_size: 2 }", "wanted scale and mean_value only"),
        ("batch_size: 1", "transform_param { mean_value: [1, 2] }", "mean_value: found 2"),
        ("batch_size: 1 source: 'no.txt'", "", "no.txt: No such file"),
        ("batch_size: 1 source: 'odd.txt'", "", "odd.txt: found 1 words"),
        ("batch_size: 1 source: 'gone.txt'", "", "gone.png: No such file"),
        ("batch_size: 1 source: 'text.txt'", "", "list.txt: an image that cannot be decoded"),
        ("batch_size: 1 source: 'unlike.txt'", "", r"i0.png: \(6, 8\) pixels, its labels \(2, 2\)"),
    ],
)
def test_what_is_refused(fields: str, more: str, said: str) -> None:
    Path("odd.txt").write_text("i0.png")
    Path("gone.txt").write_text("gone.png l0.png")
    Path("text.txt").write_text("list.txt l0.png")
    cv2.imwrite("small.png", np.zeros((2, 2), np.uint8))
    Path("unlike.txt").write_text("i0.png small.png")
    with pytest.raises(NetError, match=said) as error:
        made(fields, more)
    assert "\n" not in str(error.value)
