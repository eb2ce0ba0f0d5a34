"""Runs and PIM instructions are appended to the queues from which channels take them."""

from typing import Any

from numpy.typing import NDArray

from neupims.jit import Array, Narrow, compiled, inlined
from neupims.machine.dram.fast import layout as at

Records = NDArray[Any]


@compiled
def append_runs(channels: Array, of: Array, queues: Narrow, port: int, runs: Records, first: int, done: int) -> int:
    """Append RUNs to the `queues` [channel, place, field] of a port, of those channels that stand for themselves.

    Their block 0 is `first`. So many as `done` have been appended before; returns how many are now: not all, if a queue
    is full. The link has yet to take their bursts.
    """
    for i in range(done, len(runs)):
        run = runs[i]
        channel = run["channel"]
        if of[channel] != channel:
            continue
        x, queue = channels[channel], queues[channel]
        place = _next(x, queue, at.S_RUN_HEAD0 + port, at.S_RUN_N0 + port)
        if place == at.NONE:
            return i
        entry = queue[place]
        entry[at.R_BANK], entry[at.R_ROW], entry[at.R_COLUMN] = run["bank"], run["row"], run["column"]
        entry[at.R_WHAT] = run["bursts"] << 2 | run["feeds_pim"] << 1 | run["write"]
        entry[at.R_BLOCK], entry[at.R_TICKET] = first + run["block"], x[at.S_TICKETS]
        x[at.S_TICKETS] += 1
        x[at.S_REFUSED] = 0
        x[at.S_UNSENT0 + port] += run["bursts"]
    return len(runs)


@compiled
def append_instructions(
    channels: Array, of: Array, queues: Narrow, instructions: Records, items: Array, done: int
) -> int:
    """Append INSTRUCTIONs, of `items` [n] transactions, to the PIM programs in `queues`; as append_runs."""
    for i in range(done, len(instructions)):
        given = instructions[i]
        channel = given["channel"]
        if of[channel] != channel:
            continue
        x, queue = channels[channel], queues[channel]
        place = _next(x, queue, at.S_PROG_HEAD, at.S_PROG_N)
        if place == at.NONE:
            return i
        entry = queue[place]
        entry[at.I_KIND], entry[at.I_BANK], entry[at.I_ROW] = given["kind"], given["bank"], given["row"]
        entry[at.I_GROUPS], entry[at.I_MACS], entry[at.I_BLOCK] = given["groups"], given["macs"], given["block"]
        entry[at.I_GATE], entry[at.I_HEADER], entry[at.I_TICKET] = given["gate"], given["header"], x[at.S_TICKETS]
        x[at.S_TICKETS] += 1
        x[at.S_REFUSED] = 0
        x[at.S_UNSENT1] += items[i]
    return len(instructions)


@inlined
def _next(x: Array, queue: Narrow, head: int, end: int) -> int:
    """Take the next place of a queue between the places in `x[head]` and `x[end]`; what it holds may move up.

    It does not if more than two thirds are in use, lest that be done again and again: there is no place, then.
    """
    if x[head] == x[end]:
        x[head] = x[end] = 0
    if x[end] == len(queue):
        left = x[end] - x[head]
        if 3 * left > 2 * len(queue):
            return at.NONE
        for place in range(left):
            for field in range(queue.shape[1]):
                queue[place, field] = queue[x[head] + place, field]
        x[head], x[end] = 0, left
    x[end] += 1
    return x[end] - 1


@compiled
def is_idle(k: Array, channels: Array, which: Array) -> bool:
    """Whether nothing is queued in the channels `which`, answers that wait to leave it included."""
    for i in range(len(which)):
        x = channels[which[i]]
        queued = x[at.S_READS] + x[at.S_WRITES] + x[at.S_PIM_WAITING] + x[at.S_COMMANDS] + x[at.S_QUEUED]
        ports = x[at.S_RUN_N0] - x[at.S_RUN_HEAD0] + x[at.S_RUN_N1] - x[at.S_RUN_HEAD1]
        answers = (x[at.S_RET] + x[at.S_ACK] + x[at.S_BACKLOG]) * (k[at.P_RESPONSES] > 0)
        if queued + ports + answers + x[at.S_PROG_N] - x[at.S_PROG_HEAD] > 0:
            return False
    return True
