import io

import pytest
from rich.console import Console

from neupims.graph import load_model
from neupims.reports.graphs import graph_table, operator_rows
from neupims.reports.table import count


@pytest.fixture(scope="module")
def graph():
    return load_model("gpt3-7b").decode((5, 9))


def test_rows_add_up_to_the_graph(graph):
    rows = operator_rows(graph)
    for key, total in (("macs", graph.macs), ("other_ops", graph.other_ops)):
        assert sum(row["count"] * row[key] for row in rows) == total


def test_a_repeated_block_stands_in_it_once(graph):
    rows = {row["name"]: row for row in operator_rows(graph)}
    assert rows["layer.attention.qkv"]["count"] == 32
    assert rows["lm_head"]["count"] == 1
    assert rows["layer.attention.qkv"]["shape"] == [2, 3 * 4096]


def test_a_line_of_the_table_says_what_a_row_does(graph):
    text = io.StringIO()
    Console(file=text, width=120).print(graph_table(graph))
    [line] = [line for line in text.getvalue().splitlines() if line.startswith("layer.attention.qkv")]
    macs = 2 * 4096 * 3 * 4096
    assert line.split()[:4] == ["layer.attention.qkv", "32×", "linear", "2x12288"]
    assert count(macs) in line


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0, "0"), (999, "999"), (1000, "1.00 k"), (9994, "9.99 k"), (9996, "10.0 k"), (99_960, "100 k"),
        (999_600, "1.00 M"), (6.66e9, "6.66 G"), (2.5e12, "2.50 T"),
    ],
)  # fmt: skip
def test_counts_have_three_digits(value, shown):
    assert count(value) == shown
    assert count(value, "B") == (f"{shown}B" if value >= 1000 else f"{shown} B")
