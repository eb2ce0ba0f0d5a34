"""Requests enter, transactions move to command queues; see `machine.dram.interpreter`."""

from neupims.machine.dram.fast.gates import complete
from neupims.machine.dram.fast.jit import compiled
from neupims.machine.dram.fast.layout import (
    DIRTY,
    I_BANK,
    I_BLOCK,
    I_GATE,
    I_GROUPS,
    I_KIND,
    I_MACS,
    I_ROW,
    P_ACCEPTS,
    P_BANK_QUEUE,
    P_BANKS,
    P_BLOCKED,
    P_COMPOSITE,
    P_DRAIN_ABOVE,
    P_DUAL,
    P_ORDERED,
    P_OUTSTANDING,
    P_PIM_COMMANDS,
    P_PIM_QUEUE,
    P_RATE_DEN,
    P_RATE_NUM,
    P_READ_QUEUE,
    P_TRACK_RETURNS,
    P_WRITE_BUFFER,
    PIM_GEMV,
    PIM_GWRITE,
    PIM_HEADER,
    PIM_MAC,
    PIM_READ,
    R_BANK,
    R_BLOCK,
    R_BURSTS,
    R_COLUMN,
    R_FEEDS,
    R_ROW,
    R_WRITE,
    RD,
    S_ACK,
    S_ACK_HEAD,
    S_ACTIVE,
    S_COMMAND_HEAD,
    S_COMMANDS,
    S_CYCLE,
    S_DRAINING,
    S_FEEDS,
    S_LOCK_ADDRESS,
    S_LOCK_BANK,
    S_MEMORY_WAKE,
    S_PIM_HEAD,
    S_PIM_WAITING,
    S_PIM_WAKE,
    S_PROG_SUB,
    S_QUEUED,
    S_READS,
    S_READS_OUT,
    S_RET,
    S_WRITES,
    T_ADDRESS,
    T_BANK,
    T_BLOCK,
    T_COMMAND,
    T_FEEDS,
    T_GATE,
    T_GROUPS,
    T_LAST,
    T_MACS,
    T_ROW,
    WR,
    Engine,
)

PIM_AHEAD = 2
GWRITE = 0


@compiled
def accept(e: Engine, c: int) -> None:
    """Hand over what the ports and the PIM program offer in this cycle."""
    cycle, num, den = e.s[c, S_CYCLE], e.p[P_RATE_NUM], e.p[P_RATE_DEN]
    allowed = ((cycle + 1) * num) // den - (cycle * num) // den
    accepts = e.p[P_ACCEPTS]
    for step in range(max(accepts, allowed)):
        moved = False
        if step < accepts:
            for port in range(2):
                if e.run_head[c, port] < e.run_n[c, port] and _take(e, c, port):
                    moved = True
        if step < allowed and e.program_head[c] < e.program_n[c] and _take_pim(e, c):
            moved = True
        if not moved:
            return
        e.s[c, S_ACTIVE] = 1


@compiled
def _take(e: Engine, c: int, port: int) -> bool:
    s, p = e.s[c], e.p
    run = e.runs[c, port, e.run_head[c, port]]
    out = s[S_READS_OUT] + s[S_RET] + s[S_ACK]
    if p[P_TRACK_RETURNS] and out >= p[P_OUTSTANDING]:
        return False
    write = run[R_WRITE]
    if (s[S_WRITES] >= p[P_WRITE_BUFFER]) if write else (s[S_READS] >= p[P_READ_QUEUE]):
        return False
    bank, feeds, block = run[R_BANK], run[R_FEEDS], run[R_BLOCK]
    address = (run[R_ROW] << 16) | (run[R_COLUMN] + e.run_done[c, port])
    if write:
        _put(e.writes[c, s[S_WRITES]], WR, bank, address, feeds, block)
        s[S_WRITES] += 1
        s[S_FEEDS] += feeds
        _answer(e, c, block)
    elif _write_waits(e, c, bank, address):
        _answer(e, c, block)
    else:
        _put(e.reads[c, s[S_READS]], RD, bank, address, 0, block)
        s[S_READS] += 1
        s[S_READS_OUT] += 1
    e.run_done[c, port] += 1
    if e.run_done[c, port] == run[R_BURSTS]:
        e.run_head[c, port] += 1
        e.run_done[c, port] = 0
    return True


