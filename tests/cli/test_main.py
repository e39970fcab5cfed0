"""The `gcnet` command and the scripts of tools/."""

import os
import signal
import subprocess
import sys

import pytest

from gcnet_caffe.cli import VERBS, main
from gcnet_caffe.datasets.readers import READERS
from gcnet_caffe.files import atomic
from tests.scratch import ROOT

#: What predict, evaluate and package need beside a net.
PICTURE = str(ROOT / "docs/images/demo_faces.png")
EVALUATE = ["--weights", "w.caffemodel", "--data", "data", "-o", "out"]
#: Verbs that have kinds, each with a --help of its own.
KINDS = {
    "make-lmdb": ("pairs", "cross", "identity", "sheet"),
    "make-manifest": tuple(READERS),
}
#: They take long to import, and no --help needs them.
SLOW = ("torch", "skimage", "sklearn", "scipy", "matplotlib", "gradio", "onnx", "snakemake")


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_and_shows_it_at_once(verb):
    code = f"""
import contextlib, sys
from gcnet_caffe.cli import main
for kind in {[[], *([kind] for kind in KINDS.get(verb, ()))]!r}:
    with contextlib.suppress(SystemExit):
        main([{verb!r}, *kind, "--help"])
print("imported:", *sorted(set({SLOW!r}) & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    *lines, imported = done.stdout.splitlines()
    assert done.returncode == 0 and f"usage: gcnet {verb}" in done.stdout, done.stderr
    assert "(default: )" not in " ".join(done.stdout.split())
    assert imported == "imported:"


def test_a_run_that_has_nothing_to_train_imports_nothing_slow():
    code = f"""
