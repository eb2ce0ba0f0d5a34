"""Words for what is done to each element, and for reductions."""

from neupims.graph.operator import Attribute
from neupims.graph.tracing.recorder import Recorder
from neupims.graph.tracing.regions import Operand, Value


class Elementwise(Recorder):
    """Sums, products, activations and reductions. Shapes broadcast as in numpy."""

    def add(self, x: Value, y: Operand, *, name: str | None = None) -> Value:
        """x + y. If one was computed from the other, it is called `residual`."""
        if not isinstance(y, Value):
            return self.binary("add", x, y, name=name)
        residual = _computed_from(x, y) or _computed_from(y, x)
        full = self.named(name, "residual" if residual else "add")
        return self._apply_binary("add", full, x, y, {"residual": residual})

    def sub(self, x: Value, y: Operand, *, name: str | None = None) -> Value:
        """x - y."""
        return self.binary("sub", x, y, name=name)

    def mul(self, x: Value, y: Operand, *, name: str | None = None) -> Value:
        """x * y, element by element, such as a branch and its gate; what `*` records."""
        return self.binary("mul", x, y, name=name)

    def div(self, x: Value, y: Operand, *, name: str | None = None) -> Value:
        """x / y."""
        return self.binary("div", x, y, name=name)

    def binary(self, kind: str, x: Value, y: Operand, *, name: str | None = None) -> Value:
        """add, sub, mul, div, maximum, minimum, power, compare or where, of two values or of a value and a number."""
        full = self.named(name, kind)
        if isinstance(y, Value):
            return self._apply_binary(kind, full, x, y, {})
        return self.apply(kind, full, (x,), attributes={"by": float(y)})

    def scale(self, x: Value, *, axis: int = -1, name: str | None = None) -> Value:
        """x times a trainable number for each place on an axis."""
        return self._with_weight("mul", x, axis, self.named(name, "scale"))

    def shift(self, x: Value, *, axis: int = -1, name: str | None = None) -> Value:
        """x plus a trainable number for each place on an axis."""
        return self._with_weight("add", x, axis, self.named(name, "shift"))

    def gelu(self, x: Value, *, name: str | None = None) -> Value:
        """Gaussian error linear unit, element by element."""
        return self.unary("gelu", x, name=name)

    def silu(self, x: Value, *, name: str | None = None) -> Value:
        """Sigmoid linear unit, x * sigmoid(x), element by element."""
        return self.unary("silu", x, name=name)

    def relu(self, x: Value, *, name: str | None = None) -> Value:
        """max(x, 0)."""
        return self.unary("relu", x, name=name)

    def sigmoid(self, x: Value, *, name: str | None = None) -> Value:
        """1 / (1 + exp(-x))."""
        return self.unary("sigmoid", x, name=name)

    def tanh(self, x: Value, *, name: str | None = None) -> Value:
        """Hyperbolic tangent."""
        return self.unary("tanh", x, name=name)

    def softplus(self, x: Value, *, name: str | None = None) -> Value:
        """log(1 + exp(x))."""
        return self.unary("softplus", x, name=name)

    def elu(self, x: Value, *, name: str | None = None) -> Value:
        """x, or exp(x) - 1 where x is negative."""
        return self.unary("elu", x, name=name)

    def exp(self, x: Value, *, name: str | None = None) -> Value:
        """Exponential."""
        return self.unary("exp", x, name=name)

    def unary(self, kind: str, x: Value, *, name: str | None = None) -> Value:
        """A function of each element, by its name in `neupims.graph.kinds.vector.UNARY_OPS`."""
        return self.apply(kind, self.named(name, kind), (x,))

    def softmax(self, x: Value, *, name: str | None = None) -> Value:
        """Softmax of the last axis."""
        return self.apply("softmax", self.named(name, "softmax"), (x,))

    def sum(self, x: Value, *, axis: int = -1, keep: bool = False, name: str | None = None) -> Value:
        """Sum over an axis."""
        return self.reduce("sum", x, axis=axis, keep=keep, name=name)

    def mean(self, x: Value, *, axis: int = -1, keep: bool = False, name: str | None = None) -> Value:
        """Mean over an axis."""
        return self.reduce("mean", x, axis=axis, keep=keep, name=name)

    def reduce(self, kind: str, x: Value, *, axis: int = -1, keep: bool = False, name: str | None = None) -> Value:
        """sum, mean, max, min or variance over an axis; with `keep` the axis stays, with size 1."""
        attributes: dict[str, Attribute] = {"axis": axis, "keep": keep}
        return self.apply(kind, self.named(name, kind), (x,), attributes=attributes)

    def cumsum(self, x: Value, *, axis: int = -1, name: str | None = None) -> Value:
        """Running sum along an axis."""
        return self.apply("cumsum", self.named(name, "cumsum"), (x,), attributes={"axis": axis})

    def argmax(self, x: Value, *, name: str | None = None) -> Value:
        """Index of the greatest element of the last axis, int32: greedy sampling."""
        return self.apply("argmax", self.named(name, "argmax"), (x,))

    def _apply_binary(self, kind: str, full: str, x: Value, y: Value, attributes: dict[str, Attribute]) -> Value:
        inputs = [value for value in (x, y) if value.tensor.role == "activation"]
        weights = [value for value in (x, y) if value.tensor.role in ("weight", "constant")]
        states = [value for value in (x, y) if value.tensor.role in ("state", "kv_cache")]
        return self.apply(kind, full, inputs, weights=weights, states=states, attributes=attributes)

    def _with_weight(self, kind: str, x: Value, axis: int, full: str) -> Value:
        size = x.shape[axis]
        weight = self.own(f"{full}.weight", (size, *(1,) * (len(x.shape) - 1 - axis % len(x.shape))), "weight")
        attributes: dict[str, Attribute] = {"residual": False} if kind == "add" else {}
        return self.apply(kind, full, (x,), weights=(weight,), attributes=attributes)


def _computed_from(value: Value, origin: Value) -> bool:
    seen, ahead = {value.key}, [value]
    while ahead:
        current = ahead.pop()
        if current.key == origin.key:
            return True
        ahead += [source for source in current.sources if source.key not in seen]
        seen |= {source.key for source in current.sources}
    return False