@compiled
def _put(t: object, command: int, bank: int, address: int, feeds: int, block: int) -> None:
    t[T_COMMAND], t[T_BANK], t[T_ADDRESS], t[T_FEEDS], t[T_BLOCK] = command, bank, address, feeds, block  # type: ignore[index]


@compiled
def _answer(e: Engine, c: int, block: int) -> None:
    cycle = e.s[c, S_CYCLE] + 1
    if e.p[P_TRACK_RETURNS]:
        n = e.acks.shape[1]
        e.acks[c, (e.s[c, S_ACK_HEAD] + e.s[c, S_ACK]) % n] = cycle
        e.s[c, S_ACK] += 1
    complete(e, block, cycle)


@compiled
def _write_waits(e: Engine, c: int, bank: int, address: int) -> bool:
    for i in range(e.s[c, S_WRITES]):
        if e.writes[c, i, T_BANK] == bank and e.writes[c, i, T_ADDRESS] == address:
            return True
    return e.queue_writes[c, bank] > 0 and _queued(e, c, bank, address, 1, e.queue_n[c, bank])


@compiled
def _queued(e: Engine, c: int, bank: int, address: int, write: int, places: int) -> bool:
    """Whether one of the first `places` commands of a bank queue is a read (write) of an address."""
    size = e.p[P_BANK_QUEUE]
    for i in range(places):
        value = e.queue[c, bank, (e.queue_head[c, bank] + i) % size]
        if value >> 2 == address and value & 1 == write:
            return True
    return False


@compiled
def queued_before(e: Engine, c: int, bank: int, place: int) -> bool:
    """Whether an earlier command of the queue reads the address that the one at `place` writes."""
    value = e.queue[c, bank, (e.queue_head[c, bank] + place) % e.p[P_BANK_QUEUE]]
    return _queued(e, c, bank, value >> 2, 0, place)


@compiled
def _take_pim(e: Engine, c: int) -> bool:
    s, p = e.s[c], e.p
    i = e.program[c, e.program_head[c]]
    sub = s[S_PROG_SUB]
    gate = i[I_GATE]
    if sub == 0 and gate >= 0 and (e.left[gate] > 0 or e.done[gate] > s[S_CYCLE]):
        return False
    if p[P_BLOCKED]:
        if s[S_READS] >= p[P_READ_QUEUE]:
            return False
        t = e.reads[c, s[S_READS]]
        s[S_READS] += 1
    else:
        if s[S_PIM_WAITING] >= p[P_PIM_QUEUE]:
            return False
        t = e.waiting[c, (s[S_PIM_HEAD] + s[S_PIM_WAITING]) % p[P_PIM_QUEUE]]
    s[S_PIM_WAITING] += 1
    s[S_PROG_SUB] = 0 if _spell(t, i, sub, p[P_COMPOSITE]) else sub + 1
    if s[S_PROG_SUB] == 0:
        e.program_head[c] += 1
    return True


@compiled
def _spell(t: object, i: object, sub: int, composite: int) -> bool:
    """Write the `sub`-th transaction of an instruction; True when it is the last."""
    macs, groups = i[I_MACS], i[I_GROUPS]  # type: ignore[index]
    t[T_BANK], t[T_ROW], t[T_MACS], t[T_GROUPS], t[T_BLOCK], t[T_LAST] = -1, i[I_ROW], 0, 0, -1, 0  # type: ignore[index]
    if i[I_KIND] == GWRITE:  # type: ignore[index]
        t[T_COMMAND], t[T_BANK] = PIM_GWRITE, i[I_BANK]  # type: ignore[index]
        return True
    if sub == 0:
        t[T_COMMAND], t[T_MACS], t[T_GROUPS] = PIM_HEADER, macs, groups  # type: ignore[index]
        return False
    per_group = 1 if composite else macs + 1
    group, step = (sub - 1) // per_group, (sub - 1) % per_group
    if composite == 0 and step < macs:
        t[T_COMMAND], t[T_MACS] = PIM_MAC, 1 if step == 0 else 0  # type: ignore[index]
        return False
    t[T_COMMAND] = PIM_GEMV if composite else PIM_READ  # type: ignore[index]
    t[T_MACS] = macs if composite else 0  # type: ignore[index]
    t[T_BLOCK] = i[I_BLOCK] + group if i[I_BLOCK] >= 0 else -1  # type: ignore[index]
    t[T_LAST] = 1 if group == groups - 1 else 0  # type: ignore[index]
    return group == groups - 1


