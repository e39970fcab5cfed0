"""Tables of users: one message each for what is wrong with the file as a whole."""

import pytest

from gcnet_caffe.datasets.table import read_table
from gcnet_caffe.errors import ManifestError


def message(path):
    with pytest.raises(ManifestError) as caught:
        list(read_table(path, "fold table", ("subject", "fold"), ManifestError))
    return str(caught.value)


def test_the_columns_in_any_order_and_others(tmp_path):
    (tmp_path / "f.csv").write_text("fold,note,subject\n1,x,S5\n")
    rows = list(read_table(tmp_path / "f.csv", "fold table", ("subject", "fold"), ManifestError))
    assert rows == [{"fold": "1", "note": "x", "subject": "S5"}]


def test_what_is_wrong_with_the_file(tmp_path):
    assert (
        message(tmp_path / "none.csv")
        == f"{tmp_path}/none.csv: No such file or directory; wanted a fold table"
    )
    assert message(tmp_path) == f"{tmp_path}: cannot read the fold table: Is a directory"
    (tmp_path / "f.csv").write_text("subject,folds\nS5,1\n")
    wanted = "header: column 'fold' is missing; wanted subject,fold"
    assert message(tmp_path / "f.csv") == f"{tmp_path}/f.csv: {wanted}"
