"""The rules of a graph, checked after tracing and wherever a graph comes from outside."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from neupims.errors import ModelError
from neupims.graph.body import INDEX, Block, Body, Port
from neupims.graph.graph import Graph
from neupims.graph.kinds import KINDS, ShapeError
from neupims.graph.operator import Operator
from neupims.graph.tensor import ELEMENT_BYTES, Part, Role, Tensor

Known = dict[str, Tensor]
"""Tensors that exist already, by name."""

SHOWN = 3
STATIONARY: tuple[Role, ...] = ("weight", "constant")
CACHES: tuple[Role, ...] = ("kv_cache", "state")
ANY: tuple[Role, ...] = ("activation", *STATIONARY, *CACHES)


def verify(graph: Graph) -> None:
    """Check all rules; ModelError with the first broken ones.

    Everything read exists already, with the shape and type it is said to have; names are unique; operators are of a
    known kind and carry the shapes and work that their operands give; what a block carries on keeps its shape;
    nothing is computed, kept or passed for nothing.
    """
    found = list(problems(graph))
    if found:
        more = f" (and {len(found) - SHOWN} more)" if len(found) > SHOWN else ""
        raise ModelError(f"{graph.model}: the graph breaks its rules: {'; '.join(found[:SHOWN])}{more}")


def problems(graph: Graph) -> Iterator[str]:
    """A sentence for each broken rule."""
    known: Known = {}
    yield from _new(graph.inputs, known, ("activation",))
    yield from _body(graph, known)
    yield from _missing(graph.outputs, known, "output")
    yield from _unused(graph, graph.inputs, graph.outputs)


def _body(body: Body, known: Known) -> Iterator[str]:
    yield from _new(body.weights, known, STATIONARY)
    yield from _new(body.states, known, CACHES)
    for item in body.items:
        yield from _block(item, known) if isinstance(item, Block) else _operator(item, known)
    yield from _missing(body.kept, known, "kept")
    known_weights = {tensor.name: tensor for tensor in body.weights}
    yield from (problem for part in body.trained for problem in _part(part, known_weights))
    yield from _clashes(body)


def _part(part: Part, weights: Known) -> Iterator[str]:
    weight = weights.get(part.weight)
    if weight is None or weight.role != "weight":
        yield f"trained: '{part.weight}' is no weight there"
    elif not (0 <= part.axis < len(weight.shape) and 0 <= part.start < part.stop <= weight.shape[part.axis]):
        yield f"trained: {_described(weight)} has no part [{part.start}:{part.stop}] of axis {part.axis}"


def _operator(op: Operator, known: Known) -> Iterator[str]:
    yield from _missing((*op.inputs, *op.weights, *op.states), known, f"operand of '{op.name}'")
    for tensors, roles in ((op.weights, STATIONARY), (op.states, CACHES)):
        wrong = (tensor for tensor in tensors if tensor.role not in roles)
        yield from (f"'{op.name}' uses {tensor.role} '{tensor.name}' as {' or '.join(roles)}" for tensor in wrong)
    yield from _work(op)
    yield from _new(op.outputs, known, ("activation",))


def _work(op: Operator) -> Iterator[str]:
    if op.kind not in KINDS:
        yield f"'{op.name}' is of unknown kind '{op.kind}'"
        return
    try:
        expected = KINDS[op.kind].complete(replace(op, outputs=()))
    except ShapeError as error:
        yield f"'{op.name}': {error}"
    except (LookupError, TypeError, ValueError) as error:
        yield f"'{op.name}' lacks what a {op.kind} needs: {error}"
    else:
        if expected != op:
            yield f"results, work or bytes of '{op.name}' are not those of a {op.kind} of its operands"


def _block(block: Block, known: Known) -> Iterator[str]:
    name = f"block '{block.name}'"
    if block.count < 1:
        yield f"{name} repeats {block.count} times"
    yield from _missing([port.initial for port in block.inputs], known, f"input of {name}")
    inside: Known = {}
    yield from _new([port.tensor for port in block.inputs], inside, ("activation", *STATIONARY))
    yield from _body(block, inside)
    yield from _missing([port.carried for port in block.inputs if port.carried], inside, f"what {name} carries on")
    yield from (f"{name}: {problem}" for port in block.inputs for problem in _port(port))
    yield from (f"{name}: {problem}" for port in block.inputs if port.mirrored for problem in _mirrored(port, block))
    yield from _missing(block.outputs, inside, f"output of {name}")
    yield from _unused(block, [port.tensor for port in block.inputs], block.outputs)
    last = block.prefix(block.count - 1)
    yield from _new([replace(tensor, name=last + tensor.name) for tensor in block.outputs], known, ANY)


def _port(port: Port) -> Iterator[str]:
    inside = port.tensor
    for tensor in (port.initial, port.carried or port.initial):
        if (tensor.shape, tensor.element, tensor.role) != (inside.shape, inside.element, inside.role):
            yield f"{_described(tensor)} does not fit {_described(inside)}"
            return


def _mirrored(port: Port, block: Block) -> Iterator[str]:
    """What it reads is called `layer31.` and its name inside, and there are as many repetitions to step back."""
    number = INDEX.search(port.initial.name.removesuffix(port.tensor.name))
    if not port.initial.name.endswith(port.tensor.name) or number is None or int(number[1]) < block.count - 1:
        yield f"'{port.initial.name}' is nothing that {block.count} repetitions left as '{port.tensor.name}'"


def _described(tensor: Tensor) -> str:
    return f"{tensor.role} '{tensor.name}' {tensor.element} {tensor.shape}"


def _new(tensors: Iterable[Tensor], known: Known, roles: tuple[Role, ...]) -> Iterator[str]:
    for tensor in tensors:
        if tensor.name in known:
            yield f"there are two tensors '{tensor.name}'"
        if any(size < 1 for size in tensor.shape):
            yield f"shape {tensor.shape} of '{tensor.name}' has an axis without elements"
        if tensor.element not in ELEMENT_BYTES:
            yield f"'{tensor.name}' has unknown element type '{tensor.element}'"
        if tensor.role not in roles:
            yield f"'{tensor.name}' is {tensor.role}, not {' or '.join(roles)}"
        known[tensor.name] = tensor


def _missing(tensors: Iterable[Tensor], known: Known, what: str) -> Iterator[str]:
    for tensor in tensors:
        source = known.get(tensor.base or tensor.name)
        if source is None:
            yield f"{what}: '{tensor.name}' does not exist there"
        elif tensor.base is None and tensor != source:
            yield f"{what}: '{tensor.name}' is not as it was made"
        elif tensor.bytes > source.bytes or tensor.role != source.role:
            yield f"{what}: {_described(tensor)} is no view of {_described(source)}"


def _unused(body: Body, inputs: Iterable[Tensor], outputs: Iterable[Tensor]) -> Iterator[str]:
    made, used = [*inputs, *body.weights, *body.states], list(outputs)
    for item in body.items:
        if isinstance(item, Block):
            used += [port.initial for port in item.inputs]
        else:
            made += () if item.kind in KINDS and KINDS[item.kind].spare else item.outputs
            used += [*item.inputs, *item.weights, *item.states]
    if isinstance(body, Block):
        used += [port.carried for port in body.inputs if port.carried]
    names = {tensor.base or tensor.name for tensor in used}
    yield from (f"'{tensor.name}' is never used" for tensor in made if tensor.name not in names)


def _clashes(body: Body) -> Iterator[str]:
    """Unrolled, the repetitions of a block must not be called like each other or like an operator."""
    taken = {item.name.partition(".")[0] for item in body.items if isinstance(item, Operator)}
    for block in body.blocks:
        names = [block.prefix(index).removesuffix(".") for index in range(block.count)]
        yield from (f"'{name}' is the name of two things" for name in names if name in taken)
        taken.update(names)
