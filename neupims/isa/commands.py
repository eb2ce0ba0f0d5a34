"""The commands that a memory channel understands."""

from enum import IntEnum


class Command(IntEnum):
    """DRAM and PIM commands; names follow JEDEC and the NeuPIMs paper (section 5)."""

    ACT = 0
    """Open a row in the memory-side row buffer of a bank."""
    PRE = 1
    """Close the memory-side row buffer of a bank."""
    RD = 2
    WR = 3
    REF = 4
    """Refresh all banks of a rank."""
    PIM_GWRITE = 5
    """Copy an open row into the channel's global vector buffer."""
    PIM_HEADER = 6
    """Announce a GEMV tile: its row, its MACs and its results."""
    PIM_ACT = 7
    """Open the same row in all banks of a group, in the PIM-side row buffer where there is one."""
    PIM_MAC = 8
    """One multiply-accumulate step in all banks."""
    PIM_READ = 9
    """Read the accumulators of all banks in one burst."""
    PIM_GEMV = 10
    """n PIM_MACs and one PIM_READ in a single command."""
    PIM_PRE = 11
    """Close PIM-side row buffers."""


COMMANDS = tuple(Command)
