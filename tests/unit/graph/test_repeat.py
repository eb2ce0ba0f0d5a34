"""Repeated blocks: what is recorded once, what is carried on, and what is no repetition."""

from collections.abc import Callable
from math import prod

import pytest

from neupims.errors import ModelError
from neupims.graph import Graph, Tracer, Value

Trace = Callable[..., Graph]


def names(graph: Graph) -> list[str]:
    """Unrolled operators, the first embedding left out."""
    return [op.name for op in graph.operators][1:]


def inputs(graph: Graph) -> dict[str, list[str]]:
    """What each unrolled operator reads."""
    return {op.name: [tensor.name for tensor in op.inputs] for op in graph.operators}


@pytest.mark.parametrize("count", [1, 2, 5])
def test_a_residual_stream_runs_through_all_repetitions(trace: Trace, count: int) -> None:
    def describe(net: Tracer, x: Value) -> Value:
        for _ in net.repeat(count, "layer"):
            x = x + net.linear(x, 8, name="fc")
        return net.gelu(x)

    graph = trace(describe)
    before = ["embedding", *(f"layer{index}.residual" for index in range(count))]
    assert inputs(graph) == {
        "embedding": ["tokens"],
        **{f"layer{index}.fc": [before[index]] for index in range(count)},
        **{f"layer{index}.residual": [before[index], f"layer{index}.fc"] for index in range(count)},
        "gelu": [before[-1]],
    }
    assert graph.params == 16 * 8 + count * (8 * 8 + 8)
    assert [block.count for block in graph.blocks] == [count]


def test_each_repetition_has_weights_of_its_own_and_a_shared_one_counts_once(trace: Trace) -> None:
    def describe(net: Tracer, x: Value) -> Value:
        shared = net.weight(8, 8, name="shared")
        for _ in net.repeat(3, "layer"):
            x = net.linear(net.linear(x, 8, weight=shared, bias=False), 8, bias=False, name="own")
        return x

    graph = trace(describe)
    weights = [tensor.name for op in graph.operators for tensor in op.weights if op.kind == "linear"]
    own = [f"layer{index}.own.weight" for index in range(3)]
    assert weights == ["shared", own[0], "shared", own[1], "shared", own[2]]
    assert graph.params == 16 * 8 + 8 * 8 + 3 * 8 * 8


def test_what_does_not_change_is_read_from_outside_each_time(trace: Trace) -> None:
    def describe(net: Tracer, x: Value) -> Value:
        memory = net.gelu(x, name="memory")
        for _ in net.repeat(3, "layer"):
            x = net.add(x, memory, name="sum")
        return x

    assert inputs(trace(describe))["layer2.sum"] == ["layer1.sum", "memory"]


def test_a_stream_that_starts_as_what_stays_is_told_apart(trace: Trace) -> None:
    def describe(net: Tracer, x: Value) -> Value:
        start = x
        for _ in net.repeat(3, "layer"):
            x = net.add(x, start, name="sum")
        return x

    found = inputs(trace(describe))
    assert found["layer0.sum"] == ["embedding", "embedding"]
    assert found["layer2.sum"] == ["layer1.sum", "embedding"]


def test_two_streams_may_swap(trace: Trace) -> None:
    def describe(net: Tracer, x: Value) -> Value:
        y = net.gelu(x, name="start")
        for _ in net.repeat(3, "layer"):
            x, y = net.gelu(y, name="a"), net.linear(x, 8, name="b")
        return x + y

    found = inputs(trace(describe))
    assert [found[f"layer{index}.a"] for index in range(3)] == [["start"], ["layer0.b"], ["layer1.b"]]
    assert [found[f"layer{index}.b"] for index in range(3)] == [["embedding"], ["layer0.a"], ["layer1.a"]]
    assert found["add"] == ["layer2.a", "layer2.b"]


def test_blocks_nest(trace: Trace) -> None:
    def describe(net: Tracer, x: Value) -> Value:
        for _ in net.repeat(3, "stage"):
            y = net.linear(x, 8, name="stem")
            for _ in net.repeat(2, "block"):
                y = y + net.gelu(x, name="again")
            x = net.layer_norm(y, name="norm")
        return x

    graph = trace(describe)
    stage = ["stem", "block0.again", "block0.add", "block1.again", "block1.add", "norm"]
    assert names(graph) == [f"stage{index}.{name}" for index in range(3) for name in stage]
    found = inputs(graph)
    assert found["stage1.block0.again"] == found["stage1.block1.again"] == ["stage0.norm"]
    assert found["stage1.block1.add"] == ["stage1.block0.add", "stage1.block1.again"]
    assert found["stage2.norm"] == ["stage2.block1.add"]
    assert graph.macs == 3 * 64
    assert graph.other_ops == sum(op.other_ops for op in graph.operators)


