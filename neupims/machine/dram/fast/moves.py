"""Transactions move to command queues; see `machine.dram.interpreter`."""

from neupims.jit import Ints, inlined
from neupims.machine.dram.fast import layout as at
from neupims.machine.dram.fast.duplicates import command_at, filtered, queued_at, wanted
from neupims.machine.dram.fast.gates import wake_up
from neupims.machine.dram.fast.lines import (
    access_to,
    first_movable,
    following,
    leave,
    ring,
    tell_room,
    transaction_at,
)

PIM_AHEAD = 2


@inlined
def move(k: Ints, x: Ints) -> None:
    """Move one transaction to a command queue."""
    if not may_move(x):
        return
    x[at.S_STUCK] = 1
    held = _held_by_write(k, x)
    _start_draining(k, x, held)
    if _tile_starves(k, x):
        _move_pim(k, x)
    elif x[at.S_LOCK_BANK] >= 0 or tile_goes_first(k, x):
        _move_reads(k, x, held)
    elif k[at.P_BLOCKED] or held or x[at.S_PIM_WAITING] == 0:
        if x[at.S_DRAINING]:
            _move_writes(k, x)
        else:
            _move_reads(k, x, held)
    elif x[at.S_DRAINING] and x[at.S_COMMANDS] >= PIM_AHEAD:
        _move_writes(k, x)
    elif x[at.S_COMMANDS] < PIM_AHEAD or x[at.S_READS] == 0:
        _move_pim(k, x)
    else:
        _move_reads(k, x, held)


@inlined
def may_move(x: Ints) -> bool:
    """Whether transactions wait and something has happened since none could move."""
    return x[at.S_STUCK] == 0 and x[at.S_READS] + x[at.S_WRITES] + x[at.S_PIM_WAITING] > 0


@inlined
def tile_goes_first(k: Ints, x: Ints) -> bool:
    """One row buffer: inside a tile only its own transactions move."""
    return k[at.P_BLOCKED] * k[at.P_ORDERED] * x[at.S_PIM_MODE] != 0


@inlined
def _tile_starves(k: Ints, x: Ints) -> bool:
    """Two row buffers: an open tile whose next command has not moved yet."""
    ordered = k[at.P_DUAL] * k[at.P_ORDERED] * x[at.S_TILE_OPEN] != 0
    return ordered and x[at.S_COMMANDS] == 0 and x[at.S_PIM_WAITING] > 0


@inlined
def _start_draining(k: Ints, x: Ints, held: bool) -> None:
    if x[at.S_LOCK_BANK] >= 0 or x[at.S_DRAINING] or x[at.S_WRITES] == 0:
        return
    many = x[at.S_WRITES] > k[at.P_DRAIN_ABOVE] and x[at.S_QUEUED] == 0
    if x[at.S_WRITES] >= k[at.P_WRITE_BUFFER] or many or held:
        x[at.S_DRAINING] = x[at.S_WRITES]
        x[at.S_ACTIVE], x[at.S_STUCK] = 1, 0


@inlined
def _move_reads(k: Ints, x: Ints, held: bool) -> None:
    if k[at.P_BLOCKED]:
        _move_read_or_pim(k, x, held)
        return
    place = first_movable(k, x, at.READ_LINE)
    if place >= 0:
        _move_read(k, x, place)


@inlined
def _move_read(k: Ints, x: Ints, place: int) -> None:
    t = transaction_at(k, at.READ_LINE, place)
    bank, address = x[t + at.T_BANK], x[t + at.T_ADDRESS]
    if x[at.S_LOCK_BANK] == bank and x[at.S_LOCK_ADDRESS] == address:
        x[at.S_LOCK_BANK] = -1
    leave(k, x, at.READ_LINE, place, bank)
    _add_access(k, x, bank, address << 2, x[t + at.T_BLOCK])


@inlined
def _move_read_or_pim(k: Ints, x: Ints, held: bool) -> None:
    """One row buffer: the first that may move of reads and PIM transactions, which share a queue."""
    first, place = tile_goes_first(k, x), x[at.S_READ_HEAD]
    for _ in range(x[at.S_READS]):
        t = transaction_at(k, at.READ_LINE, place)
        if x[t + at.T_COMMAND] == at.RD:
            if not first and _has_room(k, x, x[t + at.T_BANK]):
                _move_read(k, x, place)
                return
        elif not held and x[at.S_COMMANDS] < k[at.P_PIM_COMMANDS]:
            _add_command(k, x, t)
            x[at.S_PIM_WAITING] -= 1
            leave(k, x, at.READ_LINE, place, -1)
            return
        place = following(k, x, at.READ_LINE, place)


