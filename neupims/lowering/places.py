"""Where matrices lie in memory: from rectangles of a matrix to the runs of bursts that hold them.

A rectangle is a row of an (n, 4) array of integers: first row, row after the last, first column,
column after the last. Each place turns rectangles into RUNs; rectangle i belongs to block `blocks[i]`.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from neupims.isa.address import AddressMap
from neupims.isa.work import Records

Integers = NDArray[np.int64]
Ranges = tuple[Integers, Integers, Integers]
"""First byte, number of bytes, and index of the rectangle, of each contiguous piece."""


class Place(Protocol):
    """A matrix in memory."""

    def runs(self, rects: Integers, blocks: Integers, write: bool) -> Records:
        """RUNs of the rectangles, in their order; `blocks` ascends."""
        ...


def rectangles(
    row: Integers | int, row_end: Integers | int, column: Integers | int, column_end: Integers | int
) -> Integers:
    """Rectangles from their edges; each edge is a number or an array, all of one length."""
    edges = (row, row_end, column, column_end)
    rects = np.empty((np.broadcast(*edges, np.empty(1)).size, 4), np.int64)
    for index, edge in enumerate(edges):
        rects[:, index] = edge
    return rects


def areas(rects: Integers) -> Integers:
    """Elements in each rectangle."""
    return (rects[:, 1] - rects[:, 0]) * (rects[:, 3] - rects[:, 2])


def counting(counts: Integers) -> tuple[Integers, Integers]:
    """Index of the owner, and position inside it, for owners with `counts` entries each."""
    owner = np.repeat(np.arange(len(counts)), counts)
    return owner, np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts)


def round_up(value: int, multiple: int) -> int:
    """Smallest multiple that is not below the value."""
    return -(-value // multiple) * multiple


@dataclass(frozen=True, slots=True)
class RowMajor:
    """A matrix of `width` columns, row after row."""

    address: AddressMap
    base: int
    width: int
    element_bytes: int

    def runs(self, rects: Integers, blocks: Integers, write: bool) -> Records:
        """RUNs of the rectangles."""
        starts, sizes, owner = self.ranges(rects)
        return self.address.runs(starts, sizes, write, blocks[owner])

    def ranges(self, rects: Integers) -> Ranges:
        """Pieces of rectangles: one for whole rows, else one for each row."""
        whole = (rects[:, 3] - rects[:, 2]) == self.width
        height = rects[:, 1] - rects[:, 0]
        owner, line = counting(np.where(whole, 1, height))
        row, _, column, end = rects[owner].T
        starts = self.base + ((row + line) * self.width + column) * self.element_bytes
        lines = np.where(whole[owner], height[owner], 1)
        return starts, lines * (end - column) * self.element_bytes, owner


@dataclass(frozen=True, slots=True)
class Panels:
    """Activations [tokens, features] in panels of `panel` features, token after token inside a panel.

    A panel is as wide as an array is high, so that what one K block of a GEMM reads is contiguous.
    Panels start `stride` bytes apart.
    """

    address: AddressMap
    base: int
    features: int
    panel: int
    stride: int
    element_bytes: int

    def runs(self, rects: Integers, blocks: Integers, write: bool) -> Records:
        """RUNs of the rectangles."""
        starts, sizes, owner = self.ranges(rects)
        return self.address.runs(starts, sizes, write, blocks[owner])

    def ranges(self, rects: Integers) -> Ranges:
        """Pieces of rectangles: one for each panel that is crossed in full width, else one for each token."""
        first = rects[:, 2] // self.panel
        owner, step = counting(-(-rects[:, 3] // self.panel) - first)
        left = (first[owner] + step) * self.panel
        width = np.minimum(self.panel, self.features - left)
        start = np.maximum(rects[owner, 2], left)
        end = np.minimum(rects[owner, 3], left + width)
        base = self.base + left // self.panel * self.stride
        return self._lines(rects, owner, base, (start - left, end - left, width))

    def _lines(
        self, rects: Integers, owner: Integers, base: Integers, edges: tuple[Integers, Integers, Integers]
    ) -> Ranges:
        start, end, width = edges
        height = rects[owner, 1] - rects[owner, 0]
        whole = end - start == width
        piece, line = counting(np.where(whole, 1, height))
        token = rects[owner, 0][piece] + line
        starts = base[piece] + (token * width[piece] + start[piece]) * self.element_bytes
        sizes = np.where(whole, height, 1) * (end - start) * self.element_bytes
        return starts, sizes[piece], owner[piece]


def panels(address: AddressMap, base: int, shape: tuple[int, int], panel: int, element_bytes: int) -> Panels:
    """Panels for a [tokens, features] matrix at `base`, each starting in the first channel of a stripe."""
    tokens, features = shape
    stripe = dict(address.fields)["channel"] * address.burst_bytes
    stride = round_up(tokens * min(panel, features) * element_bytes, stripe)
    return Panels(address, base, features, panel, stride, element_bytes)


def panels_bytes(place: Panels) -> int:
    """Bytes from the first to the end of the last panel."""
    return -(-place.features // place.panel) * place.stride


@dataclass(frozen=True, slots=True)
class WeightBlocks:
    """Weights [inner, outputs] in blocks of one array, in the order in which a GEMM streams them.

    Blocks of `rows` x `columns` weights; `group` neighbouring blocks along the outputs, one for each
    array, form a strip; strips follow each other along `inner` and then along the outputs. Inside a
    block the weights of one output lie side by side. Nothing is padded. Rectangles must have their
    edges on the borders of blocks.
    """

    address: AddressMap
    base: int
    inner: int
    outputs: int
    rows: int
    columns: int
    group: int
    element_bytes: int

    @property
    def bytes(self) -> int:
        """Size of the whole matrix."""
        return self.inner * self.outputs * self.element_bytes

    def runs(self, rects: Integers, blocks: Integers, write: bool) -> Records:
        """RUNs of the rectangles, block by block."""
        starts, sizes, owner = self.ranges(rects)
        return self.address.runs(starts, sizes, write, blocks[owner])

    def ranges(self, rects: Integers) -> Ranges:
        """Pieces of rectangles: one for each block, inner blocks outside, output blocks inside."""
        high = -(-rects[:, 1] // self.rows) - rects[:, 0] // self.rows
        wide = -(-rects[:, 3] // self.columns) - rects[:, 2] // self.columns
        owner, index = counting(high * wide)
        down, right = np.divmod(index, wide[owner])
        k = (rects[owner, 0] // self.rows + down) * self.rows
        m = (rects[owner, 2] // self.columns + right) * self.columns
        height = np.minimum(self.rows, self.inner - k)
        width = np.minimum(self.columns, self.outputs - m)
        return self._offset(k, m, height), height * width * self.element_bytes, owner

    def output_ranges(self, outputs: Integers) -> Ranges:
        """Pieces that hold all weights of each of the outputs (a row of a tied embedding table)."""
        strips = -(-self.inner // self.rows)
        owner, strip = counting(np.full(len(outputs), strips))
        k = strip * self.rows
        height = np.minimum(self.rows, self.inner - k)
        m = outputs[owner] // self.columns * self.columns
        inside = (outputs[owner] - m) * height * self.element_bytes
        return self._offset(k, m, height) + inside, height * self.element_bytes, owner

    def _offset(self, k: Integers, m: Integers, height: Integers) -> Integers:
        """First byte of the blocks that start at (k, m)."""
        span = self.group * self.columns
        left = m // span * span
        width = np.minimum(span, self.outputs - left)
        return self.base + (left * self.inner + k * width + (m - left) * height) * self.element_bytes


@dataclass(frozen=True, slots=True)
class TableRows:
    """Rows of an embedding table that is stored as the weights of the LM head: row v is output v."""

    table: WeightBlocks

    def runs(self, rects: Integers, blocks: Integers, write: bool) -> Records:
        """RUNs of whole rows; each rectangle is one row."""
        starts, sizes, owner = self.table.output_ranges(rects[:, 0])
        return self.table.address.runs(starts, sizes, write, blocks[owner])


@dataclass(frozen=True, slots=True)
class Gathered:
    """Chosen rows of another place: row i is row `rows[i]` of it."""

    place: Place
    rows: Integers

    def runs(self, rects: Integers, blocks: Integers, write: bool) -> Records:
        """RUNs of the rectangles, row by row."""
        owner, step = counting(rects[:, 1] - rects[:, 0])
        row = self.rows[rects[owner, 0] + step]
        return self.place.runs(rectangles(row, row + 1, *rects[owner, 2:].T), blocks[owner], write)


@dataclass(frozen=True, slots=True)
class Columns:
    """Columns `first` and on of another place."""

    place: Place
    first: int

    def runs(self, rects: Integers, blocks: Integers, write: bool) -> Records:
        """RUNs of the rectangles."""
        return self.place.runs(rects + np.array([0, 0, self.first, self.first]), blocks, write)


@dataclass(frozen=True, slots=True)
class Divided:
    """A matrix whose first `border` columns are those of one place, and the others those of another."""

    left: Place
    right: Place
    border: int

    def runs(self, rects: Integers, blocks: Integers, write: bool) -> Records:
        """RUNs of the rectangles; those on both sides of the border are cut there."""
        left, right = rects.copy(), rects.copy()
        left[:, 3], right[:, 2] = np.minimum(rects[:, 3], self.border), np.maximum(rects[:, 2], self.border)
        sides = ((self.left, left), (self.right, right))
        inside = [(place, side, side[:, 2] < side[:, 3]) for place, side in sides]
        runs = np.concatenate([place.runs(side[there], blocks[there], write) for place, side, there in inside])
        return runs[np.argsort(runs["block"], kind="stable")]
