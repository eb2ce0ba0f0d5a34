"""Words for what happens between the tokens of a request."""

from neupims.graph.operator import Attribute
from neupims.graph.tracing.recorder import Recorder
from neupims.graph.tracing.regions import Value


class Attention(Recorder):
    """Attention over cached keys and values."""

    def attention(
        self,
        q: Value,
        k: Value,
        v: Value,
        *,
        heads: int,
        kv_heads: int | None = None,
        window: int | None = None,
        cap: float | None = None,
    ) -> Value:
        """Causal attention of the new tokens over their context: [tokens, heads * head_dim], as q.

        k and v have `kv_heads` heads, each for heads / kv_heads heads of q (grouped-query attention); None: as many
        as q. Records `logit`, `softmax` and `attend`, and a cache of keys and one of values, [context, kv_heads *
        head_dim] each, to which the new keys and values are appended; none in a training step. With a `window` each
        token sees the last ones only, and no more are kept; a prompt still counts its whole score matrix. One that no
        context reaches is none. `cap` bounds the scores, cap tanh(scores / cap).
        """
        logit = self.named(None, "logit")
        attributes = self._attributes(logit, q, heads, heads if kv_heads is None else kv_heads)
        if window is not None and window < max(self.sequences.lengths):
            attributes |= self._windowed(logit, window)
        keys = self._cache(logit, k, window)
        scores = self.apply("logit", logit, (q, k), states=keys, attributes=attributes)
        if cap is not None:
            scores = self.apply("tanh", self.named(None, "cap"), (scores / cap,)) * cap
        scores = self.apply("softmax", self.named(None, "softmax"), (scores,), attributes=attributes)
        attend = self.named(None, "attend")
        values = self._cache(attend, v, window)
        return self.apply("attend", attend, (scores, v), states=values, attributes=attributes)

    def full_attention(
        self,
        q: Value,
        k: Value,
        v: Value,
        *,
        heads: int,
        kv_heads: int | None = None,
        value_dim: int | None = None,
        causal: bool = False,
        bias: Value | None = None,
        queries: tuple[int, ...] | None = None,
        keys: tuple[int, ...] | None = None,
    ) -> Value:
        """Attention between all new tokens of each request, without a cache: [tokens, heads * head_dim], as q.

        `queries` and `keys` say how many rows each request has in q and in k and v, if not its new tokens (cross
        attention); `value_dim` is the width of a head of v, if not that of q; `bias` [heads, pairs] is added to the
        scores.
        """
        logit = self.named(None, "logit")
        attributes = {**self._attributes(logit, q, heads, heads if kv_heads is None else kv_heads), "causal": causal}
        attributes |= {"new": queries or self.sequences.new, "lengths": keys or self.sequences.new}
        scores = self.apply("logit", logit, (q, k), attributes=attributes)
        if bias is not None:
            scores = self.apply("add", self.named(None, "bias"), (scores, bias), attributes={"residual": False})
        scores = self.apply("softmax", self.named(None, "softmax"), (scores,), attributes=attributes)
        if value_dim is not None:
            attributes["head_dim"] = value_dim
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

    def rotary(
        self, x: Value, positions: Value, *, head_dim: int, rotated: int | None = None, name: str | None = None
    ) -> Value:
        """Rotary position embedding: each pair of a head of x [tokens, heads * head_dim] turned by its position.

        With `rotated`, so many elements of each head are turned and the others stay.
        """
        part = {} if rotated in (None, head_dim) else {"rotated": rotated}
        attributes: dict[str, Attribute] = {"head_dim": head_dim, **part}
        return self.apply("rotary", self.named(name, "rotary"), (x, positions), attributes=attributes)

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

    def _windowed(self, name: str, window: int) -> dict[str, Attribute]:
        if window < 1:
            raise self.error("logit", name, f"the window must be at least 1 token, not {window}")
        kept = self._kept_tokens(window)
        seen = kept if self.sequences.phase == "decode" else self.sequences.lengths
        return {"window": window, "kept": kept, "lengths": seen}

    def _kept_tokens(self, window: int | None) -> tuple[int, ...]:
        return tuple(length if window is None else min(length, window) for length in self.sequences.lengths)

    def _cache(self, name: str, tokens: Value, window: int | None) -> tuple[Value, ...]:
        shape = (sum(self._kept_tokens(window)), tokens.width)
        return (self.own(f"{name}.cache", shape, "kv_cache"),) if self.sequences.keeps else ()
