"""An iteration for a processor that is timed as a roofline: operators with their arithmetic and traffic.

Kernels as serving engines run them: each operator reads its operands from memory and writes its result,
except that attention is one kernel that reads the KV cache once. Layers with one input are one GEMM (q, k and v;
the two halves of a gated feed-forward network). Tensor parallelism divides heads, FFN columns and vocabulary; an
all-reduce follows the projection and the last FFN layer.

Requests that decode may share an iteration with chunks of prompts: all tokens go through one set of GEMMs, so that
weights are read once, but their attention is two operators, one bound by memory and one by arithmetic.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from neupims.errors import CapacityError
from neupims.isa.work import LinkWork, RooflineWork
from neupims.lowering.decoder import DecoderShape, Norm, Shard, shard
from neupims.request import Batch

Works = tuple[RooflineWork | LinkWork, ...]

NORM_OPS: dict[Norm, int] = {"layer_norm": 5, "rms_norm": 4}
"""Operations for each element."""
SWIGLU_OPS = 5
"""For each element: x / (1 + exp(-x)), and the product with its gate."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Tokens of one prompt that are computed together."""

    new: int
    length: int
    """Tokens of context after it: the new ones and those that are in the KV cache already."""

    @property
    def pairs(self) -> int:
        """Pairs of query and key that causal attention scores in one head."""
        return self.new * (self.length - self.new) + self.new * (self.new + 1) // 2


@dataclass(frozen=True, slots=True)
class _Step:
    """One iteration on one device."""

    part: Shard
    lengths: tuple[int, ...]
    chunks: tuple[Chunk, ...]
    devices: int

    @property
    def rows(self) -> int:
        """Requests and chunks, each of which gets a token in the end."""
        return len(self.lengths) + len(self.chunks)

    @property
    def tokens(self) -> int:
        return len(self.lengths) + sum(chunk.new for chunk in self.chunks)


def lower_roofline(
    shape: DecoderShape,
    batch: Batch,
    memory_bytes: int,
    *,
    waiting: Batch = (),
    chunks: Sequence[Chunk] = (),
    tp: int,
    pp: int,
    head: bool,
    all_reduce: bool,
) -> tuple[tuple[tuple[str, Works], ...], tuple[int, ...]]:
    """Stages by name and how often each stands in the iteration of one device.

    `batch` are the requests that decode, `chunks` the parts of prompts that are computed in the same iteration;
    `waiting` are requests of other micro-batches, whose KV cache lies on the same devices.

    Raises:
        ModelError: the model cannot be divided like this.
        CapacityError: weights and KV cache do not fit into `memory_bytes`.
    """
    part = shard(shape, tp, pp)
    held = [request.length for request in (*batch, *waiting)] + [chunk.length for chunk in chunks]
    _check(part, held, memory_bytes)
    step = _Step(part, tuple(request.length for request in batch), tuple(chunks), tp if all_reduce else 1)
    stages: list[tuple[str, Works]] = [("layer", _layer(step))]
    repeats = [part.layers]
    if head:
        stages = [("in", _embedding(step)), *stages, ("out", _head(step))]
        repeats = [1, *repeats, 1]
    return tuple(stages), tuple(repeats)


def _check(part: Shard, held: Sequence[int], memory_bytes: int) -> None:
    tables = part.vocabulary * part.width * (1 if part.tied else 2)
    weights = part.layers * _layer_weights(part) + tables
    cache = part.layers * 2 * part.kv_width * sum(held)
    total = (weights + cache) * part.element_bytes
    if total > memory_bytes:
        gib = 1 << 30
        raise CapacityError(
            f"memory: {len(held)} requests do not fit: {weights * part.element_bytes / gib:.1f} GiB of weights and "
            f"{cache * part.element_bytes / gib:.1f} GiB of KV cache make {total / gib:.1f} GiB, and each device has "
            f"{memory_bytes / gib:.1f} GiB: lower --batch, or raise --tp or --pp"
        )


def _layer_weights(part: Shard) -> int:
    attention = 2 * part.attention_width + 2 * part.kv_width
    return part.width * (attention + (3 if part.gated else 2) * part.ffn)


