import io
import tracemalloc
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image, ImageFile, TiffImagePlugin

from gcnet_caffe.errors import ImageError
from gcnet_caffe.faces.images import MAX_BYTES, decode, read_file, read_grey
from tests.packing.drawn_faces import drawn_face


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


def files_of_all_formats():
    """A small image in every format that is read, with and without compression."""
    grey = np.random.default_rng(0).integers(0, 256, (12, 16), np.uint8)
    colour = Image.fromarray(np.dstack([grey, grey[::-1], grey.T.reshape(12, 16)]))
    kinds = {
        "JPEG": ("JPEG", {}, "RGB"),
        "progressive JPEG": ("JPEG", {"progressive": True}, "RGB"),
        "CMYK JPEG": ("JPEG", {}, "CMYK"),
        "two pictures": ("MPO", {"save_all": True, "append_images": [colour]}, "RGB"),
        "PNG": ("PNG", {}, "RGB"),
        "PNG of 1 bit": ("PNG", {}, "1"),
        "GIF": ("GIF", {}, "L"),
        "BMP": ("BMP", {}, "L"),
        "PPM": ("PPM", {}, "RGB"),
        "TIFF": ("TIFF", {}, "RGB"),
        "LZW TIFF": ("TIFF", {"compression": "tiff_lzw"}, "RGB"),
        "TIFF (JPEG inside)": ("TIFF", {"compression": "jpeg"}, "RGB"),
        "WebP": ("WEBP", {}, "RGB"),
        "lossless WebP": ("WEBP", {"lossless": True}, "RGB"),
        "JPEG 2000": ("JPEG2000", {}, "RGB"),
        "JPEG 2000 code stream": ("JPEG2000", {"no_jp2": True}, "RGB"),
    }
    for name, (kind, options, mode) in kinds.items():
        stream = io.BytesIO()
        colour.convert(mode).save(stream, kind, **options)
        yield name, stream.getvalue()


FILES = dict(files_of_all_formats())
#: Bytes at the end without which the (first) image is whole: a GIF's last two, a second picture.
SPARE = {"GIF": 2, "two pictures": len(FILES["two pictures"].rpartition(b"\xff\xd8\xff")[2]) + 3}


@pytest.mark.parametrize("name", FILES)
def test_every_cut_is_refused(name, capfd):
    """At every byte, whatever the program has set in Pillow."""
    data = FILES[name]
    decode(data, name)
    ImageFile.LOAD_TRUNCATED_IMAGES = True  # as many programs set it
    try:
        passed = []
        for size in range(len(data) - SPARE.get(name, 0)):
            try:
                decode(data[:size], name)
                passed.append(size - len(data))
            except ImageError as error:
                assert str(error).startswith(f"{name}: ") and "\n" not in str(error)
                if name.endswith("JPEG") or name.startswith("PNG"):  # Pillow's verdict
                    assert "OpenCV" not in str(error)
        assert passed == []
        assert ImageFile.LOAD_TRUNCATED_IMAGES
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = False
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("name", FILES)
def test_bytes_behind_the_image_do_not_matter(name):
    """Motion Photos: a video behind the end; others: rests of what the disk held."""
    data = FILES[name]
    video = bytes.fromhex("0000001c6674797069736f6d")
    noise = np.random.default_rng(1).integers(0, 256, 1 << 20, np.uint8).tobytes()
    for more in (b"\0", b"\xff\xd9", video, bytes(4096), noise[:4096], noise):
        np.testing.assert_array_equal(decode(data + more, name), decode(data, name))


def test_a_thumbnail_s_end_is_not_the_photograph_s():
    """The photograph is cut off in its data, behind the whole thumbnail of its EXIF data."""
    thumbnail = FILES["JPEG"]
    exif = b"Exif\0\0" + thumbnail
    data = FILES["JPEG"]
    data = data[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + data[2:]
    decode(data, "a")
    with pytest.raises(ImageError, match="a: the image is cut off after"):
        decode(data[:-8], "a")


@pytest.mark.parametrize(
    "pixels, words",
    [
        (np.float32, "a TIFF image of 32-bit floating point pixels, which is not read; convert"),
        (np.float64, "a TIFF image of 64-bit floating point pixels"),
        (np.int32, "a TIFF image of 32-bit pixels"),
    ],
)
@pytest.mark.parametrize("colours", [1, 3])
def test_pixels_that_are_too_deep_are_named(pixels, words, colours):
    data = cv2.imencode(".tif", np.ones((8, 9, colours), pixels))[1].tobytes()
    with pytest.raises(ImageError, match=f"a: {words}"):
        decode(data, "a")


def test_16_bits_are_read_as_8():
    deep = drawn_face().astype(np.uint16) * 257
    for suffix in (".png", ".tif", ".pgm"):
        np.testing.assert_array_equal(
            decode(cv2.imencode(suffix, deep)[1].tobytes(), "a"), drawn_face()
        )


def tiff(tags):
    """A TIFF of 4x4 pixels with more `tags`: number -> value of 32 bits."""
    info = TiffImagePlugin.ImageFileDirectory_v2()
    for number, value in tags.items():
        info[number], info.tagtype[number] = value, 4
    stream = io.BytesIO()
    Image.new("L", (4, 4)).save(stream, "TIFF", tiffinfo=info)
    return stream.getvalue()


@pytest.mark.parametrize("tags", [{254: 1}, {50706: 1}])  # a reduced picture; DNG's version
def test_the_preview_in_a_camera_s_raw_file_is_not_taken_for_the_picture(tags):
    decode(tiff({254: 0}), "a")
    with pytest.raises(ImageError, match="a: a camera's raw image, which is not read"):
        decode(tiff(tags), "a")


def test_cmyk_is_read_as_its_colours():
    picture = Image.fromarray(np.full((16, 16, 3), (200, 40, 40), np.uint8))
    stream = io.BytesIO()
    picture.convert("CMYK").save(stream, "JPEG", quality=95)
    found = decode(stream.getvalue(), "a", colour=True)
    assert np.abs(found.astype(int) - (40, 40, 200)).max() < 25


def test_a_large_file_of_another_kind_is_named_and_not_read(tmp_path):
    with open(tmp_path / "a.jpg", "wb") as file:
        file.write(bytes.fromhex("0000001c6674797069736f6d"))
        file.truncate(MAX_BYTES + 1)
    with pytest.raises(ImageError, match="a.jpg: an MP4 video; wanted an image"):
        read_grey(tmp_path / "a.jpg")
