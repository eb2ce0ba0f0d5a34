"""Words for what data choose: gathering, scattering, order, and the routing of tokens to experts."""

from fractions import Fraction

from neupims.graph.operator import Attribute
from neupims.graph.tracing.recorder import Recorder
from neupims.graph.tracing.regions import Value


class Choice(Recorder):
    """Rows taken, put and ordered. What is chosen depends on data; how much is chosen is said here."""

    def gather(self, x: Value, indices: Value, *, axis: int = 0, name: str | None = None) -> Value:
        """Places of an axis of x for indices [...], int32, the same for all other axes: they take the axis' place."""
        attributes: dict[str, Attribute] = {"axis": axis, "shape": indices.shape}
        return self.apply("gather", self.named(name, "gather"), (x, indices), attributes=attributes)

    def gather_rows(self, x: Value, indices: Value, *, name: str | None = None) -> Value:
        """Rows of x [*outer, n, width] for indices [*outer, ...] of its own in each place: [*outer, ..., width]."""
        outer = len(x.shape) - 2
        attributes: dict[str, Attribute] = {"axis": -2, "shape": indices.shape[outer:]}
        return self.apply("gather", self.named(name, "gather"), (x, indices), attributes=attributes)

    def scatter(self, x: Value, indices: Value, base: Value, *, add: bool = False, name: str | None = None) -> Value:
        """Base, with rows of x [..., rows, width] put, or added, where the indices say."""
        return self.apply("scatter", self.named(name, "scatter"), (x, indices, base), attributes={"accumulate": add})

    def concat(self, *values: Value, axis: int = -1, name: str | None = None) -> Value:
        """Values side by side along an axis."""
        return self.apply("concat", self.named(name, "concat"), values, attributes={"axis": axis})

    def pad(self, x: Value, before: int, after: int, *, axis: int = -1, name: str | None = None) -> Value:
        """More elements before and after those of an axis."""
        attributes: dict[str, Attribute] = {"axis": axis, "before": before, "after": after}
        return self.apply("pad", self.named(name, "pad"), (x,), attributes=attributes)

    def expand(self, x: Value, *shape: int, name: str | None = None) -> Value:
        """A copy of x that is repeated to a shape; element-wise words broadcast and need none."""
        return self.apply("repeat", self.named(name, "repeat"), (x,), attributes={"shape": shape})

    def roll(self, x: Value, shift: int, *, axis: int = -1, name: str | None = None) -> Value:
        """x shifted along an axis, what leaves it coming in at the other end."""
        return self.apply("roll", self.named(name, "roll"), (x,), attributes={"axis": axis, "shift": shift})

    def top_k(self, x: Value, k: int, *, name: str | None = None) -> Value:
        """Indices of the k greatest elements of the last axis, int32: [..., k]."""
        return self.apply("top_k", self.named(name, "top_k"), (x,), attributes={"k": k})

    def sort(self, x: Value, *, name: str | None = None) -> Value:
        """Indices that sort the last axis, int32."""
        return self.apply("sort", self.named(name, "sort"), (x,))

    def expert_linear(
        self,
        x: Value,
        width: int,
        rows: tuple[int, ...],
        *,
        bias: bool = False,
        name: str | None = None,
    ) -> Value:
        """x [rows, in], sorted by expert, each expert's rows times its own weight: [rows, width].

        `rows` says how many each expert gets (`balanced_rows`, or what is to be studied); they add up to those of x.
        """
        full = self.named(name, "expert_linear")
        weights = [self.own(f"{full}.weight", (len(rows), x.width, width), "weight")]
        weights += [self.own(f"{full}.bias", (len(rows), width), "weight")] if bias else []
        return self.apply("expert_linear", full, (x,), weights=weights, attributes={"rows": rows})


def balanced_rows(rows: int, experts: int) -> tuple[int, ...]:
    """Rows spread over experts as evenly as they can be; with fewer rows than experts, one each to the first."""
    share, rest = divmod(rows, experts)
    return tuple(share + (expert < rest) for expert in range(experts))


def skewed_rows(rows: int, experts: int) -> tuple[int, ...]:
    """Rows spread by Zipf's law, expert i in proportion to 1 / i; what is left goes to the largest fractions first."""
    shares = [Fraction(1, place) for place in range(1, experts + 1)]
    exact = [rows * share / sum(shares) for share in shares]
    left = rows - sum(map(int, exact))
    first = sorted(range(experts), key=lambda expert: int(exact[expert]) - exact[expert])[:left]
    return tuple(int(part) + (expert in first) for expert, part in enumerate(exact))
