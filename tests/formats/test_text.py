"""Prototxts as text: round trip, and one clear line for each kind of mistake."""

import pytest

from gcnet_caffe.errors import SchemaError
from gcnet_caffe.formats import (
    caffe_pb,
    parse_text,
    read_binary,
    read_net,
    read_weights,
    to_text,
    write_binary,
)


def test_round_trip_keeps_every_field():
    net = caffe_pb.NetParameter(name="n")
    layer = net.layer.add(name="a", type="Power", bottom=["x"], top=["y"], loss_weight=[0.25])
    layer.power_param.shift = 1e-6
    layer.include.add(phase=caffe_pb.TRAIN)
    text = to_text(net)
    assert parse_text(text, caffe_pb.NetParameter) == net
    assert "shift: 1e-06" in text and "phase: TRAIN" in text and "loss_weight: 0.25" in text


@pytest.mark.parametrize(
    "text, wanted",
    [
        (
            'layer {\n  naem: "a"\n}',
            "f:2: LayerParameter has no field 'naem'; did you mean 'name'?",
        ),
        ("layer {\n  phase: TRIAN\n}", "f:2: "),
        ('layer {\n  name: "a\n}', "f:2: "),
        ("layer {\n  convolution_param { kernel_sizes: 3 }\n}", "did you mean 'kernel_size'?"),
        ("layer {", "f:1"),
        ("layer { name: 3 }", "f:1: Expected string"),
    ],
)
def test_a_mistake_names_file_and_line(text, wanted):
    with pytest.raises(SchemaError) as error:
        parse_text(text, caffe_pb.NetParameter, "f")
    assert wanted in str(error.value)
    assert "\n" not in str(error.value)


def test_files_that_are_not_prototxts(tmp_path):
    with pytest.raises(SchemaError, match="missing.prototxt: No such file"):
        read_net(tmp_path / "missing.prototxt")
    (tmp_path / "b.prototxt").write_bytes(b"\x00\x04data")
    with pytest.raises(SchemaError, match="b.prototxt:1: not text"):
        read_net(tmp_path / "b.prototxt")
    with pytest.raises(SchemaError, match="Is a directory"):
        read_net(tmp_path)


def test_weights_binary_round_trip_and_truncation(tmp_path):
    net = caffe_pb.NetParameter(name="n")
    blob = net.layer.add(name="fc", type="InnerProduct").blobs.add()
    blob.shape.dim.extend([2, 3])
    blob.data.extend([0.5, -1, 2, 3, 4, 5])
    path = tmp_path / "w.caffemodel"
    write_binary(path, net)
    assert read_weights(path) == net
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(SchemaError, match="w.caffemodel: truncated, or not a binary NetParameter"):
        read_binary(path, caffe_pb.NetParameter)


#: What stands in a file -> the name of its net in Caffe; None where Caffe refuses the file.
SPELLINGS = {
    b'# \xc8\xab\xc1\xac\xbd\xd3 \xff\x01\x1b\x7f\nname: "dd"': "dd",
    b'# a\x00b\nname: "dd"': None,
    b'name: "dd"\x00': None,
    b'name: "dd"\x1a': None,
    b'\xef\xbb\xbfname: "dd"': None,
    b'name:\xc2\xa0"dd"': None,
    b"name:\x0c\x0b \"d\" 'd';": "dd",
    b'name: "d # d" # "\n': "d # d",
    b'name: "a\tb\x01"': "a\tb\x01",
    b'name: "a\nb"': None,
    b'name: "a\x00b"': None,
    b'name: "dd': None,
    'name: "é\u200b"'.encode(): "é\u200b",
    'name：\u3000"dd"'.encode(): None,
    "name: “dd”".encode(): None,
    'name: "dd"'.encode("utf-16"): None,
    rb'name: "\x41\x4142\101\u0041\U0000e900\0"': "AA42AA\ue900\0",
    rb'name: "\a\b\f\n\r\t\v\\\?\'\""': "\a\b\f\n\r\t\v\\?'\"",
    **{rb'name: "%s"' % bad: None for bad in (rb"\d", rb"\8", rb"\x", rb"\u12", rb"\e", rb"\X41")},
    **{rb'name: "%s"' % bad: None for bad in (rb"\N{BULLET}", rb"\ ", b"\\\n", rb"\Users", b"\\")},
}


def ours(text):
    try:
        return parse_text(text, caffe_pb.NetParameter).name
    except SchemaError as error:
        assert "\n" not in str(error)
        return None


@pytest.mark.parametrize("text", SPELLINGS)
def test_comments_strings_and_escapes_as_in_caffe(text):
    assert ours(text) == SPELLINGS[text]