@inlined
def _move_writes(k: Ints, x: Ints) -> None:
    place = first_movable(k, x, at.WRITE_LINE)
    if place < 0 or (k[at.P_BLOCKED] and x[at.S_COMMANDS] > 0):
        return
    t = transaction_at(k, at.WRITE_LINE, place)
    bank, address = x[t + at.T_BANK], x[t + at.T_ADDRESS]
    if not _may_write(k, x, bank, address, x[t + at.T_SINCE]):
        x[at.S_DRAINING] = 0
        x[at.S_ACTIVE], x[at.S_STUCK] = 1, 0
        return
    x[at.S_DRAINING] -= 1
    x[k[at.O_QUEUE_WRITES] + bank] += 1
    x[k[at.O_QUEUE_FEEDS] + bank] += x[t + at.T_FEEDS]
    leave(k, x, at.WRITE_LINE, place, bank)
    _add_access(k, x, bank, address << 2 | x[t + at.T_FEEDS] << 1 | 1, x[t + at.T_BLOCK])


@inlined
def _may_write(k: Ints, x: Ints, bank: int, address: int, since: int) -> bool:
    """A write waits for earlier reads of its address, and lets them go first."""
    if x[filtered(k, bank, address)] > 1:
        if access_to(k, x, at.READ_LINE, bank, address) >= 0:
            x[at.S_LOCK_BANK], x[at.S_LOCK_ADDRESS] = bank, address
            return False
        if queued_at(k, x, bank, address, 0, x[k[at.O_QUEUE_N] + bank]) >= 0:
            return False
    return k[at.P_ORDERED] != 0 or not _gwrite_reads(k, x, bank, address, since)


@inlined
def _gwrite_reads(k: Ints, x: Ints, bank: int, address: int, since: int) -> bool:
    """Published: whether a GWRITE of an address was accepted before a write to it."""
    if x[at.S_PIM_WAITING] + x[at.S_COMMANDS] == 0:
        return False
    for i in range(x[at.S_COMMANDS]):
        t = k[at.O_COMMANDS] + ring(x[at.S_COMMAND_HEAD] + i, k[at.P_PIM_COMMANDS]) * at.FIELDS
        if _is_gwrite(x, t, bank, address, since):
            return True
    if k[at.P_BLOCKED]:
        place = x[at.S_READ_HEAD]
        for _ in range(x[at.S_READS]):
            if _is_gwrite(x, transaction_at(k, at.READ_LINE, place), bank, address, since):
                return True
            place = following(k, x, at.READ_LINE, place)
        return False
    for i in range(x[at.S_PIM_WAITING]):
        t = k[at.O_WAITING] + ring(x[at.S_PIM_HEAD] + i, k[at.P_PIM_QUEUE]) * at.FIELDS
        if _is_gwrite(x, t, bank, address, since):
            return True
    return False


@inlined
def _is_gwrite(x: Ints, t: int, bank: int, address: int, since: int) -> bool:
    same = x[t + at.T_BANK] == bank and (x[t + at.T_ROW] << 16 | x[t + at.T_GROUPS]) == address
    return same and x[t + at.T_COMMAND] == at.PIM_GWRITE and x[t + at.T_SINCE] < since


@inlined
def _move_pim(k: Ints, x: Ints) -> None:
    if x[at.S_COMMANDS] >= k[at.P_PIM_COMMANDS]:
        return
    _add_command(k, x, k[at.O_WAITING] + x[at.S_PIM_HEAD] * at.FIELDS)
    x[at.S_PIM_HEAD] = ring(x[at.S_PIM_HEAD] + 1, k[at.P_PIM_QUEUE])
    x[at.S_PIM_WAITING] -= 1
    x[at.S_REFUSED] = 0


@inlined
def _add_command(k: Ints, x: Ints, t: int) -> None:
    place = ring(x[at.S_COMMAND_HEAD] + x[at.S_COMMANDS], k[at.P_PIM_COMMANDS])
    to = k[at.O_COMMANDS] + place * at.FIELDS
    for field in range(at.FIELDS):
        x[to + field] = x[t + field]
    x[at.S_COMMANDS] += 1
    x[at.S_PIM_WAKE] = x[at.S_STUCK] = 0
    x[at.S_ACTIVE] = 1


@inlined
def _has_room(k: Ints, x: Ints, bank: int) -> bool:
    if k[at.P_BLOCKED] and x[at.S_COMMANDS] > 0:
        return False
    return x[k[at.O_QUEUE_N] + bank] < k[at.P_BANK_QUEUE]


