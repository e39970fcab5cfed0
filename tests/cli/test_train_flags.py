"""The flags of Caffe's tool, in the spellings of gflags, and its refusals."""

import json
import re

import pytest

from gcnet_caffe import cli
from gcnet_caffe.cli import train
from gcnet_caffe.cli._caffe_flags import gpu_numbers, split_stages
from gcnet_caffe.errors import UsageError


def parse(*words):
    parser = train.Parser()
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
        (["train", "-solver", "solver.prototxt", "-gpu", "0,99"], "-gpu 99: PyTorch sees"),
    ],
)
def test_refusals_are_one_line_and_exit_2(words, message, tmp_path, monkeypatch, capsys):
    _job(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert cli.main(words) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1


def test_device_query_is_known_by_both_spellings(capsys):
    assert cli.main(["device_query"]) == cli.main(["device-query"]) == 0
    assert "GPU" in capsys.readouterr().out


@pytest.mark.parametrize(
    "words, name, value",
    [
        (["-log_dir=logs"], "log_dir", "logs"),
        (["--log-dir", "logs"], "log_dir", "logs"),
        (["-log_dir", "-x"], "log_dir", "-x"),
        (["-minloglevel=1", "-minloglevel", "0x2"], "minloglevel", 2),
        (["-colorlogtostderr"], "colorlogtostderr", True),
        (["--alsologtostderr=No"], "alsologtostderr", False),
        (["-noalsologtostderr"], "alsologtostderr", False),
        (["--noalsologtostderr", "-alsologtostderr=T"], "alsologtostderr", True),
        (["-nolog_prefix=true"], "log_prefix", False),
        (["-log_prefix=f"], "log_prefix", False),
        (["-v=1", "-vmodule=a=2", "-lt", "-logbufsecs", "0"], "vmodule", "a=2"),
        (["-undefok=foo,bar", "-foo=1", "-nobar", "-level=3"], "level", 3),
        (["-tryfromenv=level,stage"], "stage", "a,b"),
        (["-fromenv", "stage"], "stage", "a,b"),
        (["-flagfile=flags"], "level", -7),
        (["-flagfile=flags", "-level=1"], "level", 1),
        (["--data-limit", "2"], "data_limit", 2.0),
        ([], "minloglevel", 1),
        (["-minloglevel=0"], "minloglevel", 0),
    ],
)
def test_flags_as_gflags_reads_them(words, name, value, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FLAGS_stage", "a,b")
    monkeypatch.setenv("GLOG_minloglevel", "1")
    (tmp_path / "flags").write_text("# a comment\n\n  -level=-7\n--noalsologtostderr\n")
    assert getattr(parse("-solver", "s", *words), name) == value


@pytest.mark.parametrize(
    "words, said",
    [
        (["-foo=1"], "no option '-foo'"),
        (["-minloglevel=x"], "argument --minloglevel: found 'x', wanted an integer"),
        (["-colorlogtostderr=2"], "argument --colorlogtostderr: found '2', wanted true or false"),
        (["-logtostderr", "maybe"], "found 'maybe', wanted options only, such as -solver FILE"),
        (["-log_dir"], "-log_dir: wanted a value"),
        (["-fromenv=nosuch"], "-fromenv: FLAGS_nosuch is not in the environment"),
        (["-flagfile=nosuch"], "-flagfile: nosuch: No such file or directory"),
        (["-flagfile=self"], "-flagfile: self is read a second time"),
        (["-flagfile=words"], "words: line 2: found 'caffe', wanted -flag=value"),
    ],
)
def test_flags_that_gflags_refuses(words, said, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "self").write_text("-flagfile=self")
    (tmp_path / "words").write_text("\ncaffe")
    assert cli.main(["train", "-solver", "s", *words]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"gcnet train: error: {said}") and error.count("\n") == 1


NET = """
layer { name: "d" type: "DummyData" top: "d" top: "l"
  dummy_data_param { shape { dim: 2 dim: 3 } shape { dim: 2 } } }
layer { name: "ip" type: "InnerProduct" bottom: "d" top: "ip"
  inner_product_param { num_output: 2 } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "l" top: "loss" }
"""
SOLVER = """
net: "net.prototxt" base_lr: 0.1 lr_policy: "fixed" max_iter: 1 snapshot_after_train: false
snapshot_prefix: "s"
"""
#: Flags -> what is on stderr (lines with glog's header, lines without, nothing), and the levels of
#: the files in the folder logs.
GLOG = {
    "-logtostderr": ("header", []),
    "-log_dir=logs": ("header", ["INFO"]),
    "-log_dir=logs -logtostderr": ("header", []),
    "-log_dir=logs --logtostderr=false": ("header", ["INFO"]),
    "-log_dir=logs -noalsologtostderr": ("nothing", ["INFO"]),
    "-log_dir=logs -noalsologtostderr -stderrthreshold=0": ("header", ["INFO"]),
    "-log_dir=logs -minloglevel=1": ("nothing", []),
    "-minloglevel 0x2": ("nothing", []),
    "-nolog_prefix": ("no header", []),
    "-log_dir=logs -log_prefix=no -log_link=links": ("no header", ["INFO"]),
    "-v=1 -vmodule=a=1 -stderrthreshold=0 -alsologtostderr -colorlogtostderr": ("header", []),
    "-max_log_size=1 -logbufsecs=0 -stop_logging_if_full_disk -nosymbolize_stacktrace "
    "-logbuflevel=-1 -drop_log_memory=0 -logmailer=x -alsologtoemail= -logemaillevel=9 "
    "-log_backtrace_at=a.cpp:1": ("header", []),
}


def _seen(stderr, names, program):
    """What GLOG says of a run, of its stderr and the names of its log files."""
    shown = "nothing"
    if "Optimization Done." in stderr:
        shown = (
            "header" if re.search(r"^I\d{4} .*\] Optimization Done", stderr, re.M) else "no header"
        )
    links = [
        name[len(program) + 1 :] for name in names if re.fullmatch(rf"{program}\.[A-Z]+", name)
    ]
    full = [
        name for name in names if re.fullmatch(rf"{program}\..*\.log\.INFO\.\d+-\d+\.\d+", name)
    ]
    assert len(full) == len(links)
    return shown, links


def _job(folder):
    (folder / "net.prototxt").write_text(NET)
    (folder / "solver.prototxt").write_text(SOLVER)
    for name in ("logs", "links"):
        (folder / name).mkdir()


@pytest.mark.parametrize("flags", GLOG)
def test_glogs_flags(flags, tmp_path, monkeypatch, capfd):
    _job(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert cli.main(["train", "-solver", "solver.prototxt", *flags.split()]) == 0
    names = sorted(path.name for path in (tmp_path / "logs").iterdir())
    stderr = capfd.readouterr().err
    assert _seen(stderr, names, "gcnet") == GLOG[flags]
    if names:
        first, machine, form, *lines = (tmp_path / "logs/gcnet.INFO").read_text().splitlines()
        assert first.startswith("Log file created at: 20") and machine.startswith("Running on ma")
        assert form == "Log line format: [IWEF]mmdd hh:mm:ss.uuuuuu threadid file:line] msg"
        assert "Optimization Done." in lines[-1]
        assert "noalso" in flags or lines == stderr.splitlines()
    if "log_link" in flags:
        link = tmp_path / "links/gcnet.INFO"
        assert link.is_symlink() and link.samefile(tmp_path / "logs/gcnet.INFO")


@pytest.mark.caffe
def test_glogs_flags_in_real_caffe(caffe, tmp_path):
    """One process runs Caffe with each of these flags, and with those that it refuses."""
    _job(tmp_path)
    refused = ["-foo=1", "-minloglevel=x", "-colorlogtostderr=2", "-log_dir", "-fromenv=nosuch"]
    script = f"""
import json, os, shutil, subprocess
found = []
for flags in {[*GLOG, *refused]!r}:
    command = ["caffe", "train", "-solver", "solver.prototxt", *flags.split()]
    done = subprocess.run(command, stdout=-1, stderr=-1, universal_newlines=True)
    found.append((done.returncode, done.stderr, sorted(os.listdir("logs"))))
    shutil.rmtree("logs")
    os.mkdir("logs")
print(json.dumps(found))
"""
    found = json.loads(caffe.run(["python3", "-c", script], tmp_path).stdout)
    for flags, (status, stderr, names) in zip(GLOG, found):
        assert (status, *_seen(stderr, names, "caffe")) == (0, *GLOG[flags]), flags
    assert [status for status, *_ in found[len(GLOG) :]] == [1] * len(refused)


@pytest.mark.parametrize(
    "words",
    [["test", "-model", "net.prototxt"], ["time", "-model", "net.prototxt"], ["device_query"]],
)
def test_the_other_verbs_take_them(words, tmp_path, monkeypatch, capfd):
    _job(tmp_path)
    monkeypatch.chdir(tmp_path)
    flags = ["-iterations=1", "-minloglevel=1", "-log_dir=logs", "-weights=none.caffemodel"]
    used = {"test": flags, "time": flags[:3], "device_query": flags[1:3]}[words[0]]
    status = cli.main([*words, *used])
    assert "Iteration" not in (said := capfd.readouterr().err) and "I1" not in said
    assert status == (words[0] == "test") and ("none.caffemodel: No such file" in said) == status


@pytest.mark.parametrize(
    "verb, words, more",
    [
        ("train", "-solver solver.prototxt -weights nosuch", ""),
        ("train", "-solver solver.prototxt -snapshot nosuch", ""),
        ("train", "-solver solver.prototxt", 'weights: "nosuch"'),
        ("train", "-solver solver.prototxt --ranks 2 -weights nosuch", ""),
        ("test", "-model net.prototxt -weights nosuch", ""),
    ],
)
def test_missing_weights_are_found_before_a_net_is_built(
    verb, words, more, tmp_path, monkeypatch, capfd
):
    _job(tmp_path)
    (tmp_path / "solver.prototxt").write_text(SOLVER + more)
    (tmp_path / "net.prototxt").write_text("an error of its own")
    monkeypatch.chdir(tmp_path)
    assert cli.main([verb, *words.split()]) == 1
    *log, error = capfd.readouterr().err.splitlines()
    assert error == f"gcnet {verb}: error: nosuch: No such file or directory" and len(log) < 2


@pytest.mark.parametrize("verb", ["train", "check", "draw-net", "device-query"])
def test_help_lists_glogs_flags_only_where_a_log_is_written(verb, capsys):
    with pytest.raises(SystemExit):
        cli.main([verb, "--help"])
    assert ("logtostderr" in capsys.readouterr().out) == (verb == "train")


def test_a_verb_that_writes_no_log_takes_glogs_flags(tmp_path):
    (tmp_path / "net.prototxt").write_text('layer { name: "x" type: "DummyData" top: "x" }')
    words = [str(tmp_path / "net.prototxt"), "--logtostderr=1", "--v=1"]
    assert cli.main(["draw-net", *words, "-o", str(tmp_path / "net.png")]) == 0


def test_a_log_folder_that_is_missing_does_not_stop_the_training(tmp_path, monkeypatch, capfd):
    _job(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert cli.main(["train", "-solver", "solver.prototxt", "-log_dir=nosuch"]) == 0
    lines = capfd.readouterr().err.splitlines()
    told = [line for line in lines if line.startswith("gcnet: no log file nosuch/gcnet.")]
    assert len(told) == 1 and told[0].endswith("No such file or directory")
    assert "Optimization Done." in lines[-1]