def test_a_value_leaves_nested_blocks_without_an_operator_between(trace: Trace) -> None:
    def describe(net: Tracer, x: Value) -> Value:
        for _ in net.repeat(2, "stage"):
            for _ in net.repeat(3, "block"):
                x = net.gelu(x)
        return net.layer_norm(x, name="norm")

    found = inputs(trace(describe))
    assert found["norm"] == ["stage1.block2.gelu"]
    assert found["stage1.block0.gelu"] == ["stage0.block2.gelu"]


def test_a_part_of_a_tensor_is_carried_on_and_read_outside(trace: Trace) -> None:
    def describe(net: Tracer, x: Value) -> Value:
        for _ in net.repeat(3, "layer"):
            x = net.split(net.linear(x, 16, name="wide"), 2)[1]
        return net.gelu(x)

    graph = trace(describe)
    found = {op.name: op.inputs[0] for op in graph.operators}
    assert (found["layer1.wide"].name, found["layer1.wide"].base) == ("layer0.wide[8:16]", "layer0.wide")
    assert (found["gelu"].name, found["gelu"].base) == ("layer2.wide[8:16]", "layer2.wide")
    assert [tensor.name for tensor in graph.block("layer").outputs] == ["wide"]


def test_a_view_of_what_comes_from_outside(trace: Trace) -> None:
    def describe(net: Tracer, x: Value) -> Value:
        pair = net.linear(x, 16, name="pair")
        for _ in net.repeat(2, "layer"):
            x = x + net.split(pair, 2)[0]
        return x

    graph = trace(describe)
    last = graph.operators[-1].inputs[1]
    assert (last.name, last.base, last.shape) == ("pair[0:8]", "pair", (1, 8))


def test_blocks_of_one_name_count_on(trace: Trace) -> None:
    def describe(net: Tracer, x: Value) -> Value:
        for depth, width in ((2, 4), (3, 8)):
            x = net.linear(x, width)
            for _ in net.repeat(depth, "block"):
                x = net.gelu(x)
        return x

    graph = trace(describe)
    assert [name for name in names(graph) if "gelu" in name] == [f"block{index}.gelu" for index in range(5)]
    assert [(block.first, block.count) for block in graph.blocks] == [(0, 2), (2, 3)]
    with pytest.raises(ModelError, match=r"there must be one block 'block', not 2; blocks: block, block$"):
        graph.block("block")


def test_a_block_in_a_scope_is_named_with_it(trace: Trace) -> None:
    def describe(net: Tracer, x: Value) -> Value:
        with net.scope("encoder"):
            for _ in net.repeat(2, "layer"):
                x = net.gelu(x)
        return x

    assert names(trace(describe)) == ["encoder.layer0.gelu", "encoder.layer1.gelu"]


def test_every_repetition_has_its_own_cache(trace: Trace) -> None:
    def describe(net: Tracer, x: Value) -> Value:
        for _ in net.repeat(4, "layer"):
            x = net.attention(x, x, x, heads=2)
        return x

    graph = trace(describe, (3, 7))
    caches = [state for op in graph.operators for state in op.states]
    assert len({state.name for state in caches}) == 8
    assert {state.role for state in caches} == {"kv_cache"}
    assert graph.state_bytes == 2 * sum(prod(state.shape) for state in caches) == 2 * 8 * (3 + 7) * 8


def changing_width(net: Tracer, x: Value) -> Value:
    for _ in net.repeat(3, "layer"):
        x = net.linear(x, 2 * x.width, name="fc")
    return x


def changing_kind(net: Tracer, x: Value) -> Value:
    kinds = iter([net.gelu, net.layer_norm])
    for _ in net.repeat(2, "layer"):
        x = next(kinds)(x, name="f")
    return x


def growing(net: Tracer, x: Value) -> Value:
    kept: list[Value] = []
    for _ in net.repeat(3, "layer"):
        kept.append(net.gelu(x))
        for _ in kept[1:]:
            x = net.layer_norm(x, name="more")
    return x


def changing_count(net: Tracer, x: Value) -> Value:
    counts = iter([2, 3])
    for _ in net.repeat(2, "stage"):
        for _ in net.repeat(next(counts), "block"):
            x = net.gelu(x)
    return x


