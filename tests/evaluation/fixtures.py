"""Faces that several tests of this folder look at."""

import pytest

from gcnet_caffe.cli import main


@pytest.fixture(scope="session")
def faces(tmp_path_factory):
    """One fold of synthetic faces: 12 subjects train, 4 test, seven expressions."""
    folder = tmp_path_factory.mktemp("faces")
    for command in (
        f"make-faces -o {folder}/faces --subjects 16 --frames 4 --unlabelled 0 --seed 3",
        f"make-manifest ck --root {folder}/faces --source synthetic -o {folder}/faces.csv",
        f"make-lmdb pairs {folder}/faces.csv -o {folder}/pairs --folds 4 --fold 0 --copies 2",
    ):
        assert main(command.split()) == 0
    return folder / "pairs/fold0"
