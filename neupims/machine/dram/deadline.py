"""How long a GWRITE or a tile will take, asked before a refresh is due.

All estimates are lengths in cycles.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from neupims.hardware.pim import PimSpec
from neupims.isa.commands import Command
from neupims.machine.dram.gates import ALL, Gates
from neupims.machine.dram.rules import CLOSE
from neupims.machine.dram.state import CLOSED

SCOPES = {"bank": "bank", "bank_group": "group", "all": "channel"}
"""Banks that one PIM_PRE closes."""


@dataclass(frozen=True, slots=True)
class Tile:
    """A GEMV tile as its header announces it."""

    row: int
    groups: int
    macs: int


def published_gwrite(gates: Gates, open_row: int, row: int) -> int:
    """Published estimate of a GWRITE's latency; `open_row` is -1 for a closed bank."""
    t = gates.t
    reopen = 0 if open_row == row else t["tRP"] + t["tRCD"]
    return t["tGWRITE"] + reopen + (t["tRTP"] if open_row not in (-1, row) else 0)


def published_tile(gates: Gates, open_rows: Sequence[int], tile: Tile) -> int:
    """Published estimate of a tile's latency: tRTP for each bank to close, no tRP, counts as powers of two.

    A header carries logarithms: MACs are rounded up for a single group (attend), down for several (logit).
    """
    t = gates.t
    groups = [gates.geometry.members["group", g] for g in range(gates.geometry.banks // gates.geometry.per["group"])]
    cold = [members for members in groups if any(open_rows[b] != tile.row for b in members)]
    stale = sum(open_rows[b] not in (-1, tile.row) for members in cold for b in members)
    macs = power_of_two_up(tile.macs) if tile.groups == 1 else power_of_two_down(tile.groups * tile.macs)
    reads = power_of_two_down(tile.groups)
    opening = t["tFAW"] * (len(cold) // 2 - 1) + t["tRCD"]
    return stale * t["tRTP"] + opening + t["tCCDO"] * max(macs, 6) + t["tCCDR"] * (reads - 1)


def power_of_two_up(value: int) -> int:
    """The smallest power of two that is not below `value`."""
    return 1 << (value - 1).bit_length()


def power_of_two_down(value: int) -> int:
    """The largest power of two that is not above `value`."""
    return 1 << (value.bit_length() - 1)


def exact_gwrite(gates: Gates, open_row: int, row: int, bank: int, cycle: int) -> int:
    """Cycles from now until a GWRITE has ended when nothing else delays it."""
    t, place = gates.t, ("bank", bank)
    if open_row == row:
        start = max(cycle, gates.earliest(Command.PIM_GWRITE, place))
    else:
        opened = max(cycle, gates.earliest(Command.ACT, place))
        if open_row != -1:
            opened = max(opened, gates.earliest(Command.PRE, place) + t["tRP"], cycle + t["tRP"])
        start = opened + t["tRCD"]
    return start + t["tGWRITE"] - cycle


def stale_banks(gates: Gates, pim: PimSpec, open_rows: Sequence[int], row: int) -> list[int]:
    """Banks to close before a tile on `row`.

    Banks that are open on the row stay so if their whole group is (one row buffer, where ordinary ACTs
    open rows too: if the whole channel is); published simulator: always.
    """
    unit = "group" if pim.row_buffers == "dual" else "channel"
    stale: list[int] = []
    for bank, open_row in enumerate(open_rows):
        members = gates.geometry.members[gates.geometry.around(unit, bank)]
        whole = pim.row_timing == "published" or all(open_rows[b] == row for b in members)
        if open_row != CLOSED and not (open_row == row and whole):
            stale.append(bank)
    return stale


def exact_tile(gates: Gates, pim: PimSpec, open_rows: Sequence[int], tile: Tile, cycle: int) -> int:
    """Cycles from now until a tile has let go of its banks when nothing else delays it."""
    t = gates.t
    stale = stale_banks(gates, pim, open_rows, tile.row)
    header = _header_cycle(gates, pim, stale, cycle)
    last = header
    for rank in range(gates.geometry.ranks):
        members = gates.geometry.members["rank", rank]
        cold = sorted({b // gates.geometry.per["group"] for b in members if open_rows[b] != tile.row or b in stale})
        closed = header - 1 + t["tRP"] if set(stale) & set(members) else 0
        for behind, group in enumerate(reversed(cold)):
            opened = max(header + 1, closed, gates.earliest(Command.PIM_ACT, ("group", group)))
            last = max(last, opened + behind * t["tFAW"] + gates.geometry.ranks - 1 + t["tRCD"])
    if pim.gwrite_overlap:
        last = max(last, gates.earliest(Command.PIM_GEMV if pim.composite_gemv else Command.PIM_MAC, ALL))
    pitch = t["tMAC"] * (max(tile.macs, t["nTREE"]) + 1)
    return last + tile.groups * pitch - cycle


def _header_cycle(gates: Gates, pim: PimSpec, stale: Sequence[int], cycle: int) -> int:
    """First cycle of the header once stale rows are closed."""
    if not stale:
        return cycle
    dual = pim.row_buffers == "dual"
    per = gates.geometry.per[SCOPES[pim.precharge_scope]] if dual else 1
    legal = max(gates.earliest(CLOSE[pim.row_buffers], ("bank", b)) for b in stale)
    return max(cycle, legal) + len({b // per for b in stale})
