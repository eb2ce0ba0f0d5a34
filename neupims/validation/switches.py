"""What each simplification of the published simulator is worth.

The switches are the keys in which the specification of a profile differs from that of its clean system; they are not
listed by hand. Each is set alone, once to the published value on the clean system and once to the clean value on the
published one. Where the specification or the lowering refuses that, the switches that its message names are set too.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

from pydantic import BaseModel

from neupims.errors import NeupimsError
from neupims.graph import Model
from neupims.hardware.load import load_system, sources
from neupims.hardware.system import SystemSpec
from neupims.request import Batch
from neupims.simulation import simulate
from neupims.validation.figures import percent

Progress = Callable[[str, float], None]
Pair = tuple[str, str]
"""A clean system and the profile that reproduces its published counterpart."""

DEFAULT_PAIRS: tuple[Pair, ...] = (
    ("neupims", "neupims-authors"),
    ("npu-pim", "npu-pim-authors"),
    ("npu-only", "npu-only-authors"),
)
Setting = tuple[str, object]
"""A key and its value."""

LABELS = {"name", "title"}
PACKING = "policy.channel_packing"
"""Not tried: the published simulator reads channels from its request file, and the requests here come without."""
PS_PER_US = 1_000_000

HEAD = """\
## What the published simulator's simplifications are worth

Change of the iteration time of {job} when one switch is set to its published value on the clean system, and when one
switch is set to its clean value on the published profile. Switches depend on each other, so the columns need not be
opposites and do not add up. Each table leaves out the switches that one before it has. Requests have no channels of
their own, so that both systems pack them as the clean one does.
"""


@dataclass(frozen=True, slots=True)
class Switch:
    """A key in which a published profile differs from its clean system."""

    key: str
    clean: object
    published: object
    meaning: str
    """What the key is, from the specification."""
    reproduces: str
    """What of the published simulator the value stands for, from the profile."""


@dataclass(frozen=True, slots=True)
class Effect:
    """Relative change of the iteration time, and the switches that had to be set along."""

    change: float | None
    along: tuple[str, ...] = ()
    refused: str = ""
    """Why it cannot be set, where nothing helped."""


def switches(pair: Pair) -> tuple[Switch, ...]:
    """The keys in which the two systems differ, in the order of the specification."""
    clean, published = (load_system(name) for name in pair)
    before, after = _flat(clean.model_dump()), _flat(published.model_dump())
    notes = sources(pair[1])
    return tuple(
        Switch(key, before.get(key), value, _meaning(published, key), notes.get(key, ""))
        for key, value in after.items()
        if key not in (*LABELS, PACKING) and before.get(key) != value
    )


def worth(pairs: Sequence[Pair], model: Model, batch: Batch, tp: int, progress: Progress) -> str:
    """The tables of all pairs in Markdown; `progress` hears which switch is tried."""
    seen: set[tuple[str, str]] = set()
    found = {pair: [switch for switch in switches(pair) if not _known(switch, seen)] for pair in pairs}
    count, done = 2 * sum(map(len, found.values())), 0
    parts = [HEAD.format(job=f"{model.name}, {len(batch)} requests, tensor parallel degree {tp}")]
    for pair, wanted in found.items():
        tell = partial(_tell, progress, done, count)
        parts.append(_table(pair, wanted, _Trial(model, batch, tp), tell))
        done += 2 * len(wanted)
    return "\n".join(parts)


def _known(switch: Switch, seen: set[tuple[str, str]]) -> bool:
    mark = (switch.key, str(switch.published))
    known = mark in seen
    seen.add(mark)
    return known


def _tell(progress: Progress, done: int, count: int, what: str, number: int) -> None:
    progress(f"switch {what}", (done + number) / max(1, count))


@dataclass(frozen=True, slots=True)
class _Trial:
    model: Model
    batch: Batch
    tp: int

    def time_ps(self, system: str, settings: Iterable[Setting]) -> int:
        spec = load_system(system, [f"{key}={_text(value)}" for key, value in settings])
        return simulate(spec, self.model, self.batch, tp=self.tp).iteration_ps

    def effect(
        self, system: str, base_ps: int, wanted: Setting, others: Mapping[str, object], fixed: Setting
    ) -> Effect:
        """The change by one setting, and by those that are named when it is refused."""
        along: list[str] = []
        while True:
            try:
                time = self.time_ps(system, [fixed, wanted, *((key, others[key]) for key in along)])
            except NeupimsError as error:
                named = [key for key in others if key in str(error) and key not in (wanted[0], *along)]
                if not named:
                    return Effect(None, tuple(along), str(error).splitlines()[0])
                along.append(named[0])
            else:
                return Effect(time / base_ps - 1, tuple(along))


def _table(pair: Pair, wanted: Sequence[Switch], trial: _Trial, tell: Callable[[str, int], None]) -> str:
    every = switches(pair)
    clean, published = ({switch.key: getattr(switch, name) for switch in every} for name in ("clean", "published"))
    tell(pair[0], 0)
    packing = (PACKING, load_system(pair[0]).policy.channel_packing)
    bases = [trial.time_ps(name, [packing]) for name in pair]
    lines = [
        f"### {pair[0]} and {pair[1]}\n",
        f"Iteration: {bases[0] / PS_PER_US:,.1f} µs and {bases[1] / PS_PER_US:,.1f} µs.\n",
        f"| switch | clean | published | in {pair[0]} | in {pair[1]} | what it is; what the published value is |",
        "|---|---|---|--:|--:|---|",
    ]
    for number, switch in enumerate(wanted):
        tell(switch.key, 2 * number)
        there = trial.effect(pair[0], bases[0], (switch.key, switch.published), published, packing)
        tell(switch.key, 2 * number + 1)
        back = trial.effect(pair[1], bases[1], (switch.key, switch.clean), clean, packing)
        lines.append(_line(switch, there, back))
    return "\n".join(lines) + "\n"


def _line(switch: Switch, there: Effect, back: Effect) -> str:
    values = (_text(switch.clean), _text(switch.published))
    about = "; ".join(text for text in (switch.meaning.replace("|", "/"), switch.reproduces) if text)
    return f"| `{switch.key}` | {' | '.join(values)} | {_cell(there)} | {_cell(back)} | {about} |"


def _cell(effect: Effect) -> str:
    if effect.change is None:
        return f"cannot be set: {effect.refused.partition(': ')[2] or effect.refused}"
    return percent(effect.change) + (f" with `{'`, `'.join(effect.along)}`" if effect.along else "")


def _text(value: object) -> str:
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else str(value)


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, object]:
    found: dict[str, object] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            found |= _flat(cast("Mapping[str, Any]", value), f"{prefix}{key}.")
        else:
            found[prefix + key] = value
    return found


def _meaning(system: SystemSpec, key: str) -> str:
    """The docstring of the field of a dotted key, its first sentence or paragraph on one line."""
    *sections, name = key.split(".")
    part: Any = system
    for section in sections:
        part = getattr(part, section)
    text = type(cast("BaseModel", part)).model_fields[name].description or ""
    return " ".join(text.split("\n\n")[0].split()).removesuffix(".")
