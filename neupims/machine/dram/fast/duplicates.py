"""Accesses of one address: where they wait, and which of them share a command; see `machine.dram.interpreter`."""

from neupims.jit import Ints, inlined
from neupims.machine.dram.fast import layout as at
from neupims.machine.dram.fast.lines import access_to, ring, transaction_at


@inlined
def _queue_at(k: Ints, x: Ints, bank: int, place: int) -> int:
    size = k[at.P_BANK_QUEUE]
    return k[at.O_QUEUE] + bank * size + ring(x[k[at.O_QUEUE_HEAD] + bank] + place, size)


@inlined
def command_at(k: Ints, x: Ints, bank: int, place: int) -> int:
    """The command at a place of a bank queue: (address << 2) | feeds << 1 | write."""
    return x[_queue_at(k, x, bank, place)]


@inlined
def queued_at(k: Ints, x: Ints, bank: int, address: int, write: int, places: int) -> int:
    """Where among the first `places` commands of a bank queue a read (write) of an address is, or NONE."""
    for place in range(places):
        value = command_at(k, x, bank, place)
        if value >> 2 == address and value & 1 == write:
            return place
    return at.NONE


@inlined
def filtered(k: Ints, bank: int, address: int) -> int:
    """Where the accesses with the hash of an address are counted; 0 there: none of it waits.

    Neighbours in a stream have places of their own, and so have rows of which only one column is accessed.
    """
    row = address >> 16
    return k[at.O_FILTER] + ((row * 512 + bank * 16 + ((address ^ row >> 4) & 15)) & (at.FILTER - 1))


@inlined
def wanted(k: Ints, bank: int, row: int) -> int:
    """Where the commands in the queue of a bank with the hash of a row are counted; 0 there: none is for that row.

    Neighbours have places of their own; rows that are a power of two apart, as tensors are, have others too.
    """
    return k[at.O_WANTED] + (((row + (row >> 7) * 13) * 32 + bank) & (at.WANTED - 1))


@inlined
def feed(k: Ints, x: Ints, row: int, writes: int) -> None:
    """So many writes more (less, if negative) that feed PIM wait for a row."""
    x[at.S_FEEDS] += writes
    x[k[at.O_FED_ROWS] + (row & (at.FED_ROWS - 1))] += writes


@inlined
def _queued_write(k: Ints, x: Ints, bank: int, address: int) -> int:
    if x[k[at.O_QUEUE_WRITES] + bank] == 0:
        return at.NONE
    return queued_at(k, x, bank, address, 1, x[k[at.O_QUEUE_N] + bank])


@inlined
def write_waits(k: Ints, x: Ints, bank: int, address: int) -> bool:
    """Whether an address is waiting to be written."""
    if x[filtered(k, bank, address)] == 0:
        return False
    return access_to(k, x, at.WRITE_LINE, bank, address) >= 0 or _queued_write(k, x, bank, address) >= 0


@inlined
def _read_waits(k: Ints, x: Ints, bank: int, address: int) -> bool:
    if access_to(k, x, at.READ_LINE, bank, address) >= 0:
        return True
    return queued_at(k, x, bank, address, 0, x[k[at.O_QUEUE_N] + bank]) >= 0


@inlined
def merges_write(k: Ints, x: Ints, bank: int, address: int, feeds: int) -> bool:
    """Whether a write needs no command of its own; if it feeds PIM, so does the one that waits."""
    if k[at.P_MERGE] == 0 or x[filtered(k, bank, address)] == 0:
        return False
    place = access_to(k, x, at.WRITE_LINE, bank, address)
    if place >= 0:
        t = transaction_at(k, at.WRITE_LINE, place)
        feed(k, x, address >> 16, feeds & ~x[t + at.T_FEEDS])
        x[t + at.T_FEEDS] |= feeds
        return True
    place = _queued_write(k, x, bank, address)
    if place < 0:
        return False
    spot = _queue_at(k, x, bank, place)
    more = feeds & ~(x[spot] >> 1)
    feed(k, x, address >> 16, more)
    x[k[at.O_QUEUE_FEEDS] + bank] += more
    x[spot] |= feeds << 1
    return True


@inlined
def merges_read(k: Ints, x: Ints, bank: int, address: int, block: int) -> bool:
    """Whether a read needs no command of its own; if so, it is kept to be answered with the one that waits."""
    if k[at.P_MERGE] == 0 or x[filtered(k, bank, address)] == 0 or not _read_waits(k, x, bank, address):
        return False
    m = k[at.O_MERGED] + x[at.S_MERGED] * at.MERGED
    x[m + at.M_BANK], x[m + at.M_ADDRESS], x[m + at.M_BLOCK] = bank, address, block
    x[at.S_MERGED] += 1
    return True


@inlined
def next_merged(k: Ints, x: Ints, bank: int, address: int) -> int:
    """Take one read that waits for the data of an address out of the merged ones: its block, or NONE - 1."""
    for i in range(x[at.S_MERGED]):
        m = k[at.O_MERGED] + i * at.MERGED
        if x[m + at.M_BANK] == bank and x[m + at.M_ADDRESS] == address:
            block, x[at.S_MERGED] = x[m + at.M_BLOCK], x[at.S_MERGED] - 1
            for place in range(m, k[at.O_MERGED] + x[at.S_MERGED] * at.MERGED):
                x[place] = x[place + at.MERGED]
            return block
    return at.NONE - 1
