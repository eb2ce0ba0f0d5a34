import io

import pytest
from rich.console import Console

from neupims.reports.table import headline, print_report
from neupims.request import Request
from neupims.results.record import RequestSummary


def printed(runs) -> list[str]:
    text = io.StringIO()
    print_report(runs, Console(file=text, width=80))
    return text.getvalue().splitlines()


def test_a_row_says_throughput_time_speedup_and_utilisation(handmade):
    lines = printed([handmade("npu-only", 1.0, commands={"RD": 1}), handmade("neupims", 2.0)])
    assert lines[1].split() == ["tokens/s", "iteration", "speed-up", "NPU", "PIM", "bandwidth"]
    assert lines[2].split() == ["npu-only", "5,333", "48.00", "ms", "1.00×", "28.0%", "–", "60.0%"]
    assert lines[3].split() == ["neupims", "10,667", "24.00", "ms", "2.00×", "56.0%", "17.0%", "60.0%"]


def test_energy_is_shown_by_group(handmade):
    lines = printed([handmade("neupims"), handmade("gpu-a100", dram_energy_mj={})])
    heading = next(i for i, line in enumerate(lines) if line.startswith("memory, mJ"))
    assert lines[heading + 1].split() == ["neupims", "10.0", "65.0", "4.0", "20.0", "40.0", "–", "41.0", "180"]
    assert lines[heading + 2].split() == ["gpu-a100", *"–––––––", "180"]


def test_energy_per_token_and_power_are_shown_by_part(handmade):
    lines = printed([handmade("neupims", iteration_ps=10**12)])
    heading = next(i for i, line in enumerate(lines) if line.startswith("mJ per token"))
    assert lines[heading].split() == [
        "mJ",
        "per",
        "token",
        "DRAM",
        "PIM",
        "NPU,",
        "GPU",
        "link",
        "total",
        "W",
        "per",
        "device",
    ]
    assert lines[heading + 1].split() == ["neupims", "1.9", "0.94", "3.1", "0.023", "6.0", "0"]


def test_the_widest_usual_tables_fit_in_80_columns(handmade):
    big = dict.fromkeys(("ACT", "RD", "REF", "PIM_ACT", "PIM_MAC", "PIM_READ", "BACKGROUND"), 1_234.5)
    runs = [handmade("neupims-authors", 100.0, iteration_ps=12_345_678_901_234, dram_energy_mj=big)]
    lines = printed(runs)
    assert max(map(len, lines)) <= 80
    assert not any("…" in line for line in lines)


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({}, "gpt3-30b · batch 256 · TP 4, PP 1"),
        ({"variant": "wide"}, "gpt3-30b-wide · batch 256 · TP 4, PP 1"),
        (
            {"layers": 1},
            "gpt3-30b · batch 256 · TP 4, PP 1 · 1 decoder block without embedding and head",
        ),
        (
            {"phase": "forward", "requests": RequestSummary.of([Request(0, 4)])},
            "gpt3-30b · forward · batch 256 · TP 4, PP 1",
        ),
        (
            {"phase": "prefill", "requests": RequestSummary.of([Request(0, 4)])},
            "gpt3-30b · prefill · batch 256 · mean context 4 (4–4) · TP 4, PP 1",
        ),
        (
            {"layers": 2, "requests": RequestSummary.of([Request(0, 4), Request(1, 10)])},
            "gpt3-30b · batch 256 · mean context 7 (4–10) · TP 4, PP 1 · 2 decoder blocks without embedding and head",
        ),
    ],
)
def test_the_headline_says_what_was_asked(handmade, changes, line):
    assert headline(handmade(**changes)) == line
