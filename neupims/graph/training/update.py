"""The optimizer step of the weights of one body, or of the parts of them that are trained."""

from neupims.graph.body import Body
from neupims.graph.kinds.training import MOMENTS
from neupims.graph.tensor import Tensor
from neupims.graph.training.settings import Settings
from neupims.graph.training.tape import Tape
from neupims.graph.training.views import part_of


def write_updates(body: Body, tape: Tape, settings: Settings) -> None:
    """An operator for each weight that is trained and has a gradient; its moments, fp32, are states."""
    weights = {tensor.name: tensor for tensor in body.weights}
    for part in body.trained:
        weight = weights[part.weight]
        gradient = tape.part_gradient(weight)
        if gradient is not None:
            _update(part_of(weight, part), weight.name, gradient, tape, settings.optimizer)


def _update(target: Tensor, name: str, gradient: Tensor, tape: Tape, optimizer: str) -> None:
    names = [f"{name}.moment{index + 1}" for index in range(MOMENTS[optimizer])]
    moments = [Tensor(moment, target.shape, "fp32", "state") for moment in names]
    tape.states += moments
    tape.emit(optimizer, f"{name}.update", (gradient,), weights=(target,), states=moments)
