"""Where vectors, keys and values of each request lie in the banks of its channel (spec 5.2)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from neupims.isa.memory import RUN
from neupims.isa.work import Records
from neupims.lowering.geometry import Integers, KvGeometry


@dataclass(frozen=True, slots=True)
class KvRows:
    """Rows of all requests of a batch.

    Arrays have one entry for each part of a context that has a channel of its own, request after request; a context
    that is not split has one. What follows says request for such a part.

    In each channel the vectors come first, packed into banks and shared by all layers, then for each
    layer, for each request, its key rows (tile-major, chunk-minor) and its value rows (head, tile, chunk).
    """

    geometry: KvGeometry
    channels: Integers
    lengths: Integers
    base: int
    """First row of the vectors, in all channels."""
    first_vector: Integers
    """Vectors of earlier requests of the channel."""
    first_row: Integers
    """First row of the keys of layer 0."""
    layer_rows: Integers
    """Rows from a layer to the next one."""
    first_part: Integers
    """First part of each request, and the number of parts."""

    def parts(self, request: Integers) -> Integers:
        """Parts of several requests, one after the other."""
        bounds: list[tuple[int, int]] = list(zip(self.first_part[request], self.first_part[request + 1], strict=True))
        return np.concatenate([np.arange(low, high) for low, high in bounds])

    def newest(self, request: Integers) -> Integers:
        """The part of each request that holds its last token."""
        return self.first_part[request + 1] - 1

    def key_row(self, request: Integers, layer: int, tile: Integers, chunk: Integers) -> Integers:
        """Tile row with the keys of tokens banks * tile and on, for the heads of a chunk."""
        return self._layer(request, layer) + tile * self.geometry.key_chunks + chunk

    def value_row(self, request: Integers, layer: int, head: Integers, tile: Integers, chunk: Integers) -> Integers:
        """Tile row with features banks * tile and on of a head, for the tokens of a chunk."""
        lengths = self.lengths[request]
        values = self._layer(request, layer) + self.geometry.key_rows(lengths)
        return values + (head * self.geometry.value_tiles + tile) * self.geometry.value_chunks(lengths) + chunk

    def query(self, request: Integers, vector: Integers | int) -> tuple[Integers, Integers]:
        """Bank and row of a part of q: a chunk of heads of one member of their groups (member-major)."""
        return self._vector(self.first_vector[request] + vector)

    def scores(self, request: Integers, result: Integers, chunk: Integers) -> tuple[Integers, Integers]:
        """Bank and row of a chunk of the scores of a query head, number member * heads + head."""
        index = result * self.geometry.value_chunks(self.lengths[request]) + chunk
        return self._vector(self.first_vector[request] + self.geometry.query_vectors + index)

    def _layer(self, request: Integers, layer: int) -> Integers:
        return self.first_row[request] + layer * self.layer_rows[request]

    def _vector(self, index: Integers) -> tuple[Integers, Integers]:
        row, bank = np.divmod(index, self.geometry.banks)
        return bank, self.base + row


@dataclass(frozen=True, slots=True)
class PublishedRows(KvRows):
    """Rows as the published simulator hands them out (spec 10, items 15 and 17).

    No vectors; each request takes rows for the keys and values of the whole model, not of one device; all layers, and
    all heads of the values, use the same ones.
    """

    values_behind: Integers
    """Rows from the first one of a request's keys to the first one of its values."""

    def value_row(self, request: Integers, layer: int, head: Integers, tile: Integers, chunk: Integers) -> Integers:
        """See KvRows."""
        values = self.first_row[request] + self.values_behind[request]
        return values + tile * self.geometry.value_chunks(self.lengths[request]) + chunk


@dataclass(frozen=True, slots=True)
class ChannelRows:
    """Rows that a batch takes in each channel."""

    vectors: Integers
    """Rows for q and scores."""
    layer: Integers
    """Rows for K and V of one layer."""


