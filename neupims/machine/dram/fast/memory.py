"""Memory commands; see `machine.dram.memory_arbiter`."""

from neupims.machine.dram.fast.gates import after_dark, at_bank, complete, issue
from neupims.machine.dram.fast.jit import compiled
from neupims.machine.dram.fast.layout import (
    CLOSED,
    DIRTY,
    FAR,
    P_BANK_QUEUE,
    P_BANKS,
    P_DUAL,
    P_PER_RANK,
    P_RCDWR,
    P_READ_LATENCY,
    P_ROW_HITS,
    P_RP,
    P_SHARED_WINDOW,
    P_TRACK_RETURNS,
    RD,
    S_COMMANDS,
    S_CYCLE,
    S_FEEDS,
    S_GWRITE_BANK,
    S_GWRITING,
    S_IN_REFRESH,
    S_MEMORY_WAKE,
    S_POINTER,
    S_QUEUED,
    S_READS_OUT,
    S_REFRESH_RANK,
    S_RESERVED,
    S_RET,
    S_RET_HEAD,
    S_SLACK,
    S_TILE_OPEN,
    WR,
    Engine,
)
from neupims.machine.dram.fast.pim import close_memory_row, close_pim_row, open_memory_row
from neupims.machine.dram.fast.queues import queued_before


@compiled
def memory_step(e: Engine, c: int) -> bool:
    """Issue the first command that is ready, starting behind the bank that was served last."""
    s, p = e.s[c], e.p
    if s[S_QUEUED] == 0 or s[S_CYCLE] < s[S_MEMORY_WAKE]:
        return False
    wake, banks, bank = FAR, p[P_BANKS], s[S_POINTER]
    for _ in range(banks):
        bank += 1
        if bank == banks:
            bank = 0
        if e.queue_n[c, bank] == 0 or (s[S_GWRITING] and s[S_GWRITE_BANK] == bank):
            continue
        if s[S_IN_REFRESH] and bank // p[P_PER_RANK] == s[S_REFRESH_RANK]:
            continue
        gate = _serve(e, c, bank)
        if gate == 0:
            s[S_POINTER] = bank
            return True
        wake = min(wake, gate)
    s[S_MEMORY_WAKE] = wake
    return False


@compiled
def _serve(e: Engine, c: int, bank: int) -> int:
    """0 when a command of this bank's queue issued, else the cycle at which one may."""
    if e.memory_row[c, bank] == CLOSED:
        return _open(e, c, bank)
    wake = _close(e, c, bank)
    if wake == 0 or e.memory_row[c, bank] == e.s[c, S_RESERVED]:
        return wake
    if e.first_read[c, bank] == DIRTY or e.first_write[c, bank] == DIRTY:
        _find_hits(e, c, bank)
    read, write = e.first_read[c, bank], e.first_write[c, bank]
    if read >= 0 and (write < 0 or read < write):
        wake = min(wake, _access(e, c, bank, read, RD))
        return min(wake, _write(e, c, bank, write)) if wake > 0 and write >= 0 else wake
    if write >= 0:
        wake = min(wake, _write(e, c, bank, write))
        return min(wake, _access(e, c, bank, read, RD)) if wake > 0 and read >= 0 else wake
    return wake


@compiled
def _row_at(e: Engine, c: int, bank: int, place: int) -> int:
    return e.queue[c, bank, (e.queue_head[c, bank] + place) % e.p[P_BANK_QUEUE]] >> 18


@compiled
def _open(e: Engine, c: int, bank: int) -> int:
    """ACT for the first command of a closed bank that may have its row."""
    wake, pim_row, tried = FAR, e.pim_row[c, bank], False
    for place in range(e.queue_n[c, bank]):
        row = _row_at(e, c, bank, place)
        if row == e.s[c, S_RESERVED]:
            continue
        if e.p[P_DUAL] and pim_row == row:
            gate = close_pim_row(e, c, bank)
        elif tried:
            continue
        else:
            tried, gate = True, _activate(e, c, bank, row)
        if gate == 0:
            return 0
        wake = min(wake, gate)
        if pim_row == CLOSED or e.p[P_DUAL] == 0:
            break
    return wake


@compiled
def _activate(e: Engine, c: int, bank: int, row: int) -> int:
    if not _fits_slack(e, c, e.p[P_RCDWR]) or _holds_activation(e, c, bank):
        return FAR
    sharing = _sharing(e, c)
    gate = open_memory_row(e, c, bank, row)
    if gate == 0 and sharing:
        e.s[c, S_SLACK] -= e.p[P_RCDWR]
    return gate


