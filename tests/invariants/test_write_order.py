"""A PIM command reads what was written before it: posted writes to its row go first."""

import numpy as np
import pytest

from neupims.isa.commands import Command
from neupims.isa.memory import GWRITE, INSTRUCTION, RUN, TILE

BANK, ROW, TILE_ROW = 3, 50, 100


def instruction(**fields):
    record = np.zeros(1, INSTRUCTION)
    record["block"] = record["gate"] = -1
    for name, value in fields.items():
        record[name] = value
    return record


def traced(memory, command, bank, row):
    trace = memory.trace()
    chosen = (trace["command"] == command) & (trace["bank"] == bank) & (trace["row"] == row)
    return trace["cycle"][chosen].tolist()


@pytest.mark.parametrize("engine", ["fast", "reference"])
@pytest.mark.parametrize("system", ["neupims", "npu-pim"])
def test_a_gwrite_waits_for_the_write_that_it_reads(dram, system, engine):
    memory = dram.world(system).build(engine)
    written = memory.blocks(np.array([1]))
    memory.submit_pim(instruction(kind=TILE, row=TILE_ROW, groups=8, macs=32))
    memory.submit_pim(instruction(kind=GWRITE, bank=BANK, row=ROW, gate=written))
    memory.advance(100)
    run = np.zeros(1, RUN)
    run["bank"], run["row"], run["bursts"], run["write"], run["feeds_pim"], run["block"] = BANK, ROW, 1, 1, 1, written
    memory.submit(run, 1)
    memory.advance(4000)
    write, gwrite = traced(memory, Command.WR, BANK, ROW), traced(memory, Command.PIM_GWRITE, BANK, ROW)
    assert len(write) == len(gwrite) == 1
    assert write[0] < gwrite[0]


@pytest.mark.parametrize("engine", ["fast", "reference"])
def test_a_tile_waits_for_a_new_key_in_its_row(dram, engine):
    memory = dram.world("neupims").build(engine)
    written = memory.blocks(np.array([1]))
    run = np.zeros(1, RUN)
    run["bank"], run["row"], run["bursts"], run["write"], run["feeds_pim"], run["block"] = BANK, ROW, 1, 1, 1, written
    memory.submit(run, 0)
    memory.submit_pim(instruction(kind=TILE, row=ROW, groups=1, macs=8, gate=written))
    memory.advance(4000)
    header = traced(memory, Command.PIM_HEADER, -1, ROW)
    assert traced(memory, Command.WR, BANK, ROW)[0] < header[0]
