"""The link that both programs of a core share on the way to a channel; see `machine.dram.link`."""

from neupims.jit import Ints, inlined
from neupims.machine.dram.fast import layout as at


@inlined
def step_link(k: Ints, x: Ints) -> None:
    """One turn: each program sends one request, and the link delivers one."""
    kind = int(x[at.S_UNSENT0] > 0) + 2 * int(x[at.S_UNSENT1] > 0)
    if kind == 0 and x[at.S_SPANS] == 0:
        return
    x[at.S_ACTIVE] = 1
    if kind > 0 and _enter(k, x, kind):
        x[at.S_UNSENT0] -= kind & 1
        x[at.S_UNSENT1] -= kind >> 1
    if x[at.S_SPANS]:
        _deliver(k, x)


@inlined
def _enter(k: Ints, x: Ints, kind: int) -> bool:
    """Lengthen the last span of its kind or begin one; False when there is no room."""
    spans, last = k[at.O_SPANS], (x[at.S_SPAN_HEAD] + x[at.S_SPANS] - 1) % at.SPANS
    if x[at.S_SPANS] and x[spans + 2 * last] == kind:
        x[spans + 2 * last + 1] += 1
        return True
    if x[at.S_SPANS] == at.SPANS:
        return False
    place = (last + 1) % at.SPANS
    x[spans + 2 * place], x[spans + 2 * place + 1] = kind, 1
    x[at.S_SPANS] += 1
    return True


@inlined
def _deliver(k: Ints, x: Ints) -> None:
    place = k[at.O_SPANS] + 2 * x[at.S_SPAN_HEAD]
    kind = x[place]
    if kind == at.BOTH and x[at.S_SPAN_HALF] == 0:
        x[at.S_CAME0] += 1
        x[at.S_SPAN_HALF] = 1
        return
    x[at.S_SPAN_HALF] = 0
    x[at.S_CAME0] += int(kind == 1)
    x[at.S_CAME1] += int(kind > 1)
    x[place + 1] -= 1
    if x[place + 1] == 0:
        x[at.S_SPAN_HEAD] = (x[at.S_SPAN_HEAD] + 1) % at.SPANS
        x[at.S_SPANS] -= 1
