"""Memory commands of one bank queue; see `machine.dram.memory_arbiter`.

Functions that try a command return 0 when one issued, else the cycle at which it may.
"""

from neupims.jit import Ints, inlined
from neupims.machine.dram.fast import layout as at
from neupims.machine.dram.fast.duplicates import command_at, feed, filtered, next_merged, queued_at, wanted
from neupims.machine.dram.fast.gates import after_dark, at_bank, complete, has_closed, issue
from neupims.machine.dram.fast.lines import ring, tell_room
from neupims.machine.dram.fast.rows import close_memory_row, close_pim_row, open_memory_row


@inlined
def serve(k: Ints, x: Ints, b: Ints, bank: int) -> int:
    """Try what a bank queue that is not empty wants next."""
    row = x[k[at.O_MEMORY_ROW] + bank]
    if row == at.CLOSED:
        return _open(k, x, bank)
    read, write = _first_hit(k, x, bank, row, 0), _first_hit(k, x, bank, row, 1)
    wake = at.FAR
    x[k[at.O_BANK_KIND] + bank] = _kind(read, write)
    if read != 0 and write != 0:
        wake = _close(k, x, bank, read < 0 and write < 0)
        if wake == 0:
            return 0
    if row == x[at.S_RESERVED]:
        return wake
    if read >= 0 and (write < 0 or read < write):
        wake = min(wake, _access(k, x, b, bank, read, at.RD))
        return min(wake, _write(k, x, b, bank, write)) if wake > 0 and write >= 0 else wake
    if write >= 0:
        wake = min(wake, _write(k, x, b, bank, write))
        return min(wake, _access(k, x, b, bank, read, at.RD)) if wake > 0 and read >= 0 else wake
    return wake


@inlined
def awaited(k: Ints, x: Ints, bank: int) -> int:
    """The one command that a bank queue waits for, or PIM_HEADER (no gates) where there are several or none may go."""
    row = x[k[at.O_MEMORY_ROW] + bank]
    if row == at.CLOSED:
        return at.ACT if k[at.P_DUAL] == 0 or x[k[at.O_PIM_ROW] + bank] == at.CLOSED else at.PIM_HEADER
    if row == x[at.S_RESERVED]:
        return at.PIM_HEADER
    return _kind(_first_hit(k, x, bank, row, 0), _first_hit(k, x, bank, row, 1))


@inlined
def _kind(read: int, write: int) -> int:
    """The one command that an open bank's queue waits for, or PIM_HEADER (no gates) where there are several."""
    if read == 0 and write < 0:
        return at.RD
    if write == 0 and read < 0:
        return at.WR
    return at.PRE if read < 0 and write < 0 else at.PIM_HEADER


@inlined
def _open(k: Ints, x: Ints, bank: int) -> int:
    """ACT for the first command of a closed bank that may have its row; PIM gives up a row that is wanted."""
    wake, pim_row, tried = at.FAR, x[k[at.O_PIM_ROW] + bank], False
    alone = k[at.P_DUAL] == 0 or pim_row == at.CLOSED or not _is_wanted(k, x, bank, pim_row)
    x[k[at.O_BANK_KIND] + bank] = at.ACT if alone else at.PIM_HEADER
    for place in range(x[k[at.O_QUEUE_N] + bank]):
        row = command_at(k, x, bank, place) >> 18
        if row == x[at.S_RESERVED]:
            continue
        if not alone and pim_row == row:
            gate = close_pim_row(k, x, bank)
        elif tried:
            continue
        else:
            tried, gate = True, _activate(k, x, bank, row)
        if gate == 0:
            return 0
        wake = min(wake, gate)
        if tried and alone:
            return wake
    return wake


@inlined
def _is_wanted(k: Ints, x: Ints, bank: int, row: int) -> bool:
    """Whether a command in the queue of a bank is for a row; keeps one of which it found none."""
    if x[wanted(k, bank, row)] == 0 or x[k[at.O_WITHOUT] + bank] == row:
        return False
    for place in range(x[k[at.O_QUEUE_N] + bank]):
        if command_at(k, x, bank, place) >> 18 == row:
            return True
    x[k[at.O_WITHOUT] + bank] = row
    return False


@inlined
def _activate(k: Ints, x: Ints, bank: int, row: int) -> int:
    if not _fits_slack(k, x, k[at.P_RCDWR]) or _holds_activation(k, x, bank):
        return at.FAR
    sharing = _sharing(x)
    gate = open_memory_row(k, x, bank, row)
    if gate == 0 and sharing:
        x[at.S_SLACK] -= k[at.P_RCDWR]
    return gate


@inlined
def _close(k: Ints, x: Ints, bank: int, no_hits: bool) -> int:
    """PRE when the head of the queue wants another row and no hit has to go first."""
    if not no_hits and x[k[at.O_HITS] + bank] < k[at.P_ROW_HITS]:
        return at.FAR
    if command_at(k, x, bank, 0) >> 18 == x[at.S_RESERVED]:
        return at.FAR
    if not _fits_slack(k, x, k[at.P_RP] + k[at.P_RCDWR]):
        return at.FAR
    sharing = _sharing(x)
    gate = close_memory_row(k, x, bank)
    if gate == 0 and sharing:
        x[at.S_SLACK] -= k[at.P_RP]
    return gate


@inlined
def _first_hit(k: Ints, x: Ints, bank: int, row: int, write: int) -> int:
    """Place of the first write (read) of the open row in a bank's queue; keeps what it found."""
    cached = (k[at.O_FIRST_WRITE] if write else k[at.O_FIRST_READ]) + bank
    if x[cached] > at.DIRTY:
        return x[cached]
    n, writes = x[k[at.O_QUEUE_N] + bank], x[k[at.O_QUEUE_WRITES] + bank]
    found = at.NONE
    if (writes if write else n - writes) > 0 and x[wanted(k, bank, row)]:
        for place in range(at.DIRTY - x[cached], n):
            value = command_at(k, x, bank, place)
            if value & 1 == write and value >> 18 == row:
                found = place
                break
    x[cached] = found
    return found