def _layer(step: _Step) -> Works:
    part, tokens = step.part, step.tokens
    width, attention, size = part.width, part.attention_width, part.element_bytes
    reduce = tokens * width * size
    return (
        _norm(part, "layer0.attention.norm", tokens),
        _gemm("layer0.attention.qkv", tokens, width, part.qkv_width, size),
        *_rotary(step),
        *_attention(step),
        _gemm("layer0.attention.projection", tokens, attention, width, size),
        *_all_reduce("layer0.attention.all_reduce", reduce, step.devices),
        _add(part, "layer0.attention.residual", tokens),
        _norm(part, "layer0.ffn.norm", tokens),
        *(_gated_ffn(part, tokens) if part.gated else _plain_ffn(part, tokens)),
        *_all_reduce("layer0.ffn.all_reduce", reduce, step.devices),
        _add(part, "layer0.ffn.residual", tokens),
    )


def _rotary(step: _Step) -> Works:
    if not step.part.rotary:
        return ()
    turned = step.tokens * (step.part.attention_width + step.part.kv_width)
    bytes_ = turned * step.part.element_bytes
    return (RooflineWork("layer0.attention.rotary", "rotary", 0, bytes_, bytes_, 3 * turned),)


def _attention(step: _Step) -> Works:
    lengths, chunks = step.lengths, step.chunks
    decode = _scored(step.part, "layer0.attention", "attention", len(lengths), sum(lengths), sum(lengths))
    new, held, pairs = (sum(getattr(chunk, what) for chunk in chunks) for what in ("new", "length", "pairs"))
    prompt = _scored(step.part, "layer0.attention.prompts", "prompt_attention", new, held, pairs)
    return (*([decode] if lengths else []), *([prompt] if chunks else []))


def _scored(part: Shard, name: str, kind: str, queries: int, keys: int, pairs: int) -> RooflineWork:
    attention, kv, size = part.attention_width, part.kv_width, part.element_bytes
    read = (2 * kv * keys + queries * attention) * size
    written = (2 * queries * kv + queries * attention) * size
    return RooflineWork(name, kind, 2 * attention * pairs, read, written, 3 * part.heads * pairs)


def _plain_ffn(part: Shard, tokens: int) -> Works:
    bytes_ = tokens * part.ffn * part.element_bytes
    return (
        _gemm("layer0.ffn.fc1", tokens, part.width, part.ffn, part.element_bytes),
        RooflineWork("layer0.ffn.gelu", "gelu", 0, bytes_, bytes_, tokens * part.ffn),
        _gemm("layer0.ffn.fc2", tokens, part.ffn, part.width, part.element_bytes),
    )


def _gated_ffn(part: Shard, tokens: int) -> Works:
    bytes_ = tokens * part.ffn * part.element_bytes
    return (
        _gemm("layer0.ffn.gate_up", tokens, part.width, part.hidden_width, part.element_bytes),
        RooflineWork("layer0.ffn.swiglu", "swiglu", 0, 2 * bytes_, bytes_, SWIGLU_OPS * tokens * part.ffn),
        _gemm("layer0.ffn.down", tokens, part.ffn, part.width, part.element_bytes),
    )


def _embedding(step: _Step) -> Works:
    elements = step.tokens * step.part.width
    bytes_ = elements * step.part.element_bytes
    tables = 2 if step.part.positions else 1
    return (RooflineWork("embedding", "embedding", 0, tables * bytes_, bytes_, elements),)


def _head(step: _Step) -> Works:
    part, rows = step.part, step.rows
    logits = rows * part.vocabulary
    sampling = RooflineWork("sampling", "argmax", 0, logits * part.element_bytes, 4 * rows, logits)
    lm_head = _gemm("lm_head", rows, part.width, part.vocabulary, part.element_bytes)
    return (_norm(part, "final_norm", rows), lm_head, sampling)


def _gemm(name: str, tokens: int, inner: int, features: int, size: int) -> RooflineWork:
    read = (inner * features + tokens * inner) * size
    return RooflineWork(name, "gemm", tokens * inner * features, read, tokens * features * size)


def _norm(part: Shard, name: str, tokens: int) -> RooflineWork:
    bytes_ = tokens * part.width * part.element_bytes
    return RooflineWork(name, part.norm, 0, bytes_, bytes_, NORM_OPS[part.norm] * tokens * part.width)


def _add(part: Shard, name: str, tokens: int) -> RooflineWork:
    bytes_ = tokens * part.width * part.element_bytes
    return RooflineWork(name, "add", 0, 2 * bytes_, bytes_, tokens * part.width)


def _all_reduce(name: str, size: int, devices: int) -> tuple[LinkWork, ...]:
    return (LinkWork(name, "all_reduce", size, devices),) if devices > 1 else ()
