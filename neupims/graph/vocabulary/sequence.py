"""Words for what goes along a sequence: recurrent cells and scans."""

from dataclasses import dataclass

from neupims.graph.operator import Attribute
from neupims.graph.tensor import ElementType
from neupims.graph.tracing.recorder import Recorder
from neupims.graph.tracing.regions import Value


@dataclass(frozen=True, slots=True)
class Cell:
    """Weights of a recurrent cell, made outside of the repeat in which it steps."""

    kind: str
    inputs: Value
    """[in, gates * width]."""
    recurrent: Value
    """[width, gates * width]."""
    biases: tuple[Value, ...]
    width: int


GATES = {"lstm": 4, "gru": 3, "rnn": 1}


class Sequence(Recorder):
    """Recurrences."""

    def cell(self, kind: str, inputs: int, width: int, *, biases: int = 1, name: str | None = None) -> Cell:
        """Weights of an `lstm`, `gru` or `rnn` cell, with no, one or two biases for each gate."""
        full = self.named(name, kind)
        gates = GATES[kind] * width
        return Cell(
            kind,
            self.own(f"{full}.input_weight", (inputs, gates), "weight"),
            self.own(f"{full}.recurrent_weight", (width, gates), "weight"),
            tuple(self.own(f"{full}.bias{index}", (gates,), "weight") for index in range(biases)),
            width,
        )

    def step(self, cell: Cell, x: Value, h: Value, c: Value | None = None) -> tuple[Value, Value]:
        """One step of a cell for x [batch, in]: the next h [batch, width], and the next c of an lstm (else h)."""
        first, second = (*cell.biases, None, None)[:2]
        inside = self._linear("input_gates", x, cell.inputs, first)
        recurrent = self._linear("recurrent_gates", h, cell.recurrent, second)
        if cell.kind == "gru":
            following = self._gru(cell.width, inside, recurrent, h)
            return following, following
        if c is None:
            following = self._act("tanh", inside + recurrent)
            return following, following
        return self._lstm(cell.width, inside + recurrent, c)

    def scan(self, factors: Value, terms: Value, *, axis: int = 1, name: str | None = None) -> Value:
        """h[t] = factors[t] h[t - 1] + terms[t] along an axis, element by element: all h. It is associative."""
        return self.apply("scan", self.named(name, "scan"), (factors, terms), attributes={"axis": axis})

    def causal_conv(self, x: Value, taps: int, *, bias: bool = True, name: str | None = None) -> Value:
        """Each channel of x [tokens, channels] over its last `taps` inputs, which a state keeps for each request."""
        full = self.named(name, "causal_conv")
        weights = [self.own(f"{full}.weight", (x.width, taps), "weight")]
        weights += [self.own(f"{full}.bias", (x.width,), "weight")] if bias else []
        return self.apply("causal_conv", full, (x,), weights=weights, states=self._kept(full, x.width, taps))

    def selective_scan(self, x: Value, delta: Value, b: Value, c: Value, *, name: str | None = None) -> Value:
        """Selective state space of x and delta [tokens, channels], B and C [tokens, states]: [tokens, channels].

        Weights are A [channels, states] and the skip D [channels]; each request keeps a state [channels, states].
        """
        full, states = self.named(name, "selective_scan"), b.width
        weights = (
            self.own(f"{full}.a_log", (x.width, states), "weight"),
            self.own(f"{full}.skip", (x.width,), "weight"),
        )
        kept = self._kept(full, x.width, states, "fp32")
        attributes = {"new": self.sequences.new}
        return self.apply("selective_scan", full, (x, delta, b, c), weights=weights, states=kept, attributes=attributes)

    def _kept(self, full: str, width: int, size: int, element: ElementType | None = None) -> tuple[Value, ...]:
        shape = (self.sequences.batch, width, size)
        return (self.own(f"{full}.state", shape, "state", element),) if self.sequences.keeps else ()

    def dual_scan(
        self, x: Value, delta: Value, b: Value, c: Value, *, groups: int = 1, name: str | None = None
    ) -> Value:
        """State space whose decay is one number for a head (Mamba-2): x and the result [tokens, heads * size].

        delta [tokens, heads]; B and C [tokens, groups * states], each shared by heads / groups heads. Weights are A and
        the skip D [heads]; each request keeps a state [heads, size, states]. Counted as a scan, token after token; the
        chunks of matrix products that are its dual form do more.
        """
        full, heads = self.named(name, "dual_scan"), delta.width
        weights = [self.own(f"{full}.{part}", (heads,), "weight") for part in ("a_log", "skip")]
        sizes = (self.sequences.batch, heads, x.width // heads, b.width // groups)
        state = self.own(f"{full}.state", sizes, "state", "fp32")
        attributes: dict[str, Attribute] = {"groups": groups, "new": self.sequences.new}
        inputs = (x, delta, b, c)
        return self.apply("dual_scan", full, inputs, weights=weights, states=(state,), attributes=attributes)

    def token_shift(self, x: Value, *, name: str | None = None) -> Value:
        """The token before each of x [tokens, width]; a state keeps the last one of each request."""
        full = self.named(name, "token_shift")
        state = self.own(f"{full}.state", (self.sequences.batch, x.width), "state")
        return self.apply("token_shift", full, (x,), states=(state,), attributes={"new": self.sequences.new})

    def wkv(self, k: Value, v: Value, *, name: str | None = None) -> Value:
        """Mean of all values so far, weighted by exp(keys) that decay with age (RWKV-4): [tokens, width], as v."""
        full = self.named(name, "wkv")
        weights = [self.own(f"{full}.{part}", (k.width,), "weight") for part in ("decay", "first")]
        state = self.own(f"{full}.state", (self.sequences.batch, 3, k.width), "state", "fp32")
        attributes = {"new": self.sequences.new}
        return self.apply("wkv", full, (k, v), weights=weights, states=(state,), attributes=attributes)

    def _lstm(self, width: int, gates: Value, c: Value) -> tuple[Value, Value]:
        """Input, forget and output gates, then the candidate (Hochreiter and Schmidhuber 1997, with forget gates)."""
        opened = self._act("sigmoid", self._part(gates, 0, 3 * width))
        candidate = self._act("tanh", self._part(gates, 3 * width, 4 * width))
        chosen, kept, shown = (self._part(opened, gate * width, (gate + 1) * width) for gate in range(3))
        state = kept * c + chosen * candidate
        return shown * self._act("tanh", state), state

    def _gru(self, width: int, inside: Value, recurrent: Value, h: Value) -> Value:
        """Update and reset gates, then the candidate, whose recurrent part is reset (Cho et al. 2014)."""
        update, reset = (
            self._act("sigmoid", self._part(inside, start, stop) + self._part(recurrent, start, stop))
            for start, stop in ((0, width), (width, 2 * width))
        )
        ends = (2 * width, 3 * width)
        candidate = self._act("tanh", self._part(inside, *ends) + reset * self._part(recurrent, *ends))
        return candidate + update * (h - candidate)

    def _part(self, x: Value, start: int, stop: int) -> Value:
        return self.view(x, f"[{start}:{stop}]", (*x.shape[:-1], stop - start))

    def _act(self, kind: str, x: Value) -> Value:
        return self.apply(kind, self.named(None, kind), (x,))

    def _linear(self, name: str, x: Value, weight: Value, bias: Value | None) -> Value:
        weights = (weight,) if bias is None else (weight, bias)
        return self.apply("linear", self.named(None, name), (x,), weights=weights)
