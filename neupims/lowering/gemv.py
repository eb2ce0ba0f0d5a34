"""PIM programs of decode attention: GWRITEs and GEMV tiles with the counts of spec section 5.3.

All requests of a sub-batch are built at once; an entry of a program is a row of INSTRUCTION.
"""

from dataclasses import dataclass

import numpy as np

from neupims.isa.memory import GWRITE, INSTRUCTION, TILE
from neupims.isa.work import Records
from neupims.lowering.geometry import Integers, KvGeometry
from neupims.lowering.kv import KvRows
from neupims.lowering.places import counting


@dataclass(frozen=True, slots=True)
class Programs:
    """Instructions of several requests one after the other; request i has `counts[i]` of them."""

    instructions: Records
    counts: Integers

    def split(self) -> list[Records]:
        """Instructions of each request."""
        return np.split(self.instructions, np.cumsum(self.counts)[:-1])


def logit_programs(kv: KvRows, layer: int, requests: Integers, macs_per_bank: int) -> Programs:
    """K^T q: for each member of the groups and chunk of heads one GWRITE of q, then a tile for each `banks` tokens.

    A tile has a result group for each head of its chunk, which reports to the member of that head: result block
    member * heads + head.
    """
    geometry = kv.geometry
    tiles = geometry.key_tiles(kv.lengths[requests])
    counts = geometry.query_vectors * (1 + tiles)
    owner, position = counting(counts)
    vector, entry = np.divmod(position, 1 + tiles[owner])
    member, chunk = np.divmod(vector, geometry.key_chunks)
    first_head = chunk * geometry.heads_per_row
    bank, vector_row = kv.query(requests[owner], vector)
    fields = {
        "row": np.where(entry == 0, vector_row, kv.key_row(requests[owner], layer, entry - 1, chunk)),
        "groups": np.minimum(geometry.heads_per_row, geometry.heads - first_head),
        "macs": np.full(len(owner), -(-geometry.head_dim // macs_per_bank)),
        "block": member * geometry.heads + first_head,
    }
    return Programs(_instructions(kv.channels[requests][owner], bank, entry == 0, fields), counts)


def attend_programs(kv: KvRows, layer: int, requests: Integers, macs_per_bank: int, by_head: bool = False) -> Programs:
    """S V: for each query head and chunk of tokens one GWRITE of scores, then a tile for each `banks` features.

    The first GWRITE waits for block 0, the scores, or with `by_head` that of each query head for its own; every tile
    reports to its query head, numbered as in the logits.
    """
    geometry = kv.geometry
    lengths = kv.lengths[requests]
    chunks = geometry.value_chunks(lengths)
    counts = geometry.query_heads * chunks * (1 + geometry.value_tiles)
    owner, position = counting(counts)
    vector, entry = np.divmod(position, 1 + geometry.value_tiles)
    result, chunk = np.divmod(vector, chunks[owner])
    head = result % geometry.heads
    tokens = np.minimum(geometry.row_elements, lengths[owner] - chunk * geometry.row_elements)
    bank, vector_row = kv.scores(requests[owner], result, chunk)
    fields = {
        "row": np.where(entry == 0, vector_row, kv.value_row(requests[owner], layer, head, entry - 1, chunk)),
        "groups": np.ones(len(owner), np.int64),
        "macs": -(-tokens // macs_per_bank),
        "block": result,
    }
    programs = Programs(_instructions(kv.channels[requests][owner], bank, entry == 0, fields), counts)
    begins = (entry == 0) & (chunk == 0) & ((result == 0) | by_head)
    programs.instructions["gate"][begins] = result[begins]
    return programs


def _instructions(channel: Integers, bank: Integers, gwrite: Records, fields: dict[str, Integers]) -> Records:
    """GWRITEs where `gwrite`, else tiles; what the other kind does not use is zero."""
    made = np.zeros(len(channel), INSTRUCTION)
    made["channel"], made["gate"] = channel, -1
    made["kind"] = np.where(gwrite, GWRITE, TILE)
    made["bank"] = np.where(gwrite, bank, 0)
    made["row"] = fields["row"]
    made["groups"] = np.where(gwrite, 0, fields["groups"])
    made["macs"] = np.where(gwrite, 0, fields["macs"])
    made["block"] = np.where(gwrite, -1, fields["block"])
    return made


def without_vector_rows(instructions: Records) -> Records:
    """The same program with bank 0, row 0 as the source of every GWRITE (published simulator)."""
    source = instructions.copy()
    gwrite = source["kind"] == GWRITE
    source["bank"][gwrite], source["row"][gwrite] = 0, 0
    return source


def score_runs(kv: KvRows, requests: Integers) -> tuple[Integers, ...]:
    """(request, head, channel, bank, row, bursts) of the rows that hold the scores, request after request."""
    geometry = kv.geometry
    lengths = kv.lengths[requests]
    chunks = geometry.value_chunks(lengths)
    owner, position = counting(geometry.query_heads * chunks)
    result, chunk = np.divmod(position, chunks[owner])
    bank, row = kv.scores(requests[owner], result, chunk)
    size = score_bytes(geometry, lengths[owner], chunk)
    return owner, result, kv.channels[requests][owner], bank, row, -(-size // geometry.burst_bytes)


def score_bytes(geometry: KvGeometry, lengths: Integers, chunk: Integers) -> Integers:
    """Bytes of the scores of one head that lie in a chunk."""
    return np.minimum(geometry.row_elements, lengths - chunk * geometry.row_elements) * geometry.element_bytes
