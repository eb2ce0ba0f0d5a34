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
        head_dim] each, to which the new keys and values are appended.
        """
        logit = self.named(None, "logit")
        attributes = self._attributes(logit, q, heads, heads if kv_heads is None else kv_heads)
        keys = self._cache(logit, k)
        scores = self.apply("logit", logit, (q, k), states=(keys,), attributes=attributes)
        scores = self.apply("softmax", self.named(None, "softmax"), (scores,), attributes=attributes)
        attend = self.named(None, "attend")
        values = self._cache(attend, v)
        return self.apply("attend", attend, (scores, v), states=(values,), attributes=attributes)

    def rotary(self, x: Value, positions: Value, *, head_dim: int, name: str | None = None) -> Value:
        """Rotary position embedding: each pair of a head of x [tokens, heads * head_dim] turned by its position."""
        return self.apply("rotary", self.named(name, "rotary"), (x, positions), attributes={"head_dim": head_dim})

    def last_token(self, x: Value, *, name: str | None = None) -> Value:
        """The last token of each request, [requests, width]; nothing to do in a decode step."""
        if self.sequences.phase == "decode":
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

    def _cache(self, name: str, tokens: Value) -> Value:
        return self.own(f"{name}.cache", (self.sequences.context, tokens.width), "kv_cache")
