"""Other names in the state of a channel without PIM work: rows, columns and blocks become those of another channel."""

from neupims.jit import Array, Ints, Narrow, compiled, inlined, pointer
from neupims.machine.dram.fast import layout as at
from neupims.machine.dram.fast.duplicates import filtered, wanted
from neupims.machine.dram.fast.lines import following, ring, transaction_at
from neupims.machine.dram.fast.names import first_column, known_block, known_row

Lists = tuple[Array, Narrow, Narrow]
"""Rows, first columns and blocks, by number."""


@compiled
def rename(constants: Array, channel: Array, npu: Narrow, side: Narrow, names: Array, to: Lists) -> None:
    """What `names` number in a channel gets the names `to`; others stay. As in `write_runs`."""
    k, x, m = pointer(constants), pointer(channel), pointer(names)
    _rename_rows(k, x, m, to)
    _rename_bank_queues(k, x, m, to)
    _rename_transactions(k, x, m, to)
    _rename_answers(k, x, m, to)
    _rename_runs(npu, x[at.S_RUN_HEAD0], x[at.S_RUN_N0], m, to)
    _rename_runs(side, x[at.S_RUN_HEAD1], x[at.S_RUN_N1], m, to)


@inlined
def _row(m: Ints, to: Lists, bank: int, row: int) -> int:
    number = known_row(m, bank, row)
    return row if number == at.NONE else int(to[0][number])


@inlined
def _address(m: Ints, to: Lists, bank: int, address: int) -> int:
    number = known_row(m, bank, address >> 16)
    if number == at.NONE:
        return address
    column = (address & 0xFFFF) - first_column(m, number) + int(to[1][number])
    return int(to[0][number]) << 16 | column


@inlined
def _block(m: Ints, to: Lists, block: int) -> int:
    number = known_block(m, block)
    return block if number == at.NONE else int(to[2][number])


@compiled
def _rename_rows(k: Ints, x: Ints, m: Ints, to: Lists) -> None:
    single = k[at.O_PIM_ROW] == k[at.O_MEMORY_ROW]
    for bank in range(k[at.P_BANKS]):
        before = x[k[at.O_MEMORY_ROW] + bank]
        if before != at.CLOSED:
            row = _row(m, to, bank, before)
            x[k[at.O_MEMORY_ROW] + bank] = row
            x[k[at.O_OPEN_ROWS] + (before & (at.OPEN_ROWS - 1))] -= 1
            x[k[at.O_OPEN_ROWS] + (row & (at.OPEN_ROWS - 1))] += 1
        if not single and x[k[at.O_PIM_ROW] + bank] != at.CLOSED:
            x[k[at.O_PIM_ROW] + bank] = _row(m, to, bank, x[k[at.O_PIM_ROW] + bank])
        x[k[at.O_WITHOUT] + bank] = at.CLOSED


@compiled
def _rename_bank_queues(k: Ints, x: Ints, m: Ints, to: Lists) -> None:
    size = k[at.P_BANK_QUEUE]
    for bank in range(k[at.P_BANKS]):
        for i in range(x[k[at.O_QUEUE_N] + bank]):
            place = bank * size + ring(x[k[at.O_QUEUE_HEAD] + bank] + i, size)
            value = x[k[at.O_QUEUE] + place]
            address = _address(m, to, bank, value >> 2)
            x[wanted(k, bank, value >> 18)] -= 1
            x[wanted(k, bank, address >> 16)] += 1
            _count_anew(k, x, bank, value >> 2, address, value & (value >> 1) & 1)
            x[k[at.O_QUEUE] + place] = address << 2 | value & 3
            x[k[at.O_QUEUE_BLOCK] + place] = _block(m, to, x[k[at.O_QUEUE_BLOCK] + place])


@inlined
def _count_anew(k: Ints, x: Ints, bank: int, before: int, address: int, feeds: int) -> None:
    """An access that waits has another address."""
    x[filtered(k, bank, before)] -= 1
    x[filtered(k, bank, address)] += 1
    x[k[at.O_FED_ROWS] + (before >> 16 & (at.FED_ROWS - 1))] -= feeds
    x[k[at.O_FED_ROWS] + (address >> 16 & (at.FED_ROWS - 1))] += feeds


@compiled
def _rename_transactions(k: Ints, x: Ints, m: Ints, to: Lists) -> None:
    for line in (at.READ_LINE, at.WRITE_LINE):
        place = x[at.S_READ_HEAD + line]
        for _ in range(x[at.S_READS + line]):
            t = transaction_at(k, line, place)
            bank, before = x[t + at.T_BANK], x[t + at.T_ADDRESS]
            address = _address(m, to, bank, before)
            _count_anew(k, x, bank, before, address, x[t + at.T_FEEDS])
            x[t + at.T_ADDRESS], x[t + at.T_BLOCK] = address, _block(m, to, x[t + at.T_BLOCK])
            place = following(k, x, line, place)
    for i in range(x[at.S_MERGED]):
        read = k[at.O_MERGED] + i * at.MERGED
        x[read + at.M_ADDRESS] = _address(m, to, x[read + at.M_BANK], x[read + at.M_ADDRESS])
        x[read + at.M_BLOCK] = _block(m, to, x[read + at.M_BLOCK])
    if x[at.S_LOCK_BANK] >= 0:
        x[at.S_LOCK_ADDRESS] = _address(m, to, x[at.S_LOCK_BANK], x[at.S_LOCK_ADDRESS])


@compiled
def _rename_answers(k: Ints, x: Ints, m: Ints, to: Lists) -> None:
    if k[at.P_RESPONSES] == 0:
        return
    for i in range(x[at.S_RET]):
        place = k[at.O_RETURN_BLOCK] + ring(x[at.S_RET_HEAD] + i, k[at.P_RETURNS])
        x[place] = _block(m, to, x[place])
    for i in range(x[at.S_ACK]):
        place = k[at.O_ACK_BLOCK] + ring(x[at.S_ACK_HEAD] + i, k[at.P_ACKS])
        x[place] = _block(m, to, x[place])
    for i in range(x[at.S_BACKLOG]):
        place = k[at.O_BACKLOG] + ring(x[at.S_BACKLOG_HEAD] + i, k[at.P_BACKLOG])
        x[place] = _block(m, to, x[place])


@compiled
def _rename_runs(queue: Narrow, head: int, last: int, m: Ints, to: Lists) -> None:
    for place in range(head, last):
        run = queue[place]
        address = _address(m, to, int(run[at.R_BANK]), int(run[at.R_ROW]) << 16 | int(run[at.R_COLUMN]))
        run[at.R_ROW], run[at.R_COLUMN] = address >> 16, address & 0xFFFF
        run[at.R_BLOCK] = _block(m, to, int(run[at.R_BLOCK]))