@inlined
def _write(k: Ints, x: Ints, b: Ints, bank: int, place: int) -> int:
    """The first write of the open row that no earlier read of its address holds up."""
    n = x[k[at.O_QUEUE_N] + bank]
    if x[k[at.O_QUEUE_WRITES] + bank] == n or not _read_before(k, x, bank, place):
        return _access(k, x, b, bank, place, at.WR)
    for later in range(place + 1, n):
        value = command_at(k, x, bank, later)
        if value & 1 and value >> 18 == x[k[at.O_MEMORY_ROW] + bank] and not _read_before(k, x, bank, later):
            return _access(k, x, b, bank, later, at.WR)
    return at.FAR


@inlined
def _read_before(k: Ints, x: Ints, bank: int, place: int) -> bool:
    """Whether an earlier command of the queue reads the address that the one at `place` writes."""
    address = command_at(k, x, bank, place) >> 2
    return x[filtered(k, bank, address)] > 1 and queued_at(k, x, bank, address, 0, place) >= 0


@inlined
def _access(k: Ints, x: Ints, b: Ints, bank: int, place: int, command: int) -> int:
    """RD or WR of the command at `place`."""
    gate = after_dark(x, command, max(at_bank(k, x, command, bank), x[at.S_CYCLE]))
    if gate > x[at.S_CYCLE]:
        return gate
    size = k[at.P_BANK_QUEUE]
    spot = bank * size + ring(x[k[at.O_QUEUE_HEAD] + bank] + place, size)
    x[wanted(k, bank, x[k[at.O_MEMORY_ROW] + bank])] -= 1
    value, block = x[k[at.O_QUEUE] + spot], x[k[at.O_QUEUE_BLOCK] + spot]
    issue(k, x, command, bank, value >> 18, 0)
    x[k[at.O_HITS] + bank] += 1
    _remove(k, x, bank, place)
    x[filtered(k, bank, value >> 2)] -= 1
    if command == at.WR:
        x[k[at.O_QUEUE_WRITES] + bank] -= 1
        x[k[at.O_QUEUE_FEEDS] + bank] -= value >> 1 & 1
        feed(k, x, value >> 18, -(value >> 1 & 1))
        return 0
    _answer(k, x, b, block)
    while x[at.S_MERGED]:
        block = next_merged(k, x, bank, value >> 2)
        if block < at.NONE:
            break
        _answer(k, x, b, block)
    return 0


@inlined
def _answer(k: Ints, x: Ints, b: Ints, block: int) -> None:
    """The data of a RD that issues now."""
    x[at.S_READS_OUT] -= 1
    cycle = x[at.S_CYCLE] + k[at.P_READ_LATENCY]
    if k[at.P_TRACK_RETURNS]:
        place = ring(x[at.S_RET_HEAD] + x[at.S_RET], k[at.P_RETURNS])
        x[k[at.O_RETURNS] + place] = cycle
        x[at.S_RET] += 1
        if k[at.P_RESPONSES]:
            x[k[at.O_RETURN_BLOCK] + place] = block
            return
    complete(x, b, block, cycle)


@inlined
def _remove(k: Ints, x: Ints, bank: int, place: int) -> None:
    """Take one command out of a bank queue; those before it move up."""
    size, head = k[at.P_BANK_QUEUE], x[k[at.O_QUEUE_HEAD] + bank]
    if x[k[at.O_QUEUE_N] + bank] == size:
        tell_room(k, x, bank, True)
    queue, blocks = k[at.O_QUEUE] + bank * size, k[at.O_QUEUE_BLOCK] + bank * size
    for i in range(place, 0, -1):
        to, source = ring(head + i, size), ring(head + i - 1, size)
        x[queue + to], x[blocks + to] = x[queue + source], x[blocks + source]
    x[k[at.O_QUEUE_HEAD] + bank] = ring(head + 1, size)
    x[k[at.O_QUEUE_N] + bank] -= 1
    if x[k[at.O_QUEUE_N] + bank] == 0:
        word, others = bank // at.WORD, ~(1 << bank % at.WORD)
        x[k[at.O_IN_QUEUE] + word] &= others
        x[k[at.O_AWAKE] + word] &= others
    x[at.S_QUEUED] -= 1
    _moved_up(x, k[at.O_FIRST_READ] + bank, place)
    _moved_up(x, k[at.O_FIRST_WRITE] + bank, place)


@inlined
def _moved_up(x: Ints, first: int, place: int) -> None:
    """Keep a cached place when the command at `place` has gone."""
    if x[first] == place:
        x[first] = at.DIRTY - place
    elif x[first] > place:
        x[first] -= 1
    elif x[first] < at.DIRTY - place:
        x[first] += 1


@inlined
def _sharing(x: Ints) -> bool:
    return x[at.S_SLACK] > 0 and x[at.S_COMMANDS] > 0


@inlined
def _fits_slack(k: Ints, x: Ints, need: int) -> bool:
    """While PIM work is queued, what would delay it past the refresh is left."""
    return not _sharing(x) or x[at.S_SLACK] > need


@inlined
def _holds_activation(k: Ints, x: Ints, bank: int) -> bool:
    """Whether an ordinary ACT would push back a group activation that is due."""
    if k[at.P_SHARED_WINDOW] == 0 or x[at.S_TILE_OPEN] == 0:
        return False
    return has_closed(k, x, k[k[at.O_RANK_OF] + bank] * k[at.P_PER_RANK], k[at.P_PER_RANK])
