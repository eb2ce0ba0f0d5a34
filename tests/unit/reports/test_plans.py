import io

import numpy as np
import pytest
from rich.console import Console

from neupims.isa.memory import INSTRUCTION, RUN
from neupims.isa.work import STEP, LinkWork, Loads, NpuWork, PimRequest, PimWork, Plan, Stage, Stores
from neupims.reports.plans import plan_rows, plan_table

LOADS = Loads(bytes=np.array([64, 128]), early=np.ones(2, np.bool_))
STORES = Stores(bytes=np.array([32]), step=np.zeros(1, np.int32))
QKV = NpuWork("layer0.qkv", "gemm", "array", np.zeros(3, STEP), LOADS, STORES, macs=2_000_000)
NORM = NpuWork("layer0.norm1", "layer_norm", "vector", np.zeros(1, STEP), Loads(), Stores())
REDUCE = LinkWork("layer0.all_reduce1", "all_reduce", 4096, 4)
REQUEST = PimRequest(0, 1, 5, np.zeros(4, INSTRUCTION), np.zeros(2, INSTRUCTION), np.zeros(1, RUN), np.zeros(1, RUN))
MHA = PimWork("layer0.attention", 8, 128, (REQUEST, REQUEST), macs=77)


@pytest.fixture
def plan() -> Plan:
    return Plan((Stage("A", (NORM, QKV)), Stage("B", (REDUCE,), (MHA,))), (1, 47))


def test_each_piece_of_work_has_a_row_with_its_stage(plan):
    rows = plan_rows(plan)
    assert [(row["stage"], row["repeats"], row["name"]) for row in rows] == [
        ("A", 1, NORM.name), ("A", 1, QKV.name), ("B", 47, REDUCE.name), ("B", 47, MHA.name)
    ]  # fmt: skip
    assert [row["unit"] for row in rows] == ["vector", "array", "link", "pim"]


def test_rows_count_steps_and_bytes(plan):
    _, qkv, reduce, attention = plan_rows(plan)
    assert (qkv["steps"], qkv["bytes_read"], qkv["bytes_written"], qkv["macs"]) == (3, 192, 32, 2_000_000)
    assert qkv["dataflow"] == "weight_stationary"
    assert (reduce["steps"], reduce["bytes_read"]) == (None, 4096)
    assert (attention["steps"], attention["requests"], attention["macs"]) == (12, 2, 77)


def test_the_table_names_a_stage_where_it_begins(plan):
    text = io.StringIO()
    Console(file=text, width=120).print(plan_table(plan))
    lines = [line.split() for line in text.getvalue().splitlines()[1:]]
    assert [line[0] for line in lines] == ["A", "layer0.qkv", "B", "layer0.attention"]
    assert lines[1] == ["layer0.qkv", "array", "gemm", "3", "2.00", "M", "192", "B", "32", "B"]
    assert lines[2][1] == "47×"
