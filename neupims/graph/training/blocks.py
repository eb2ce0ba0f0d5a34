"""The backward pass of a repeated block: a block again, from the last repetition to the first.

A repetition of the backward block reads what the same repetition of the forward block kept, and its weights, through
mirrored ports; gradients of what the forward block carries on are carried the other way.
"""

from dataclasses import replace

from neupims.graph.body import Block, Body, Port
from neupims.graph.operator import Operator
from neupims.graph.tensor import Tensor
from neupims.graph.training.cut import first_differs, last_differs, split_at
from neupims.graph.training.needs import block_needs, block_outputs
from neupims.graph.training.rules import apply_rule
from neupims.graph.training.settings import Settings
from neupims.graph.training.tape import Tape, of
from neupims.graph.training.update import write_updates
from neupims.graph.training.views import root
from neupims.graph.training.wrap import Items, forgetful, inner_tensors, kept, operands, recomputed, results

Exposed = dict[str, Tensor]
"""What a block shows outside, by its name inside."""


def walk(body: Body, tape: Tape, settings: Settings) -> Items:
    """Write the backward pass of a body; its items, whose blocks now show what their backward passes read."""
    forward = list(body.items)
    for index in reversed(range(len(forward))):
        item = forward[index]
        if isinstance(item, Block):
            forward[index : index + 1] = _pieces(item, tape, settings)
        else:
            _operator(item, tape)
    return forward


def _operator(op: Operator, tape: Tape) -> None:
    dy = tape.gradient(op.outputs[0]) if tape.wants(op.outputs[0]) else None
    if dy is not None:
        apply_rule(tape, op, dy)


def _pieces(block: Block, tape: Tape, settings: Settings) -> list[Block]:
    pieces = split_at(block, 1) if first_differs(block, tape) else [block]
    if last_differs(pieces[-1], tape):
        pieces[-1:] = split_at(pieces[-1], pieces[-1].count - 1)
    for piece in pieces:
        tape.needs |= block_outputs(piece, tape.needs)
    done = [_piece(piece, tape, settings) for piece in reversed(pieces)]
    return done[::-1]


def _piece(block: Block, tape: Tape, settings: Settings) -> Block:
    inner = Tape(block, block_needs(block, tape.needs))
    incoming = _incoming(block, tape, inner)
    if not incoming:
        return block
    items = walk(block, inner, settings)
    write_updates(block, inner, settings)
    ports = [_returned(port, outer, block, inner) for port, outer in incoming]
    ports += _accumulated(block, tape, inner)
    shown = _outgoing(block, inner)
    backward, forward = _paired(replace(block, items=tuple(items)), inner, ports, settings)
    backward = replace(backward, outputs=tuple({root(g): inner.made[root(g)] for _, g in shown}.values()))
    backward = replace(backward, first=sum(_repetitions(item, backward.name) for item in tape.items))
    tape.items.append(backward)
    last = backward.prefix(backward.count - 1)
    for port, g in shown:
        outer = replace(g, name=last + g.name, base=g.base and last + g.base)
        tape.came_in(replace(inner.made[root(g)], name=last + root(g)))
        tape.give(port.initial, outer)
    return forward


def _repetitions(item: Operator | Block, name: str) -> int:
    return item.count if isinstance(item, Block) and item.name == name else 0


def _incoming(block: Block, tape: Tape, inner: Tape) -> list[tuple[Port, Tensor]]:
    """Ports for the gradients of what the block shows outside, and what of the forward pass they are gradients of."""
    last, found = block.prefix(block.count - 1), list[tuple[Port, Tensor]]()
    for tensor in block.outputs:
        outer = tape.gradient(replace(tensor, name=last + tensor.name)) if inner.wants(tensor) else None
        if outer is not None:
            inside = inner.came_in(Tensor(of(tensor), outer.shape, outer.element))
            inner.give(tensor, inside)
            found.append((Port(inside, outer, None), tensor))
    return found


def _returned(port: Port, tensor: Tensor, block: Block, inner: Tape) -> Port:
    """The port with what the next repetition backwards reads there: the gradient of what it handed on."""
    terms: list[tuple[Tensor, Tensor]] = []
    for source in block.inputs:
        if source.carried is not None and root(source.carried) == tensor.name:
            g = inner.gradient(source.tensor)
            terms += [] if g is None else [(source.carried, g)]
    return replace(port, carried=inner.merged(tensor, terms)) if terms and block.count > 1 else port


def _accumulated(block: Block, tape: Tape, inner: Tape) -> list[Port]:
    """Gradients of what all repetitions share go on from one to the next as sums."""
    ports: list[Port] = []
    for port in block.inputs if block.count > 1 else ():
        g = inner.gradient(port.tensor) if port.carried is None else None
        if g is not None:
            so_far = inner.came_in(Tensor(f"sum:{port.tensor.name}", g.shape, g.element))
            inner.give(port.tensor, so_far)
            total = inner.gradient(port.tensor)
            ports.append(Port(so_far, tape.taken(port.initial), total))
    return ports


def _outgoing(block: Block, inner: Tape) -> list[tuple[Port, Tensor]]:
    """Ports of the forward block, each with its gradient inside."""
    found = [(port, inner.gradient(port.tensor)) for port in block.inputs if inner.wants(port.tensor)]
    return [(port, g) for port, g in found if g is not None]


def _paired(block: Block, inner: Tape, ports: list[Port], settings: Settings) -> tuple[Block, Block]:
    """The backward block without its outputs, and the forward block with what it must show and keep for it."""
    items = [*recomputed(block.items, inner.items), *inner.items] if settings.recompute else inner.items
    mirrors = _mirrors(block, items, {*results(items), *(port.tensor.name for port in ports)})
    shown: Exposed = {tensor.name: tensor for tensor in block.outputs}
    shown |= {port.tensor.name: port.tensor for port in mirrors if port.mirrored}
    made = {port.tensor.name: port.tensor for port in mirrors if port.mirrored}
    forward = replace(block, outputs=tuple(shown.values()), kept=kept(block, items, made))
    if settings.recompute:
        items, forward = forgetful(items), replace(forward, items=forgetful(forward.items))
    backward = replace(
        block,
        name=f"{block.name}_backward",
        items=tuple(items),
        inputs=(*ports, *mirrors),
        weights=(),
        states=tuple(inner.states),
        trained=(),
        kept=(),
    )
    return backward, forward


def _mirrors(block: Block, items: Items, made: set[str]) -> list[Port]:
    """Ports for all that the backward items read of the forward pass."""
    known, last = inner_tensors(block), block.prefix(block.count - 1)
    shared = {port.tensor.name: port for port in block.inputs if port.carried is None}
    names = dict.fromkeys(root(tensor) for tensor in operands(items) if root(tensor) not in made)
    own = {tensor.name for item in items if isinstance(item, Operator) for tensor in item.states}
    return [
        shared[name] if name in shared else Port(known[name], replace(known[name], name=last + name), None, True)
        for name in names
        if name not in own
    ]
