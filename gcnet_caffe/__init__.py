"""GCNet (Kim et al.) as ordinary Caffe files: networks, solvers, LMDBs, and what runs them."""

__version__ = "0.1.0.dev0"

__all__ = ["Recognizer"]


def __getattr__(name):
    """Import `Recognizer` when it is asked for: the package itself stays light."""
    if name != "Recognizer":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from gcnet_caffe.recognition.recognizer import Recognizer

    return Recognizer
