"""The schema is Caffe's: held against the descriptor of real Caffe."""

import sys

import pytest
from google.protobuf import descriptor_pb2

from gcnet_caffe.formats import _messages
from gcnet_caffe.formats.compile import SCHEMAS, compile_schema

DUMP_DESCRIPTOR = """
from caffe.proto import caffe_pb2
from google.protobuf import descriptor_pb2
files = descriptor_pb2.FileDescriptorSet()
caffe_pb2.DESCRIPTOR.CopyToProto(files.file.add())
open("theirs.desc", "wb").write(files.SerializeToString())
"""

BOTH_IN_ONE_PROCESS = """
import caffe
from caffe.proto import caffe_pb2 as theirs
from gcnet_caffe.formats import caffe_pb as ours
a = theirs.Datum(channels=2, height=3, width=1, data=b"abcdef", label=5)
b = ours.Datum()
b.ParseFromString(a.SerializeToString())
assert type(a) is not type(b) and b.data == a.data and b.label == 5
assert theirs.Datum.FromString(b.SerializeToString()) == a
"""


def _entries(serialized):
    """Return {name: facts} of each field and enum value."""
    files = descriptor_pb2.FileDescriptorSet.FromString(serialized)
    found = {}
    for enum in files.file[0].enum_type:
        found.update({f"{enum.name}.{v.name}": v.number for v in enum.value})
    for message in files.file[0].message_type:
        found[message.name] = True
        for enum in message.enum_type:
            names = {f"{message.name}.{enum.name}.{v.name}": v.number for v in enum.value}
            found.update(names)
        for f in message.field:
            facts = (f.number, f.label, f.type, f.type_name, f.default_value, f.options.packed)
            found[f"{message.name}.{f.name}"] = facts
    return found


@pytest.mark.parametrize("name", SCHEMAS)
def test_the_compiled_schema_is_up_to_date(name):
    committed = (_messages.Path(_messages.__file__).parent / f"{name}.desc").read_bytes()
    assert _entries(compile_schema(name)) == _entries(committed), (
        f"renew it: {sys.executable} -m gcnet_caffe.formats.compile"
    )


@pytest.mark.caffe
def test_names_numbers_types_and_defaults_are_caffes(caffe, tmp_path):
    caffe.run_python(DUMP_DESCRIPTOR, cwd=tmp_path)
    theirs = _entries((tmp_path / "theirs.desc").read_bytes())
    ours = _entries(compile_schema())
    assert set(theirs) <= set(ours)
    assert {n: ours[n] for n in theirs if n in ours} == {n: theirs[n] for n in theirs if n in ours}


@pytest.mark.caffe
def test_the_schema_lives_beside_pycaffes_in_one_process(caffe, tmp_path):
    caffe.run_python(BOTH_IN_ONE_PROCESS, cwd=tmp_path)
