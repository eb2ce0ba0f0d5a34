from dataclasses import replace

import pytest

from neupims.hardware.load import load_system
from neupims.hardware.memory import MemorySpec
from neupims.hardware.pim import PimSpec
from neupims.scheduling.estimate import COSTS, PAPER_COSTS, AttentionShape, attention_estimate, timing_costs

SEVEN_B_TP4 = AttentionShape(heads=8, head_dim=128)


def parts(name: str) -> tuple[MemorySpec, PimSpec]:
    system = load_system(name)
    assert system.memory is not None
    assert system.pim is not None
    return system.memory, system.pim


@pytest.mark.parametrize(("length", "expected"), [(300, 10_568), (2048, 50_504)])
def test_paper_estimate_of_7b_tp4(length: int, expected: int) -> None:
    assert attention_estimate(SEVEN_B_TP4, PAPER_COSTS)(length) == expected


def test_estimate_is_a_sum_over_chunks_of_keys_and_of_values() -> None:
    estimate = attention_estimate(AttentionShape(heads=3, head_dim=48, row_elements=64, banks=4), PAPER_COSTS)
    logit = 3 * (100 + 5 * 184)  # 144 numbers in rows of 64; 17 to 20 tokens in 4 banks
    attend = 1 * 3 * (100 + 12 * 184)  # one row of tokens; 48 features in 4 banks
    assert estimate(17) == estimate(20) == logit + attend
    assert estimate(65) == 3 * (100 + 17 * 184) + 2 * attend


def test_published_timing_gives_the_tile_periods_of_the_published_trace() -> None:
    costs = timing_costs(SEVEN_B_TP4, *parts("neupims-authors"))
    assert (costs.gwrite, costs.logit_tile, costs.attend_tile) == (96, 197, 143)


def test_macs_of_the_last_group_count_where_banks_stay_open_for_them() -> None:
    memory, pim = parts("neupims-authors")
    clean = pim.model_copy(update={"gemv_end": "last_mac"})
    published, consistent = (timing_costs(SEVEN_B_TP4, memory, spec) for spec in (pim, clean))
    assert consistent.logit_tile - published.logit_tile == 2 * (8 + 1)
    assert consistent.attend_tile - published.attend_tile == 2 * (32 + 1)


@pytest.mark.parametrize(("scope", "commands"), [("bank", 32), ("bank_group", 8), ("all", 1)])
def test_precharge_scope_decides_how_many_commands_close_a_tile(scope: str, commands: int) -> None:
    memory, pim = parts("neupims-authors")
    narrow = timing_costs(SEVEN_B_TP4, memory, pim)
    wide = timing_costs(SEVEN_B_TP4, memory, pim.model_copy(update={"precharge_scope": scope}))
    assert narrow.attend_tile - wide.attend_tile == 32 - commands


def test_paper_costs_do_not_look_at_the_memory() -> None:
    assert COSTS["paper"](SEVEN_B_TP4, *parts("neupims")) == PAPER_COSTS


def test_query_heads_that_share_keys_take_a_pass_each() -> None:
    shape = AttentionShape(heads=3, head_dim=48, row_elements=64, banks=4)
    alone, grouped = (attention_estimate(replace(shape, group=group), PAPER_COSTS) for group in (1, 4))
    assert [grouped(length) for length in (1, 65, 300)] == [4 * alone(length) for length in (1, 65, 300)]
    memory, pim = parts("neupims")
    assert timing_costs(replace(shape, group=4), memory, pim) == timing_costs(shape, memory, pim)
