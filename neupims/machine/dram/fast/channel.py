"""The cycle of a channel, and the cycles in which nothing can happen, which are skipped."""

from neupims.jit import Array, Ints, Narrow, compiled, inlined, pointer
from neupims.machine.dram.fast import layout as at
from neupims.machine.dram.fast.banks import memory_step
from neupims.machine.dram.fast.gates import complete, look_again
from neupims.machine.dram.fast.lines import ring
from neupims.machine.dram.fast.moves import may_move, move
from neupims.machine.dram.fast.pim import keeps_slot, pim_step, refresh_step
from neupims.machine.dram.fast.queues import accept
from neupims.machine.dram.fast.rows import close_on


@compiled
def advance(
    k: Array,
    channels: Array,
    which: Array,
    b: Array,
    npu: Narrow,
    side: Narrow,
    programs: Narrow,
    until: int,
    step: int,
) -> int:
    """Run the channels `which` up to, not including, cycle `until`; returns the cycle that they have reached.

    Unless `step` is 0, all of them run so many cycles at a time, and no further once a block has completed.

    `channels` [channel, state]; `npu` and `side`, the runs of both ports, and `programs` [channel, place, field].
    """
    constants, blocks = pointer(k), pointer(b)
    stop = int(channels[which[0], at.S_CYCLE])
    while stop < until and (step == 0 or blocks[at.B_FINISHED] == 0):
        stop = until if step == 0 else min(until, stop + step)
        for i in range(len(which)):
            c = which[i]
            queues = pointer(npu[c]), pointer(side[c]), pointer(programs[c])
            _run(constants, pointer(channels[c]), blocks, *queues, stop)
    return stop


@inlined
def _run(k: Ints, x: Ints, b: Ints, npu: Ints, side: Ints, program: Ints, until: int) -> None:
    while x[at.S_CYCLE] < until:
        command_alone = _tick(k, x, b, npu, side, program)
        if x[at.S_ACTIVE] == 0:
            _skip(k, x, b, program, until)
        elif command_alone and x[at.S_END_HOLDS] == x[at.S_CYCLE]:
            close_on(k, x, _next_input(k, x, b, program, until))


@inlined
def _tick(k: Ints, x: Ints, b: Ints, npu: Ints, side: Ints, program: Ints) -> bool:
    """One cycle; returns whether nothing happened in it but, perhaps, a command."""
    x[at.S_ACTIVE] = 0
    accept(k, x, b, npu, side, program)
    _retire(k, x, b)
    if x[at.S_CYCLE] == x[at.S_NEXT_TICK]:
        x[at.S_REFRESHES] += 1
        x[at.S_NEXT_TICK] += k[at.P_TICK]
        x[at.S_ACTIVE] = 1
    no_input = x[at.S_ACTIVE] == 0
    if not refresh_step(k, x) and not pim_step(k, x, b):
        memory_step(k, x, b)
    move(k, x)
    x[at.S_PIM_BUSY] += x[at.S_COMMANDS] > 0
    x[at.S_CYCLE] += 1
    return no_input and not may_move(x)


@inlined
def _retire(k: Ints, x: Ints, b: Ints) -> None:
    if k[at.P_TRACK_RETURNS]:
        while x[at.S_RET] and x[k[at.O_RETURNS] + x[at.S_RET_HEAD]] <= x[at.S_CYCLE]:
            if k[at.P_RESPONSES]:
                _queue_response(k, x, x[k[at.O_RETURN_BLOCK] + x[at.S_RET_HEAD]])
            x[at.S_RET_HEAD] = ring(x[at.S_RET_HEAD] + 1, k[at.P_RETURNS])
            x[at.S_RET] -= 1
            x[at.S_ACTIVE] = 1
        while x[at.S_ACK] and x[k[at.O_ACKS] + x[at.S_ACK_HEAD]] <= x[at.S_CYCLE]:
            if k[at.P_RESPONSES]:
                _queue_response(k, x, x[k[at.O_ACK_BLOCK] + x[at.S_ACK_HEAD]])
            x[at.S_ACK_HEAD] = ring(x[at.S_ACK_HEAD] + 1, k[at.P_ACKS])
            x[at.S_ACK] -= 1
            x[at.S_ACTIVE] = 1
        if x[at.S_BACKLOG]:
            _respond(k, x, b)
    if x[at.S_GWRITING] and 0 <= x[at.S_GWRITE_END] <= x[at.S_CYCLE]:
        x[at.S_GWRITING], x[at.S_GWRITE_END], x[at.S_ACTIVE] = 0, -1, 1
        x[at.S_SLACK] *= k[at.P_OVERLAP]
        x[at.S_PIM_WAKE] = 0
        look_again(k, x)


