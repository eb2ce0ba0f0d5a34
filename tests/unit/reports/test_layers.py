"""Nodes and edges from top to bottom."""

from itertools import pairwise

import pytest

from neupims.reports.layers import LANE, layered

CHAIN = [("a", "b"), ("b", "c"), ("c", "d"), ("a", "d")]


def half(_node: str) -> float:
    return 1.0


def test_a_node_stands_below_the_longest_way_to_it() -> None:
    assert layered("abcd", CHAIN, half).layer == {"a": 0, "b": 1, "c": 2, "d": 3}


def test_a_source_stands_just_above_its_reader() -> None:
    assert layered("abcde", [*CHAIN, ("e", "d")], half).layer["e"] == 2


def test_a_long_edge_passes_beside_what_it_skips_in_one_line() -> None:
    layout = layered("abcd", CHAIN, half)
    first, second = layout.routes["a", "d"]
    assert first == pytest.approx(second)
    assert abs(first - layout.x["b"]) >= 1 + LANE - 1e-9
    assert layout.routes["a", "b"] == ()


def test_nodes_of_a_layer_do_not_overlap() -> None:
    edges = [("a", node) for node in "bcde"] + [(node, "f") for node in "bcde"]
    layout = layered("abcdef", edges, half)
    places = sorted(layout.x[node] for node in "bcde")
    assert all(right - left >= 2 - 1e-9 for left, right in pairwise(places))
    assert layout.x["a"] == pytest.approx(sum(places) / 4)


def test_edges_that_can_be_drawn_without_crossing_do_not_cross() -> None:
    edges = [("a", "p"), ("b", "q"), ("c", "r")]
    layout = layered(["a", "b", "c", "r", "q", "p"], edges, half)
    order = [layout.x[target] - layout.x[other] for (_, target), (_, other) in pairwise(edges)]
    above = [layout.x[source] - layout.x[other] for (source, _), (other, _) in pairwise(edges)]
    assert [step > 0 for step in order] == [step > 0 for step in above]


def test_a_cycle_is_refused() -> None:
    with pytest.raises(ValueError, match="edges form a cycle"):
        layered("ab", [("a", "b"), ("b", "a")], half)
