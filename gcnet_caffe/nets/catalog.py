"""Names, texts and defaults of the generated files: which nets and solvers there are."""

from dataclasses import fields

from gcnet_caffe.nets import gcnet, pretrain
from gcnet_caffe.nets.options import NetOptions
from gcnet_caffe.nets.solver import SolverOptions, solver_text

VARIANTS = (*gcnet.VARIANTS, *pretrain.PRETRAININGS)
NET_FOLDER = "prototxt"
SOLVER_FOLDER = "solvers"
FOLDS = 10

#: CK+'s folds hold about 98 images to test (327 sequences, 3 frames, 10 folds); --fit-test counts.
_CK_TEST_IMAGES = 98


def net_defaults(variant, fold=0):
    """Return the NetOptions of a committed net."""
    if variant == "pretrain-identity":
        return NetOptions(num_classes=10575, test_batch_size=50, data="data/webface")
    if variant == "pretrain-autoencoder":
        return NetOptions(test_batch_size=50, data="data/webface")
    return NetOptions(data=f"data/ck7/fold{fold}")


def solver_defaults(variant, fold=0, name="ck"):
    """Return the SolverOptions of a committed solver."""
    stem = _stem(variant, fold, name)
    return SolverOptions(
        net=f"{NET_FOLDER}/{train_net_name(variant, fold, name)}",
        snapshot_prefix=f"snapshots/{stem}",
        test_iter=100 if variant in pretrain.PRETRAININGS else _CK_TEST_IMAGES,
    )


def train_net_name(variant, fold, name):
    """Return the file name of the net that `caffe train` reads."""
    return f"{_stem(variant, fold, name)}_train_test.prototxt"


def solver_name(variant, fold, name):
    """Return the file name of a solver; the paper's best network needs no variant in it."""
    stem = f"{name}_fold{fold}" if variant == "S1R1" else _stem(variant, fold, name)
    return f"{stem}.prototxt"


def net_files(variant, options, fold=0, name="ck", with_reconstruction=False):
    """Return {file name: text} of a variant: its train/test net and its deploy nets.

    `options` is a NetOptions; `with_reconstruction` adds the deploy net that keeps decoders 2.
    """
    flags = _flags(options, net_defaults(variant, fold))
    made_by = _made_by("make_net", variant, fold, name, flags)
    files = {train_net_name(variant, fold, name): _build(variant, options).text(made_by)}
    stem = variant.replace("-", "_") if variant in pretrain.PRETRAININGS else f"{name}_{variant}"
    made_by = _made_by("make_net", variant, 0, name, _flags(options, net_defaults(variant), "data"))
    files[f"{stem}_deploy.prototxt"] = _build(variant, options, deploy=True).text(made_by)
    if with_reconstruction:
        net = _build(variant, options, deploy=True, with_reconstruction=True)
        made_by = [f"{made_by[0]} --with-reconstruction", *made_by[1:]]
        files[f"{stem}_deploy_reconstruction.prototxt"] = net.text(made_by)
    return files


def solver_file(variant, options, fold=0, name="ck"):
    """Return (file name, text) of a solver; `options` is a SolverOptions."""
    flags = _flags(options, solver_defaults(variant, fold, name))
    text = solver_text(options, _made_by("make_solver", variant, fold, name, flags))
    return solver_name(variant, fold, name), text


def committed():
    """Return {path: text} of every generated file that the repository holds."""
    found = {}
    for variant in VARIANTS:
        for fold in range(FOLDS if variant == "S1R1" else 1):
            nets = net_files(
                variant,
                net_defaults(variant, fold),
                fold,
                with_reconstruction=variant in ("S0R1", "S1R1"),
            )
            found.update({f"{NET_FOLDER}/{name}": text for name, text in nets.items()})
            name, text = solver_file(variant, solver_defaults(variant, fold), fold)
            found[f"{SOLVER_FOLDER}/{name}"] = text
    return found


def _build(variant, options, deploy=False, **how):
    if variant == "pretrain-autoencoder":
        return pretrain.build_autoencoder(options, deploy)
    if variant == "pretrain-identity":
        return pretrain.build_identity(options, deploy)
    return gcnet.build(variant, options, deploy, **how)


def _stem(variant, fold, name):
    if variant in pretrain.PRETRAININGS:
        return variant.replace("-", "_")
    return f"{name}_fold{fold}_{variant}"


def _flags(options, defaults, *without):
    """Return the command-line flags that lead from `defaults` to `options`."""
    flags = []
    for field in fields(options):
        value = getattr(options, field.name)
        if value == getattr(defaults, field.name) or field.name in without:
            continue
        flag = field.name.replace("_", "-")
        if isinstance(value, bool):
            flags.append(f"--{flag}" if value else f"--no-{flag}")
        else:
            flags.append(f"--{flag} {value}")
    return flags


def _made_by(tool, variant, fold, name, flags):
    words = [f"Made by: python tools/{tool}.py --variant {variant}"]
    words += [f"--fold {fold}"] if fold else []
    words += [f"--name {name}"] if name != "ck" else []
    has = gcnet.VARIANTS.get(variant)
    about = f"GCNet, figure {has.figure} of the paper." if has else "Pre-training, section IV-A."
    return [" ".join(words + flags), about]
