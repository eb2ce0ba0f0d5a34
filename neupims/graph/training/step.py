"""A training step: the forward pass, a loss for each output, the backward pass and the optimizer."""

from collections.abc import Collection, Sequence
from dataclasses import replace

from neupims.errors import ModelError
from neupims.graph.graph import Graph
from neupims.graph.operator import Operator
from neupims.graph.tensor import Tensor
from neupims.graph.training.blocks import walk
from neupims.graph.training.needs import needing
from neupims.graph.training.select import selected
from neupims.graph.training.settings import Loss, Optimizer, Settings
from neupims.graph.training.tape import Tape
from neupims.graph.training.update import write_updates
from neupims.graph.training.wrap import kept, results
from neupims.graph.verify import verify


def training_step(
    graph: Graph,
    trainable: Collection[str] | None = None,
    *,
    optimizer: Optimizer = "adamw",
    loss: Loss = "cross_entropy",
    recompute: bool = False,
) -> Graph:
    """The graph with a loss for each output, the backward pass as far down as something is trained, and the update.

    `trainable` names what is trained, as in `layer.ffn.*`; None: what the architecture marks, or all weights. An output
    that is the argmax of logits is trained on the logits. Results of the graph are the losses [1]; its `kept` are the
    activations that stay in memory, its new states the moments of the optimizer, fp32. With `recompute`, blocks keep
    only what comes into them. ModelError if nothing trainable leads to an output, and for an operator on the way
    that has no gradient.
    """
    marked = _before_sampling(selected(graph, trainable))
    tape = Tape(marked, needing(marked))
    targets, losses = _losses(marked, tape, loss)
    settings = Settings(optimizer, recompute)
    items = walk(marked, tape, settings)
    write_updates(marked, tape, settings)
    step = replace(
        marked,
        items=(*items, *tape.items),
        states=(*marked.states, *tape.states),
        phase="training",
        inputs=(*marked.inputs, *targets),
        outputs=tuple(losses),
        kept=kept(replace(marked, items=tuple(items)), tape.items[len(losses) :], results(items)),
    )
    verify(step)
    return step


def _before_sampling(graph: Graph) -> Graph:
    """Without the operators that only choose the most likely index."""
    samplers = {op.name: op for op in graph.items if isinstance(op, Operator) and op.kind == "argmax"}
    outputs = tuple(samplers[out.name].inputs[0] if out.name in samplers else out for out in graph.outputs)
    gone = {out.name for out in graph.outputs} & samplers.keys()
    return replace(graph, items=tuple(item for item in graph.items if item.name not in gone), outputs=outputs)


def _losses(graph: Graph, tape: Tape, loss: Loss) -> tuple[list[Tensor], Sequence[Tensor]]:
    targets: list[Tensor] = []
    losses: list[Tensor] = []
    for out in graph.outputs:
        if not tape.wants(out):
            raise ModelError(f"{graph.model}: output '{out.name}' depends on nothing that is trained; train more")
        target = _target(out, loss, len(targets))
        losses.append(tape.emit(loss, "loss", (out, target)))
        targets.append(target)
        tape.give(out, tape.made[losses[-1].name.replace(".0", ".1")])
    return targets, losses


def _target(out: Tensor, loss: Loss, index: int) -> Tensor:
    name = "target" if index == 0 else f"target_{index + 1}"
    return Tensor(name, out.shape[:-1], "int32") if loss == "cross_entropy" else Tensor(name, out.shape, out.element)
