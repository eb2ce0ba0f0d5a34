"""Words for caches that several operators read: latent attention."""

from neupims.graph.operator import Attribute
from neupims.graph.tracing.recorder import Recorder
from neupims.graph.tracing.regions import Value


class Latent(Recorder):
    """Attention whose keys and values are made from one small vector for each token, which is all that is kept."""

    def append(self, *parts: Value, name: str | None = None) -> tuple[Value, Value]:
        """Parts [tokens, ...] side by side as new rows of a cache: rows [tokens, width] and cache [context, width].

        In a training step, which keeps no cache, rows both times.
        """
        full, width = self.named(name, "append"), sum(part.width for part in parts)
        if not self.sequences.keeps:
            rows = self.apply("concat", full, parts, attributes={"axis": -1})
            return rows, rows
        cache = self.own(f"{full}.cache", (self.sequences.context, width), "kv_cache")
        rows = self.apply("append", full, parts, states=(cache,), attributes={"axis": -1})
        return rows, self.view(cache, f"[0:{width}]", cache.shape)

    def latent_attention(self, q: Value, latent: Value, turned: Value, *, heads: int, value_dim: int) -> Value:
        """Multi-head latent attention: [tokens, heads * value_dim].

        q is [tokens, heads * (plain + rotary)]; latent [tokens, rank], and turned [tokens, rotary], the part of the
        keys that all heads share, are cached. One weight [rank, heads * (plain + value_dim)] makes keys and values of
        the latent. A prompt does that; a decode step multiplies it into the queries and into the result instead, so
        that nothing but the cache is read (DeepSeek-V2, arXiv:2405.04434, section 2.1).
        """
        rotary, rank = turned.width, latent.width
        plain = q.width // heads - rotary
        weight = self.own(self._at("up.weight"), (rank, heads * (plain + value_dim)), "weight")
        rows, cache = self.append(latent, turned, name="latent")
        step = self._absorbed if self.sequences.phase == "decode" else self._expanded
        return step(q, rows, cache, weight, (heads, plain, rotary, value_dim))

    def _expanded(self, q: Value, rows: Value, cache: Value, weight: Value, sizes: tuple[int, int, int, int]) -> Value:
        heads, plain, rotary, value_dim = sizes
        tokens, rank = rows.shape[0], weight.shape[0]
        made = self.apply("linear", self.named("up", "linear"), (self._part(rows, 0, rank),), weights=(weight,))
        shared = self.view(self._part(rows, rank, rows.width), f"({tokens},1,{rotary})", (tokens, 1, rotary))
        shape = (tokens, heads, rotary)
        shared = self.apply("repeat", self.named("shared_keys", "repeat"), (shared,), attributes={"shape": shape})
        keys = self._joined("keys", self.view(made, "(keys)", (tokens, heads, plain)), shared)
        values = self.view(made, "(values)", (tokens, heads * value_dim))
        attributes = self._sizes(heads, heads, plain + rotary)
        scores = self.apply("logit", self.named("logit", "logit"), (q, keys), attributes=attributes)
        return self._mixed(scores, values, (), self._sizes(heads, heads, value_dim))

    def _absorbed(self, q: Value, rows: Value, cache: Value, weight: Value, sizes: tuple[int, int, int, int]) -> Value:
        heads, plain, rotary, value_dim = sizes
        tokens, rank = rows.shape[0], weight.shape[0]
        first = self.view(q, "(plain)", (heads, tokens, plain))
        key_up = self.view(weight, "(keys)", (heads, plain, rank))
        first = self.apply("matmul", self.named("absorbed_keys", "matmul"), (first,), weights=(key_up,))
        first = self.view(first, "(tokens)", (tokens, heads, rank))
        queries = self._joined("queries", first, self.view(q, "(rotary)", (tokens, heads, rotary)))
        attributes = self._sizes(heads, 1, rank + rotary)
        scores = self.apply(
            "logit", self.named("logit", "logit"), (queries, rows), states=(cache,), attributes=attributes
        )
        values, cached = self._part(rows, 0, rank), self._part(cache, 0, rank)
        mixed = self._mixed(scores, values, (cached,), self._sizes(heads, 1, rank))
        value_up = self.view(weight, "(values)", (heads, rank, value_dim))
        mixed = self.view(mixed, "(heads)", (heads, tokens, rank))
        result = self.apply("matmul", self.named("absorbed_values", "matmul"), (mixed,), weights=(value_up,))
        return self.view(result, "(tokens)", (tokens, heads * value_dim))

    def _mixed(
        self, scores: Value, values: Value, caches: tuple[Value, ...], attributes: dict[str, Attribute]
    ) -> Value:
        scores = self.apply("softmax", self.named("softmax", "softmax"), (scores,), attributes=attributes)
        name = self.named("attend", "attend")
        return self.apply("attend", name, (scores, values), states=caches, attributes=attributes)

    def _joined(self, name: str, left: Value, right: Value) -> Value:
        """Parts of each head [tokens, heads, ...] side by side: [tokens, heads * both]."""
        both = self.apply("concat", self.named(name, "concat"), (left, right), attributes={"axis": -1})
        return self.view(both, "(merged)", (both.shape[0], both.shape[1] * both.shape[2]))

    def _part(self, x: Value, start: int, stop: int) -> Value:
        return self.view(x, f"[{start}:{stop}]", (*x.shape[:-1], stop - start))

    def _sizes(self, heads: int, kv_heads: int, head_dim: int) -> dict[str, Attribute]:
        lengths = {"new": self.sequences.new, "lengths": self.sequences.lengths}
        return {"heads": heads, "kv_heads": kv_heads, "head_dim": head_dim, "causal": True, **lengths}

    def _at(self, name: str) -> str:
        return ".".join((*self.region.scopes, name))
