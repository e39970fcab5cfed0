"""A small DCGAN's two nets and solvers over small random faces, for tests of training in turns."""

from gcnet_caffe import nets
from gcnet_caffe.engine.alternation import Alternation
from gcnet_caffe.engine.options import EngineOptions
from gcnet_caffe.formats import read_solver, to_text
from tests.engine import runs
from tests.scratch import write_lmdb

GENERATOR, DISCRIMINATOR = "solvers/small_dcgan.prototxt", "solvers/small_dcgan_disc.prototxt"
BATCH = 4


def write_players(folder, variant="disentangle", **changes):
    """Write nets, solvers and LMDBs of `variant` into `folder`; return the solvers' paths.

    `changes` are fields of both solvers, or a tuple: the generator's, the discriminator's.
    """
    options = nets.NetOptions(generator="dcgan", nz=6, ngf=4, ndf=4, batch_size=BATCH, data="data")
    for name in ("prototxt", "solvers", "snapshots"):
        (folder / name).mkdir(exist_ok=True)
    for name, text in nets.net_files(variant, options).items():
        (folder / "prototxt" / name).write_text(text)
    found = nets.solver_files(variant, nets.solver_defaults(variant, net=options), net=options)
    for player, (text, path) in enumerate(zip(found.values(), (GENERATOR, DISCRIMINATOR))):
        (folder / path).write_text(text)
        param = read_solver(folder / path)
        for field in ("test_interval", "test_iter", "snapshot"):
            param.ClearField(field)
        param.snapshot_prefix = f"snapshots/{('generator', 'discriminator')[player]}"
        param.random_seed = 1
        for field, value in changes.items():
            value = value[player] if isinstance(value, tuple) else value
            setattr(param, field, value)
        (folder / path).write_text(to_text(param))
    if not (folder / "data").exists():
        for name in ("train_lmdb", "test_lmdb"):
            write_lmdb(folder / "data" / name, [i % 7 for i in range(12)], 2)
    return GENERATOR, DISCRIMINATOR


def open_players(generator=GENERATOR, discriminator=DISCRIMINATOR, float64=False, **options):
    """Return the Alternation of the solvers in the current folder; in double precision if asked."""
    options = EngineOptions(**options)
    second = runs.make_solver(discriminator, options=options)
    first = runs.make_solver(generator, options=options, draws=second.rng)
    for solver in (second, first) if float64 else ():
        _make_double(solver)
    return Alternation(second, first)


def _make_double(solver):
    solver.net.double()
    solver.updater.history = [blob.double() for blob in solver.updater.history]
    next_batch = solver.net.next_batch
    solver.net.next_batch = lambda: {k: blob.double() for k, blob in next_batch().items()}


def one_turn(players):
    """Do one iteration of both; return ({output: value} of the discriminator, of the generator)."""
    found = []
    for solver in players.solvers:
        inner = solver.forward_backward

        def spying(debugged=False, inner=inner):
            loss, outputs = inner(debugged)
            found.append({name: float(blob.detach()) for name, blob in outputs.items()})
            return loss, outputs

        solver.forward_backward = spying
    players.step(1)
    for solver in players.solvers:
        del solver.forward_backward
    return found
