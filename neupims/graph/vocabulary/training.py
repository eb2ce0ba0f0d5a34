"""Words for what training changes, and for how far back gradients go."""

from fnmatch import fnmatchcase

from neupims.graph.tensor import DETACHED, Part, Tensor
from neupims.graph.tracing.recorder import Recorder
from neupims.graph.tracing.regions import Value


class Training(Recorder):
    """Marks for a training step; any other graph is without them."""

    @property
    def training(self) -> bool:
        """Whether this is a training step, for parts that a model has only then, or no longer."""
        return self.sequences.phase == "training"

    def trainable(self, pattern: str, size: int | None = None, *, axis: int = 0) -> None:
        """Training changes the weights that have been made so far, in this repetition, under names like `pattern`.

        `size`: only the first elements of an axis, rows of a weight [in, out] as a rule. Once something is marked,
        whatever is not stays frozen; ModelError if no weight is called so, or if it is not as large.
        """
        full = ".".join((*self.region.scopes, pattern))
        owned = [tensor for tensor in self.region.tensors.values() if tensor.role == "weight"]
        found = [weight for weight in owned if fnmatchcase(weight.name, full)]
        if not found:
            names = ", ".join(weight.name for weight in owned) or "none"
            raise self.error("trainable", full, f"no weight is called so here; weights: {names}")
        marks = {weight.name: self._marked(weight, axis, size) for weight in found}
        self.region.trained |= marks if self.training else {}

    def detach(self, x: Value) -> Value:
        """x, through which no gradient goes: what it was computed from is not trained by what it is used for."""
        return self.view(x, DETACHED, x.shape)

    def _marked(self, weight: Tensor, axis: int, size: int | None) -> Part:
        limit = weight.shape[axis] if -len(weight.shape) <= axis < len(weight.shape) else 0
        if not 1 <= (limit if size is None else size) <= limit:
            raise self.error("trainable", weight.name, f"axis {axis} of {weight.shape} has no {size} elements")
        return Part(weight.name, axis % len(weight.shape), 0, limit if size is None else size)
