"""A graph as a plan: operators grouped, given to units, placed, cut into segments, and these put into stages."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby
from typing import Literal

from neupims.errors import CapacityError, ConfigError
from neupims.graph import Graph
from neupims.hardware.system import SystemSpec
from neupims.isa.work import NpuWork, PimMatrix, PimWork, Plan, Stage
from neupims.lowering.memory_map import address_map
from neupims.lowering.on_demand import StagesOnDemand
from neupims.lowering.operators.arena import Arena, arena
from neupims.lowering.operators.attention import lower_attention
from neupims.lowering.operators.banks import TileTimes, lower_broadcast, lower_matrix
from neupims.lowering.operators.choose import ON, Form, form_of, unit_of
from neupims.lowering.operators.groups import Engine, Group, grouped
from neupims.lowering.operators.once import Names, once
from neupims.lowering.operators.pim_places import Banks, base_row, in_banks, place_banks
from neupims.lowering.operators.pim_steps import lower_banked_attention, lower_placing
from neupims.lowering.plan import npu_of
from neupims.lowering.storage import PlacedStorage
from neupims.lowering.target import Cost, Target
from neupims.request import Batch

Work = NpuWork | PimWork | PimMatrix
Step = Literal["npu", "broadcast", "matrix", "placing", "attention"]
ENGINES: dict[Step, Engine] = {
    "npu": "npu",
    "broadcast": "npu",
    "matrix": "pim",
    "placing": "npu",
    "attention": "pim",
}
STEPS: dict[Form, tuple[Step, ...]] = {
    "npu": ("npu",),
    "matrix": ("broadcast", "matrix"),
    "attention": ("placing", "attention"),
}
"""What a group in the banks needs before it: its operands in the rows from which the banks read them."""


@dataclass(frozen=True, slots=True)
class Half:
    """The whole batch, or one of two halves, with the places of its tensors."""

    batch: Batch
    arena: Arena
    banks: Banks
    target: Target
    tag: str = ""
    """Begins the names of its operators."""


@dataclass(frozen=True, slots=True)
class Segment:
    """Steps of groups of one block, or outside of blocks, that one engine does one after the other."""

    number: int
    block: Names
    times: int
    """How often it stands in the graph."""
    engine: Engine
    steps: tuple[tuple[int, Step], ...]
    """Numbers of groups, each with what is done of it."""

    @property
    def name(self) -> str:
        """Block, or `top`, and number."""
        return f"{self.block[-1] if self.block else 'top'}.{self.number}"


@dataclass(frozen=True, slots=True)
class Lowered:
    """Segments of a graph, and the halves of the batch that go through them."""

    groups: tuple[tuple[Group, ...], ...]
    """Of each half."""
    segments: tuple[Segment, ...]
    halves: tuple[Half, ...]

    def stage(self, name: str, parts: Sequence[tuple[int, Segment]]) -> Stage:
        """A stage of segments, each of a half, whose engines work side by side."""
        works = [work for half, part in parts for work in self._works(half, part)]
        return Stage(
            name,
            npu=tuple(work for work in works if isinstance(work, NpuWork)),
            pim=tuple(work for work in works if not isinstance(work, NpuWork)),
        )

    def _works(self, number: int, part: Segment) -> list[Work]:
        half, groups = self.halves[number], self.groups[number]
        made = [work for group, step in part.steps for work in LOWER[step](groups[group], half)]
        for work in made:
            _check_loads(work, half.target.npu.scratchpad.bytes)
        return [replace(work, name=half.tag + work.name) for work in made] if half.tag else made


def _check_loads(work: Work, room: int) -> None:
    """CapacityError if an operator wants more at once than the scratchpad holds."""
    largest = int(work.loads.bytes.max(initial=0)) if isinstance(work, NpuWork) else 0
    if largest > room:
        raise CapacityError(
            f"processor.scratchpad.bytes: '{work.name}' wants {largest:,} bytes at once, and there are {room:,}: "
            f"enlarge it, or shorten the requests"
        )


def target_of(system: SystemSpec, cost: Cost) -> Target:
    """The device as lowering sees it. ConfigError if it has no NPU, or takes addresses from a running counter."""
    npu, memory = npu_of(system)
    if system.policy.addresses != "placed":
        raise ConfigError(
            f"{system.name}: policy.addresses: '{system.policy.addresses}' is how the published simulator runs "
            f"decoders of the GPT-3 family; other graphs need 'placed', as in neupims, npu-pim and npu-only"
        )
    return Target(npu, system.policy, PlacedStorage(), memory.bandwidth_gb_s / npu.clock_ghz, cost)


@dataclass(frozen=True, slots=True)
class Sample:
    """A graph and the requests that it is over; those have channels if attention runs in PIM."""

    graph: Graph
    batch: Batch


def lower_graph(
    parts: Sequence[Sample], system: SystemSpec, cost: Cost, times: TileTimes | None, waiting: Sample | None = None
) -> Lowered:
    """Segments of a graph on one device.

    Args:
        parts: The whole batch, or its two halves: graphs with the same operators in the same order.
        system: A system with an NPU.
        cost: Cycles of STEPs on the arrays.
        times: Of PIM, if the system has it.
        waiting: Other requests, whose states lie on the same device.

    Raises:
        ConfigError: the system has no NPU.
        CapacityError: weights, states and activations do not fit.
    """
    target, (_, memory) = target_of(system, cost), npu_of(system)
    held = (*parts, *((waiting,) if waiting else ()))
    groups = tuple(tuple(grouped(once(part.graph))) for part in held)
    training = parts[0].graph.phase == "training"
    forms: list[Form] = ["npu" if training else form_of(group, system, target, times) for group in groups[0]]
    elsewhere = in_banks(groups[0], forms)
    operators = [[item for group in part for item in group.operators] for part in groups[: len(parts)]]
    arenas = arena([part.graph for part in held], operators, memory, elsewhere)
    base = base_row(arenas[-1].end, memory)
    banks = place_banks(groups, forms, [part.batch for part in held], base, system)
    address = address_map(memory, base) if elsewhere else arenas[0].address
    tags = [f"sb{number + 1}." if len(parts) > 1 else "" for number in range(len(parts))]
    rows = zip(parts, arenas, banks, tags, strict=False)
    halves = tuple(
        Half(part.batch, replace(places, address=address), own, target, tag) for part, places, own, tag in rows
    )
    return Lowered(groups, segments(groups[0], forms), halves)


def segments(groups: Sequence[Group], forms: Sequence[Form]) -> tuple[Segment, ...]:
    """Steps cut where the block or the engine changes; `forms` has one entry for each group."""
    steps: list[tuple[int, Step]] = [(number, step) for number, form in enumerate(forms) for step in STEPS[form]]
    steps = _without_repeats(steps, groups)
    cut = groupby(steps, key=lambda one: (groups[one[0]].block, groups[one[0]].times, ENGINES[one[1]]))
    return tuple(
        Segment(number, block, times, engine, tuple(members))
        for number, ((block, times, engine), members) in enumerate(cut)
    )


def _without_repeats(steps: list[tuple[int, Step]], groups: Sequence[Group]) -> list[tuple[int, Step]]:
    """A vector that is in the banks already, for the matrix before in the same block, is not written there again."""
    kept: list[tuple[int, Step]] = []
    there: object = None
    for number, step in steps:
        operand = (groups[number].block, groups[number].operators[0].op.inputs[0])
        if step == "broadcast" and operand == there:
            continue
        there = operand if step in ("broadcast", "matrix") else None if step == "placing" else there
        kept.append((number, step))
    return kept


def serial_plan(lowered: Lowered) -> Plan:
    """One segment after the other."""
    lower = [partial(lowered.stage, part.name, [(0, part)]) for part in lowered.segments]
    return Plan(StagesOnDemand(lower, None), tuple(part.times for part in lowered.segments))


# Steps ----------------------------------------------------------------------------------------


def _npu(group: Group, half: Half) -> tuple[Work, ...]:
    if group.cached:
        return (lower_attention(group, half.arena, half.target),)
    works: list[Work] = []
    for item in group.operators:
        works += ON[unit_of(item.op, half.target)](item.op, half.arena, half.target)
    return tuple(works)


def _broadcast(group: Group, half: Half) -> tuple[Work, ...]:
    op = group.operators[0].op
    return (lower_broadcast(op, half.banks.matrices[op.name], half.arena),)


def _matrix(group: Group, half: Half) -> tuple[Work, ...]:
    op = group.operators[0].op
    return (lower_matrix(op, half.banks.matrices[op.name], half.arena, half.banks.macs_per_bank),)


def _placing(group: Group, half: Half) -> tuple[Work, ...]:
    cache = half.banks.caches[group.name]
    return (lower_placing(group, cache, half.banks.first, half.arena, half.target),)


def _attention(group: Group, half: Half) -> tuple[Work, ...]:
    cache = half.banks.caches[group.name]
    requests = (half.batch, half.banks.first)
    return (lower_banked_attention(group, cache, half.arena, requests, half.banks.macs_per_bank, half.target),)


LOWER: dict[Step, Callable[[Group, Half], tuple[Work, ...]]] = {
    "npu": _npu,
    "broadcast": _broadcast,
    "matrix": _matrix,
    "placing": _placing,
    "attention": _attention,
}
