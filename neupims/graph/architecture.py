"""How an architecture is declared: a function over a tracer and its numbers, and a table of variants."""

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, get_type_hints

from neupims.errors import ModelError
from neupims.graph.config import Config, converted
from neupims.graph.sequences import Phase
from neupims.graph.tracer import Tracer
from neupims.graph.tracing.location import call_site

Describe = Callable[[Tracer, Any], None]
"""A function `(net, cfg)` that records the model."""

Table = Mapping[str, Mapping[str, object]]
"""Values of the config by variant."""

NAME = re.compile(r"[a-z0-9][a-z0-9._]*(-[a-z0-9._]+)*")
ARXIV = re.compile(r"[,;]?\s*arXiv:\s*(\d{4}\.\d{4,5})", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Paper:
    """Where an architecture was published."""

    title: str
    arxiv: str | None = None


@dataclass(frozen=True, slots=True)
class Variants:
    """A function and the variants that have been declared above it."""

    describe: Describe
    table: Table


@dataclass(frozen=True, slots=True)
class Architecture:
    """An architecture as one file of `workloads/` declares it."""

    name: str
    paper: Paper
    family: str
    about: str
    config: type[Config]
    variants: Table = field(hash=False)
    """Values of the config for each published variant; empty if there is only one."""
    describe: Describe
    file: str
    """The file that declares it."""
    passes: Phase = "decode"
    """What is simulated unless something else is asked for: a decode step, or one forward pass."""
    default: str | None = None
    """The variant that is taken if none is named."""
    batch: int | None = None
    """Samples of a batch if none are asked for; None leaves it to the caller."""


def variant(name: str, **values: object) -> Callable[[Describe | Variants], Variants]:
    """Declare a published variant by the values of its config."""
    where = call_site()

    def declare(below: Describe | Variants) -> Variants:
        declared = below if isinstance(below, Variants) else Variants(below, {})
        _check_name(where, "variant", name)
        if name in declared.table:
            raise ModelError(f"{where}: there are two variants '{name}'")
        return replace(declared, table={name: values, **declared.table})

    return declare


def architecture(
    name: str,
    *,
    paper: str,
    family: str,
    passes: Phase = "decode",
    default: str | None = None,
    batch: int | None = None,
) -> Callable[[Describe | Variants], Architecture]:
    """Declare an architecture; `paper` is its title and, if it has one, its number: `A Title, arXiv:2005.14165`.

    `passes` is `decode` for autoregressive models, which also have a prefill, and `forward` for those that work in one
    pass; `default` names the variant that is taken if none is asked for, `batch` the usual number of samples. The
    function below takes a `Tracer` and a subclass of `Config`, and has a docstring.
    """
    where = call_site()

    def declare(below: Describe | Variants) -> Architecture:
        declared = below if isinstance(below, Variants) else Variants(below, {})
        _check_name(where, "architecture", name)
        return Architecture(
            name,
            _paper(paper),
            family,
            about=inspect.getdoc(declared.describe) or "",
            config=(config := _config(where, name, declared.describe)),
            variants=MappingProxyType(_typed(where, name, config, declared.table)),
            describe=declared.describe,
            file=declared.describe.__code__.co_filename,
            passes=passes,
            default=_default(where, name, default, declared.table),
            batch=batch,
        )

    return declare


def _default(where: str, name: str, default: str | None, table: Table) -> str | None:
    if default is not None and default not in table:
        raise ModelError(f"{where}: the default of '{name}', '{default}', is none of its variants: {', '.join(table)}")
    return default


def _check_name(where: str, what: str, name: str) -> None:
    if not NAME.fullmatch(name):
        raise ModelError(f"{where}: {what} '{name}' must be lower-case letters, digits, '.', '_' and '-'")


def _paper(text: str) -> Paper:
    number = ARXIV.search(text)
    return Paper(ARXIV.sub("", text).strip(), number[1] if number else None)


def _config(where: str, name: str, describe: Describe) -> type[Config]:
    hints = get_type_hints(describe).values()
    found = [kind for kind in hints if isinstance(kind, type) and issubclass(kind, Config)]
    if len(found) != 1:
        raise ModelError(f"{where}: architecture '{name}' must take one argument annotated with a subclass of Config")
    return found[0]


def _typed(where: str, name: str, config: type[Config], table: Table) -> dict[str, Mapping[str, object]]:
    types = get_type_hints(config)
    for label, values in table.items():
        unknown = ", ".join(values.keys() - types.keys())
        if unknown:
            raise ModelError(f"{where}: variant '{label}' of '{name}' sets {unknown}, which {config.__name__} has not")
    return {
        label: {
            key: converted(f"{where}: variant '{label}' of '{name}': {key}", types[key], values[key]) for key in values
        }
        for label, values in table.items()
    }