@pytest.mark.caffe
def test_caffe_reads_these_spellings_so(caffe, tmp_path):
    read = [text for text in SPELLINGS if SPELLINGS[text]]
    (tmp_path / "read").write_bytes(b"".join(b"layer {\n%s\n}\n" % text for text in read))
    refused = [text for text in SPELLINGS if not SPELLINGS[text]]
    for number, text in enumerate(refused):
        (tmp_path / f"refused{number}").write_bytes(text)
    loop = "for f in read refused*; do upgrade_net_proto_text $f $f.new 2>/dev/null; done; true"
    caffe.run(["bash", "-c", loop], tmp_path)
    names = [layer.name for layer in read_net(tmp_path / "read.new").layer]
    assert names == [SPELLINGS[text] for text in read]
    assert [path.name for path in tmp_path.glob("*.new")] == ["read.new"]


@pytest.mark.parametrize(
    "text, wanted",
    [
        (
            b'\n\xef\xbb\xbfname: "dd"',
            "f:2: found ZERO WIDTH NO-BREAK SPACE (U+FEFF), a byte-order",
        ),
        ("name:\u200b 'a'".encode(), "f:1: found ZERO WIDTH SPACE (U+200B), which is allowed only"),
        ("name： 'a'".encode(), "f:1: found FULLWIDTH COLON (U+FF1A)"),
        (b"name\xa3\xba 'a'", "f:1: found the byte 0xA3, which is not UTF-8, outside a string"),
        (b"# a\x00", "f:1: not text: found NUL (U+0000); wanted a prototxt"),
        (b"\n\x04\x12", "f:2: not text: found a control character (U+0004)"),
        ('name: "a"'.encode("utf-16"), "f: saved as UTF-16; save it as UTF-8"),
        ('name: "a"'.encode("utf-16-be"), "f: saved as UTF-16; save it as UTF-8"),
        ('name: "a"'.encode("utf-32"), "f: saved as UTF-32; save it as UTF-8"),
        (b'# x\nname: "\xc8\xab\xc1\xac"', "f:2: name: a string that is not UTF-8; save the file"),
        (rb'layer { name: "C:\data" }', r'f:1: name: found "C:\data": Invalid escape sequence; '),
        (b"\nname: 'a\nb'", "f:2: name: a string without its closing quote"),
    ],
)
def test_what_cannot_stand_in_a_prototxt_is_named(text, wanted):
    with pytest.raises(SchemaError) as error:
        parse_text(text, caffe_pb.NetParameter, "f")
    assert str(error.value).startswith(wanted)


@pytest.mark.parametrize(
    "message, text, field",
    [
        ("SolverParameter", 'net: "%s"', "net"),
        ("SolverParameter", 'train_net: "%s"', "train_net"),
        ("SolverParameter", 'test_net: ["x", "%s"]', "test_net"),
        ("SolverParameter", 'snapshot_prefix: "%s"', "snapshot_prefix"),
        ("SolverParameter", 'weights: "x" weights: "a" "%s"', "weights"),
        ("NetParameter", 'layer { data_param { source: "%s" } }', "source"),
        ("NetParameter", "layer { hdf5_data_param { source: '%s' } }", "source"),
        ("NetParameter", 'layer { transform_param { mean_file: "%s" } }', "mean_file"),
        ("NetParameter", 'layer { image_data_param { root_folder: "%s" } }', "root_folder"),
        ("NetParameter", 'layer { hdf5_output_param { file_name: "%s" } }', "file_name"),
        ("NetParameter", 'layers { data_param { source: "%s" } }', "source"),
    ],
)
def test_a_path_holds_no_control_character(message, text, field):
    message = getattr(caffe_pb, message)
    parse_text(text % "C:/data/é", message)
    for word, found in (
        (r"a\x00b", "contains NUL (U+0000), which a file name cannot contain"),
        (r"C:\new\train", r"contains LINE FEED (U+000A); write / or \\"),
        ("a\tb", r"contains TAB (U+0009); write / or \\"),
        (r"C:\Users", r"Invalid escape sequence; write / or \\"),
    ):
        with pytest.raises(SchemaError) as error:
            parse_text("\n" + text % word, message, "f")
        quote = "'" if "'" in text else '"'
        assert str(error.value) == f"f:2: {field}: found {quote}{word}{quote}: {found}"


@pytest.mark.parametrize("name", ["a\0b", "a\0"])
def test_a_name_given_from_python_holds_no_nul(name):
    for read in (read_net, read_weights):
        with pytest.raises(SchemaError, match=r"'a\\x00b?' contains NUL \(U\+0000\)"):
            read(name)


def test_a_string_of_bytes_may_hold_any():
    assert parse_text(rb'data: "\000\377' + b'\xc8"', caffe_pb.Datum).data == b"\0\xff\xc8"
