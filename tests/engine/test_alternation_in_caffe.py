"""Two solvers in turns in both engines, pycaffe's and this one, and the script's own files.

Start weights and images are equal byte for byte, with a random_seed in both solvers or in the first
one that is made. In Caffe's order of summation the whole run is. Otherwise each turn starts from
real Caffe's snapshots: left to themselves the two would drift as in test_run_parity.py, by a leaky
ReLU that falls the other way.
"""

from pathlib import Path

import numpy as np
import pytest

from tests.engine import runs
from tests.engine.two_players import one_turn, open_players, write_players
from tests.scratch import ROOT

pytestmark = pytest.mark.caffe

TURNS = 10
PLAYERS = "discriminator", "generator"


def state(name, number, ending="solverstate"):
    return f"snapshots/{name}_iter_{number}.{ending}"


@pytest.mark.parametrize(
    "variant, seeds, summation", [("disentangle", (1, 2), "torch"), ("S1R1", (-1, 5), "caffe")]
)
def test_ten_turns(variant, seeds, summation, caffe, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    solvers = write_players(tmp_path, variant, random_seed=seeds)
    script = Path(__file__).with_name("players_in_caffe.py")
    caffe.run_python(script, tmp_path, [*solvers, str(TURNS), "found.npz"])
    players = open_players(summation=summation)
    nets = [solver.net for solver in players.solvers]
    apart = []
    with np.load("found.npz") as theirs:
        for number in range(TURNS):
            if number == 0:
                start = [runs.blobs_in(net) for net in nets]
                assert_equal(start, blobs_of_caffe(0, start))
            if summation == "torch" or number == 0:
                players.restore(*(state(name, number) for name in PLAYERS))
            before = [runs.blobs_in(net) for net in nets]
            outputs = {name: value for found in one_turn(players) for name, value in found.items()}
            for name, solver in zip(PLAYERS, players.solvers):
                pair = solver._batch[solver.net.steps[0].tops[0]]
                assert np.array_equal(pair.numpy(), theirs[f"{name}:pair"][number])
            losses = [abs(value / theirs[name][number] - 1) for name, value in outputs.items()]
            after = [runs.blobs_in(net) for net in nets]
            wanted = blobs_of_caffe(number + 1, before)
            updates = [
                runs.update_distances(runs.minus(mine, start), runs.minus(its, start))[0]
                for mine, its, start in zip(after, wanted, before)
            ]
            apart.append([max(losses), max(updates)])
    losses, updates = np.transpose(apart)
    if summation == "caffe":
        assert max(losses) == max(updates) == 0
    assert np.median(losses) <= 1e-5 and max(losses) <= 1e-3
    assert np.median(updates) <= 1e-3


def blobs_of_caffe(number, like):
    """Return the blobs of both nets in real Caffe's snapshots."""
    return [
        runs.make_blobs(state(name, number, "caffemodel"), blobs)
        for name, blobs in zip(PLAYERS, like)
    ]


def assert_equal(found, wanted):
    for mine, theirs in zip(found, wanted):
        assert mine.keys() == theirs.keys()
        for key, blob in mine.items():
            assert np.array_equal(blob, theirs[key]), key


def test_the_script_trains_and_goes_on(caffe, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    solvers = write_players(tmp_path, max_iter=6, snapshot=4)
    script = [ROOT / "tools/train_adversarial.py", "-solver", solvers[0]]
    script += ["-discriminator_solver", solvers[1]]
    caffe.run(["python3", *script], tmp_path)
    straight = Path(state("generator", 6, "caffemodel")).read_bytes()
    states = ",".join(state(name, 4) for name in reversed(PLAYERS))
    caffe.run(["python3", *script, "-snapshot", states], tmp_path)
    resumed = Path(state("generator", 6, "caffemodel")).read_bytes()
    assert len(resumed) == len(straight) and resumed != straight  # the data start anew in Caffe
    players = open_players()
    players.restore(*(state(name, 6) for name in PLAYERS))
    mine = runs.blobs_in(players.solvers[1].net)
    assert_equal([mine], [runs.make_blobs(state("generator", 6, "caffemodel"), mine)])
    second = runs.blobs_in(players.solvers[0].net)
    shared = mine.keys() & second.keys()
    assert {key.split("_")[0] for key in shared} == {"enc1", "dec1", "disc"}
    assert_equal([{key: mine[key] for key in shared}], [{key: second[key] for key in shared}])
    result = caffe.run(
        ["python3", *script, "-snapshot", state("generator", 4)], tmp_path, check=False
    )
    assert result.returncode == 2 and "wanted two" in result.stderr
