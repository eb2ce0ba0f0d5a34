"""Runs and PIM instructions are appended to the queues from which channels take them."""

from neupims.jit import Array, compiled
from neupims.machine.dram.fast import layout as at


@compiled
def append(
    channels: Array, queues: Array, places: Array, owners: Array, records: Array, items: Array, start: int
) -> int:
    """Append `records` [n, field] from `start` on to the `queues` [channel, place, field + 1] of their owners.

    The last field of an entry is its ticket, which counts all that a channel was given. `places` are those, in a
    channel's state, of the queue's first and last entry and of the requests that the link has yet to take, of which
    record i is `items[i]`. What has been taken is overwritten when a queue is
    empty or full. Returns how many records have been
    appended in all: fewer than n when a queue has to be made longer first.
    """
    size = queues.shape[1]
    head, end, unsent = int(places[0]), int(places[1]), int(places[2])
    for i in range(start, len(owners)):
        x, queue = channels[owners[i]], queues[owners[i]]
        if x[head] == x[end]:
            x[head] = x[end] = 0
        if x[end] == size:
            if x[head] == 0:
                return i
            _compact(queue, int(x[head]), int(x[end]))
            x[end] -= x[head]
            x[head] = 0
        for field in range(records.shape[1]):
            queue[x[end], field] = records[i, field]
        queue[x[end], records.shape[1]] = x[at.S_TICKETS]
        x[at.S_TICKETS] += 1
        x[unsent] += items[i]
        x[end] += 1
    return len(owners)


@compiled
def _compact(queue: Array, head: int, end: int) -> None:
    """Move the entries head .. end - 1 to the start."""
    for place in range(end - head):
        for field in range(queue.shape[1]):
            queue[place, field] = queue[head + place, field]


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
