"""Words for layers that work on each token by itself."""

from neupims.graph.tracing.recorder import Recorder
from neupims.graph.tracing.regions import Value


class Layers(Recorder):
    """Linear layers, norms, activations, lookups."""

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

    def layer_norm(self, x: Value, *, name: str | None = None) -> Value:
        """Normalises the last axis, then scales and shifts it by weights."""
        full = self.named(name, "layer_norm")
        weights = [self.own(f"{full}.{part}", (x.width,), "weight") for part in ("weight", "bias")]
        return self.apply("layer_norm", full, (x,), weights=weights)

    def rms_norm(self, x: Value, *, name: str | None = None) -> Value:
        """Divides the last axis by the root of its mean square, then scales it by weights."""
        full = self.named(name, "rms_norm")
        return self.apply("rms_norm", full, (x,), weights=[self.own(f"{full}.weight", (x.width,), "weight")])

    def gelu(self, x: Value, *, name: str | None = None) -> Value:
        """Gaussian error linear unit, element by element."""
        return self.apply("gelu", self.named(name, "gelu"), (x,))

    def silu(self, x: Value, *, name: str | None = None) -> Value:
        """Sigmoid linear unit, x * sigmoid(x), element by element."""
        return self.apply("silu", self.named(name, "silu"), (x,))

    def mul(self, x: Value, y: Value, *, name: str | None = None) -> Value:
        """x * y, element by element, such as a branch and its gate; what `*` records."""
        return self.apply("mul", self.named(name, "mul"), (x, y))

    def embedding(self, indices: Value, table: Value, *, name: str | None = None) -> Value:
        """Rows of a table [entries, width] for indices [...]: [..., width]."""
        return self.apply("embedding", self.named(name, "embedding"), (indices,), weights=(table,))

    def argmax(self, x: Value, *, name: str | None = None) -> Value:
        """Index of the greatest element of the last axis, int32: greedy sampling."""
        return self.apply("argmax", self.named(name, "argmax"), (x,))
