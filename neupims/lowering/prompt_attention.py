"""Causal attention of whole prompts on the arrays; K and V go to the cache for the decode iterations."""

from dataclasses import dataclass

import numpy as np

from neupims.errors import CapacityError
from neupims.hardware.npu import NpuSpec
from neupims.isa.memory import RUN
from neupims.isa.work import STEP, NpuWork, Records
from neupims.lowering.geometry import Integers
from neupims.lowering.kv import KvRows, pim_runs
from neupims.lowering.places import Place, rectangles
from neupims.lowering.storage import Access, block_bytes, loads, stores
from neupims.lowering.stream_attention import OPS_PER_SCORE, softmax_cycles
from neupims.lowering.target import Target
from neupims.lowering.tiling import Grid


@dataclass(frozen=True, slots=True)
class PromptAttention:
    """What the attention of one layer reads and writes; tokens of all prompts follow each other."""

    heads: int
    """Heads of queries; `group` of them share a head of keys and values."""
    head_dim: int
    qkv: Place
    """[tokens, (heads + 2 * heads / group) * head_dim]."""
    context: Place
    """[tokens, heads * head_dim]."""
    cache: tuple[Access, ...]
    """K and V of prompt i as block i."""
    lengths: Integers
    group: int = 1


@dataclass(frozen=True, slots=True)
class PromptRows:
    """K and V of whole prompts in the banks of their channels; a rectangle is one row, its prompt."""

    kv: KvRows
    layer: int

    def runs(self, rects: Integers, blocks: Integers, write: bool) -> Records:
        """RUNs of all keys and values of the prompts."""
        parts = [np.empty(0, RUN)]
        for request, block in zip(rects[:, 0].tolist(), blocks.tolist(), strict=True):
            parts += [self._keys(request, block), self._values(request, block)]
        return np.concatenate(parts)

    def _keys(self, request: int, block: int) -> Records:
        """One run for each token and chunk of heads."""
        kv, geometry = self.kv, self.kv.geometry
        tile, bank = np.divmod(np.arange(int(kv.lengths[request]))[:, None], geometry.banks)
        chunk = np.arange(geometry.key_chunks)
        heads = np.minimum(geometry.heads_per_row, geometry.heads - chunk * geometry.heads_per_row)
        row = kv.key_row(np.array(request), self.layer, tile, chunk)
        return pim_runs(kv.channels[request], bank, row, 0, self._bursts(heads * geometry.head_dim), block)

    def _values(self, request: int, block: int) -> Records:
        """One run for each feature and chunk of tokens."""
        kv, geometry = self.kv, self.kv.geometry
        head, feature = np.divmod(np.arange(geometry.heads * geometry.head_dim)[:, None], geometry.head_dim)
        tile, bank = np.divmod(feature, geometry.banks)
        first = np.arange(0, int(kv.lengths[request]), geometry.row_elements)
        chunk, tokens = first // geometry.row_elements, np.minimum(geometry.row_elements, kv.lengths[request] - first)
        row = kv.value_row(np.array(request), self.layer, head, tile, chunk)
        return pim_runs(kv.channels[request], bank, row, 0, self._bursts(tokens), block)

    def _bursts(self, numbers: Integers) -> Integers:
        return -(-numbers * self.kv.geometry.element_bytes // self.kv.geometry.burst_bytes)


def lower_prompt_attention(name: str, attention: PromptAttention, target: Target) -> NpuWork:
    """Attention of all prompts, one after the other.

    Raises:
        CapacityError: q, k and v of one prompt do not fit into the scratchpad.
    """
    lengths, size = attention.lengths, target.element_bytes
    width, index = attention.heads * attention.head_dim, np.arange(len(lengths))
    end = np.cumsum(lengths)
    fetched = Access(attention.qkv, rectangles(end - lengths, end, 0, width + 2 * width // attention.group), index)
    taken = block_bytes([fetched], len(lengths), size)
    _check(taken, lengths, target.npu)
    parts = [_steps(length, attention, target.npu) for length in lengths.tolist()]
    last = np.cumsum([len(part) for part in parts]) - 1
    steps = np.concatenate(parts)
    steps["loads"] = np.repeat(index + 1, [len(part) for part in parts])
    steps["frees"][last] = taken
    written = [Access(attention.context, rectangles(end - lengths, end, 0, width), index), *attention.cache]
    pairs = int((lengths * (lengths + 1) // 2).sum())
    return NpuWork(
        name=name,
        kind="attention",
        unit="array",
        steps=steps,
        loads=loads(target.storage, [fetched], np.zeros(len(lengths), np.bool_), size),
        stores=stores(target.storage, written, last, size),
        macs=2 * width * pairs,
        other_ops=OPS_PER_SCORE * attention.heads * pairs,
    )


def _steps(length: int, attention: PromptAttention, npu: NpuSpec) -> Records:
    """For each wave of heads and block of keys: K^T stationary, then V stationary, past all later queries.

    Masked blocks are skipped. The softmax of a block runs beside the V steps, which take the longer of
    max(queries, ceil(heads of the wave * queries / units) * softmax of one row of the block).
    """
    arrays = npu.arrays
    block = min(arrays.rows, arrays.columns)
    parts = -(-attention.head_dim // block)
    grid = Grid((-(-attention.heads // arrays.count), -(-length // block), 2, parts))
    wave, key, phase, _ = grid.loops()
    queries = length - key * block
    heads = np.minimum(arrays.count, attention.heads - wave * arrays.count)
    softmax = -(-heads * queries // npu.vector.count) * softmax_cycles(min(block, length), npu.vector)
    steps = np.zeros(len(wave), STEP)
    steps["stream"] = np.where(phase == 0, queries, np.maximum(queries, softmax // parts))
    steps["preload"] = arrays.rows
    return steps


def _check(taken: Integers, lengths: Integers, npu: NpuSpec) -> None:
    longest = int(np.argmax(taken))
    if taken[longest] > npu.scratchpad.bytes:
        raise CapacityError(
            f"processor.scratchpad.bytes: q, k and v of a prompt of {int(lengths[longest]):,} tokens take "
            f"{int(taken[longest]):,} bytes, and the scratchpad holds {npu.scratchpad.bytes:,}; enlarge it, raise "
            f"--tp, or use shorter prompts"
        )
