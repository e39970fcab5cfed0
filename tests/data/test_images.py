import tracemalloc
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image

from gcnet_caffe.data.images import MAX_BYTES, decode, read_file, read_grey
from gcnet_caffe.errors import ImageError
from tests.data.drawn_faces import drawn_face


@pytest.mark.parametrize("name", ["a.png", "a.pgm", "a.tif", "a.bmp"])
def test_grey_pixels_come_back(tmp_path, name):
    cv2.imwrite(str(tmp_path / name), drawn_face())
    np.testing.assert_array_equal(read_grey(tmp_path / name), drawn_face())


def test_the_name_tells_nothing(tmp_path):
    (tmp_path / "subject01.happy").write_bytes(cv2.imencode(".png", drawn_face())[1].tobytes())
    np.testing.assert_array_equal(read_grey(tmp_path / "subject01.happy"), drawn_face())


def test_colour_becomes_grey(tmp_path):
    colour = np.zeros((8, 8, 3), np.uint8)
    colour[..., 1] = 200  # BGR: green
    cv2.imwrite(str(tmp_path / "a.png"), colour)
    assert abs(int(read_grey(tmp_path / "a.png")[0, 0]) - 0.587 * 200) <= 1


def gif(path, frames, mode):
    frames = [Image.fromarray(frame).convert(mode) for frame in frames]
    frames[0].save(path, format="GIF", save_all=True, append_images=frames[1:])
    return path


def test_gif_without_a_suffix(tmp_path):
    path = gif(tmp_path / "subject01.sad", [drawn_face()], "L")
    np.testing.assert_array_equal(read_grey(path), drawn_face())


def test_gif_s_first_frame(tmp_path):
    path = gif(tmp_path / "a.gif", [drawn_face(), drawn_face(shade=99)], "L")
    np.testing.assert_array_equal(read_grey(path), drawn_face())


def test_colour_gif(tmp_path):
    colour = np.zeros((20, 30, 3), np.uint8)
    colour[:, :15, 0] = 255  # RGB: red, and black
    grey = read_grey(gif(tmp_path / "a.gif", [colour], "P"))
    assert grey.shape == (20, 30) and abs(int(grey[0, 0]) - 76) <= 1 and grey[0, 29] == 0


def cut(data):
    return data[: len(data) * 9 // 10]


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".pgm", ".bmp"])
def test_cut_off(tmp_path, suffix, capfd):
    (tmp_path / "a").write_bytes(cut(cv2.imencode(suffix, drawn_face())[1].tobytes()))
    with pytest.raises(ImageError, match=f"{tmp_path}/a: "):
        read_grey(tmp_path / "a")
    if suffix in (".png", ".jpg"):
        assert capfd.readouterr().err == ""


def test_cut_off_gif(tmp_path):
    path = gif(tmp_path / "a.gif", [drawn_face()], "L")
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(ImageError, match="a.gif: not a whole GIF"):
        read_grey(path)


@pytest.mark.parametrize("data", [b"", b"no image at all", b"\x89PNG\r\n\x1a\n...IEND...."])
def test_no_image(tmp_path, data):
    (tmp_path / "a.png").write_bytes(data)
    with pytest.raises(ImageError, match=f"{tmp_path}/a.png: "):
        read_grey(tmp_path / "a.png")


def chunk(kind, data):
    body = kind + data
    return len(data).to_bytes(4, "big") + body + zlib.crc32(body).to_bytes(4, "big")


def bomb(side):
    """A PNG of 1/1000 of the bytes that its pixels would take."""
    size = side.to_bytes(4, "big")
    pack = zlib.compressobj(9)
    rows = b"".join(pack.compress(bytes(side + 1)) for _ in range(min(side, 2000))) + pack.flush()
    head = chunk(b"IHDR", size + size + bytes([8, 0, 0, 0, 0]))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


@pytest.mark.parametrize("side", [10_001, 30_000, 2**31 - 1])
def test_a_decompression_bomb_is_refused_from_its_header(tmp_path, side, capfd):
    (tmp_path / "a.png").write_bytes(bomb(min(side, 30_000)))
    if side > 30_000:
        data = bytearray(bomb(8))
        data[16:24] = 2 * side.to_bytes(4, "big")
        data[29:33] = zlib.crc32(data[12:29]).to_bytes(4, "big")
        (tmp_path / "a.png").write_bytes(data)
    tracemalloc.start()
    with pytest.raises(ImageError, match="a.png: more than 100 million pixels; not decoded"):
        read_grey(tmp_path / "a.png")
    assert tracemalloc.get_traced_memory()[1] < 20e6
    tracemalloc.stop()
    assert capfd.readouterr().err == ""


def test_a_file_that_is_too_large_is_not_read(tmp_path):
    with open(tmp_path / "a.png", "wb") as file:
        file.truncate(MAX_BYTES + 1)  # takes no room on the disk
    with pytest.raises(ImageError, match=f"a.png: {MAX_BYTES + 1} bytes; wanted at most"):
        read_grey(tmp_path / "a.png")


@pytest.mark.parametrize("path", ["/dev/zero", "/tmp"])
def test_what_is_no_file_is_not_read(path):
    with pytest.raises(ImageError, match=f"{path}: not a file; wanted an image"):
        read_grey(path)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".pgm", ".bmp", ".tif", ".webp", ".jp2"])
def test_any_cut_is_one_error_and_nothing_on_stderr(tmp_path, suffix, capfd):
    data = cv2.imencode(suffix, drawn_face())[1].tobytes()
    for share in (0.02, 0.5, 0.97):
        (tmp_path / "a").write_bytes(data[: int(len(data) * share)])
        with pytest.raises(ImageError) as error:
            read_grey(tmp_path / "a")
        assert "\n" not in str(error.value)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("share", [0.3, 0.5, 0.9])
def test_a_damaged_png_is_one_error_and_nothing_on_stderr(tmp_path, share, capfd):
    data = bytearray(cv2.imencode(".png", drawn_face())[1].tobytes())
    data[int(share * len(data))] ^= 0x55
    (tmp_path / "a.png").write_bytes(data)
    with pytest.raises(ImageError, match="a.png: not a whole image"):
        read_grey(tmp_path / "a.png")
    assert capfd.readouterr().err == ""


def test_colours_are_blue_green_red(tmp_path):
    colour = np.zeros((20, 30, 3), np.uint8)
    colour[..., 0] = 250  # RGB: red
    for name in ("a.gif", "a.png"):
        Image.fromarray(colour).save(tmp_path / name)
        found = decode(read_file(tmp_path / name), name, colour=True)
        assert found[5, 5].tolist() == [0, 0, 250]


@pytest.mark.parametrize("turn", [3, 6, 8])
def test_a_photograph_is_turned_upright(tmp_path, turn):
    stored = {3: 180, 6: 90, 8: -90}[turn]  # what the camera did to it, anticlockwise
    exif = Image.Exif()
    exif[0x0112] = turn
    Image.fromarray(drawn_face()).rotate(stored, expand=True).save(tmp_path / "a.png", exif=exif)
    np.testing.assert_array_equal(read_grey(tmp_path / "a.png"), drawn_face())


def test_missing(tmp_path):
    with pytest.raises(ImageError, match="a.png: cannot read the image: No such file"):
        read_grey(tmp_path / "a.png")