@inlined
def _queue_response(k: Ints, x: Ints, block: int) -> None:
    x[k[at.O_BACKLOG] + ring(x[at.S_BACKLOG_HEAD] + x[at.S_BACKLOG], k[at.P_BACKLOG])] = block
    x[at.S_BACKLOG] += 1


@inlined
def _respond(k: Ints, x: Ints, b: Ints) -> None:
    """Answers leave in order, so many in a cycle."""
    for _ in range(min(k[at.P_RESPONSES], x[at.S_BACKLOG])):
        complete(x, b, x[k[at.O_BACKLOG] + x[at.S_BACKLOG_HEAD]], x[at.S_CYCLE])
        x[at.S_BACKLOG_HEAD] = ring(x[at.S_BACKLOG_HEAD] + 1, k[at.P_BACKLOG])
        x[at.S_BACKLOG] -= 1
    x[at.S_ACTIVE] = 1


@inlined
def _skip(k: Ints, x: Ints, b: Ints, program: Ints, until: int) -> None:
    """Nothing happened: go to the next cycle in which something can."""
    cycle = x[at.S_CYCLE]
    wake = min(_next_command(k, x), _next_input(k, x, b, program, until))
    if wake > cycle:
        x[at.S_PIM_BUSY] += (wake - cycle) * (x[at.S_COMMANDS] > 0)
        x[at.S_CYCLE] = wake


@inlined
def _next_input(k: Ints, x: Ints, b: Ints, program: Ints, until: int) -> int:
    """Up to when nothing comes in or becomes due, if nothing has in the last cycle; `until` at most."""
    wake = min(until, _next_event(k, x))
    if x[at.S_PROG_HEAD] < x[at.S_PROG_N]:
        wake = min(wake, _next_instruction(k, x, b, program, x[at.S_CYCLE]))
    return wake


@inlined
def _next_event(k: Ints, x: Ints) -> int:
    """When a refresh is due, a GWRITE ends or a request is answered."""
    wake = x[at.S_NEXT_TICK]
    if x[at.S_GWRITING] and x[at.S_GWRITE_END] >= 0:
        wake = min(wake, x[at.S_GWRITE_END])
    if x[at.S_RET]:
        wake = min(wake, x[k[at.O_RETURNS] + x[at.S_RET_HEAD]])
    if x[at.S_ACK]:
        wake = min(wake, x[k[at.O_ACKS] + x[at.S_ACK_HEAD]])
    if x[at.S_IN_REFRESH]:
        wake = min(wake, x[at.S_REFRESH_WAKE])
    return wake


@inlined
def _next_instruction(k: Ints, x: Ints, b: Ints, program: Ints, cycle: int) -> int:
    """When the next PIM instruction may be handed over, as far as its gate and the rate go."""
    gate = program[x[at.S_PROG_HEAD] * at.INSTRUCTION_FIELDS + at.I_GATE]
    if x[at.S_PROG_SUB] == 0 and gate >= 0:
        done = b[at.B_LEFT + b[at.B_N] + gate]
        if b[at.B_LEFT + gate] > 0:
            return at.FAR
        if done >= cycle:
            return done
    return cycle if k[at.P_RATE_NUM] < k[at.P_RATE_DEN] else at.FAR


@inlined
def _next_command(k: Ints, x: Ints) -> int:
    """When the next PIM or memory command may issue."""
    pim = k[at.P_DUAL] + k[at.P_BLOCKED] > 0 and x[at.S_SKIP_PIM] == 0
    shares, wake = True, at.FAR
    if pim and k[at.P_BLOCKED]:
        shares = x[at.S_QUEUED] > 0 and x[at.S_PIM_MODE] == 0
        pim = not shares
    if pim and x[at.S_COMMANDS] and x[at.S_IN_REFRESH] == 0:
        wake = x[at.S_PIM_WAKE]
        shares = shares and not keeps_slot(k, x)
    if shares and x[at.S_QUEUED]:
        wake = min(wake, x[at.S_MEMORY_WAKE])
    return wake
