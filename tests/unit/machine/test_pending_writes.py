"""Writes of PIM results: which runs leave together, when, and as which block."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from neupims.hardware.system import SystemSpec
from neupims.isa.memory import RUN
from neupims.isa.work import Records
from neupims.machine.core import new_core
from neupims.machine.pending_writes import PendingWrites
from neupims.machine.pim_batch import Writes

Make = Callable[..., Any]


def written(*parts: int) -> Records:
    """One run in the bank of its number for each part given."""
    runs = np.zeros(len(parts), RUN)
    runs["block"], runs["bank"], runs["bursts"], runs["write"] = parts, range(len(parts)), 2, 1
    return runs


@pytest.mark.parametrize(("apart", "blocks"), [(False, [0, 0, 1, 1]), (True, [0, 1, 2, 3])])
def test_blocks_of_writes(new_memory: Make, system: Make, apart: bool, blocks: list[int]) -> None:
    transfers = new_core(system(), new_memory()).transfers
    writes = Writes([written(0, 1), written(), written(0, 0, 1)], transfers, apart)
    assert writes.parts.tolist() == [2, 1, 2]
    assert (writes.count, writes.bursts, writes.requests, writes.leaving) == (4 if apart else 2, 10, 2, 4)
    assert [request in writes for request in range(3)] == [True, False, True]
    found = [writes.of(part) for part in range(5)]
    assert [runs["bank"].tolist() for runs, _ in found] == [[0], [1], [], [0, 1], [2]]
    assert [block.tolist() for _, block in found] == [blocks[:1], blocks[1:2], [-1], blocks[2:3], blocks[3:]]
    assert all((runs["block"] == block).all() for runs, block in found)


def test_a_part_leaves_with_the_last_of_its_results(new_memory: Make, system: Make) -> None:
    spec: SystemSpec = system()
    core, ends, left = new_core(spec, new_memory()), list[int](), list[tuple[int, int, int]]()

    def send(time: int, key: int, runs: list[Records], port: int, sizes: tuple[NDArray[Any], ...], then: Any) -> None:
        left.append((time, key, int(sizes[1][0])))

    writes = Writes([written(0, 1), written()], core.transfers)
    pending = PendingWrites(writes, 4, [64, 32], core, ends.append, 2, first_key=10)
    core.transfers.send = send  # type: ignore[method-assign]
    for row, time in ((0, 70), (3, 90), (1, 50), (4, 20), (5, 30), (6, 25)):
        pending.result(row, time)
    assert left == [(70, 10, 64)]
    pending.result(2, 80)
    pending.result(7, 10)
    assert (left, ends) == ([(70, 10, 64), (90, 11, 64)], [])
    with pytest.raises(RuntimeError, match=r"^a part of a request's writes has more results than it waits for$"):
        pending.result(0, 100)
