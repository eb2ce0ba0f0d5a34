"""Windows, caps, latent caches, scans and shifts: shapes, work and bytes."""

from collections.abc import Callable

import pytest

from neupims.errors import ModelError
from neupims.graph import Graph, Operator, Tracer, Value

Trace = Callable[..., Graph]


def only(graph: Graph, kind: str) -> Operator:
    (found,) = (op for op in graph.operators if op.kind == kind)
    return found


def windowed(net: Tracer, x: Value) -> Value:
    return net.attention(x, x, x, heads=2, window=4)


def test_a_window_in_a_decode_step(trace: Trace) -> None:
    logit = only(trace(windowed, (3, 9)), "logit")
    assert logit.outputs[0].shape == (2, 3 + 4)
    assert logit.states[0].shape == (3 + 4, 8)
    assert logit.macs == 8 * (3 + 4)
    assert logit.bytes_read == 2 * (2 * 8 + 7 * 8)
    assert logit.bytes_written == 2 * (2 * 7 + 2 * 8)


def test_a_window_in_a_prompt_scores_all_pairs_and_keeps_the_last(trace: Trace) -> None:
    logit = only(trace(windowed, (3, 9), prefill=True), "logit")
    assert logit.outputs[0].shape == (2, 9 + 81)
    assert logit.states[0].shape == (3 + 4, 8)
    assert logit.bytes_read == 2 * (12 * 8 + 12 * 8)
    assert logit.bytes_written == 2 * (2 * 90 + 7 * 8)


def test_a_window_is_at_least_one_token(trace: Trace) -> None:
    with pytest.raises(ModelError, match=r"logit 'logit': the window must be at least 1 token, not 0$"):
        trace(lambda net, x: net.attention(x, x, x, heads=2, window=0))


def test_a_window_that_no_context_reaches_is_none(trace: Trace) -> None:
    plain = trace(lambda net, x: net.attention(x, x, x, heads=2), (3, 4))
    assert trace(windowed, (3, 4)).operators == plain.operators


def test_a_cap_is_a_tangent_between_scores_and_softmax(trace: Trace) -> None:
    graph = trace(lambda net, x: net.attention(x, x, x, heads=2, cap=50.0))
    assert [op.kind for op in graph.operators[1:]] == ["logit", "div", "tanh", "mul", "softmax", "attend"]


def test_cross_attention_has_lengths_of_its_own(trace: Trace) -> None:
    def describe(net: Tracer, x: Value) -> Value:
        memory = net.embedding(net.input("memory", 7, element="int32"), net.weight(5, 8, name="other"))
        return net.full_attention(x, memory, memory, heads=2, queries=(1, 1), keys=(3, 4))

    graph = trace(describe, (3, 9))
    assert only(graph, "logit").macs == only(graph, "attend").macs == 8 * (3 + 4)
    assert only(graph, "attend").outputs[0].shape == (2, 8)


def test_a_part_of_each_head_is_turned(trace: Trace) -> None:
    graph = trace(lambda net, x: net.rotary(x, net.positions(9), head_dim=4, rotated=2), (3, 9))
    assert only(graph, "rotary").other_ops == 3 * 2 * 2 * 2
    with pytest.raises(ModelError, match=r"pairs of elements are rotated; rotated must be even, not 3$"):
        trace(lambda net, x: net.rotary(x, net.positions(9), head_dim=4, rotated=3), (3, 9))


def latent(net: Tracer, x: Value) -> Value:
    small, turned = net.split_at(net.linear(x, 7, bias=False, name="down"), 5, 2)
    return net.latent_attention(net.linear(x, 2 * (3 + 2), bias=False, name="q"), small, turned, heads=2, value_dim=4)


def test_latent_attention_of_a_decode_step_reads_the_cache_alone(trace: Trace) -> None:
    """Two heads of 3 + 2, a rank of 5, values of 4: the weight goes into queries and results."""
    graph = trace(latent, (6, 9))
    logit, attend = only(graph, "logit"), only(graph, "attend")
    assert graph.state_bytes == 2 * (6 + 9) * (5 + 2)
    assert logit.macs == 2 * 7 * 15
    assert attend.macs == 2 * 5 * 15
    assert sum(op.macs for op in graph.operators if op.kind == "matmul") == 2 * 2 * (3 * 5 + 5 * 4)
    assert logit.bytes_read == 2 * (2 * 2 * 7 + 15 * 7)
    assert attend.bytes_written == 2 * (2 * 2 * 5)
    assert graph.outputs[0].shape == (2, 8)


def test_latent_attention_of_a_prompt_makes_keys_and_values(trace: Trace) -> None:
    graph = trace(latent, (6, 9), prefill=True)
    assert graph.state_bytes == 2 * (6 + 9) * (5 + 2)
    assert only(graph, "logit").macs == 2 * 5 * (36 + 81)
    assert only(graph, "attend").macs == 2 * 4 * (36 + 81)
    assert only(graph, "append").bytes_written == 2 * 15 * 7
    assert graph.params == trace(latent, (6, 9)).params


def test_a_scan_with_one_decay_for_a_head(trace: Trace) -> None:
    """Two heads of 4 channels, two groups of 3 states."""

    def describe(net: Tracer, x: Value) -> Value:
        parts = net.linear(x, 2 + 6 + 6, bias=False, name="parts")
        return net.dual_scan(x, *net.split_at(parts, 2, 6, 6), groups=2)

    graph = trace(describe, (3, 9))
    scan = only(graph, "dual_scan")
    assert (scan.macs, scan.other_ops) == (0, 2 * 8 * (3 * 3 + 3) + 2 * 2 * 2)
    assert scan.states[0].shape == (2, 2, 4, 3)
    assert graph.params == 16 * 8 + 8 * 14 + 2 * 2
    assert only(trace(describe, (3, 9), prefill=True), "dual_scan").states == scan.states


@pytest.mark.parametrize(
    ("sizes", "groups", "problem"),
    [
        ((3, 6, 6), 1, "input (2, 8) does not divide into 3 heads in 1 groups"),
        ((2, 5, 5), 2, "B (2, 5) and C (2, 5) must be [2, 2 * states]"),
    ],
)
def test_a_scan_that_does_not_fit(sizes: tuple[int, ...], groups: int, problem: str, trace: Trace) -> None:
    def describe(net: Tracer, x: Value) -> Value:
        parts = net.linear(x, sum(sizes), bias=False, name="parts")
        return net.dual_scan(x, *net.split_at(parts, *sizes), groups=groups)

    with pytest.raises(ModelError) as error:
        trace(describe, (3, 9))
    assert str(error.value).split(": ", 1)[1] == f"dual_scan 'dual_scan': {problem}"


def test_time_mixing_keeps_a_state_and_the_last_token(trace: Trace) -> None:
    graph = trace(lambda net, x: net.wkv(net.token_shift(x), x), (3, 9), prefill=True)
    wkv, shift = only(graph, "wkv"), only(graph, "token_shift")
    assert wkv.other_ops == 24 * 12 * 8
    assert wkv.states[0].bytes == 4 * 2 * 3 * 8
    assert shift.states[0].bytes == 2 * 2 * 8
    assert shift.bytes_written == 2 * (12 * 8 + 2 * 8)
