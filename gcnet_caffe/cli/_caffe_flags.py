"""The flags of Caffe's own tool, in gflags' spellings: -solver X, --solver=X, ..."""

from gcnet_caffe.errors import UsageError

_HELP = {
    "solver": "solver prototxt",
    "discriminator_solver": "solver prototxt of a second player: the two train in turns "
    "(docs/adversarial.md); -snapshot then names two, separated by ','",
    "model": "net prototxt",
    "weights": ".caffemodel files to start from, separated by ','; not together with -snapshot",
    "snapshot": ".solverstate to resume from",
    "gpu": "GPU numbers separated by ',', or 'all'; default: the CPU",
    "level": "level of the NetState",
    "stage": "stages of the NetState, separated by ','",
    "phase": "TRAIN or TEST",
    "iterations": "how many iterations to run",
    "sigint_effect": "what SIGINT does: stop, snapshot or none",
    "sighup_effect": "what SIGHUP does: stop, snapshot or none",
}
_DEFAULTS = {
    "level": 0,
    "phase": "TRAIN",
    "iterations": 50,
    "sigint_effect": "stop",
    "sighup_effect": "snapshot",
}


def add_caffe_flags(parser, *names):
    """Add the flags `names` with Caffe's defaults, and glog's that have no effect here."""
    for name in names:
        default = _DEFAULTS.get(name, "")
        parser.add_argument(
            f"-{name}",
            f"--{name}",
            default=default,
            type=type(default),
            help=_HELP[name],
            metavar=name.upper(),
        )
    for name in ("logtostderr", "alsologtostderr"):
        parser.add_argument(f"-{name}", f"--{name}", nargs="?", help="has no effect: it does")


def gpu_numbers(text):
    """Return the GPU numbers of the flag -gpu: None is the CPU.

    Raises
    ------
    UsageError
        `text` is neither 'all' nor numbers.
    """
    if not text:
        return None
    if text == "all":
        import torch

        return list(range(torch.cuda.device_count()))
    try:
        numbers = [int(word) for word in text.split(",")]
    except ValueError:
        raise UsageError(
            f"-gpu: found {text!r}, wanted numbers separated by ',' or 'all'"
        ) from None
    if len(set(numbers)) < len(numbers) or any(number < 0 for number in numbers):
        raise UsageError(f"-gpu: found {text!r}, wanted different numbers from 0 on")
    return numbers


def split_stages(text):
    """Return the stages of the flag -stage."""
    return [word for word in text.split(",") if word]


def require(value, message):
    """Raise the refusal `message` of Caffe's tool unless a flag was given."""
    if not value:
        raise UsageError(message)
