"""The cycle of a channel, and the cycles in which nothing can happen, which are skipped."""

from neupims.machine.dram.fast.jit import compiled
from neupims.machine.dram.fast.layout import (
    FAR,
    P_BLOCKED,
    P_DUAL,
    P_RATE_DEN,
    P_RATE_NUM,
    P_REFRESH,
    P_TICK,
    P_TRACK_RETURNS,
    S_ACK,
    S_ACK_HEAD,
    S_ACTIVE,
    S_COMMANDS,
    S_CYCLE,
    S_GWRITE_END,
    S_GWRITING,
    S_IN_REFRESH,
    S_MEMORY_WAKE,
    S_PIM_BUSY,
    S_PIM_MODE,
    S_PIM_WAKE,
    S_PROG_SUB,
    S_QUEUED,
    S_REFRESH_WAKE,
    S_REFRESHES,
    S_RET,
    S_RET_HEAD,
    S_SKIP_PIM,
    S_SLACK,
    I_GATE,
    Engine,
)
from neupims.machine.dram.fast.memory import memory_step
from neupims.machine.dram.fast.pim import PASS, SLACK_TO_SHARE, pim_step, refresh_step
from neupims.machine.dram.fast.queues import accept, move


@compiled
def advance(e: Engine, until: int) -> None:
    """Run every channel up to, not including, cycle `until`."""
    for c in range(e.s.shape[0]):
        while e.s[c, S_CYCLE] < until:
            _tick(e, c)
            if e.s[c, S_ACTIVE] == 0:
                _skip(e, c, until)


@compiled
def _tick(e: Engine, c: int) -> None:
    s, p = e.s[c], e.p
    s[S_ACTIVE] = 0
    accept(e, c)
    _retire(e, c)
    if p[P_REFRESH] and s[S_CYCLE] > 0 and s[S_CYCLE] % p[P_TICK] == 0:
        s[S_REFRESHES] += 1
        s[S_ACTIVE] = 1
    if refresh_step(e, c) == PASS and pim_step(e, c) == PASS:
        memory_step(e, c)
    move(e, c)
    s[S_PIM_BUSY] += s[S_COMMANDS] > 0
    s[S_CYCLE] += 1


@compiled
def _retire(e: Engine, c: int) -> None:
    s, p = e.s[c], e.p
    if p[P_TRACK_RETURNS]:
        while s[S_RET] and e.returns[c, s[S_RET_HEAD]] <= s[S_CYCLE]:
            s[S_RET_HEAD] = (s[S_RET_HEAD] + 1) % e.returns.shape[1]
            s[S_RET] -= 1
            s[S_ACTIVE] = 1
        while s[S_ACK] and e.acks[c, s[S_ACK_HEAD]] <= s[S_CYCLE]:
            s[S_ACK_HEAD] = (s[S_ACK_HEAD] + 1) % e.acks.shape[1]
            s[S_ACK] -= 1
            s[S_ACTIVE] = 1
    if s[S_GWRITING] and 0 <= s[S_GWRITE_END] <= s[S_CYCLE]:
        s[S_GWRITING], s[S_GWRITE_END], s[S_SLACK], s[S_ACTIVE] = 0, -1, 0, 1
        s[S_PIM_WAKE] = s[S_MEMORY_WAKE] = 0


@compiled
def _skip(e: Engine, c: int, until: int) -> None:
    """Nothing happened: go to the next cycle in which something can."""
    s, cycle = e.s[c], e.s[c, S_CYCLE]
    wake = min(until, _next_event(e, c, cycle))
    if wake > cycle:
        s[S_PIM_BUSY] += (wake - cycle) * (s[S_COMMANDS] > 0)
        s[S_CYCLE] = wake


@compiled
def _next_event(e: Engine, c: int, cycle: int) -> int:
    s, p, wake = e.s[c], e.p, FAR
    if p[P_REFRESH]:
        wake = -(-cycle // p[P_TICK]) * p[P_TICK]
    if s[S_GWRITING] and s[S_GWRITE_END] >= 0:
        wake = min(wake, s[S_GWRITE_END])
    if p[P_TRACK_RETURNS]:
        if s[S_RET]:
            wake = min(wake, e.returns[c, s[S_RET_HEAD]])
        if s[S_ACK]:
            wake = min(wake, e.acks[c, s[S_ACK_HEAD]])
    if s[S_REFRESHES]:
        wake = min(wake, s[S_REFRESH_WAKE] if s[S_IN_REFRESH] else FAR)
    if e.program_head[c] < e.program_n[c]:
        wake = min(wake, _program_wake(e, c, cycle))
    return min(wake, _command_wake(e, c, cycle))


@compiled
def _program_wake(e: Engine, c: int, cycle: int) -> int:
    """When the next PIM instruction may be handed over, as far as its gate is concerned."""
    gate = e.program[c, e.program_head[c], I_GATE]
    if e.s[c, S_PROG_SUB] == 0 and gate >= 0:
        return FAR if e.left[gate] > 0 else max(e.done[gate], cycle)
    return cycle if e.p[P_RATE_NUM] < e.p[P_RATE_DEN] else FAR


@compiled
def _command_wake(e: Engine, c: int, cycle: int) -> int:
    """When the next PIM or memory command may issue."""
    s, p, wake = e.s[c], e.p, FAR
    pim = p[P_DUAL] + p[P_BLOCKED] > 0 and s[S_SKIP_PIM] == 0
    shares = True
    if pim and p[P_BLOCKED]:
        shares = s[S_QUEUED] > 0 and s[S_PIM_MODE] == 0
        pim = not shares
    if pim and s[S_COMMANDS] and s[S_IN_REFRESH] == 0:
        wake = s[S_PIM_WAKE]
        shares = shares and s[S_SLACK] >= SLACK_TO_SHARE
    if shares and s[S_QUEUED]:
        wake = min(wake, s[S_MEMORY_WAKE])
    return max(wake, cycle)
