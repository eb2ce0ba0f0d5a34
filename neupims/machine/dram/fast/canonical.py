"""The state of a channel without what cannot matter: two channels whose canonical states agree behave alike.

Times that have passed count as the present, rings begin at their heads, and what is only remembered to save work
(wake-up cycles, cached places) or counted is left out. PIM work is not covered: a channel that has any has none.
"""

from neupims.jit import Array, Ints, Narrow, compiled, pointer
from neupims.machine.dram.fast import layout as at
from neupims.machine.dram.fast.lines import following, ring, transaction_at


@compiled
def has_pim_work(x: Array) -> bool:
    """Whether a channel has PIM instructions, transactions or commands, or is in the middle of one."""
    queued = x[at.S_PROG_N] - x[at.S_PROG_HEAD] + x[at.S_PIM_WAITING] + x[at.S_COMMANDS]
    return queued + x[at.S_GWRITING] + x[at.S_TILE_OPEN] + x[at.S_PIM_MODE] + x[at.S_PROG_SUB] != 0


@compiled
def write_canonical(constants: Array, channel: Array, npu: Narrow, side: Narrow, out: Array) -> int:
    """Write the canonical state of a channel without PIM work to `out`; returns its length.

    `npu` and `side` [place, field] are the queues of its two ports.
    """
    k, x, to = pointer(constants), pointer(channel), pointer(out)
    end = _scalars(x, to)
    end = _gates(k, x, to, end)
    end = _rows(k, x, to, end)
    end = _bank_queues(k, x, to, end)
    end = _transactions(k, x, to, end)
    end = _answers(k, x, to, end)
    end = _link(k, x, to, end)
    end = _runs(npu, x[at.S_RUN_HEAD0], x[at.S_RUN_N0], x[at.S_RUN_DONE0], to, end)
    return _runs(side, x[at.S_RUN_HEAD1], x[at.S_RUN_N1], x[at.S_RUN_DONE1], to, end)


@compiled
def _scalars(x: Ints, out: Ints) -> int:
    end = 0
    for place in (
        at.S_POINTER,
        at.S_DRAINING,
        at.S_LOCK_BANK,
        at.S_LOCK_ADDRESS,
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
def _rows(k: Ints, x: Ints, out: Ints, end: int) -> int:
    for bank in range(k[at.P_BANKS]):
        out[end] = x[k[at.O_MEMORY_ROW] + bank]
        out[end + 1] = x[k[at.O_PIM_ROW] + bank]
        out[end + 2] = min(x[k[at.O_HITS] + bank], k[at.P_ROW_HITS])
        end += 3
    return end


@compiled
def _bank_queues(k: Ints, x: Ints, out: Ints, end: int) -> int:
    size = k[at.P_BANK_QUEUE]
    for bank in range(k[at.P_BANKS]):
        n, head = x[k[at.O_QUEUE_N] + bank], x[k[at.O_QUEUE_HEAD] + bank]
        out[end] = n
        end += 1
        for i in range(n):
            place = bank * size + ring(head + i, size)
            out[end], out[end + 1] = x[k[at.O_QUEUE] + place], x[k[at.O_QUEUE_BLOCK] + place]
            end += 2
    return end


@compiled
def _transactions(k: Ints, x: Ints, out: Ints, end: int) -> int:
    out[end], out[end + 1], out[end + 2] = x[at.S_READS], x[at.S_WRITES], x[at.S_MERGED]
    end += 3
    for line in (at.READ_LINE, at.WRITE_LINE):
        place = x[at.S_READ_HEAD + line]
        for _ in range(x[at.S_READS + line]):
            t = transaction_at(k, line, place)
            out[end], out[end + 1] = x[t + at.T_BANK], x[t + at.T_ADDRESS]
            out[end + 2], out[end + 3] = x[t + at.T_FEEDS], x[t + at.T_BLOCK]
            end += 4
            place = following(k, x, line, place)
    for place in range(k[at.O_MERGED], k[at.O_MERGED] + x[at.S_MERGED] * at.MERGED):
        out[end] = x[place]
        end += 1
    return end


@compiled
def _answers(k: Ints, x: Ints, out: Ints, end: int) -> int:
    out[end], out[end + 1], out[end + 2] = x[at.S_RET], x[at.S_ACK], x[at.S_BACKLOG]
    end += 3
    for i in range(x[at.S_RET]):
        place = ring(x[at.S_RET_HEAD] + i, k[at.P_RETURNS])
        out[end] = x[k[at.O_RETURNS] + place]
        out[end + 1] = x[k[at.O_RETURN_BLOCK] + place] if k[at.P_RESPONSES] else 0
        end += 2
    for i in range(x[at.S_ACK]):
        place = ring(x[at.S_ACK_HEAD] + i, k[at.P_ACKS])
        out[end] = x[k[at.O_ACKS] + place]
        out[end + 1] = x[k[at.O_ACK_BLOCK] + place] if k[at.P_RESPONSES] else 0
        end += 2
    for i in range(x[at.S_BACKLOG]):
        out[end] = x[k[at.O_BACKLOG] + ring(x[at.S_BACKLOG_HEAD] + i, k[at.P_BACKLOG])]
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
def _runs(queue: Narrow, head: int, last: int, done: int, out: Ints, end: int) -> int:
    """What waits at a port, without the tickets: with no PIM work about, they compare with none."""
    out[end], out[end + 1] = last - head, done
    end += 2
    for place in range(head, last):
        for field in range(at.R_TICKET):
            out[end + field] = int(queue[place, field])
        end += at.R_TICKET
    return end