@compiled
def move(e: Engine, c: int) -> None:
    """Move one transaction to a command queue."""
    s = e.s[c]
    if s[S_READS] == 0 and s[S_WRITES] == 0 and s[S_PIM_WAITING] == 0:
        return
    held = _held_by_write(e, c)
    _start_draining(e, c, held)
    locked = s[S_LOCK_BANK] >= 0
    if locked:
        _move_reads(e, c, held)
    elif e.p[P_BLOCKED] or held or s[S_PIM_WAITING] == 0:
        _move_writes(e, c) if s[S_DRAINING] else _move_reads(e, c, held)
    elif s[S_DRAINING] and s[S_COMMANDS] >= PIM_AHEAD:
        _move_writes(e, c)
    elif s[S_COMMANDS] < PIM_AHEAD or s[S_READS] == 0:
        _move_pim(e, c)
    else:
        _move_reads(e, c, held)


@compiled
def _start_draining(e: Engine, c: int, held: bool) -> None:
    s, p = e.s[c], e.p
    if s[S_LOCK_BANK] >= 0 or s[S_DRAINING] or s[S_WRITES] == 0:
        return
    many = s[S_WRITES] > p[P_DRAIN_ABOVE] and s[S_QUEUED] == 0
    if s[S_WRITES] >= p[P_WRITE_BUFFER] or many or held:
        s[S_DRAINING] = s[S_WRITES]
        s[S_ACTIVE] = 1


@compiled
def _move_reads(e: Engine, c: int, held: bool) -> None:
    s, p = e.s[c], e.p
    for i in range(s[S_READS]):
        t = e.reads[c, i]
        if t[T_COMMAND] != RD:
            if held or s[S_COMMANDS] >= p[P_PIM_COMMANDS]:
                continue
            _add_command(e, c, t)
            s[S_PIM_WAITING] -= 1
            _close_gap(e.reads[c], i, s[S_READS])
            s[S_READS] -= 1
            return
        if _has_room(e, c, t[T_BANK]):
            if s[S_LOCK_BANK] == t[T_BANK] and s[S_LOCK_ADDRESS] == t[T_ADDRESS]:
                s[S_LOCK_BANK] = -1
            _add_access(e, c, t[T_BANK], t[T_ADDRESS] << 2, t[T_BLOCK])
            _close_gap(e.reads[c], i, s[S_READS])
            s[S_READS] -= 1
            return


@compiled
def _move_writes(e: Engine, c: int) -> None:
    s = e.s[c]
    for i in range(s[S_WRITES]):
        t = e.writes[c, i]
        bank, address = t[T_BANK], t[T_ADDRESS]
        if not _has_room(e, c, bank):
            continue
        if not _may_write(e, c, bank, address):
            s[S_DRAINING] = 0
            s[S_ACTIVE] = 1
            return
        s[S_DRAINING] -= 1
        _add_access(e, c, bank, address << 2 | t[T_FEEDS] << 1 | 1, t[T_BLOCK])
        e.queue_writes[c, bank] += 1
        _close_gap(e.writes[c], i, s[S_WRITES])
        s[S_WRITES] -= 1
        return


