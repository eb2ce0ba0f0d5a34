"""The state of a channel relative to its time and to its next request: does it ever come again?

What behaves alike has equal relative states, but for the time until the next refresh, which is not in them. Wake-up
cycles, cached places and counts are left out, as in `canonical`.
"""

from collections.abc import Iterator

import numpy as np

from neupims.jit import Array, Narrow
from neupims.machine.dram.fast import layout as at

NO_ROW = -(1 << 40)
CONTROL = (
    *(at.S_POINTER, at.S_READS, at.S_WRITES, at.S_DRAINING, at.S_LOCK_BANK, at.S_REFRESHES, at.S_REFRESH_RANK),
    *(
        at.S_CATCHING_UP,
        at.S_IN_REFRESH,
        at.S_SKIP_PIM,
        at.S_GWRITING,
        at.S_PIM_MODE,
        at.S_TILE_OPEN,
        at.S_PIM_WAITING,
        at.S_COMMANDS,
    ),
    *(at.S_RUN_DONE0, at.S_PROG_SUB),
)


def relative_state(k: Array, x: Array, npu: Narrow, program: Narrow) -> bytes:
    """That of a channel whose `npu` runs [place, field] only read, and whose `program` waits for nothing."""
    run, instruction = npu[x[at.S_RUN_HEAD0]], program[x[at.S_PROG_HEAD]]
    read_row, pim_row = int(run[at.R_ROW]), int(instruction[at.I_ROW])
    heads = np.array([run[at.R_BANK], instruction[at.I_KIND], instruction[at.I_GROUPS]], np.int64)
    parts = [heads, x[list(CONTROL)], *_times(k, x), *_rows(k, x, read_row, pim_row), *_reads(k, x, read_row)]
    return np.concatenate([*parts, *_pim_queues(k, x, pim_row)]).tobytes()


def _times(k: Array, x: Array) -> Iterator[Array]:
    """Cycles until each gate opens, and since the last activations."""
    cycle, banks = x[at.S_CYCLE], k[at.P_BANKS]
    yield np.maximum(x[at.CHANNEL_GATE : at.DARK_FROM] - cycle, 0)
    yield np.maximum(x[k[at.O_RANK_GATE] : k[at.O_BANK_GATE] + banks * at.KINDS] - cycle, 0)
    over = x[at.DARK_TO : at.COUNTS] < cycle
    yield np.where(over, -1, np.maximum(x[at.DARK_FROM : at.DARK_TO] - cycle, 0))
    yield np.where(over, -1, x[at.DARK_TO : at.COUNTS] - cycle)
    acts, counts = x[k[at.O_ACTS] :][: 4 * k[at.P_RANKS]].reshape(-1, 4), x[k[at.O_ACTS_N] :][: k[at.P_RANKS]]
    for row, count in zip(acts, counts.tolist(), strict=True):
        yield np.maximum(np.roll(row, -(count % 4)) - cycle, -k[at.P_FAW])


def _rows(k: Array, x: Array, read_row: int, pim_row: int) -> Iterator[Array]:
    """Open rows, from those of the next requests on; row hits."""
    for place, base in ((at.O_MEMORY_ROW, read_row), (at.O_PIM_ROW, pim_row)):
        rows = x[k[place] :][: k[at.P_BANKS]]
        yield np.where(rows == at.CLOSED, NO_ROW, rows - base)
    yield np.minimum(x[k[at.O_HITS] :][: k[at.P_BANKS]], k[at.P_ROW_HITS])
    yield np.array([NO_ROW if x[at.S_RESERVED] == at.CLOSED else x[at.S_RESERVED] - pim_row])


def _reads(k: Array, x: Array, read_row: int) -> Iterator[Array]:
    """What the queues of banks and of reads hold."""
    size = k[at.P_BANK_QUEUE]
    for bank in range(k[at.P_BANKS]):
        places = (x[k[at.O_QUEUE_HEAD] + bank] + np.arange(int(x[k[at.O_QUEUE_N] + bank]))) % size
        yield np.append(x[k[at.O_QUEUE] + bank * size + places] - (read_row << 18), len(places))
    slots = k[at.O_READS] + _taken(x, int(k[at.O_READS_TAKEN]), int(k[at.P_READ_WORDS])) * at.FIELDS
    yield x[slots + at.T_BANK]
    yield x[slots + at.T_ADDRESS] - (read_row << 16)


def _taken(x: Array, bits_at: int, words: int) -> Array:
    """Places of the reads, in order."""
    bits: Array = x[bits_at : bits_at + words, np.newaxis] >> np.arange(at.LINE_WORD) & 1
    places: Array = np.flatnonzero(bits)
    return np.roll(places, -int(np.searchsorted(places, int(x[at.S_READ_HEAD]))))


def _pim_queues(k: Array, x: Array, pim_row: int) -> Iterator[Array]:
    """Transactions and commands of PIM."""
    for place, head, count, size in (
        (at.O_WAITING, at.S_PIM_HEAD, at.S_PIM_WAITING, at.P_PIM_QUEUE),
        (at.O_COMMANDS, at.S_COMMAND_HEAD, at.S_COMMANDS, at.P_PIM_COMMANDS),
    ):
        slots = k[place] + (x[head] + np.arange(int(x[count]))) % max(k[size], 1) * at.FIELDS
        rows = x[slots + at.T_ROW]
        yield np.where(rows < 0, NO_ROW, rows - pim_row)
        for field in (at.T_COMMAND, at.T_BANK, at.T_MACS, at.T_GROUPS, at.T_LAST):
            yield x[slots + field]