def channel_rows(geometry: KvGeometry, channels: Integers, lengths: Integers, count: int) -> ChannelRows:
    """Rows that requests take in each of `count` channels."""
    vectors = np.bincount(channels, geometry.vectors(lengths), count).astype(np.int64)
    layer = np.bincount(channels, geometry.rows(lengths), count).astype(np.int64)
    return ChannelRows(-(-vectors // geometry.banks), layer)


def place_rows(
    geometry: KvGeometry, channels: Integers, lengths: Integers, base: int, first_part: Integers | None = None
) -> KvRows:
    """Place a batch from row `base` on; without `first_part` each request has one part."""
    used = channel_rows(geometry, channels, lengths, int(channels.max(initial=0)) + 1)
    return KvRows(
        geometry=geometry,
        channels=channels,
        lengths=lengths,
        base=base,
        first_vector=_before(geometry.vectors(lengths), channels),
        first_row=base + used.vectors[channels] + _before(geometry.rows(lengths), channels),
        layer_rows=used.layer[channels],
        first_part=np.arange(len(lengths) + 1) if first_part is None else first_part,
    )


def published_rows(geometry: KvGeometry, width: int, channels: Integers, lengths: Integers, base: int) -> PublishedRows:
    """Place a batch from row `base` on, for a model of `width` features."""
    keys = geometry.key_tiles(lengths) * -(-width // geometry.row_elements)
    values = geometry.value_chunks(lengths) * -(-width // geometry.banks)
    nothing = np.zeros_like(lengths)
    first = base + _before(keys + values, channels)
    whole = np.arange(len(lengths) + 1)
    return PublishedRows(geometry, channels, lengths, base, nothing, first, nothing, whole, keys)


def _before(values: Integers, channels: Integers) -> Integers:
    """Sum of the values of earlier entries in the same channel."""
    order = np.argsort(channels, kind="stable")
    total = np.cumsum(values[order]) - values[order]
    starts = np.flatnonzero(np.diff(channels[order], prepend=-1))
    sizes = np.diff(np.append(starts, len(order)))
    before = np.empty(len(values), np.int64)
    before[order] = total - np.repeat(total[starts], sizes)
    return before


@dataclass(frozen=True, slots=True)
class QkvRows:
    """q, K and V of the new tokens of one layer: q to its vector rows, K and V to theirs.

    Columns are q, K and V of all heads; row r belongs to request r, whose newest token is written. All parts of a
    context need q.
    """

    kv: KvRows
    layer: int
    write_values: bool = True

    def runs(self, rects: Integers, blocks: Integers, write: bool) -> Records:
        """RUNs of the rectangles."""
        geometry = self.kv.geometry
        queries, width = geometry.query_heads * geometry.head_dim, geometry.heads * geometry.head_dim
        writers = ((self._query, 0, queries), (self._key, queries, width), (self._value, queries + width, width))
        parts: list[Records] = [np.empty(0, RUN)]
        for rect, block in zip(rects, blocks.tolist(), strict=True):
            first, end, left, right = (int(edge) for edge in rect)
            for writer, start, size in writers[: 3 if self.write_values else 2]:
                low, high = max(left - start, 0), min(right - start, size)
                if low < high:
                    parts.append(writer(np.arange(first, end), low, high, block))
        runs = np.concatenate(parts, dtype=RUN)
        runs["write"], runs["feeds_pim"] = write, write
        return runs

    def _query(self, request: Integers, low: int, high: int, block: int) -> Records:
        vector, column, bursts = self._chunks(low, high) if self.kv.geometry.group == 1 else self._members(low, high)
        parts = self.kv.parts(request)
        bank, row = self.kv.query(parts[:, None], vector)
        return pim_runs(self.kv.channels[parts][:, None], bank, row, column, bursts, block)

    def _key(self, request: Integers, low: int, high: int, block: int) -> Records:
        request = self.kv.newest(request)
        chunk, column, bursts = self._chunks(low, high)
        tile, bank = np.divmod(self.kv.lengths[request][:, None] - 1, self.kv.geometry.banks)
        row = self.kv.key_row(request[:, None], self.layer, tile, chunk)
        return pim_runs(self.kv.channels[request][:, None], bank, row, column, bursts, block)

    def _value(self, request: Integers, low: int, high: int, block: int) -> Records:
        geometry, request = self.kv.geometry, self.kv.newest(request)
        head, feature = np.divmod(np.arange(low, high), geometry.head_dim)
        tile, bank = np.divmod(feature, geometry.banks)
        chunk, token = np.divmod(self.kv.lengths[request][:, None] - 1, geometry.row_elements)
        row = self.kv.value_row(request[:, None], self.layer, head, tile, chunk)
        column = token * geometry.element_bytes // geometry.burst_bytes
        return pim_runs(self.kv.channels[request][:, None], bank, row, column, 1, block)

    def _chunks(self, low: int, high: int) -> tuple[Integers, Integers, Integers]:
        """Rows that hold numbers [low, high) of a key, or of q without groups: chunk, first burst, bursts."""
        chunk, start, end = _pieces(low, high, self.kv.geometry.chunk_elements)
        return chunk, *self._bursts(start, end)

    def _members(self, low: int, high: int) -> tuple[Integers, Integers, Integers]:
        """Rows that hold numbers [low, high) of q, head by head: vector, first burst, bursts."""
        geometry = self.kv.geometry
        query_head, start, end = _pieces(low, high, geometry.head_dim)
        head, member = np.divmod(query_head, geometry.group)
        chunk, place = np.divmod(head, geometry.heads_per_row)
        before = place * geometry.head_dim
        return member * geometry.key_chunks + chunk, *self._bursts(before + start, before + end)

    def _bursts(self, start: Integers, end: Integers) -> tuple[Integers, Integers]:
        """First burst, and bursts, of numbers start to end - 1 of a row."""
        size, burst = self.kv.geometry.element_bytes, self.kv.geometry.burst_bytes
        first = start * size // burst
        return first, -(-end * size // burst) - first


def _pieces(low: int, high: int, size: int) -> tuple[Integers, Integers, Integers]:
    """Pieces of `size` numbers that [low, high) crosses: number, and first and end inside each."""
    piece = np.arange(low // size, -(-high // size))
    return piece, np.maximum(low - piece * size, 0), np.minimum(high - piece * size, size)


def pim_runs(
    channel: ArrayLike, bank: ArrayLike, row: ArrayLike, column: ArrayLike, bursts: ArrayLike, block: ArrayLike
) -> Records:
    """RUNs that write to rows that PIM reads; the arguments are broadcast against each other."""
    fields = {"channel": channel, "bank": bank, "row": row, "column": column, "bursts": bursts, "block": block}
    runs = np.zeros(np.broadcast_shapes(*(np.shape(value) for value in fields.values())), RUN)
    for name, value in fields.items():
        runs[name] = value
    runs["write"] = runs["feeds_pim"] = 1
    return runs.ravel()
