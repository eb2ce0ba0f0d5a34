"""How many rows the vectors, keys and values of a request take in the banks of its channel (spec 5.2)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class KvGeometry:
    """K and V of `heads` heads in the banks of one channel; a *tile row* is one row index in all banks.

    `group` query heads share a head of keys and values: query head h is member h % group of the group of K and V
    head h // group. PIM works for one member of all groups after the other, as if each were an attention of its own.

    Keys: bank b of tile t holds token banks * t + b; a row holds the keys of as many whole heads as fit.
    Values: bank b of tile t of a head holds feature banks * t + b; a row holds as many tokens as fit.
    Vectors: q and the scores of a query head lie in rows of single banks, from which PIM_GWRITE reads them. A row of
    q holds one member of each group whose keys share a row.
    """

    heads: int
    head_dim: int
    element_bytes: int
    row_bytes: int
    burst_bytes: int
    banks: int
    group: int = 1

    @property
    def query_heads(self) -> int:
        """Heads of q, each with scores and an output of its own."""
        return self.heads * self.group

    @property
    def query_vectors(self) -> int:
        """Rows of single banks that q takes."""
        return self.group * self.key_chunks

    @property
    def row_elements(self) -> int:
        """Numbers in one row, which are the tokens of a value row."""
        return self.row_bytes // self.element_bytes

    @property
    def heads_per_row(self) -> int:
        """Heads whose keys share a row."""
        return min(self.row_elements // self.head_dim, self.heads)

    @property
    def key_chunks(self) -> int:
        """Rows that the keys of one token take."""
        return -(-self.heads // self.heads_per_row)

    @property
    def chunk_elements(self) -> int:
        """Numbers of the key (and of q) in one row; less in the last one."""
        return self.heads_per_row * self.head_dim

    @property
    def value_tiles(self) -> int:
        """Tile rows over which the features of one head are spread."""
        return -(-self.head_dim // self.banks)

    def key_tiles(self, lengths: Integers) -> Integers:
        """Tile rows of one chunk of keys."""
        return -(-lengths // self.banks)

    def value_chunks(self, lengths: Integers) -> Integers:
        """Value rows that hold one feature of all tokens."""
        return -(-lengths // self.row_elements)

    def key_rows(self, lengths: Integers) -> Integers:
        """Tile rows of the keys of one layer."""
        return self.key_tiles(lengths) * self.key_chunks

    def value_rows(self, lengths: Integers) -> Integers:
        """Tile rows of the values of one layer."""
        return self.heads * self.value_tiles * self.value_chunks(lengths)

    def rows(self, lengths: Integers) -> Integers:
        """Tile rows of keys and values of one layer."""
        return self.key_rows(lengths) + self.value_rows(lengths)

    def vectors(self, lengths: Integers) -> Integers:
        """Rows of single banks for q and for the scores of all query heads."""
        return self.query_vectors + self.query_heads * self.value_chunks(lengths)
