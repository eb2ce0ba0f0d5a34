"""From recorded regions to an immutable graph: blocks, what they carry on, and what is read outside of them."""

from collections.abc import Iterator
from dataclasses import replace

from neupims.errors import ModelError
from neupims.graph.body import Block, Body, Port
from neupims.graph.operator import Operator
from neupims.graph.tensor import Tensor
from neupims.graph.tracing.regions import Draft, Region, Repeat, Use, Value

Formals = dict[Use, Tensor]
"""For uses of values from outside a block, the tensor that stands for the value inside."""


def freeze(region: Region, formals: Formals) -> Body:
    """The operators and blocks of a region; `formals` names what comes from outside."""
    resolved = {use: _resolved(use, region, formals) for use in _uses(region)}
    items = tuple(_frozen(item, resolved) for item in region.items)
    owned = region.tensors.values()
    weights = tuple(tensor for tensor in owned if tensor.role in ("weight", "constant"))
    states = tuple(tensor for tensor in owned if tensor.role in ("kv_cache", "state"))
    return Body(items, weights, states, trained=tuple(region.trained.values()))


def seen_from(value: Value, region: Region) -> Tensor:
    """A value made in a region or in its repeats, under its name there; marks what leaves the repeats."""
    prefix = _path(value, region)
    base = value.tensor.base
    _expose(region, prefix + (base or value.tensor.name))
    return replace(value.tensor, name=prefix + value.tensor.name, base=base and prefix + base)


def made_in(value: Value, region: Region) -> bool:
    """Whether a value was made in a region or in its repeats."""
    place: Region | None = value.region
    while place is not None and place is not region:
        place = place.parent
    return place is region


def outside_uses(region: Region) -> Iterator[Use]:
    """Uses of values from outside a region, in order, those inside its repeats included."""
    return (use for use in _uses(region) if not made_in(use.value, region))


def _uses(region: Region) -> Iterator[Use]:
    for item in region.items:
        if isinstance(item, Draft):
            yield from (*item.inputs, *item.weights)
        else:
            yield from outside_uses(item.body)


def _resolved(use: Use, region: Region, formals: Formals) -> Tensor:
    return seen_from(use.value, region) if made_in(use.value, region) else formals[use]


def _path(value: Value, region: Region) -> str:
    prefix, place = "", value.region
    while place is not region:
        repeat = place.repeat
        assert repeat is not None
        assert place.parent is not None
        if place is not repeat.traces[-1]:
            raise ModelError(
                f"{repeat.where}: repeat '{repeat.name}': '{value.tensor.name}' of an earlier repetition is read "
                "after the loop; only values of the last one can be"
            )
        prefix, place = repeat.last + prefix, place.parent
    return prefix


def _expose(region: Region, name: str) -> Tensor:
    if name in region.tensors:
        return region.tensors[name]
    for item in region.items:
        if isinstance(item, Repeat) and name.startswith(item.last):
            inner = _expose(item.body, name.removeprefix(item.last))
            item.outputs[inner.name] = inner
            return replace(inner, name=name)
    raise AssertionError(f"'{name}' was traced but is not in its region")


def _frozen(item: Draft | Repeat, resolved: Formals) -> Operator | Block:
    if isinstance(item, Repeat):
        return _block(item, resolved)
    inputs = tuple(resolved[use] for use in item.inputs)
    return replace(item.op, inputs=inputs, weights=tuple(resolved[use] for use in item.weights))


def _block(repeat: Repeat, resolved: Formals) -> Block:
    first, second = (tuple(outside_uses(trace)) for trace in (repeat.traces[0], repeat.traces[-1]))
    ports: dict[object, Port] = {}
    formals: Formals = {}
    for use, again in zip(first, second, strict=True):
        key = (use.value.key, again.value.key)
        if key not in ports:
            ports[key] = _port(repeat, len(ports), resolved[use], (use.value, again.value))
        formals[use] = ports[key].tensor
    body = freeze(repeat.body, formals)
    return Block(
        body.items,
        body.weights,
        body.states,
        name=repeat.name,
        count=repeat.count,
        first=repeat.first,
        inputs=tuple(ports.values()),
        outputs=tuple(repeat.outputs.values()),
        trained=body.trained,
    )


def _port(repeat: Repeat, index: int, initial: Tensor, values: tuple[Value, Value]) -> Port:
    """`values`: what the first and the second repetition read."""
    inside = replace(initial, name=f"input:{index}", base=None)
    first, second = values
    if first.key == second.key:
        return Port(inside, initial, None)
    if not made_in(second, repeat.body):
        raise ModelError(
            f"{repeat.where}: repeat '{repeat.name}': the second repetition reads '{second.tensor.name}' where the "
            f"first reads '{first.tensor.name}', and neither comes from the repetition before"
        )
    return Port(inside, initial, seen_from(second, repeat.body))
