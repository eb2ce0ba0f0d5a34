"""The state of a channel without what cannot matter: two channels whose canonical states agree behave alike.

Times that have passed count as the present, rings begin at their heads, rows, columns and blocks are numbered
(`names`), and what is only remembered to save work (wake-up cycles, cached places) or counted is left out. PIM work is
not covered: a channel that has any has no canonical state.
"""

from neupims.jit import Array, Ints, Narrow, compiled, inlined, pointer
from neupims.machine.dram.fast import layout as at
from neupims.machine.dram.fast.lines import following, ring, transaction_at
from neupims.machine.dram.fast.names import address_number, begin, block_number, row_number

RUN_PARTS = 2
"""Numbers of a run in a canonical state."""


@compiled
def has_pim_work(x: Array) -> bool:
    """Whether a channel has PIM instructions, transactions or commands, or is in the middle of one.

    As published, a tile's row stays reserved in all banks when the tile has ended; which row that is does matter.
    """
    queued = x[at.S_PROG_N] - x[at.S_PROG_HEAD] + x[at.S_PIM_WAITING] + x[at.S_COMMANDS]
    under_way = x[at.S_GWRITING] + x[at.S_TILE_OPEN] + x[at.S_PIM_MODE] + x[at.S_PROG_SUB]
    return queued + under_way != 0 or x[at.S_RESERVED] != at.CLOSED


@compiled
def write_sign(constants: Array, channel: Array, out: Array) -> int:
    """Write what is likely to differ if anything in a canonical state does; returns its length."""
    k, x, to = pointer(constants), pointer(channel), pointer(out)
    to[0], to[1], to[2] = x[at.S_POINTER], x[at.S_READS], x[at.S_WRITES]
    to[3], to[4] = x[at.S_RUN_N0] - x[at.S_RUN_HEAD0], x[at.S_RUN_N1] - x[at.S_RUN_HEAD1]
    end = 5
    for bank in range(k[at.P_BANKS]):
        to[end] = x[k[at.O_QUEUE_N] + bank] << 1 | int(x[k[at.O_MEMORY_ROW] + bank] != at.CLOSED)
        end += 1
    return end


@compiled
def write_state(constants: Array, channel: Array, names: Array, out: Array) -> int:
    """Write the canonical state of a channel without PIM work to `out`; returns its length.

    What waits at its ports is left to `write_runs`; `names` is a table of names, which are numbered.
    """
    k, x, m, to = pointer(constants), pointer(channel), pointer(names), pointer(out)
    begin(m)
    end = _scalars(x, to)
    end = _gates(k, x, to, end)
    end = _rows(k, x, m, to, end)
    end = _bank_queues(k, x, m, to, end)
    end = _transactions(k, x, m, to, end)
    end = _answers(k, x, m, to, end)
    return _link(k, x, to, end)


@compiled
def write_runs(channel: Array, npu: Narrow, side: Narrow, names: Array, out: Array, compare: bool) -> bool:
    """Write what waits at the ports of a channel to `out`, or say whether it is the same; goes on with `names`.

    `npu` and `side` [place, field] are the queues of its two ports. The tickets are left out: with no PIM work about,
    they compare with none.
    """
    x, m, to = pointer(channel), pointer(names), pointer(out)
    middle = _runs(npu, x[at.S_RUN_HEAD0], x[at.S_RUN_N0], x[at.S_RUN_DONE0], m, to, 0, compare)
    if middle == at.NONE:
        return False
    return _runs(side, x[at.S_RUN_HEAD1], x[at.S_RUN_N1], x[at.S_RUN_DONE1], m, to, middle, compare) != at.NONE


@compiled
def _scalars(x: Ints, out: Ints) -> int:
    end = 0
    for place in (
        at.S_POINTER,
        at.S_DRAINING,
        at.S_LOCK_BANK,
        at.S_READS_OUT,
        at.S_REFRESHES,
        at.S_REFRESH_RANK,
        at.S_CATCHING_UP,
        at.S_IN_REFRESH,
        at.S_SKIP_PIM,
        at.S_SLACK,
        at.S_RESERVED,
        at.S_NEXT_TICK,
    ):
        out[end] = x[place]
        end += 1
    return end


@compiled
def _gates(k: Ints, x: Ints, out: Ints, end: int) -> int:
    cycle = x[at.S_CYCLE]
    for place in range(at.CHANNEL_GATE, at.CHANNEL_GATE + at.KINDS):
        out[end] = max(x[place], cycle)
        end += 1
    for place in range(k[at.O_RANK_GATE], k[at.O_ACTS]):  # of ranks, groups and banks
        out[end] = max(x[place], cycle)
        end += 1
    for command in range(at.KINDS):
        over = x[at.DARK_TO + command] < cycle
        out[end] = 1 if over else max(x[at.DARK_FROM + command], cycle)
        out[end + 1] = 0 if over else x[at.DARK_TO + command]
        end += 2
    oldest = cycle - k[at.P_FAW]
    for rank in range(k[at.P_RANKS]):
        n = x[k[at.O_ACTS_N] + rank]
        for i in range(4):
            known = n + i >= 4
            out[end] = max(x[k[at.O_ACTS] + rank * 4 + ((n + i) & 3)], oldest) if known else oldest
            end += 1
    return end