@inlined
def _add_access(k: Ints, x: Ints, bank: int, value: int, block: int) -> None:
    n, size = x[k[at.O_QUEUE_N] + bank], k[at.P_BANK_QUEUE]
    place = bank * size + ring(x[k[at.O_QUEUE_HEAD] + bank] + n, size)
    x[k[at.O_QUEUE] + place], x[k[at.O_QUEUE_BLOCK] + place] = value, block
    x[k[at.O_QUEUE_N] + bank] = n + 1
    first = (k[at.O_FIRST_WRITE] if value & 1 else k[at.O_FIRST_READ]) + bank
    if x[first] == at.NONE and value >> 18 == x[k[at.O_MEMORY_ROW] + bank]:
        x[first] = n
    x[wanted(k, bank, value >> 18)] += 1
    if x[k[at.O_WITHOUT] + bank] == value >> 18:
        x[k[at.O_WITHOUT] + bank] = at.CLOSED
    if n + 1 == size:
        tell_room(k, x, bank, False)
    x[k[at.O_IN_QUEUE] + bank // at.WORD] |= 1 << bank % at.WORD
    if n == 0 or _may_go_first(k, x, bank, value, n):
        wake_up(k, x, bank)
        x[at.S_MEMORY_WAKE] = 0
    x[at.S_QUEUED] += 1
    x[at.S_STUCK], x[at.S_ACTIVE] = 0, 1


@inlined
def _may_go_first(k: Ints, x: Ints, bank: int, value: int, place: int) -> bool:
    """Whether the last command of a bank queue could issue before one that waits for ACT, or hits the open row."""
    row = x[k[at.O_MEMORY_ROW] + bank]
    if row == at.CLOSED:
        waits = x[k[at.O_AWAITS] + at.AWAITED * (bank // at.WORD) + at.ACT] >> bank % at.WORD & 1
        return waits == 0 or value >> 18 == x[k[at.O_PIM_ROW] + bank]
    if value >> 18 != row:
        return False
    first = x[(k[at.O_FIRST_WRITE] if value & 1 else k[at.O_FIRST_READ]) + bank]
    return value & 1 == 1 or first < 0 or first == place


@inlined
def _held_by_write(k: Ints, x: Ints) -> bool:
    """Whether the next PIM transaction reads a row to which a posted write has yet to go."""
    if k[at.P_ORDERED] == 0 or x[at.S_FEEDS] == 0 or x[at.S_PIM_WAITING] == 0:
        return False
    if k[at.P_DUAL] and x[at.S_COMMANDS] >= PIM_AHEAD and x[at.S_READS] > 0:
        return False
    t = _next_pim(k, x)
    command, bank, row = x[t + at.T_COMMAND], x[t + at.T_BANK], x[t + at.T_ROW]
    if command == at.PIM_GWRITE:
        return _feeds(k, x, row, bank, bank + 1)
    return command == at.PIM_HEADER and _feeds(k, x, row, 0, k[at.P_BANKS])


@inlined
def _next_pim(k: Ints, x: Ints) -> int:
    if k[at.P_BLOCKED] == 0:
        return k[at.O_WAITING] + x[at.S_PIM_HEAD] * at.FIELDS
    place = x[at.S_READ_HEAD]
    while x[transaction_at(k, at.READ_LINE, place) + at.T_COMMAND] == at.RD:
        place = following(k, x, at.READ_LINE, place)
    return transaction_at(k, at.READ_LINE, place)


@inlined
def _feeds(k: Ints, x: Ints, row: int, first: int, last: int) -> bool:
    """Whether a write that feeds PIM waits for `row` in one of the banks first .. last - 1."""
    if x[k[at.O_FED_ROWS] + (row & (at.FED_ROWS - 1))] == 0:
        return False
    place = x[at.S_WRITE_HEAD]
    for _ in range(x[at.S_WRITES]):
        t = transaction_at(k, at.WRITE_LINE, place)
        if x[t + at.T_FEEDS] and x[t + at.T_ADDRESS] >> 16 == row and first <= x[t + at.T_BANK] < last:
            return True
        place = following(k, x, at.WRITE_LINE, place)
    for bank in range(first, last):
        if x[k[at.O_QUEUE_FEEDS] + bank] > 0:
            for place in range(x[k[at.O_QUEUE_N] + bank]):
                value = command_at(k, x, bank, place)
                if value & 3 == 3 and value >> 18 == row:
                    return True
    return False
