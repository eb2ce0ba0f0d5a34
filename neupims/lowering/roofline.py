"""A decode iteration for a processor that is timed as a roofline: operators with their arithmetic and traffic.

Kernels as serving engines run them: each operator reads its operands from memory and writes its result,
except that attention is one kernel that reads the KV cache once. Tensor parallelism divides heads, FFN
columns and vocabulary; an all-reduce follows the projection and the second FFN layer.
"""

from neupims.errors import CapacityError
from neupims.isa.work import LinkWork, RooflineWork
from neupims.lowering.decoder import DecoderShape, Shard, shard
from neupims.request import Batch

Works = tuple[RooflineWork | LinkWork, ...]


def lower_roofline(
    shape: DecoderShape,
    batch: Batch,
    memory_bytes: int,
    *,
    waiting: Batch = (),
    tp: int,
    pp: int,
    head: bool,
    all_reduce: bool,
) -> tuple[tuple[tuple[str, Works], ...], tuple[int, ...]]:
    """Stages by name and how often each stands in the iteration of one device.

    `waiting` are requests of other micro-batches, whose KV cache lies on the same devices.

    Raises:
        ModelError: the model cannot be divided like this.
        CapacityError: weights and KV cache do not fit into `memory_bytes`.
    """
    part = shard(shape, tp, pp)
    tokens, context = len(batch), sum(request.length for request in batch)
    _check(part, (*batch, *waiting), memory_bytes)
    devices = tp if all_reduce else 1
    stages: list[tuple[str, Works]] = [("layer", _layer(part, tokens, context, devices))]
    repeats = [part.layers]
    if head:
        stages = [("in", _embedding(part, tokens)), *stages, ("out", _head(part, tokens))]
        repeats = [1, *repeats, 1]
    return tuple(stages), tuple(repeats)


def _check(part: Shard, requests: Batch, memory_bytes: int) -> None:
    tokens, context = len(requests), sum(request.length for request in requests)
    weights = part.layers * _layer_weights(part) + part.vocabulary * part.width
    cache = part.layers * 2 * part.attention_width * context
    total = (weights + cache) * part.element_bytes
    if total > memory_bytes:
        gib = 1 << 30
        raise CapacityError(
            f"memory: {tokens} requests do not fit: {weights * part.element_bytes / gib:.1f} GiB of weights and "
            f"{cache * part.element_bytes / gib:.1f} GiB of KV cache make {total / gib:.1f} GiB, and each device has "
            f"{memory_bytes / gib:.1f} GiB: lower --batch, or raise --tp or --pp"
        )


def _layer_weights(part: Shard) -> int:
    return part.width * (4 * part.attention_width + 2 * part.ffn)


def _layer(part: Shard, tokens: int, context: int, devices: int) -> Works:
    width, attention, ffn, size = part.width, part.attention_width, part.ffn, part.element_bytes
    reduce = tokens * width * size
    return (
        _norm(part, "layer0.attention.norm", tokens),
        _gemm("layer0.attention.qkv", tokens, width, 3 * attention, size),
        RooflineWork(
            "layer0.attention",
            "attention",
            2 * attention * context,
            (2 * attention * context + tokens * attention) * size,
            (2 * tokens * attention + tokens * attention) * size,
            3 * part.heads * context,
        ),
        _gemm("layer0.attention.projection", tokens, attention, width, size),
        *_all_reduce("layer0.attention.all_reduce", reduce, devices),
        _add(part, "layer0.attention.residual", tokens),
        _norm(part, "layer0.ffn.norm", tokens),
        _gemm("layer0.ffn.fc1", tokens, width, ffn, size),
        RooflineWork("layer0.ffn.gelu", "gelu", 0, tokens * ffn * size, tokens * ffn * size, tokens * ffn),
        _gemm("layer0.ffn.fc2", tokens, ffn, width, size),
        *_all_reduce("layer0.ffn.all_reduce", reduce, devices),
        _add(part, "layer0.ffn.residual", tokens),
    )


def _embedding(part: Shard, tokens: int) -> Works:
    bytes_ = tokens * part.width * part.element_bytes
    return (RooflineWork("embedding", "embedding", 0, 2 * bytes_, bytes_, tokens * part.width),)


def _head(part: Shard, tokens: int) -> Works:
    logits = tokens * part.vocabulary
    sampling = RooflineWork("sampling", "argmax", 0, logits * part.element_bytes, 4 * tokens, logits)
    lm_head = _gemm("lm_head", tokens, part.width, part.vocabulary, part.element_bytes)
    return (_norm(part, "final_norm", tokens), lm_head, sampling)


def _gemm(name: str, tokens: int, inner: int, features: int, size: int) -> RooflineWork:
    read = (inner * features + tokens * inner) * size
    return RooflineWork(name, "gemm", tokens * inner * features, read, tokens * features * size)


def _norm(part: Shard, name: str, tokens: int) -> RooflineWork:
    bytes_ = tokens * part.width * part.element_bytes
    return RooflineWork(name, "layer_norm", 0, bytes_, bytes_, 5 * tokens * part.width)


def _add(part: Shard, name: str, tokens: int) -> RooflineWork:
    bytes_ = tokens * part.width * part.element_bytes
    return RooflineWork(name, "add", 0, 2 * bytes_, bytes_, tokens * part.width)


def _all_reduce(name: str, size: int, devices: int) -> tuple[LinkWork, ...]:
    return (LinkWork(name, "all_reduce", size, devices),) if devices > 1 else ()