@compiled
def _close(e: Engine, c: int, bank: int) -> int:
    """PRE when the head of the queue wants another row and no hit has to go first."""
    row, open_row = _row_at(e, c, bank, 0), e.memory_row[c, bank]
    if row in (open_row, e.s[c, S_RESERVED]):
        return FAR
    if e.hits[c, bank] < e.p[P_ROW_HITS]:
        if e.first_read[c, bank] == DIRTY or e.first_write[c, bank] == DIRTY:
            _find_hits(e, c, bank)
        if e.first_read[c, bank] >= 0 or e.first_write[c, bank] >= 0:
            return FAR
    if not _fits_slack(e, c, e.p[P_RP] + e.p[P_RCDWR]):
        return FAR
    sharing = _sharing(e, c)
    gate = close_memory_row(e, c, bank)
    if gate == 0 and sharing:
        e.s[c, S_SLACK] -= e.p[P_RP]
    return gate


@compiled
def _find_hits(e: Engine, c: int, bank: int) -> None:
    """Look up the first read and the first write of the open row."""
    n, row = e.queue_n[c, bank], e.memory_row[c, bank]
    writes, size, head = e.queue_writes[c, bank], e.p[P_BANK_QUEUE], e.queue_head[c, bank]
    read, write, reads = -1, -1, n - writes
    for place in range(n):
        if (read >= 0 or reads == 0) and (write >= 0 or writes == 0):
            break
        value = e.queue[c, bank, (head + place) % size]
        if value & 1:
            writes -= 1
            if write < 0 and value >> 18 == row:
                write = place
        else:
            reads -= 1
            if read < 0 and value >> 18 == row:
                read = place
    e.first_read[c, bank], e.first_write[c, bank] = read, write


@compiled
def _write(e: Engine, c: int, bank: int, place: int) -> int:
    """The first write of the open row that no earlier read of its address holds up."""
    row, size = e.memory_row[c, bank], e.p[P_BANK_QUEUE]
    if e.queue_writes[c, bank] == e.queue_n[c, bank] or not queued_before(e, c, bank, place):
        return _access(e, c, bank, place, WR)
    for later in range(place + 1, e.queue_n[c, bank]):
        value = e.queue[c, bank, (e.queue_head[c, bank] + later) % size]
        if value & 1 and value >> 18 == row and not queued_before(e, c, bank, later):
            return _access(e, c, bank, later, WR)
    return FAR


@compiled
def _access(e: Engine, c: int, bank: int, place: int, command: int) -> int:
    """RD or WR of the command at `place`; 0 when issued, else the cycle at which it may."""
    s, p = e.s[c], e.p
    gate = after_dark(e, c, command, max(at_bank(e, c, command, bank), s[S_CYCLE]))
    if gate > s[S_CYCLE]:
        return gate
    spot = (e.queue_head[c, bank] + place) % p[P_BANK_QUEUE]
    value, block = e.queue[c, bank, spot], e.queue_block[c, bank, spot]
    issue(e, c, command, bank, value >> 18, 0)
    e.hits[c, bank] += 1
    _remove(e, c, bank, place)
    if command == WR:
        e.queue_writes[c, bank] -= 1
        s[S_FEEDS] -= value >> 1 & 1
        return 0
    s[S_READS_OUT] -= 1
    cycle = s[S_CYCLE] + p[P_READ_LATENCY]
    if p[P_TRACK_RETURNS]:
        e.returns[c, (s[S_RET_HEAD] + s[S_RET]) % e.returns.shape[1]] = cycle
        s[S_RET] += 1
    complete(e, block, cycle)
    return 0


@compiled
def _remove(e: Engine, c: int, bank: int, place: int) -> None:
    """Take one command out of a bank queue; those before it move up."""
    size, head = e.p[P_BANK_QUEUE], e.queue_head[c, bank]
    for i in range(place, 0, -1):
        to, source = (head + i) % size, (head + i - 1) % size
        e.queue[c, bank, to], e.queue_block[c, bank, to] = e.queue[c, bank, source], e.queue_block[c, bank, source]
    e.queue_head[c, bank] = (head + 1) % size
    e.queue_n[c, bank] -= 1
    e.s[c, S_QUEUED] -= 1
    e.first_read[c, bank] = e.first_write[c, bank] = DIRTY


@compiled
def _sharing(e: Engine, c: int) -> bool:
    return e.s[c, S_SLACK] > 0 and e.s[c, S_COMMANDS] > 0


@compiled
def _fits_slack(e: Engine, c: int, need: int) -> bool:
    """While PIM work is queued, what would delay it past the refresh is left."""
    return not _sharing(e, c) or e.s[c, S_SLACK] > need


@compiled
def _holds_activation(e: Engine, c: int, bank: int) -> bool:
    """Whether an ordinary ACT would push back a group activation that is due."""
    if e.p[P_SHARED_WINDOW] == 0 or e.s[c, S_TILE_OPEN] == 0:
        return False
    first = bank // e.p[P_PER_RANK] * e.p[P_PER_RANK]
    for b in range(first, first + e.p[P_PER_RANK]):
        if e.pim_row[c, b] == CLOSED:
            return True
    return False


