"""Mixtral against its published sizes, and what routing makes of the experts."""

import pytest
from figures import weighted

from neupims.graph import Operator, balanced_rows, load_model, skewed_rows


def experts(phase_lengths: tuple[int, ...], routing: str, prefill: bool = False) -> list[Operator]:
    model = load_model("mixtral-8x7b", options={"routing": routing})
    graph = model.prefill(phase_lengths) if prefill else model.decode(phase_lengths)
    return [op for op, _ in weighted(graph) if op.kind == "expert_linear"]


@pytest.mark.parametrize(
    ("variant", "sizes", "params"),
    [
        ("8x7b", (32, 4096, 32, 14336), 46_702_792_704),  # as published, 47B in the paper
        ("8x22b", (56, 6144, 48, 16384), 140_620_634_112),  # 141B as announced
    ],
)
def test_parameters(variant: str, sizes: tuple[int, int, int, int], params: int) -> None:
    """Two tables, and layers of attention with 8 heads of keys, a router, eight experts of three matrices, norms."""
    layers, width, heads, hidden = sizes
    attention = width * 128 * (2 * heads + 2 * 8)
    layer = attention + 8 * width + 8 * 3 * width * hidden + 2 * width
    assert 2 * 32000 * width + layers * layer + width == params
    assert load_model("mixtral", variant).params == params


@pytest.mark.parametrize(("variant", "billions"), [("8x7b", 12.9), ("8x22b", 39.2)])
def test_a_token_reads_the_active_parameters_alone(variant: str, billions: float) -> None:
    """The paper says 13B of 47B, the announcement 39B of 141B; both count the whole token table."""
    model = load_model("mixtral", variant)
    read = {
        op.name: times * (sum(tensor.elements for tensor in op.weights) if op.kind != "expert_linear" else op.macs)
        for op, times in weighted(model.decode((1,)))
    }
    assert round(sum(read.values()) / 1e9, 1) == billions


def test_each_token_is_the_work_of_two_experts_however_it_is_routed() -> None:
    for routing in ("balanced", "skewed", "same"):
        assert [op.macs for op in experts((9,) * 16, routing)] == [16 * 2 * 4096 * 14336] * 3


@pytest.mark.parametrize(
    ("routing", "rows"),
    [
        ("balanced", (4, 4, 4, 4, 4, 4, 4, 4)),
        ("skewed", (12, 6, 4, 3, 2, 2, 2, 1)),
        ("same", (16, 16, 0, 0, 0, 0, 0, 0)),
    ],
)
def test_rows_of_the_experts(routing: str, rows: tuple[int, ...]) -> None:
    """16 requests decode, each a row of two experts; only experts with rows are read."""
    for op in experts((9,) * 16, routing):
        assert op.numbers("rows") == rows
        active = sum(count > 0 for count in rows)
        assert op.bytes_read == op.inputs[0].bytes + active * 2 * 4096 * 14336


def test_a_prompt_routes_all_its_tokens() -> None:
    assert experts((5, 7), "balanced", prefill=True)[0].numbers("rows") == (3,) * 8


@pytest.mark.parametrize("rows", [1, 2, 7, 64, 1001])
def test_skewed_rows_add_up_and_fall(rows: int) -> None:
    found = skewed_rows(rows, 8)
    assert sum(found) == rows
    assert list(found) == sorted(found, reverse=True)
    assert found[0] >= balanced_rows(rows, 8)[0]


@pytest.mark.parametrize("tokens", range(1, 40))
def test_no_expert_gets_a_token_twice(tokens: int) -> None:
    assert max(skewed_rows(2 * tokens, 8)) <= tokens
