"""Requests enter the transaction queues; see `machine.dram.interpreter`."""

from neupims.jit import Ints, inlined
from neupims.machine.dram.fast import layout as at
from neupims.machine.dram.fast.duplicates import feed, filtered, merges_read, merges_write, write_waits
from neupims.machine.dram.fast.gates import complete
from neupims.machine.dram.fast.lines import enter, ring
from neupims.machine.dram.fast.link import step_link

GWRITE = 0


@inlined
def accept(k: Ints, x: Ints, b: Ints, npu: Ints, side: Ints, program: Ints) -> None:
    """Hand over what the two ports and the PIM program offer in this cycle."""
    if x[at.S_REFUSED]:
        return
    ports = x[at.S_RUN_N0] - x[at.S_RUN_HEAD0] + x[at.S_RUN_N1] - x[at.S_RUN_HEAD1]
    if ports + x[at.S_PROG_N] - x[at.S_PROG_HEAD] == 0:
        x[at.S_REFUSED] = 1
        return
    if k[at.P_IN_LINE]:
        for _ in range(k[at.P_ACCEPTS]):
            step_link(k, x)
            _accept_from_link(k, x, b, npu, side, program)
        return
    allowed = _allowed(k, x[at.S_CYCLE])
    for step in range(max(k[at.P_ACCEPTS], allowed)):
        moved = False
        if step < k[at.P_ACCEPTS]:
            if x[at.S_RUN_HEAD0] < x[at.S_RUN_N0] and _take(k, x, b, npu, 0):
                moved = True
            if x[at.S_RUN_HEAD1] < x[at.S_RUN_N1] and _take(k, x, b, side, 1):
                moved = True
        if step < allowed and x[at.S_PROG_HEAD] < x[at.S_PROG_N] and _take_pim(k, x, b, program):
            moved = True
        if not moved:
            x[at.S_REFUSED] = step == 0 and _waits_for_room(k, x)
            return
        x[at.S_ACTIVE], x[at.S_STUCK] = 1, 0


@inlined
def _waits_for_room(k: Ints, x: Ints) -> bool:
    """Whether what was refused will be until room is made for it: not for the time, nor for answers under way."""
    waiting, room = (x[at.S_READS], k[at.P_READ_QUEUE]) if k[at.P_BLOCKED] else (x[at.S_PIM_WAITING], k[at.P_PIM_QUEUE])
    return k[at.P_TRACK_RETURNS] == 0 and (x[at.S_PROG_HEAD] == x[at.S_PROG_N] or waiting >= room)


@inlined
def _accept_from_link(k: Ints, x: Ints, b: Ints, npu: Ints, side: Ints, program: Ints) -> None:
    """One request of each program, if the link has delivered one and the controller has room."""
    if x[at.S_CAME0] and _take(k, x, b, npu, 0):
        x[at.S_CAME0] -= 1
        x[at.S_ACTIVE], x[at.S_STUCK] = 1, 0
    if x[at.S_CAME1] == 0:
        return
    instruction = _instruction_is_next(x, side, program)
    if _take_pim(k, x, b, program) if instruction else _take(k, x, b, side, 1):
        x[at.S_CAME1] -= 1
        x[at.S_ACTIVE], x[at.S_STUCK] = 1, 0


@inlined
def _instruction_is_next(x: Ints, side: Ints, program: Ints) -> bool:
    """Whether the PIM program's next request is an instruction, not one of its reads and writes."""
    if x[at.S_RUN_HEAD1] == x[at.S_RUN_N1]:
        return True
    if x[at.S_PROG_HEAD] == x[at.S_PROG_N]:
        return False
    run, instruction = x[at.S_RUN_HEAD1] * at.RUN_FIELDS, x[at.S_PROG_HEAD] * at.INSTRUCTION_FIELDS
    return side[run + at.R_TICKET] > program[instruction + at.I_TICKET]


@inlined
def _allowed(k: Ints, cycle: int) -> int:
    """PIM instructions that the front end hands over in a cycle."""
    num, den = k[at.P_RATE_NUM], k[at.P_RATE_DEN]
    return num if den == 1 else ((cycle + 1) * num) // den - (cycle * num) // den


