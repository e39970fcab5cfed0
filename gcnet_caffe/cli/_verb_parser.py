"""The parser of the verbs: what it refuses, it refuses in one line, with the nearest name."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from typing import Any, NoReturn

from gcnet_caffe.errors import UsageError, shown


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return ``; did you mean X?`` for the X of `known` that `name` misspells; '' if there is none.

    Dashes in front do not count.
    """
    from gcnet_caffe.formats.other_caffes import nearest

    words = {word.lstrip("-"): word for word in known}
    near = nearest(name.lstrip("-"), words)
    return f"; did you mean {words[near]}?" if near else ""


class VerbParser(argparse.ArgumentParser):
    """An argparse parser that raises a UsageError where argparse prints the usage and exits."""

    def error(self, message: str) -> NoReturn:
        """Raise a UsageError: `message`, and where the options are listed."""
        raise UsageError(f"{message} ({self.prog} --help lists the options)")

    def parse_args(  # type: ignore[override]  # one signature instead of argparse's overloads
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> argparse.Namespace:
        """Parse `args`.

        Raises
        ------
        UsageError
            They are not what the verb takes.
        """
        found, left = self.parse_known_args(args, namespace)
        if left:
            parser = self
            for action in self._actions:
                if isinstance(action, argparse._SubParsersAction):
                    parser = action.choices[getattr(found, action.dest)]
            parser.refuse(next((word for word in left if word.startswith("-")), left[0]))
        return found

    def refuse(self, word: str) -> NoReturn:
        """Raise the UsageError for a word that no option or argument takes."""
        option = word.partition("=")[0]
        if not word.startswith("-"):
            self.error(f"found {shown(word)}, wanted options only")
        # where an option has two spellings, the first
        near = did_you_mean(option, reversed(self._option_string_actions))
        self.error(f"no option {shown(option)}{near}")

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is None or value in action.choices:
            return
        names = [str(choice) for choice in action.choices]
        wanted = f"one of {', '.join(names)}{did_you_mean(str(value), names)}"
        if isinstance(action, argparse._SubParsersAction):
            self.error(f"found {shown(value)}, wanted first the {action.dest}: {wanted}")
        raise argparse.ArgumentError(action, f"found {shown(value)}, wanted {wanted}")
