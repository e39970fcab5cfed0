"""Compile caffe.proto and forks.proto (python -m gcnet_caffe.formats.compile; needs grpcio-tools).

The compiled form is a serialized FileDescriptorSet, which every protobuf release reads; generated
`_pb2` modules do not cross releases.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

HERE = Path(__file__).parent

SCHEMAS = ("caffe", "forks")


def compile_schema(name: str = "caffe") -> bytes:
    """Return NAME.proto as the bytes of a FileDescriptorSet."""
    from grpc_tools import protoc

    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out.desc"
        status = protoc.main(
            ["protoc", f"-I{HERE}", f"--descriptor_set_out={out}", str(HERE / f"{name}.proto")]
        )
        if status:
            raise SystemExit(status)
        return out.read_bytes()


if __name__ == "__main__":
    for schema in SCHEMAS:
        (HERE / f"{schema}.desc").write_bytes(compile_schema(schema))
