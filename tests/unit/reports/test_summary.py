import csv
import io

import pytest

from neupims.reports.summary import DRAM_GROUPS, csv_text, dram_groups_mj, has_pim, summary_rows
from neupims.results.energy import BACKGROUND, PIM_MULTIPLES


def test_groups_hold_every_command_with_energy_once():
    grouped = [name for names in DRAM_GROUPS.values() for name in names]
    assert sorted(grouped) == sorted(["ACT", "RD", "WR", "REF", *PIM_MULTIPLES, BACKGROUND])


def test_groups_add_up_to_the_energy_of_the_memory(handmade):
    run = handmade()
    assert sum(dram_groups_mj(run).values()) == pytest.approx(sum(run.dram_energy_mj.values()))


def test_a_roofline_has_no_groups(handmade):
    assert set(dram_groups_mj(handmade(dram_energy_mj={})).values()) == {None}


def test_pim_is_told_by_its_commands(handmade):
    assert has_pim(handmade())
    assert not has_pim(handmade(commands={"ACT": 5, "PIM_GEMV": 0}))


def test_rows_compare_with_the_first_run(handmade):
    rows = summary_rows([handmade("npu-only", 1.0), handmade("neupims", 2.5)])
    assert [row["speedup"] for row in rows] == pytest.approx([1.0, 2.5])
    assert rows[1]["iteration_ms"] == pytest.approx(48.000000123 / 2.5)
    assert rows[1]["total_energy_mj"] == pytest.approx(381.5)


def test_csv_has_a_header_and_empty_fields_for_what_is_not_there(handmade):
    rows = summary_rows([handmade(commands={})])
    [read] = csv.DictReader(io.StringIO(csv_text(rows)))
    assert read.keys() == rows[0].keys()
    assert read["pim_utilization"] == ""
    assert float(read["tokens_per_s"]) == rows[0]["tokens_per_s"]


def test_csv_of_nothing_is_empty():
    assert csv_text([]) == ""
