"""Words for the data of a model: its inputs, parts of tensors and other orders of their axes."""

from math import prod

from neupims.graph.tensor import ElementType
from neupims.graph.tracing.recorder import Recorder
from neupims.graph.tracing.regions import Value


class Structure(Recorder):
    """Inputs and views. A view is the same memory seen otherwise: no work; whoever reads it follows its strides."""

    @property
    def batch(self) -> int:
        """Requests, each of which is one sample of a model that is not made of tokens."""
        return self.sequences.batch

    def tokens(self) -> Value:
        """The new tokens of all requests, [tokens] int32: the last of each context in a decode step, else prompts."""
        return self.input("tokens", self.sequences.tokens, element="int32")

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
        return self.input("positions", self.sequences.tokens, element="int32")

    def image(self, channels: int, height: int, width: int) -> Value:
        """An image of each request, [batch, channels, height, width]."""
        return self.input("image", self.batch, channels, height, width)

    def input(self, name: str, *shape: int, element: ElementType | None = None) -> Value:
        """A tensor that comes from outside."""
        if self.region is not self.root:
            raise self.error("input", name, "an input must be taken outside of repeats")
        value = self.own(name, shape, "activation", element)
        self.inputs.append(value.tensor)
        return value

    def constant(self, *shape: int, name: str, element: ElementType | None = None) -> Value:
        """Data that stay in memory and are no parameters, such as the matrix of a problem or a table of sines."""
        return self.own(self.named(name, "constant"), shape, "constant", element)

    def state(self, *shape: int, name: str) -> Value:
        """What a request keeps from step to step and a step replaces, such as a recurrent state."""
        return self.own(self.named(name, "state"), shape, "state")

    def reshape(self, x: Value, *shape: int) -> Value:
        """The same elements in another shape; one size may be -1, for whatever is left."""
        known = prod(size for size in shape if size != -1)
        sizes = tuple(x.tensor.elements // max(known, 1) if size == -1 else size for size in shape)
        if shape.count(-1) > 1 or prod(sizes) != x.tensor.elements:
            raise self.error("reshape", x.tensor.name, f"shape {x.shape} cannot become {shape}")
        return self.view(x, f"({','.join(map(str, sizes))})", sizes)

    def permute(self, x: Value, *axes: int) -> Value:
        """The axes in another order."""
        if sorted(axes) != list(range(len(x.shape))):
            raise self.error("permute", x.tensor.name, f"axes {axes} are no order of the axes of {x.shape}")
        return self.view(x, f"^{''.join(map(str, axes))}", tuple(x.shape[axis] for axis in axes))

    def transpose(self, x: Value) -> Value:
        """The transpose of a matrix."""
        if len(x.shape) != 2:
            raise self.error("transpose", x.tensor.name, f"only a matrix can be transposed, not shape {x.shape}")
        return self.view(x, "^T", x.shape[::-1])

    def split(self, x: Value, parts: int, axis: int = -1) -> tuple[Value, ...]:
        """Equal parts of an axis, the last one as a rule."""
        axis = self._axis(x, axis)
        size, rest = divmod(x.shape[axis], parts)
        if rest:
            which = "the last axis" if axis == len(x.shape) - 1 else f"axis {axis}"
            raise self.error("split", x.tensor.name, f"{which} of {x.shape} does not divide into {parts} parts")
        return tuple(self.slice(x, part * size, (part + 1) * size, axis=axis) for part in range(parts))

    def split_at(self, x: Value, *sizes: int, axis: int = -1) -> tuple[Value, ...]:
        """Parts of the given sizes of an axis; they must cover it."""
        axis = self._axis(x, axis)
        if sum(sizes) != x.shape[axis]:
            raise self.error("split", x.tensor.name, f"sizes {sizes} do not cover axis {axis} of {x.shape}")
        ends = [sum(sizes[: index + 1]) for index in range(len(sizes))]
        return tuple(self.slice(x, end - size, end, axis=axis) for end, size in zip(ends, sizes, strict=True))

    def slice(self, x: Value, start: int, stop: int, *, axis: int = -1) -> Value:
        """Elements start to stop - 1 of an axis."""
        axis = self._axis(x, axis)
        if not 0 <= start < stop <= x.shape[axis]:
            raise self.error("slice", x.tensor.name, f"axis {axis} of {x.shape} has no part [{start}:{stop}]")
        place = "" if axis == len(x.shape) - 1 else f"{axis}:"
        return self.view(x, f"[{place}{start}:{stop}]", (*x.shape[:axis], stop - start, *x.shape[axis + 1 :]))

    def each(self, x: Value, *, axis: int = 0) -> Value:
        """Inside a repeat: the part of x along an axis that this repetition reads, without that axis."""
        axis = self._axis(x, axis)
        shape = (*x.shape[:axis], *x.shape[axis + 1 :])
        return self.view(x, f"[{axis}:each]", shape or (1,))

    def _axis(self, x: Value, axis: int) -> int:
        if not -len(x.shape) <= axis < len(x.shape):
            raise self.error("axis", x.tensor.name, f"axis {axis} does not exist in shape {x.shape}")
        return axis % len(x.shape)
