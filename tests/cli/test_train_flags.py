"""The flags of Caffe's tool, in the spellings of gflags, and its refusals."""

import argparse

import pytest

from gcnet_caffe import cli
from gcnet_caffe.cli import train
from gcnet_caffe.cli._caffe_flags import gpu_numbers, split_stages
from gcnet_caffe.errors import UsageError


def parse(*words):
    parser = argparse.ArgumentParser()
    train.add_arguments(parser)
    return parser.parse_args(words)


@pytest.mark.parametrize(
    "words", [["-solver", "s"], ["--solver", "s"], ["-solver=s"], ["--solver=s"]]
)
def test_every_spelling_of_gflags(words):
    args = parse(*words, "--sighup_effect=none", "-level", "-1", "--logtostderr=1")
    assert (args.solver, args.sighup_effect, args.sigint_effect, args.level) == (
        "s",
        "none",
        "stop",
        -1,
    )


def test_lists():
    assert gpu_numbers("") is None
    assert gpu_numbers("0,2") == [0, 2]
    assert split_stages("a,b") == ["a", "b"] and split_stages("") == []
    for text in ("0,0", "x", "-1", "0,"):
        with pytest.raises(UsageError, match="-gpu: found"):
            gpu_numbers(text)


@pytest.mark.parametrize(
    "words, message",
    [
        (["train"], "Need a solver definition to train."),
        (["train", "-solver", "s", "-weights", "w", "-snapshot", "x"], "but not both"),
        (["train", "-solver", "s", "--precision", "fp8"], "--precision: found 'fp8', wanted fp32"),
        (["test", "-weights", "w"], "Need a model definition to score."),
        (["test", "-model", "m"], "Need model weights to score."),
        (["time"], "Need a model definition to time."),
        (["train", "-solver", "s", "-gpu", "x"], "-gpu: found 'x'"),
    ],
)
def test_refusals_are_one_line_and_exit_2(words, message, capsys):
    assert cli.main(words) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1


def test_device_query_is_known_by_both_spellings(capsys):
    assert cli.main(["device_query"]) == cli.main(["device-query"]) == 0
    assert "GPU" in capsys.readouterr().out
