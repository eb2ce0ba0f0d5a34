"""The three operators of attention over cached keys and values, with a context of its own for each request.

Attributes: `heads` of queries and `kv_heads` of keys and values, each of the latter shared by heads / kv_heads of
the former; `head_dim`, `causal`, and for each request `new` tokens and `lengths` of context.
Scores are packed, [heads, sum of new[i] * lengths[i]]. A causal prompt counts its whole score matrix, as the
matrix products of the published MAC counts do; a kernel that skips masked tiles does about half of it.
With a sliding window, `lengths` are the tokens that are seen, and `kept` those that stay in the cache.
"""

from neupims.graph.kinds.base import Kind, Product, element_bytes, like_input, operands, per_element, require, results
from neupims.graph.operator import Operator
from neupims.graph.tensor import Shape

SOFTMAX_OPS = 5
"""For each score: maximum, subtraction, exponential, sum, division."""


def pairs(op: Operator) -> int:
    """Pairs of query and key that one head scores."""
    return sum(new * length for new, length in zip(op.numbers("new"), op.numbers("lengths"), strict=True))


def logit_shapes(op: Operator) -> tuple[Shape, ...]:
    """Queries [tokens, heads * head_dim], new keys [tokens, kv_heads * head_dim], key cache: scores."""
    _check_rows("queries", op.inputs[0].shape, op, "new", "heads")
    _check_rows("keys", op.inputs[1].shape, op, "new" if op.states else "lengths")
    for cache in op.states:
        _check_rows("key cache", cache.shape, op, _cached(op))
    return ((op.number("heads"), pairs(op)),)


def attend_shapes(op: Operator) -> tuple[Shape, ...]:
    """Scores, new values [tokens, kv_heads * head_dim], value cache: [tokens, heads * head_dim]."""
    scores, expected = op.inputs[0].shape, (op.number("heads"), pairs(op))
    require(scores == expected, f"scores {scores} do not fit [heads, pairs]; they must be {expected}")
    _check_rows("values", op.inputs[1].shape, op, "new" if op.states else "lengths")
    for cache in op.states:
        _check_rows("value cache", cache.shape, op, _cached(op))
    return ((sum(op.numbers("new")), op.number("heads") * op.number("head_dim")),)


def logit_products(op: Operator) -> tuple[Product, ...]:
    """For each request and head of keys: the queries that share it times the keys."""
    width = op.number("head_dim")
    return tuple(Product(heads, rows, width, length) for heads, rows, length in _products(op))


def attend_products(op: Operator) -> tuple[Product, ...]:
    """For each request and head of values: the scores of the queries that share it times the values."""
    width = op.number("head_dim")
    return tuple(Product(heads, rows, length, width) for heads, rows, length in _products(op))


def _products(op: Operator) -> list[tuple[int, int, int]]:
    """Heads of keys and values, rows for each, and context, of each request."""
    kv_heads = op.number("kv_heads")
    shared = op.number("heads") // kv_heads
    both = zip(op.numbers("new"), op.numbers("lengths"), strict=True)
    return [(kv_heads, shared * new, length) for new, length in both]


def read_with_cache(op: Operator) -> int:
    """All operands, the new keys or values that stay in the cache only once."""
    return operands(op) - sum(_appended(op) * element_bytes(op.inputs[1]) for _ in op.states)


def written_with_cache(op: Operator) -> int:
    """The result, and the new keys or values, which are appended to their cache; those of a view of it are there."""
    return results(op) + sum(_appended(op) * element_bytes(cache) for cache in op.states if cache.base is None)


def scaling(op: Operator) -> int:
    """Each score is divided by the root of head_dim."""
    return op.outputs[0].elements


def _cached(op: Operator) -> str:
    return "kept" if any(name == "kept" for name, _ in op.attributes) else "lengths"


def _appended(op: Operator) -> int:
    rows = sum(map(min, op.numbers("new"), op.numbers(_cached(op))))
    return rows * op.number("kv_heads") * op.number("head_dim")


def _check_rows(what: str, shape: Shape, op: Operator, rows: str, heads: str = "kv_heads") -> None:
    expected = (sum(op.numbers(rows)), op.number(heads) * op.number("head_dim"))
    require(shape == expected, f"{what} {shape} do not fit the heads and requests; they must be {expected}")


ATTENTION = {
    "logit": Kind(
        2, logit_shapes, products=logit_products, other_ops=scaling, read=read_with_cache, written=written_with_cache
    ),
    "softmax": Kind(1, like_input, other_ops=per_element(SOFTMAX_OPS)),
    "attend": Kind(2, attend_shapes, products=attend_products, read=read_with_cache, written=written_with_cache),
}
