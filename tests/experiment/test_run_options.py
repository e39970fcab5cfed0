"""`gcnet run --precision --cuda-graphs`: what is refused, and what a run of bf16 leaves."""

import json
import re

import pytest

from gcnet_caffe import cli
from tests.experiment.small_run import run, write_experiment


@pytest.mark.parametrize(
    "words, message",
    [
        ("--precision bf16 --set engine=caffe", "--precision bf16: found engine: caffe"),
        ("--cuda-graphs --set engine=caffe", "--cuda-graphs: found engine: caffe"),
        ("--cuda-graphs", "--cuda-graphs: wanted GPUs, give -gpu"),
        ("--precision tf32", "--precision tf32: wanted GPUs, give -gpu"),
        ("--cuda-graphs -gpu 97", "-gpu 97: PyTorch sees"),
        ("--cuda-graphs -gpu 0 --set net.generator=dcgan", "--cuda-graphs: cannot be used with"),
        ("--precision half", "--precision: found 'half', wanted fp32, tf32, bf16"),
    ],
)
@pytest.mark.parametrize("dry", [[], ["--dry-run"]])
def test_what_cannot_be_is_refused_before_anything_starts(words, message, dry, tmp_path, capsys):
    experiment = write_experiment(tmp_path, variants=["S0R0"], pretrain=None, sequences=None)
    out = tmp_path / "run"
    assert cli.main(["run", str(experiment), "-o", str(out), *words.split(), *dry]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"gcnet run: error: {message}") and said.count("\n") == 1
    assert not out.exists()


def test_a_run_trains_in_the_precision_given_and_says_so(tmp_path):
    one = {"variants": ["cnn"], "pretrain": None, "sequences": None, "only": [0], "baselines": []}
    experiment = write_experiment(tmp_path, **one, solver={"max_iter": 3})
    words = (experiment, "-o", "run", "--cores", 2)
    run(*words, "--precision", "bf16", cwd=tmp_path)
    made = json.loads((tmp_path / "run/provenance.json").read_text())
    assert made["precision"] == "bf16"
    trained = [line for line in made["commands"] if line.startswith("gcnet train-folder")]
    assert len(trained) == 1 and " --precision bf16 " in trained[0]
    page = (tmp_path / "run/report.html").read_text()
    assert re.search(r"<td[^>]*>precision</td>\s*<td[^>]*>bf16</td>", page)
    out, _ = run(*words, "--precision", "bf16", "--dry-run", cwd=tmp_path)
    assert out.strip() == "Nothing to do."
    out, _ = run(*words, "--dry-run", cwd=tmp_path)
    assert re.search(r"^train +1$", out, re.M)
