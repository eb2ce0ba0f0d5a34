"""Words for layers with weights: linear layers, norms, lookups."""

from collections.abc import Sequence

from neupims.graph.tracing.recorder import Recorder
from neupims.graph.tracing.regions import Value


class Layers(Recorder):
    """Linear layers, matrix products, norms and tables."""

    def linear(
        self, x: Value, width: int, *, bias: bool = True, weight: Value | None = None, name: str | None = None
    ) -> Value:
        """x [..., in] times a weight [in, width], plus a bias [width]: [..., width].

        `weight` shares one that exists, such as a transposed embedding table.
        """
        full = self.named(name, "linear")
        if weight is None:
            weight = self.own(f"{full}.weight", (x.width, width), "weight")
        elif weight.width != width:
            raise self.error("linear", full, f"weight {weight.shape} does not give a width of {width}")
        biases = [self.own(f"{full}.bias", (width,), "weight")] if bias else []
        return self.apply("linear", full, (x,), weights=(weight, *biases))

    def linear_with(self, x: Value, weight: Value, bias: Value | None = None, *, name: str | None = None) -> Value:
        """x [..., in] times a weight [in, out] that exists, plus a bias that exists: [..., out]."""
        weights = (weight,) if bias is None else (weight, bias)
        return self.apply("linear", self.named(name, "linear"), (x,), weights=weights)

    def matmul(self, a: Value, b: Value, *, name: str | None = None) -> Value:
        """a [..., m, k] times b [..., k, n]: [..., m, n]; b may be a weight, a constant or a state."""
        inputs = [value for value in (a, b) if value.tensor.role == "activation"]
        weights = [value for value in (a, b) if value.tensor.role in ("weight", "constant")]
        states = [value for value in (a, b) if value.tensor.role in ("state", "kv_cache")]
        if a not in inputs:
            problem = f"the first operand must be an activation, not {a.tensor.role}; transpose the product"
            raise self.error("matmul", self.named(name, "matmul"), problem)
        return self.apply("matmul", self.named(name, "matmul"), inputs, weights=weights, states=states)

    def layer_norm(self, x: Value, *, affine: bool = True, name: str | None = None) -> Value:
        """Normalises the last axis, then scales and shifts it by weights unless it is not `affine`."""
        return self._norm("layer_norm", x, x.width, ("weight", "bias") if affine else (), name)

    def rms_norm(self, x: Value, *, name: str | None = None) -> Value:
        """Divides the last axis by the root of its mean square, then scales it by weights."""
        return self._norm("rms_norm", x, x.width, ("weight",), name)

    def batch_norm(self, x: Value, *, name: str | None = None) -> Value:
        """Scales and shifts each channel of x [batch, channels, ...] by its statistics and by weights, in inference."""
        return self._norm("batch_norm", x, x.shape[1], ("weight", "bias"), name)

    def group_norm(self, x: Value, *, groups: int = 1, affine: bool = True, name: str | None = None) -> Value:
        """Normalises groups of channels of x [batch, channels, ...] over space, then scales and shifts each channel.

        As many groups as channels, not affine: instance norm.
        """
        return self._norm("group_norm", x, x.shape[1], ("weight", "bias") if affine else (), name, groups)

    def embedding(self, indices: Value, table: Value, *, name: str | None = None) -> Value:
        """Rows of a table [entries, width] for indices [...]: [..., width]."""
        return self.apply("embedding", self.named(name, "embedding"), (indices,), weights=(table,))

    def _norm(
        self, kind: str, x: Value, size: int, parts: Sequence[str], name: str | None, groups: int | None = None
    ) -> Value:
        full = self.named(name, kind)
        weights = [self.own(f"{full}.{part}", (size,), "weight") for part in parts]
        attributes = {} if groups is None else {"groups": groups}
        return self.apply(kind, full, (x,), weights=weights, attributes=attributes)
