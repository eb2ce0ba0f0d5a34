"""Words for the data of a model: its inputs, parts of tensors, sums."""

from neupims.graph.tracing.recorder import Recorder
from neupims.graph.tracing.regions import Value


class Structure(Recorder):
    """Inputs, views and residual streams."""

    def tokens(self) -> Value:
        """The new tokens of all requests, [tokens] int32: the last of each context in a decode step, else prompts."""
        return self._input("tokens")

    def positions(self, limit: int) -> Value:
        """Where each new token stands in its context, [tokens] int32.

        ModelError if a context is longer than the `limit` positions that the model knows.
        """
        longest = max(self.sequences.lengths)
        if longest > limit:
            raise self.error(
                "input",
                "positions",
                f"a context of {longest} tokens is longer than the {limit} positions of the model",
            )
        return self._input("positions")

    def split(self, x: Value, parts: int) -> tuple[Value, ...]:
        """Equal parts of the last axis, [..., width / parts] each; no work."""
        size, rest = divmod(x.width, parts)
        if rest:
            raise self.error("split", x.tensor.name, f"the last axis of {x.shape} does not divide into {parts} parts")
        edges = [(part * size, (part + 1) * size) for part in range(parts)]
        return tuple(self.view(x, f"[{start}:{end}]", (*x.shape[:-1], size)) for start, end in edges)

    def transpose(self, x: Value) -> Value:
        """The transpose of a matrix; no work."""
        if len(x.shape) != 2:
            raise self.error("transpose", x.tensor.name, f"only a matrix can be transposed, not shape {x.shape}")
        return self.view(x, "^T", x.shape[::-1])

    def add(self, x: Value, y: Value, *, name: str | None = None) -> Value:
        """x + y. If one was computed from the other, it is called `residual`."""
        residual = _computed_from(x, y) or _computed_from(y, x)
        full = self.named(name, "residual" if residual else "add")
        return self.apply("add", full, (x, y), attributes={"residual": residual})

    def _input(self, name: str) -> Value:
        if self.region is not self.root:
            raise self.error("input", name, "an input must be taken outside of repeats")
        value = self.own(name, (self.sequences.tokens,), "activation", "int32")
        self.inputs.append(value.tensor)
        return value


def _computed_from(value: Value, origin: Value) -> bool:
    seen, ahead = {value.key}, [value]
    while ahead:
        current = ahead.pop()
        if current.key == origin.key:
            return True
        ahead += [source for source in current.sources if source.key not in seen]
        seen |= {source.key for source in current.sources}
    return False