@compiled
def _rows(k: Ints, x: Ints, m: Ints, out: Ints, end: int) -> int:
    for bank in range(k[at.P_BANKS]):
        out[end] = row_number(m, bank, x[k[at.O_MEMORY_ROW] + bank])
        out[end + 1] = row_number(m, bank, x[k[at.O_PIM_ROW] + bank])
        out[end + 2] = min(x[k[at.O_HITS] + bank], k[at.P_ROW_HITS])
        end += 3
    return end


@compiled
def _bank_queues(k: Ints, x: Ints, m: Ints, out: Ints, end: int) -> int:
    size = k[at.P_BANK_QUEUE]
    for bank in range(k[at.P_BANKS]):
        n, head = x[k[at.O_QUEUE_N] + bank], x[k[at.O_QUEUE_HEAD] + bank]
        out[end] = n
        end += 1
        for i in range(n):
            place = bank * size + ring(head + i, size)
            value, block = x[k[at.O_QUEUE] + place], x[k[at.O_QUEUE_BLOCK] + place]
            out[end] = address_number(m, bank, value >> 2) << 2 | value & 3
            out[end + 1] = at.NONE if value & 1 else block_number(m, block, 1)
            end += 2
    return end


@compiled
def _transactions(k: Ints, x: Ints, m: Ints, out: Ints, end: int) -> int:
    """Of a write, which was answered when it came, the block is not to be told any more."""
    out[end], out[end + 1], out[end + 2] = x[at.S_READS], x[at.S_WRITES], x[at.S_MERGED]
    end += 3
    for line in (at.READ_LINE, at.WRITE_LINE):
        place = x[at.S_READ_HEAD + line]
        for _ in range(x[at.S_READS + line]):
            t = transaction_at(k, line, place)
            bank = x[t + at.T_BANK]
            out[end], out[end + 1] = bank, address_number(m, bank, x[t + at.T_ADDRESS])
            out[end + 2] = x[t + at.T_FEEDS]
            out[end + 3] = block_number(m, x[t + at.T_BLOCK], 1) if line == at.READ_LINE else at.NONE
            end += 4
            place = following(k, x, line, place)
    lock = x[at.S_LOCK_BANK]
    out[end] = address_number(m, lock, x[at.S_LOCK_ADDRESS]) if lock >= 0 else at.NONE
    end += 1
    for i in range(x[at.S_MERGED]):
        read = k[at.O_MERGED] + i * at.MERGED
        bank = x[read + at.M_BANK]
        out[end], out[end + 1] = bank, address_number(m, bank, x[read + at.M_ADDRESS])
        out[end + 2] = block_number(m, x[read + at.M_BLOCK], 1)
        end += 3
    return end


@compiled
def _answers(k: Ints, x: Ints, m: Ints, out: Ints, end: int) -> int:
    out[end], out[end + 1], out[end + 2] = x[at.S_RET], x[at.S_ACK], x[at.S_BACKLOG]
    end += 3
    for i in range(x[at.S_RET]):
        place = ring(x[at.S_RET_HEAD] + i, k[at.P_RETURNS])
        out[end] = x[k[at.O_RETURNS] + place]
        out[end + 1] = block_number(m, x[k[at.O_RETURN_BLOCK] + place], 1) if k[at.P_RESPONSES] else at.NONE
        end += 2
    for i in range(x[at.S_ACK]):
        place = ring(x[at.S_ACK_HEAD] + i, k[at.P_ACKS])
        out[end] = x[k[at.O_ACKS] + place]
        out[end + 1] = block_number(m, x[k[at.O_ACK_BLOCK] + place], 1) if k[at.P_RESPONSES] else at.NONE
        end += 2
    for i in range(x[at.S_BACKLOG]):
        place = k[at.O_BACKLOG] + ring(x[at.S_BACKLOG_HEAD] + i, k[at.P_BACKLOG])
        out[end] = block_number(m, x[place], 1)
        end += 1
    return end


@compiled
def _link(k: Ints, x: Ints, out: Ints, end: int) -> int:
    """What is on its way in the shared link; where each program has its own path, there is none."""
    if k[at.P_IN_LINE] == 0:
        return end
    for place in (at.S_UNSENT0, at.S_UNSENT1, at.S_CAME0, at.S_CAME1, at.S_SPAN_HALF, at.S_SPANS):
        out[end] = x[place]
        end += 1
    for i in range(x[at.S_SPANS]):
        place = k[at.O_SPANS] + 2 * ((x[at.S_SPAN_HEAD] + i) % at.SPANS)
        out[end], out[end + 1] = x[place], x[place + 1]
        end += 2
    return end


@compiled
def _runs(queue: Narrow, head: int, last: int, done: int, m: Ints, out: Ints, end: int, compare: bool) -> int:
    """Returns where the next is to be written, or NONE where what is there differs."""
    if not _tell(out, end, last - head, done, compare):
        return at.NONE
    end += RUN_PARTS
    for place in range(head, last):
        run = queue[place]
        bank, what = int(run[at.R_BANK]), int(run[at.R_WHAT])
        address = address_number(m, bank, int(run[at.R_ROW]) << 16 | int(run[at.R_COLUMN]))
        block = block_number(m, int(run[at.R_BLOCK]), (what >> 2) - (done if place == head else 0))
        if not _tell(out, end, address << 16 | bank, what << 32 | block + 1, compare):
            return at.NONE
        end += RUN_PARTS
    return end


@inlined
def _tell(out: Ints, end: int, first: int, second: int, compare: bool) -> bool:
    """Write two numbers, or compare them with what is there."""
    if compare:
        return out[end] == first and out[end + 1] == second
    out[end], out[end + 1] = first, second
    return True
