"""Two solvers in turns beside a loop that is written by hand in plain PyTorch, and what is refused.

The loop is PyTorch's DCGAN example but for one thing: there the discriminator's images are the ones
that the generator is then judged by. Here, as with two solvers in Caffe, the generator's solver has
a batch of its own and makes its images anew: the running statistics of the generator's BatchNorm
take in two batches an iteration, and the discriminator's three (real images, generated ones, those
of the generator's turn).
"""

import os
import signal

import numpy as np
import pytest
import torch
from torch import nn

from gcnet_caffe import cli
from gcnet_caffe.errors import NetError, UsageError, WeightsError
from gcnet_caffe.formats import read_net, read_solver, to_text
from tests import processes
from tests.engine import runs
from tests.engine.two_players import DISCRIMINATOR, GENERATOR, one_turn, open_players, write_players

TURNS = 20
#: Of losses and of every parameter. Both in float64: the largest difference is then some 4e-6, from
#: the rates that the engine rounds to float32. In float32 two orders of summation differ by 1e-7 at
#: first, until a leaky ReLU falls the other way (as in test_run_parity.py): by 1e-2 after 20 turns.
RTOL, ATOL = 1e-4, 1e-6
DELTA = 1e-8
RULES = {
    "Nesterov": {"base_lr": 0.001, "momentum": 0.9, "weight_decay": 0.001},
    "Adam": {"base_lr": 0.0002, "momentum": 0.5, "weight_decay": 0.0},
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


class Generator(nn.Module):
    """PyTorch's example's Generator behind a fixed projection of the query."""

    def __init__(self, nz=6, ngf=4):
        super().__init__()
        self.projection = nn.Linear(64 * 64, nz, bias=False).requires_grad_(False)
        widths, layers = [nz, 8 * ngf, 4 * ngf, 2 * ngf, ngf], []
        for i in range(4):
            stride, pad = (2, 1) if i else (1, 0)
            layers += [
                nn.ConvTranspose2d(widths[i], widths[i + 1], 4, stride, pad, bias=False),
                nn.BatchNorm2d(widths[i + 1], momentum=0.001),
                nn.ReLU(),
            ]
        self.main = nn.Sequential(*layers, nn.ConvTranspose2d(ngf, 1, 4, 2, 1, bias=False))

    def forward(self, query):
        latent = self.projection((2 * query - 1).flatten(1))
        return (self.main(latent[:, :, None, None]).tanh() + 1) / 2


class Discriminator(nn.Module):
    """PyTorch's example's Discriminator without its Sigmoid."""

    def __init__(self, ndf=4):
        super().__init__()
        layers = [nn.Conv2d(1, ndf, 4, 2, 1, bias=False), nn.LeakyReLU(0.2)]
        for i in (1, 2, 4):
            layers += [
                nn.Conv2d(i * ndf, 2 * i * ndf, 4, 2, 1, bias=False),
                nn.BatchNorm2d(2 * i * ndf, momentum=0.001),
                nn.LeakyReLU(0.2),
            ]
        self.main = nn.Sequential(*layers, nn.Conv2d(8 * ndf, 1, 4, 1, 0, bias=False))

    def forward(self, image):
        return self.main(2 * image - 1).flatten()


def places(players):
    """Return {engine's layer: (module, whose)} of a hand-written pair, module by module."""
    generator, discriminator = players
    named = {"enc1_projection": generator.projection}
    kinds = {nn.ConvTranspose2d: "deconv", nn.Conv2d: "conv", nn.BatchNorm2d: "bn"}
    for prefix, suffix, net in (("dec1", "", generator), ("disc", "_generated", discriminator)):
        number = 0
        for module in net.main:
            kind = kinds.get(type(module))
            number += kind in ("deconv", "conv")
            if kind:
                named[f"{prefix}_{kind}{number}{suffix}"] = module
            if kind == "bn":
                named[f"{prefix}_scale{number}{suffix}"] = module
    return named


def by_hand(players):
    """Return {"layer:index": tensor} of the hand-written pair, as Caffe would hold them.

    Caffe's sums of a BatchNorm are PyTorch's running ones divided by their momentum, which start at
    0 here.
    """
    found = {}
    for name, module in places(players).items():
        if "_bn" in name:
            found[f"{name}:0"] = module.running_mean / module.momentum
            found[f"{name}:1"] = module.running_var / module.momentum
        else:
            found[f"{name}:0"] = module.weight
            if "_scale" in name:
                found[f"{name}:1"] = module.bias
    return found


def hand_written(engine):
    """Return the pair of modules with the engine's weights."""
    players = Generator().double(), Discriminator().double()
    start = runs.blobs_in(engine.solvers[1].net)
    with torch.no_grad():
        for name, module in places(players).items():
            if "_bn" in name:
                module.running_var.zero_()
                continue
            module.weight.copy_(torch.from_numpy(start[f"{name}:0"]))
            if "_scale" in name:
                module.bias.copy_(torch.from_numpy(start[f"{name}:1"]))
    return players


def optimizer_of(rule, module):
    settings = RULES[rule]
    params = [param for param in module.parameters() if param.requires_grad]
    if rule == "Adam":
        return torch.optim.Adam(params, settings["base_lr"], betas=(settings["momentum"], 0.999))
    rest = {"momentum": settings["momentum"], "weight_decay": settings["weight_decay"]}
    return torch.optim.SGD(params, settings["base_lr"], nesterov=True, **rest)


def _as_caffe(optimizer):
    """Let Adam's eps be added where Caffe's delta is: before the correction of the bias."""
    for group in optimizer.param_groups if isinstance(optimizer, torch.optim.Adam) else ():
        done = max((int(state["step"]) for state in optimizer.state.values()), default=0)
        group["eps"] = DELTA / (1 - group["betas"][1] ** (done + 1)) ** 0.5


def turn(players, optimizers, batches):
    """Do one iteration by hand; return the losses."""
    for optimizer in optimizers:
        _as_caffe(optimizer)
    generator, discriminator = players
    judge = nn.BCEWithLogitsLoss()
    query, reference = (half.contiguous() for half in batches[0].split(1, dim=1))
    ones = torch.ones_like(query[:, 0, 0, 0])
    discriminator.zero_grad()
    real = judge(discriminator(reference), ones)
    generated = judge(discriminator(generator(query).detach()), 0 * ones)
    (real + generated).backward()
    optimizers[1].step()
    generator.zero_grad()
    loss = judge(discriminator(generator(batches[1][:, :1].contiguous())), ones)
    loss.backward()
    optimizers[0].step()
    return {"loss_real": real, "loss_generated": generated, "loss_generation": loss}


@pytest.mark.parametrize("rule", RULES)
def test_twenty_turns_are_those_of_a_hand_written_loop(rule, folder):
    write_players(folder, type=rule, lr_policy="fixed", **RULES[rule])
    engine = open_players(float64=True)
    players = hand_written(engine)
    start = {key: blob.detach().clone() for key, blob in by_hand(players).items()}
    optimizers = [optimizer_of(rule, module) for module in players]
    for number in range(TURNS):
        outputs = {name: v for found in one_turn(engine) for name, v in found.items()}
        batches = [solver._batch[solver.net.steps[0].tops[0]] for solver in engine.solvers]
        losses = turn(players, optimizers, batches)
        assert outputs.keys() == losses.keys()
        for name, loss in losses.items():
            assert outputs[name] == pytest.approx(loss.item(), rel=RTOL, abs=ATOL), (number, name)
    blobs = [runs.blobs_in(solver.net) for solver in engine.solvers]
    for key, blob in by_hand(players).items():
        wanted = blob.detach().numpy()
        for net in blobs:
            assert np.allclose(net[key], wanted, rtol=RTOL, atol=ATOL), key
        moved = np.abs(wanted - start[key].numpy()).max()
        assert moved == 0 if "projection" in key else moved > 10 * ATOL, key


def test_each_turn_changes_its_own_player_only(folder):
    write_players(folder, weight_decay=0.1)
    players = open_players()
    net = players.solvers[1].net
    for solver, own, others in zip(players.solvers, ("disc", "dec1"), ("dec1", "disc")):
        before = runs.blobs_in(net)
        solver.step(1)
        after = runs.blobs_in(net)
        for key in before:
            same = np.array_equal(before[key], after[key])
            if "_bn" in key:
                assert not same, key  # in every forward pass
            elif key.startswith(own):
                assert not same, key
            else:
                assert same, key
        assert not any(
            one.param.grad is not None for one in solver.net.learnable if one.lr_mult == 0
        ), others


def lines_of(capfd):
    return [line.split("] ", 1)[1] for line in capfd.readouterr().err.splitlines()]


def test_a_resumed_run_ends_with_the_same_bytes_and_log(folder, capfd):
    write_players(folder, max_iter=8, snapshot=4, display=2, average_loss=3)
    words = ["train", "-solver", GENERATOR, "-discriminator_solver", DISCRIMINATOR]
    assert cli.main(words) == 0
    straight = [line for line in lines_of(capfd) if ", loss = " in line]
    ends = [
        folder / f"snapshots/{name}_iter_8.caffemodel" for name in ("generator", "discriminator")
    ]
    wanted = [path.read_bytes() for path in ends]
    for path in ends:
        path.unlink()
    states = ",".join(f"snapshots/{n}_iter_4.solverstate" for n in ("generator", "discriminator"))
    assert cli.main([*words, "-snapshot", states]) == 0
    assert [path.read_bytes() for path in ends] == wanted
    resumed = [line.split(", loss")[-1] for line in lines_of(capfd) if ", loss = " in line]
    assert resumed == [line.split(", loss")[-1] for line in straight][-len(resumed) :]
    speakers = [line.startswith("discriminator: Iteration") for line in straight]
    assert speakers == [True, False] * 4 + [True, False]


def edit(path, change):
    net = read_net(path)
    change({layer.name: layer for layer in net.layer})
    path.write_text(to_text(net))


def test_players_that_do_not_fit_are_refused(folder):
    write_players(folder)
    second = folder / read_solver(DISCRIMINATOR).net
    whole = second.read_text()

    def learn(layers):
        layers["dec1_deconv2"].param[0].lr_mult = 1

    edit(second, learn)
    with pytest.raises(NetError, match="'dec1_deconv2': blob 0 is learned here and in"):
        open_players()
    second.write_text(whole.replace("num_output: 4\n", "num_output: 5\n"))
    with pytest.raises(WeightsError, match="blobs of shapes"):
        open_players()
    text = whole.replace('name: "d', 'name: "other_d').replace('name: "enc1', 'name: "other')
    second.write_text(text)
    with pytest.raises(NetError, match="no layer with blobs has the name of one of"):
        open_players()
    second.write_text(whole)
    write_players(folder, max_iter=(6, 7))
    with pytest.raises(NetError, match="max_iter: found 7, and .* has 6; wanted the same"):
        open_players()


@pytest.mark.parametrize(
    "more, message",
    [
        (["--ranks", "2"], "two solvers take turns in one process"),
        (["--cuda-graphs"], "without --cuda-graphs"),
        (["-gpu", "0,1"], "two solvers take turns in one process"),
        (["-snapshot", "a.solverstate"], "wanted two, GENERATOR.solverstate,DISCRIMINATOR"),
    ],
)
def test_what_cannot_take_turns_is_one_line(more, message, folder, capsys):
    write_players(folder)
    words = ["train", "-solver", GENERATOR, "-discriminator_solver", DISCRIMINATOR, "--log", "log"]
    assert cli.main([*words, *more]) == UsageError.exit_code
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1


def test_snapshots_of_two_iterations_are_refused(folder):
    write_players(folder, max_iter=4, snapshot=2)
    open_players().solve()
    with pytest.raises(WeightsError, match="of iteration 4, and .* of 2; wanted the same"):
        open_players().restore(
            "snapshots/discriminator_iter_2.solverstate", "snapshots/generator_iter_4.solverstate"
        )


@pytest.mark.parametrize("number, ends", [(signal.SIGINT, True), (signal.SIGHUP, False)])
def test_a_signal_leaves_snapshots_of_both_at_one_iteration(number, ends, folder):
    write_players(folder, max_iter=100000)
    words = ["train", "-solver", GENERATOR, "-discriminator_solver", DISCRIMINATOR, "--log", "log"]
    process = processes.start(words, folder)
    processes.wait_until(lambda: "Iteration 0" in read(folder / "log"), process)
    os.kill(process.pid, number)
    if ends:
        assert processes.finish(process) == 0
        assert read(folder / "log").count("Optimization stopped early.") == 2
    else:
        snapshot = "snapshots/generator_iter_*.resume.json"
        processes.wait_until(lambda: processes.found(folder, snapshot), process)
        process.kill()
        processes.finish(process)
    states = [
        [
            path.name.split("_iter_")[1]
            for path in folder.glob(f"snapshots/{name}_iter_*.resume.json")
        ]
        for name in ("generator", "discriminator")
    ]
    assert states[0] == states[1] and len(states[0]) == 1


def read(path):
    return path.read_text() if path.exists() else ""