import sys
import gcnet_caffe.experiment.run, gcnet_caffe.evaluation.results_table, gcnet_caffe.report
print(*sorted(set({SLOW!r}) & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert (done.stdout, done.stderr) == ("skimage\n", "")  # its parts are imported when needed


def test_help_shows_a_default_of_one(capsys):
    with pytest.raises(SystemExit):
        main(["run", "--help"])
    assert "processors per training (default: 1)" in capsys.readouterr().out


@pytest.mark.parametrize(
    "verb, wanted, unwanted",
    [
        (
            "train",
            "to start from, separated by ','; not together with -snapshot",
            "default: the CPU",
        ),
        ("train", "default: what the solver says (solver_mode, device_id), or the CPU", "TRAIN or"),
        ("test", ".caffemodel files, separated by ',' -iterations", "-snapshot"),
        ("device-query", "GPU numbers separated by ','; default: all", "the CPU"),
        ("train-folder", "torch is PyTorch, caffe is real Caffe (default", "onnxruntime"),
        ("predict", "onnxruntime is ONNX Runtime, opencv is OpenCV's dnn", "without landmarks"),
        ("make-net", "--padding {same,valid}", "(default: None)"),
        ("run", "default: the number of cores of this machine (here ", "show the jobs and their"),
    ],
)
def test_help_says_what_the_verb_does(verb, wanted, unwanted, capsys):
    with pytest.raises(SystemExit):
        main([verb, "--help"])
    shown = " ".join(capsys.readouterr().out.split())
    assert wanted in shown and unwanted not in shown


def test_an_old_spelling_works_and_gives_the_new_one(tmp_path, capsys):
    nothing = str(tmp_path / "none")
    cases = [
        (["predict", PICTURE, "--model", nothing, "--backend=opencv"], "--backend", "--engine"),
        (["web", "--model", nothing, "--backend", "onnxruntime"], "--backend", "--engine"),
        (["evaluate", "--model", nothing, *EVALUATE], "--model", "--net"),
        (["package", "--model", nothing, *EVALUATE], "--model", "--net"),
        (["export-onnx", nothing], "MODEL", "--model MODEL"),
        (["export-onnx", "--model", nothing, "--weights=w"], "--model FILE", "--net FILE"),
        (["describe", nothing, "--fold-sheet", "f.csv"], "--fold-sheet", "--fold-table"),
        (["make-lmdb", "pairs", nothing, "--fold-sheet=f.csv"], "--fold-sheet", "--fold-table"),
    ]
    for words, old, new in cases:
        assert main(words) in (1, 2), words
        first, *more = capsys.readouterr().err.splitlines()
        start = f"gcnet {words[0]}: {old} is now {new}; "
        assert first == f"{start}the next release takes the new spelling only"
        assert nothing in more[0] and len(more) == 1


def test_help_names_every_verb_and_misuse_is_2(capsys):
    assert main(["--help"]) == 0
    out = capsys.readouterr().out
    assert all(verb in out for verb in VERBS)


@pytest.mark.parametrize(
    "words, said",
    [
        ("", "gcnet: error: no verb given (gcnet --help lists the verbs)"),
        ("trian", "gcnet: error: unknown verb 'trian'; did you mean train? (gcnet --help lists"),
        ("xyz", "gcnet: error: unknown verb 'xyz' (gcnet --help lists the verbs)"),
        ("predict --drwa x y.png", "no option '--drwa'; did you mean --draw? (gcnet predict --h"),
        ("make-net --varient=S1R1", "gcnet make-net: error: no option '--varient'; did you mean"),
        ("make-lmdb pairs m.csv --clases x", "did you mean --classes? (gcnet make-lmdb pairs --"),
        ("make-lmdb mine.csv", "found 'mine.csv', wanted first the kind: one of pairs, cross, i"),
        ("make-manifest --root photos", "found 'photos', wanted first the reader: one of ck, mm"),
        ("make-manifest patern --root x", "sfew, pattern, manifest; did you mean pattern? (gcnet"),
        ("predict a.png --engine opncv", "argument --engine: found 'opncv', wanted one of torch, "),
        (
            "train -sovler s",
            "gcnet train: error: no option '-sovler'; did you mean -solver? (gcnet",
        ),
        ("train my.prototxt", "found 'my.prototxt', wanted options only, such as -solver FILE (gc"),
        ("test my.prototxt", "found 'my.prototxt', wanted options only, such as -model FILE (gcn"),
        ("baseline x", "the following arguments are required: --kind"),
    ],
)
def test_misuse_is_one_line_with_the_nearest_name(words, said, capsys):
    assert main(words.split()) == 2
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1


#: The scripts of tools/, but for the one that runs in real Caffe's Python.
TOOLS = {path.name for path in (ROOT / "tools").glob("[a-z]*.py")} - {"train_adversarial.py"}


@pytest.mark.parametrize("tool", sorted(TOOLS))
def test_the_scripts_are_the_verbs(tool, tmp_path):
    done = subprocess.run(
        [sys.executable, ROOT / "tools" / tool, "--help"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0
    assert f"usage: gcnet {tool[:-3].replace('_', '-')}" in done.stdout


def test_a_very_long_message_is_cut_in_its_middle(tmp_path, capsys):
    pattern = "(?P<subject>x)" + "y" * 9000 + "end"
    words = ["--root", str(tmp_path), "--pattern", pattern, "-o", str(tmp_path / "a.csv")]
    assert main(["make-manifest", "pattern", *words]) == 1
    err = capsys.readouterr().err
    assert err.startswith(f"gcnet make-manifest: error: {tmp_path}: no file") and "yend'" in err
    assert len(err) < 2200 and err.count("\n") == 1


@pytest.mark.parametrize("number, status", [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_to_end_runs_the_clean_up(number, status, monkeypatch, tmp_path):
    """Scratch files of `files.atomic` go, then; SIGHUP is that of a closed terminal."""
    monkeypatch.setattr(sys, "argv", ["gcnet", "--version"])
    before = {n: signal.getsignal(n) for n in (signal.SIGTERM, signal.SIGHUP)}
    try:
        assert main() == 0
        with pytest.raises(SystemExit) as stop, atomic(tmp_path / "made") as scratch:
            scratch.write_text("half")
            os.kill(os.getpid(), number)
    finally:
        for n, handler in before.items():
            signal.signal(n, handler)
    assert stop.value.code == status and not list(tmp_path.iterdir())