@pytest.mark.parametrize(
    ("describe", "first", "second"),
    [
        (
            changing_width,
            r"linear 'fc' of \(1, 8\), \(8, 16\), \(16,\)",
            r"linear 'fc' of \(1, 16\), \(16, 32\), \(32,\)",
        ),
        (changing_kind, r"gelu 'f' of \(1, 8\)", r"layer_norm 'f' of \(1, 8\), \(8,\), \(8,\)"),
        (growing, "nothing", r"layer_norm 'more' of \(1, 8\), \(8,\), \(8,\)"),
        (changing_count, "repeat 'block' of 2", "repeat 'block' of 3"),
    ],
)
def test_repetitions_must_be_the_same(
    trace: Trace, describe: Callable[[Tracer, Value], Value], first: str, second: str
) -> None:
    place = r"( \(\S+test_repeat\.py:\d+\))?"
    with pytest.raises(ModelError) as error:
        trace(describe)
    error.match(
        rf"test_repeat\.py:\d+: repeat '(layer|stage)': every repetition must be the same, but the first has "
        rf"{first}{place} where the second has {second}{place}; give parts that differ a repeat of their own$"
    )


def test_only_the_last_repetition_can_be_read_after_the_loop(trace: Trace) -> None:
    def describe(net: Tracer, x: Value) -> Value:
        kept: list[Value] = []
        for _ in net.repeat(2, "layer"):
            x = net.gelu(x)
            kept.append(x)
        return kept[0] + kept[1]

    with pytest.raises(ModelError) as error:
        trace(describe)
    error.match(
        "repeat 'layer': 'gelu' of an earlier repetition is read after the loop; only values of the last one can be$"
    )


def test_what_is_carried_on_comes_from_the_repetition_before(trace: Trace) -> None:
    def describe(net: Tracer, x: Value) -> Value:
        sources = iter([x, net.gelu(x)])
        for _ in net.repeat(2, "layer"):
            y = net.layer_norm(next(sources))
        return y

    with pytest.raises(ModelError) as error:
        trace(describe)
    error.match(
        "repeat 'layer': the second repetition reads 'gelu' where the first reads 'embedding', and neither comes from "
        "the repetition before$"
    )


@pytest.mark.parametrize("count", [1, 3])
def test_a_loop_runs_to_its_end(trace: Trace, count: int) -> None:
    def describe(net: Tracer, x: Value) -> Value:
        for _ in net.repeat(count, "layer"):
            x = net.gelu(x)
            break
        return x

    with pytest.raises(ModelError, match=r"test_repeat\.py:\d+: repeat 'layer': the loop was left before its end$"):
        trace(describe)


@pytest.mark.parametrize("count", [0, -1, 2.0, True])
def test_a_count_is_a_positive_integer(trace: Trace, count: int) -> None:
    def describe(net: Tracer, x: Value) -> Value:
        for _ in net.repeat(count, "layer"):
            x = net.gelu(x)
        return x

    with pytest.raises(ModelError) as error:
        trace(describe)
    assert str(error.value).endswith(f"repeat 'layer': the count must be an integer of at least 1, not {count!r}")


def test_two_things_called_alike_once_unrolled(trace: Trace) -> None:
    def describe(net: Tracer, x: Value) -> Value:
        for _ in net.repeat(2, "layer"):
            x = net.gelu(x)
        return net.gelu(x, name="layer1")

    with pytest.raises(ModelError, match=r"tiny: the graph breaks its rules: 'layer1' is the name of two things$"):
        trace(describe)


def test_there_is_no_such_block_or_operator(trace: Trace) -> None:
    graph = trace(lambda net, x: net.gelu(x))
    with pytest.raises(ModelError, match=r"there must be one block 'layer', not 0; blocks: none$"):
        graph.block("layer")
    with pytest.raises(ModelError, match=r"there is no operator 'fc'; operators: embedding, gelu$"):
        graph.operator("fc")


def test_a_value_is_shown_without_all_that_it_was_computed_from(trace: Trace) -> None:
    """Else a traceback that shows one would double with each sum."""
    shown: list[str] = []

    def describe(net: Tracer, x: Value) -> Value:
        for _ in net.repeat(2, "layer"):
            for _ in range(40):
                x = x + x
            shown.append(repr(x))
        return x

    trace(describe)
    assert max(map(len, shown)) < 200
