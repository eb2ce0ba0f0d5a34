"""Words for data with axes of space, [batch, channels, *space]: convolutions, pooling, interpolation."""

from neupims.graph.operator import Attribute
from neupims.graph.tracing.recorder import Recorder
from neupims.graph.tracing.regions import Value

PerAxis = int | tuple[int, ...]
"""One number for all axes of space, or one for each."""


class Space(Recorder):
    """Layers over one, two or three axes of space."""

    def conv(
        self,
        x: Value,
        channels: int,
        kernel: PerAxis,
        *,
        stride: PerAxis = 1,
        padding: PerAxis = 0,
        dilation: PerAxis = 1,
        groups: int = 1,
        bias: bool = True,
        name: str | None = None,
    ) -> Value:
        """Convolution of x [batch, in, *space] to [batch, channels, *space]; `groups` = in = channels: depthwise.

        `padding` is on both sides, of zeros or of what lies on the other side.
        """
        full, size = self.named(name, "conv"), self._each(x, kernel)
        inside = x.shape[1] // groups if groups > 0 else 0
        weights = [self.own(f"{full}.weight", (channels, inside, *size), "weight")] if inside else []
        if not weights:
            raise self.error("conv", full, f"{x.shape[1]} channels of {x.shape} do not divide into {groups} groups")
        weights += [self.own(f"{full}.bias", (channels,), "weight")] if bias else []
        return self.apply(
            "conv", full, (x,), weights=weights, attributes=self._window(x, stride, padding, dilation, groups)
        )

    def conv_transposed(
        self,
        x: Value,
        channels: int,
        kernel: PerAxis,
        *,
        stride: PerAxis = 1,
        padding: PerAxis = 0,
        output_padding: PerAxis = 0,
        dilation: PerAxis = 1,
        groups: int = 1,
        bias: bool = True,
        name: str | None = None,
    ) -> Value:
        """Transposed convolution, which makes space larger by its stride."""
        full, size = self.named(name, "conv_transposed"), self._each(x, kernel)
        weights = [self.own(f"{full}.weight", (x.shape[1], channels // groups, *size), "weight")]
        weights += [self.own(f"{full}.bias", (channels,), "weight")] if bias else []
        window = self._window(x, stride, padding, dilation, groups)
        attributes: dict[str, Attribute] = {**window, "output_padding": self._each(x, output_padding)}
        return self.apply("conv_transposed", full, (x,), weights=weights, attributes=attributes)

    def avg_pool(
        self,
        x: Value,
        kernel: PerAxis,
        *,
        stride: PerAxis | None = None,
        padding: PerAxis = 0,
        ceil: bool = False,
        name: str | None = None,
    ) -> Value:
        """Mean of each window; without a stride, windows do not overlap."""
        return self._pool("avg_pool", x, kernel, (stride, padding, ceil), name)

    def max_pool(
        self,
        x: Value,
        kernel: PerAxis,
        *,
        stride: PerAxis | None = None,
        padding: PerAxis = 0,
        ceil: bool = False,
        name: str | None = None,
    ) -> Value:
        """Greatest element of each window; without a stride, windows do not overlap."""
        return self._pool("max_pool", x, kernel, (stride, padding, ceil), name)

    def global_pool(self, x: Value, *, name: str | None = None) -> Value:
        """Mean over space: [batch, channels]."""
        flat = self.view(x, "(flat)", (*x.shape[:2], x.tensor.elements // (x.shape[0] * x.shape[1])))
        attributes: dict[str, Attribute] = {"axis": -1, "keep": False}
        return self.apply("mean", self.named(name, "global_pool"), (flat,), attributes=attributes)

    def interpolate(self, x: Value, *size: int, mode: str = "bilinear", name: str | None = None) -> Value:
        """x resized to [batch, channels, *size], by nearest, linear, bilinear, bicubic or trilinear interpolation."""
        attributes: dict[str, Attribute] = {"size": size, "mode": mode}
        return self.apply("interpolate", self.named(name, "interpolate"), (x,), attributes=attributes)

    def _pool(
        self, kind: str, x: Value, kernel: PerAxis, how: tuple[PerAxis | None, PerAxis, bool], name: str | None
    ) -> Value:
        stride, padding, ceil = how
        attributes: dict[str, Attribute] = {
            "kernel": self._each(x, kernel),
            "stride": self._each(x, kernel if stride is None else stride),
            "padding": self._each(x, padding),
            "ceil": ceil,
        }
        return self.apply(kind, self.named(name, kind), (x,), attributes=attributes)

    def _window(
        self, x: Value, stride: PerAxis, padding: PerAxis, dilation: PerAxis, groups: int
    ) -> dict[str, Attribute]:
        return {
            "stride": self._each(x, stride),
            "padding": self._each(x, padding),
            "dilation": self._each(x, dilation),
            "groups": groups,
        }

    def _each(self, x: Value, value: PerAxis) -> tuple[int, ...]:
        return (value,) * (len(x.shape) - 2) if isinstance(value, int) else value
