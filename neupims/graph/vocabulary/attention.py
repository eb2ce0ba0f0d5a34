"""Words for what happens between the tokens of a request."""

from neupims.graph.operator import Attribute
from neupims.graph.tracing.recorder import Recorder
from neupims.graph.tracing.regions import Value


class Attention(Recorder):
    """Attention over cached keys and values."""

    def attention(self, q: Value, k: Value, v: Value, *, heads: int, kv_heads: int | None = None) -> Value:
        """Causal attention of the new tokens over their context: [tokens, heads * head_dim], as q.

        k and v have `kv_heads` heads, each for heads / kv_heads heads of q (grouped-query attention); None: as many
        as q. Records `logit`, `softmax` and `attend`, and a cache of keys and one of values, [context, kv_heads *
        head_dim] each, to which the new keys and values are appended; none in a training step.
        """
        logit = self.named(None, "logit")
        attributes = self._attributes(logit, q, heads, heads if kv_heads is None else kv_heads)
        keys = self._cache(logit, k)
        scores = self.apply("logit", logit, (q, k), states=keys, attributes=attributes)
        scores = self.apply("softmax", self.named(None, "softmax"), (scores,), attributes=attributes)
        attend = self.named(None, "attend")
        values = self._cache(attend, v)
        return self.apply("attend", attend, (scores, v), states=values, attributes=attributes)

    def full_attention(
        self, q: Value, k: Value, v: Value, *, heads: int, kv_heads: int | None = None, causal: bool = False
    ) -> Value:
        """Attention between all new tokens of each request, without a cache: [tokens, heads * head_dim], as q."""
        logit = self.named(None, "logit")
        attributes = {**self._attributes(logit, q, heads, heads if kv_heads is None else kv_heads), "causal": causal}
        attributes["lengths"] = self.sequences.new
        scores = self.apply("logit", logit, (q, k), attributes=attributes)
        scores = self.apply("softmax", self.named(None, "softmax"), (scores,), attributes=attributes)
        return self.apply("attend", self.named(None, "attend"), (scores, v), attributes=attributes)

    def attend_all(self, q: Value, k: Value, v: Value, *, heads: int, bias: Value | None = None) -> Value:
        """softmax(q k^T + bias) v of samples of one length: q [..., n, width], k, v [..., m, width]: [..., n, width].

        Heads lie side by side in the last axis. Windows, axes and shifts are views of q, k and v; `bias`, of positions
        or masks, broadcasts to [..., heads, n, m].
        """
        q, k, v = (self.heads(x, heads) for x in (q, k, v))
        scores = self._matmul("logit", q, self._turned(k))
        if bias is not None:
            scores = scores + bias
        scores = self.apply("softmax", self.named(None, "softmax"), (scores,))
        return self.merge(self._matmul("attend", scores, v))

    def heads(self, x: Value, heads: int) -> Value:
        """[..., n, heads * size] seen as [..., heads, n, size]."""
        if heads < 1 or x.width % heads:
            raise self.error("heads", x.tensor.name, f"{x.shape} does not divide into {heads} heads")
        *outer, rows, width = x.shape
        return self.view(x, f"(heads {heads})", (*outer, heads, rows, width // heads))

    def merge(self, x: Value) -> Value:
        """[..., heads, n, size] seen as [..., n, heads * size]."""
        *outer, heads, rows, size = x.shape
        return self.view(x, "(merged)", (*outer, rows, heads * size))

    def _turned(self, x: Value) -> Value:
        return self.view(x, "^T", (*x.shape[:-2], x.shape[-1], x.shape[-2]))

    def _matmul(self, name: str, a: Value, b: Value) -> Value:
        return self.apply("matmul", self.named(None, name), (a, b))

    def rotary(self, x: Value, positions: Value, *, head_dim: int, name: str | None = None) -> Value:
        """Rotary position embedding: each pair of a head of x [tokens, heads * head_dim] turned by its position."""
        return self.apply("rotary", self.named(name, "rotary"), (x, positions), attributes={"head_dim": head_dim})

    def last_token(self, x: Value, *, name: str | None = None) -> Value:
        """The last token of each request, [requests, width]; all tokens in a decode step or a training step."""
        if self.sequences.phase in ("decode", "training"):
            return x
        new = self.sequences.new
        return self.apply("last", self.named(name, "last_token"), (x,), attributes={"new": new})

    def _attributes(self, name: str, q: Value, heads: int, kv_heads: int) -> dict[str, Attribute]:
        if heads < 1 or q.width % heads:
            raise self.error("logit", name, f"queries {q.shape} do not divide into {heads} heads")
        if kv_heads < 1 or heads % kv_heads:
            raise self.error("logit", name, f"{heads} heads cannot share {kv_heads} heads of keys and values evenly")
        return {
            "heads": heads,
            "kv_heads": kv_heads,
            "head_dim": q.width // heads,
            "causal": True,
            "new": self.sequences.new,
            "lengths": self.sequences.lengths,
        }

    def _cache(self, name: str, tokens: Value) -> tuple[Value, ...]:
        shape = (self.sequences.context, tokens.width)
        return (self.own(f"{name}.cache", shape, "kv_cache"),) if self.sequences.keeps else ()