@inlined
def _take(k: Ints, x: Ints, b: Ints, runs: Ints, port: int) -> bool:
    if k[at.P_TRACK_RETURNS] and x[at.S_READS_OUT] + x[at.S_RET] + x[at.S_ACK] >= k[at.P_OUTSTANDING]:
        return False
    head = x[at.S_RUN_HEAD0 + port] * at.RUN_FIELDS
    what = runs[head + at.R_WHAT]
    write, feeds = what & 1, what >> 1 & 1
    kept_for_pim = k[at.P_BLOCKED] * k[at.P_ORDERED]
    if (x[at.S_WRITES] >= k[at.P_WRITE_BUFFER]) if write else (x[at.S_READS] >= k[at.P_READ_QUEUE] - kept_for_pim):
        return False
    bank, block = runs[head + at.R_BANK], runs[head + at.R_BLOCK]
    address = (runs[head + at.R_ROW] << 16) | (runs[head + at.R_COLUMN] + x[at.S_RUN_DONE0 + port])
    if write:
        if not merges_write(k, x, bank, address, feeds):
            _put(x, enter(k, x, at.WRITE_LINE, bank), at.WR, bank, address, feeds, block)
            feed(k, x, address >> 16, feeds)
            x[filtered(k, bank, address)] += 1
        _answer(k, x, b, block)
    elif write_waits(k, x, bank, address):
        _answer(k, x, b, block)
    else:
        if not merges_read(k, x, bank, address, block):
            _put(x, enter(k, x, at.READ_LINE, bank), at.RD, bank, address, 0, block)
            x[filtered(k, bank, address)] += 1
        x[at.S_READS_OUT] += 1
    x[at.S_RUN_DONE0 + port] += 1
    if x[at.S_RUN_DONE0 + port] == what >> 2:
        x[at.S_RUN_HEAD0 + port] += 1
        x[at.S_RUN_DONE0 + port] = 0
    return True


@inlined
def _put(x: Ints, t: int, command: int, bank: int, address: int, feeds: int, block: int) -> None:
    x[t + at.T_COMMAND], x[t + at.T_BANK], x[t + at.T_ADDRESS] = command, bank, address
    x[t + at.T_FEEDS], x[t + at.T_BLOCK], x[t + at.T_SINCE] = feeds, block, x[at.S_CYCLE]


@inlined
def _answer(k: Ints, x: Ints, b: Ints, block: int) -> None:
    cycle = x[at.S_CYCLE] + 1
    if k[at.P_TRACK_RETURNS]:
        place = ring(x[at.S_ACK_HEAD] + x[at.S_ACK], k[at.P_ACKS])
        x[k[at.O_ACKS] + place] = cycle
        x[at.S_ACK] += 1
        if k[at.P_RESPONSES]:
            x[k[at.O_ACK_BLOCK] + place] = block
            return
    complete(x, b, block, cycle)


@inlined
def _take_pim(k: Ints, x: Ints, b: Ints, program: Ints) -> bool:
    head, sub = x[at.S_PROG_HEAD] * at.INSTRUCTION_FIELDS, x[at.S_PROG_SUB]
    gate = program[head + at.I_GATE]
    if sub == 0 and gate >= 0 and (b[at.B_LEFT + gate] > 0 or b[at.B_LEFT + b[at.B_N] + gate] > x[at.S_CYCLE]):
        return False
    if k[at.P_BLOCKED]:
        if x[at.S_READS] >= k[at.P_READ_QUEUE]:
            return False
        t = enter(k, x, at.READ_LINE, -1)
    else:
        if x[at.S_PIM_WAITING] >= k[at.P_PIM_QUEUE]:
            return False
        t = k[at.O_WAITING] + ring(x[at.S_PIM_HEAD] + x[at.S_PIM_WAITING], k[at.P_PIM_QUEUE]) * at.FIELDS
    x[at.S_PIM_WAITING] += 1
    if _spell(k, x, t, program, head, sub):
        x[at.S_PROG_SUB] = 0
        x[at.S_PROG_HEAD] += 1
    else:
        x[at.S_PROG_SUB] = sub + 1
    return True


@inlined
def _spell(k: Ints, x: Ints, t: int, program: Ints, i: int, sub: int) -> bool:
    """Write the `sub`-th transaction of the instruction at place `i`; True when it is the last."""
    macs, groups, composite = program[i + at.I_MACS], program[i + at.I_GROUPS], k[at.P_COMPOSITE]
    x[t + at.T_BANK], x[t + at.T_ROW], x[t + at.T_MACS] = -1, program[i + at.I_ROW], 0
    x[t + at.T_GROUPS], x[t + at.T_BLOCK], x[t + at.T_LAST], x[t + at.T_SINCE] = 0, -1, 0, x[at.S_CYCLE]
    if program[i + at.I_KIND] == GWRITE:
        x[t + at.T_COMMAND], x[t + at.T_BANK] = at.PIM_GWRITE, program[i + at.I_BANK]
        x[t + at.T_GROUPS] = program[i + at.I_HEADER]
        return True
    if sub == 0:
        x[t + at.T_COMMAND], x[t + at.T_MACS], x[t + at.T_GROUPS] = at.PIM_HEADER, macs, groups
        x[t + at.T_ROW] += program[i + at.I_HEADER]
        return False
    per_group = 1 if composite else macs + 1
    group = (sub - 1) // per_group
    step = sub - 1 - group * per_group
    if composite == 0 and step < macs:
        x[t + at.T_COMMAND], x[t + at.T_MACS] = at.PIM_MAC, int(step == 0)
        return False
    x[t + at.T_COMMAND] = at.PIM_GEMV if composite else at.PIM_READ
    x[t + at.T_MACS] = macs if composite else 0
    if program[i + at.I_BLOCK] >= 0:
        x[t + at.T_BLOCK] = program[i + at.I_BLOCK] + group
    x[t + at.T_LAST] = int(group == groups - 1)
    return group == groups - 1
