"""Words for attention that is not between all tokens: linear, low-rank, windowed, axial and hashed.

All work on samples of one length, [..., n, width], with heads side by side in the last axis, as `attend_all` does.
"""

from neupims.graph.tracing.regions import Value
from neupims.graph.vocabulary.attention import Attention


class Mixers(Attention):
    """Cheaper ways to mix tokens."""

    def linear_attention(self, q: Value, k: Value, v: Value, *, heads: int) -> Value:
        """phi(q) (phi(k)^T v) / phi(q) sum(phi(k)), phi(x) = elu(x) + 1 (Katharopoulos et al. 2020): [..., n, width].

        The cost grows with n instead of n^2. For another kernel, map q and k first and call `associate`.
        """
        return self.associate(self._kernel(q), self._kernel(k), v, heads=heads)

    def associate(self, q: Value, k: Value, v: Value, *, heads: int) -> Value:
        """q (k^T v) / q sum(k) of features that are positive: attention with a kernel, by the other association."""
        q, k, v = (self.heads(x, heads) for x in (q, k, v))
        memory = self._matmul("memory", self._turned(k), v)
        mixed = self._matmul("attend", q, memory)
        total = self._of("sum", k, {"axis": -2, "keep": True})
        weights = self._matmul("weights", q, self._turned(total))
        return self.merge(self._of("div", mixed, {}, weights))

    def low_rank_attention(self, q: Value, k: Value, v: Value, rank: int, *, heads: int) -> Value:
        """Attention to `rank` mixtures of all keys and values, whose weights [n, rank] are trained (Linformer)."""
        names = ("key_mixture", "value_mixture")
        mixtures = [self._mixture(x, rank, self.named(None, name)) for x, name in zip((k, v), names, strict=True)]
        return self.attend_all(q, *mixtures, heads=heads)

    def windowed_attention(
        self, q: Value, k: Value, v: Value, window: int, *, heads: int, bias: Value | None = None
    ) -> Value:
        """Attention inside windows of `window` tokens that follow each other; shift with `roll` before and after."""
        *outer, n, width = q.shape
        if n % window:
            raise self.error("attention", q.tensor.name, f"{n} tokens do not divide into windows of {window}")
        parts = [self._seen(x, (*outer, n // window, window, x.width)) for x in (q, k, v)]
        return self._seen(self.attend_all(*parts, heads=heads, bias=bias), (*outer, n, width))

    def axial_attention(self, q: Value, k: Value, v: Value, *, heads: int, axis: int) -> Value:
        """Attention along one axis of space of q, k and v [batch, *space, width], each line for itself."""
        last = len(q.shape) - 2
        if not 1 <= axis <= last:
            raise self.error("attention", q.tensor.name, f"axis {axis} of {q.shape} is no axis of space")
        order = [index for index in range(len(q.shape)) if index not in (axis, last + 1)] + [axis, last + 1]
        parts = [self._seen(x, tuple(x.shape[index] for index in order)) for x in (q, k, v)]
        return self._seen(self.attend_all(*parts, heads=heads), q.shape)

    def hashed_attention(self, q: Value, v: Value, bucket: int, *, heads: int, hashes: int = 1) -> Value:
        """Attention inside buckets of similar tokens, which share q and k (Reformer): [..., n, width].

        For each of `hashes` rounds: random projections and the greatest of them, a sort, a gather, attention of chunks
        of `bucket` tokens to themselves and to the chunk before, and a gather back; rounds are averaged.
        """
        rounds = [self._hashed(q, v, bucket, heads) for _ in range(hashes)]
        total = rounds[0]
        for other in rounds[1:]:
            total = self._of("add", total, {"residual": False}, other)
        return total if hashes == 1 else self._scaled(total, 1 / hashes)

    def _hashed(self, q: Value, v: Value, bucket: int, heads: int) -> Value:
        *outer, n, width = q.shape
        if n % bucket:
            raise self.error("attention", q.tensor.name, f"{n} tokens do not divide into buckets of {bucket}")
        table = self.own(self.named(None, "projections"), (width, max(1, n // bucket // 2)), "constant")
        hashed = self.apply("matmul", self.named(None, "hash"), (q,), weights=(table,))
        order = self._of("sort", self._of("argmax", hashed, {}), {})
        chunks = [self._seen(self._taken(x, order), (*outer, n // bucket, bucket, x.width)) for x in (q, v)]
        both = [self._of("concat", x, {"axis": -2}, self._of("roll", x, {"axis": -3, "shift": 1})) for x in chunks]
        mixed = self.attend_all(chunks[0], *both, heads=heads)
        return self._taken(self._seen(mixed, (*outer, n, v.width)), self._of("sort", order, {}))

    def _kernel(self, x: Value) -> Value:
        return self.apply("add", self.named(None, "add"), (self._of("elu", x, {}),), attributes={"by": 1.0})

    def _mixture(self, x: Value, rank: int, name: str) -> Value:
        """x [..., n, width] as [..., rank, width]: the transpose times a weight, and back."""
        weight = self.own(f"{name}.weight", (x.shape[-2], rank), "weight")
        mixed = self.apply("matmul", name, (self._turned(x),), weights=(weight,))
        return self._turned(mixed)

    def _taken(self, x: Value, order: Value) -> Value:
        attributes = {"axis": -2, "shape": order.shape[-1:]}
        return self.apply("gather", self.named(None, "gather"), (x, order), attributes=attributes)

    def _scaled(self, x: Value, by: float) -> Value:
        return self.apply("mul", self.named(None, "mul"), (x,), attributes={"by": by})

    def _seen(self, x: Value, shape: tuple[int, ...]) -> Value:
        return self.view(x, f"({','.join(map(str, shape))})", shape)

    def _of(self, kind: str, x: Value, attributes: dict[str, int | bool], *more: Value) -> Value:
        return self.apply(kind, self.named(None, kind), (x, *more), attributes=attributes)
