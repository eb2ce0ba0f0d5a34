"""The words of the tracer by theme, read off their docstrings: what an architecture can be written in."""

import inspect
from dataclasses import dataclass

from neupims.graph.tracer import Tracer
from neupims.graph.tracing.recorder import Recorder

ROOT = ("weight", "output", "scope", "repeat")
"""What the recorder offers to architectures; its other functions are for the vocabulary."""


@dataclass(frozen=True, slots=True)
class Theme:
    """Words that belong together."""

    about: str
    words: tuple[tuple[str, str], ...]
    """Each with the first sentence of what it says of itself."""


def themes() -> tuple[Theme, ...]:
    """All themes, with every word once."""
    root = Theme("Weights, results, names and repetition.", tuple((name, _about(Recorder, name)) for name in ROOT))
    parts = (part for part in Tracer.__mro__[1:] if issubclass(part, Recorder) and part is not Recorder)
    return (root, *(_theme(part) for part in parts))


def _theme(part: type) -> Theme:
    names = [name for name in vars(part) if not name.startswith("_")]
    return Theme(_first(part.__doc__), tuple((name, _about(part, name)) for name in names))


def _about(part: type, name: str) -> str:
    return _first(inspect.getdoc(getattr(part, name)))


def _first(text: str | None) -> str:
    return (text or "").partition("\n")[0]
