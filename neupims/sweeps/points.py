"""From the axes of a sweep to its points."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from neupims.errors import ConfigError, NeupimsError
from neupims.hardware.load import load_system
from neupims.job import Job, has_key, load_job
from neupims.request import JobSpec
from neupims.results.cache import code_version
from neupims.results.digest import digest
from neupims.sweeps.document import Axis, SweepSpec
from neupims.sweeps.expressions import evaluate, names_in
from neupims.sweeps.keys import OPTION, is_known, job_spec, system_name

ROOMS = ("events", "graph", "isa", "lowering", "machine", "results", "scheduling")
DECIDING = tuple(Path(__file__).parents[1] / room for room in ROOMS)
"""The rooms whose code decides what a result is."""


@dataclass(frozen=True, slots=True)
class Point:
    """One run of a sweep."""

    number: int
    values: Mapping[str, Any]
    """What was swept or follows from it, by name; None where an axis did not apply."""
    spec: JobSpec
    key: str
    """A digest of everything that the result depends on: points that do the same have the same."""


def expand(sweep: SweepSpec) -> tuple[Point, ...]:
    """All points, in the order of the axes, the last one fastest; their jobs are loaded once to see that they exist.

    A value of a part that a system lacks does not apply to it, if another system of the sweep has that part.

    Raises:
        ConfigError: a condition cannot be computed, no point is left, or a job is wrong in itself.
    """
    columns = _columns(sweep)
    combinations = _distinct([_fitting(values, sweep) for values in _combinations(sweep)])
    if not combinations:
        raise ConfigError(f"{sweep.name}: no point is left, where excludes all of them")
    return tuple(_point(number, values, columns, sweep) for number, values in enumerate(combinations, start=1))


def _fitting(values: dict[str, Any], sweep: SweepSpec) -> dict[str, Any]:
    """Values without those of hardware that the point's system lacks."""
    own, others = values.get("system"), _systems(sweep)
    return {key: None if _lacks(own, key, others, sweep.folder) else value for key, value in values.items()}


def _systems(sweep: SweepSpec) -> list[str]:
    """All systems that any point may have."""
    named = [sweep.base.get("system")]
    for axis in sweep.axes:
        named += [row[place] for row in axis.rows for place, name in enumerate(axis.names) if name == "system"]
    return [name for name in named if isinstance(name, str)]


def _lacks(system: Any, key: str, others: list[str], folder: Path) -> bool:
    if "." not in key or not is_known(key) or key.startswith(OPTION) or not isinstance(system, str):
        return False
    return not _has(system, key, folder) and any(_has(other, key, folder) for other in others)


@cache
def _has(system: str, key: str, folder: Path) -> bool:
    try:
        return has_key(load_system(system_name(system, folder)), key)
    except NeupimsError:
        return True  # which is told when the point is made


def _distinct(combinations: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return list({repr(sorted(values.items())): values for values in reversed(combinations)}.values())[::-1]


def _columns(sweep: SweepSpec) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*(name for axis in sweep.axes for name in axis.names), *sweep.derive)))


def _combinations(sweep: SweepSpec) -> Iterator[dict[str, Any]]:
    """Values of each point, base and derived ones included."""
    partial: list[dict[str, Any]] = [dict(sweep.base)]
    for axis in _in_order(sweep.axes):
        partial = [wider for values in partial for wider in _along(axis, values)]
    for values in partial:
        for name, expression in sweep.derive.items():
            values[name] = evaluate(expression, values, f"{sweep.places[name]}: derive.{name}")
        if all(evaluate(condition, values, f"{place}: where") for place, condition in sweep.where):
            yield values


def _in_order(axes: tuple[Axis, ...]) -> Iterator[Axis]:
    """Axes whose conditions need others come behind them; otherwise they stay as they are."""
    left, known = list(axes), {name for axis in axes for name in axis.names}
    while left:
        waiting = {name for axis in left for name in axis.names}
        ready = [axis for axis in left if not names_in(axis.when or "") & known & waiting - set(axis.names)]
        chosen = (ready or left)[0]
        left.remove(chosen)
        yield chosen


def _along(axis: Axis, values: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if axis.when is not None and not evaluate(axis.when, values, f"{axis.place}: when"):
        yield dict(values)
        return
    for row in axis.rows:
        yield {**values, **dict(zip(axis.names, row, strict=True))}


def _point(number: int, values: Mapping[str, Any], columns: tuple[str, ...], sweep: SweepSpec) -> Point:
    settings = {key: value for key, value in values.items() if is_known(key)}
    spec = job_spec(settings, sweep.places, sweep.folder)
    if not spec.systems:
        raise ConfigError(f"{sweep.name}: system: missing, must be given in base or in axes")
    try:
        job = load_job(spec)
    except NeupimsError as error:
        place = next((sweep.places[key] for key in settings if key in str(error) and key in sweep.places), sweep.name)
        raise ConfigError(f"{place}: {error}") from None
    return Point(number, {name: values.get(name) for name in columns}, spec, job_key(job))


def job_key(job: Job) -> str:
    """A digest of everything that the result of a job depends on, wherever its requests come from: also of what the
    model computes, and of the code that times it."""
    resolved = job.resolved()
    del resolved["requests"]["source"]
    graph = job.model.decode([request.length for request in job.batch[:1]]).to_json()
    return digest({**resolved, "graph": graph, "code": code_version(DECIDING)})