@compiled
def _may_write(e: Engine, c: int, bank: int, address: int) -> bool:
    """A write waits for earlier reads of its address, and lets them go first."""
    s = e.s[c]
    for i in range(s[S_READS]):
        t = e.reads[c, i]
        if t[T_COMMAND] == RD and t[T_BANK] == bank and t[T_ADDRESS] == address:
            s[S_LOCK_BANK], s[S_LOCK_ADDRESS] = bank, address
            return False
    return not _queued(e, c, bank, address, 0, e.queue_n[c, bank])


@compiled
def _move_pim(e: Engine, c: int) -> None:
    s, p = e.s[c], e.p
    if s[S_COMMANDS] >= p[P_PIM_COMMANDS]:
        return
    _add_command(e, c, e.waiting[c, s[S_PIM_HEAD]])
    s[S_PIM_HEAD] = (s[S_PIM_HEAD] + 1) % p[P_PIM_QUEUE]
    s[S_PIM_WAITING] -= 1


@compiled
def _add_command(e: Engine, c: int, t: object) -> None:
    s = e.s[c]
    place = (s[S_COMMAND_HEAD] + s[S_COMMANDS]) % e.p[P_PIM_COMMANDS]
    e.commands[c, place, :] = t
    s[S_COMMANDS] += 1
    s[S_PIM_WAKE] = 0
    s[S_ACTIVE] = 1


@compiled
def _has_room(e: Engine, c: int, bank: int) -> bool:
    if e.p[P_BLOCKED] and e.s[c, S_COMMANDS] > 0:
        return False
    return e.queue_n[c, bank] < e.p[P_BANK_QUEUE]


@compiled
def _add_access(e: Engine, c: int, bank: int, value: int, block: int) -> None:
    n = e.queue_n[c, bank]
    place = (e.queue_head[c, bank] + n) % e.p[P_BANK_QUEUE]
    e.queue[c, bank, place], e.queue_block[c, bank, place] = value, block
    e.queue_n[c, bank] = n + 1
    first = e.first_write if value & 1 else e.first_read
    if first[c, bank] < 0:
        first[c, bank] = DIRTY
    e.s[c, S_QUEUED] += 1
    e.s[c, S_MEMORY_WAKE] = 0
    e.s[c, S_ACTIVE] = 1


@compiled
def _close_gap(records: object, place: int, n: int) -> None:
    for i in range(place, n - 1):
        records[i, :] = records[i + 1]  # type: ignore[index]


@compiled
def _held_by_write(e: Engine, c: int) -> bool:
    """Whether the next PIM transaction reads a row to which a posted write has yet to go."""
    s, p = e.s[c], e.p
    if p[P_ORDERED] == 0 or s[S_FEEDS] == 0 or s[S_PIM_WAITING] == 0:
        return False
    if p[P_DUAL] and s[S_COMMANDS] >= PIM_AHEAD:
        return False
    command, bank, row = _next_pim(e, c)
    if command == PIM_GWRITE:
        return _feeds(e, c, bank, row, bank, bank + 1)
    return command == PIM_HEADER and _feeds(e, c, -1, row, 0, p[P_BANKS])


@compiled
def _next_pim(e: Engine, c: int) -> tuple[int, int, int]:
    if e.p[P_BLOCKED] == 0:
        t = e.waiting[c, e.s[c, S_PIM_HEAD]]
        return t[T_COMMAND], t[T_BANK], t[T_ROW]
    for i in range(e.s[c, S_READS]):
        t = e.reads[c, i]
        if t[T_COMMAND] != RD:
            return t[T_COMMAND], t[T_BANK], t[T_ROW]
    return -1, -1, -1


@compiled
def _feeds(e: Engine, c: int, only: int, row: int, first: int, last: int) -> bool:
    for i in range(e.s[c, S_WRITES]):
        t = e.writes[c, i]
        if t[T_FEEDS] and t[T_ADDRESS] >> 16 == row and only in (-1, t[T_BANK]):
            return True
    size = e.p[P_BANK_QUEUE]
    for bank in range(first, last):
        if e.queue_writes[c, bank] > 0:
            for i in range(e.queue_n[c, bank]):
                value = e.queue[c, bank, (e.queue_head[c, bank] + i) % size]
                if value & 3 == 3 and value >> 18 == row:
                    return True
    return False
