"""Training steps: how far back gradients go, what they cost, and what is kept for them."""

from collections.abc import Callable
from typing import Any

import pytest
from figures import counted, weighted

from neupims.errors import ModelError
from neupims.graph import Graph, Tracer, Value, load_model, training_step
from neupims.graph.body import Body
from neupims.graph.kinds.training import OPTIMIZER_OPS
from neupims.graph.sequences import training_batch

Describe = Callable[[Tracer, Value], Value]
ROWS, WIDTH = 6, 8
SQUARE = ROWS * WIDTH * WIDTH
"""MACs of a linear layer from 8 to 8 over six rows."""


def step(describe: Describe, trainable: tuple[str, ...] | None = None, **how: Any) -> Graph:
    """A training step of `describe(net, x)` over an input x [6, 8], with a squared error."""
    net = Tracer(training_batch((ROWS,)))
    net.output(describe(net, net.input("x", ROWS, WIDTH)))
    return training_step(net.finish("tiny"), trainable, loss="squared_error", **how)


def chain(net: Tracer, x: Value, layers: int = 4) -> Value:
    for _ in net.repeat(layers, "layer"):
        x = net.linear(x, WIDTH, bias=False, name="fc")
    return x


def names(graph: Graph, *kinds: str) -> list[str]:
    return [op.name for op in graph.operators if not kinds or op.kind in kinds]


def updated(graph: Graph) -> int:
    """Elements that the optimizer changes."""
    return sum(times * op.weights[0].elements for op, times in weighted(graph) if op.kind in OPTIMIZER_OPS)


def require_complete(graph: Graph) -> None:
    """Unrolled, each operand is an input, a weight, a state, or the result of an earlier operator."""
    known = {tensor.name for tensor in graph.inputs} | owned(graph, "")
    for op in graph.operators:
        read = {tensor.base or tensor.name for tensor in (*op.inputs, *op.weights, *op.states)}
        assert read <= known, op.name
        known |= {tensor.name for tensor in op.outputs}


def owned(body: Body, prefix: str) -> set[str]:
    found = {prefix + tensor.name for tensor in (*body.weights, *body.states)}
    for block in body.blocks:
        found |= set().union(*(owned(block, prefix + block.prefix(index)) for index in range(block.count)))
    return found


def test_the_backward_pass_of_a_chain_is_twice_its_forward_pass_but_for_its_input() -> None:
    """dX and dW of each layer; nobody asks for the gradient of the input of the first."""
    graph = step(chain)
    assert graph.macs == (4 + 2 * 4 - 1) * SQUARE
    assert [(block.name, block.count, block.first) for block in graph.blocks] == [
        ("layer", 1, 0),
        ("layer", 3, 1),
        ("layer_backward", 3, 0),
        ("layer_backward", 1, 3),
    ]


def test_with_something_trained_below_a_chain_costs_three_forward_passes() -> None:
    graph = step(lambda net, x: chain(net, net.shift(x)))
    assert graph.macs == 3 * 4 * SQUARE
    assert [block.count for block in graph.blocks] == [4, 4]


def test_backward_repetitions_read_the_forward_ones_in_reverse_order() -> None:
    graph = step(lambda net, x: chain(net, net.shift(x), 3))
    require_complete(graph)
    weights = [(op.name, op.inputs[0].base) for op in graph.operators if op.name.endswith("fc.grad_weight")]
    assert weights == [
        ("layer_backward0.fc.grad_weight", "layer1.fc"),
        ("layer_backward1.fc.grad_weight", "layer0.fc"),
        ("layer_backward2.fc.grad_weight", "shift"),
    ]
    inputs = [op.weights[0].base for op in graph.operators if op.name.endswith("fc.grad_input")]
    assert inputs == ["layer2.fc.weight", "layer1.fc.weight", "layer0.fc.weight"]


def test_below_the_last_trained_layer_nothing_goes_backwards() -> None:
    graph = step(lambda net, x: net.linear(chain(net, x), 5, name="head"), ("head.*",))
    assert [block.name for block in graph.blocks] == ["layer"]
    assert names(graph)[5:] == ["loss", "head.grad_weight", "head.grad_bias", "head.weight.update", "head.bias.update"]
    assert [tensor.name for tensor in graph.kept] == ["layer3.fc"]


def test_frozen_layers_above_pass_gradients_but_have_none() -> None:
    graph = step(lambda net, x: chain(net, net.linear(x, WIDTH, bias=False, name="stem")), ("stem.weight",))
    assert graph.macs == (5 + 4 + 1) * SQUARE
    assert [block.kept for block in graph.blocks] == [(), ()]
    assert updated(graph) == graph.trained_params == WIDTH * WIDTH


def test_only_what_is_read_is_kept() -> None:
    graph = step(lambda net, x: net.relu(net.linear(net.gelu(net.linear(x, WIDTH)), WIDTH, name="second")))
    assert [tensor.name for tensor in graph.kept] == ["relu", "gelu", "linear"]
    assert graph.kept_bytes == 3 * 2 * ROWS * WIDTH


def test_recomputing_keeps_what_comes_into_a_block() -> None:
    def describe(net: Tracer, x: Value) -> Value:
        x = net.shift(x)
        for _ in net.repeat(3, "layer"):
            x = x + net.linear(net.gelu(net.linear(x, 16, bias=False, name="a")), WIDTH, bias=False, name="b")
        return x

    plain, again = step(describe), step(describe, recompute=True)
    require_complete(again)
    assert [tensor.name for tensor in again.block("layer").kept] == ["input:0"]
    assert again.kept_bytes == 3 * 2 * ROWS * WIDTH
    assert plain.kept_bytes == 3 * 2 * ROWS * (WIDTH + 16 + 16)
    assert again.macs - plain.macs == 3 * ROWS * WIDTH * 16  # `a` once more; what b gives is not read
    assert again.trained_params == plain.trained_params


@pytest.mark.parametrize(("axis", "macs"), [(0, 3), (1, 3)])
def test_of_a_part_of_a_weight_only_its_gradient_is_computed(axis: int, macs: int) -> None:
    def describe(net: Tracer, x: Value) -> Value:
        y = net.linear(net.linear(x, WIDTH, bias=False, name="first"), WIDTH, bias=False, name="second")
        net.trainable("second.weight", macs, axis=axis)
        return y

    graph = step(describe)
    assert graph.macs == 2 * SQUARE + ROWS * WIDTH * macs
    assert graph.operator("second.weight.update").inputs[0].shape == ((3, 8), (8, 3))[axis]
    assert updated(graph) == graph.trained_params == 3 * WIDTH
    assert graph.kept_bytes == 2 * ROWS * (3, 8)[axis]
    assert graph.state_bytes == 2 * 4 * 3 * WIDTH


def test_adapters_are_trained_over_a_frozen_base() -> None:
    """dX of the base everywhere above the lowest adapter, dW of adapters alone."""

    def describe(net: Tracer, x: Value) -> Value:
        for _ in net.repeat(4, "layer"):
            down = net.linear(x, 2, bias=False, name="lora_a")
            x = net.linear(x, WIDTH, bias=False, name="base") + net.linear(down, WIDTH, bias=False, name="lora_b")
            net.trainable("lora_*")
        return x

    graph, adapter = step(describe), ROWS * WIDTH * 2
    forward, weights = 4 * (SQUARE + 2 * adapter), 4 * 2 * adapter
    inputs = 3 * (SQUARE + 2 * adapter) + adapter  # in the first layer, that of lora_b alone
    assert graph.macs == forward + weights + inputs
    assert [name for name in names(graph) if "base.grad" in name] == [
        f"layer_backward{index}.base.grad_input" for index in range(3)
    ]
    assert updated(graph) == 4 * 2 * WIDTH * 2


def test_gradients_of_a_weight_that_all_repetitions_share_add_up() -> None:
    def describe(net: Tracer, x: Value) -> Value:
        weight = net.weight(WIDTH, WIDTH, name="shared")
        for _ in net.repeat(5, "layer"):
            x = net.linear_with(x, weight, name="fc")
        return x

    graph = step(describe)
    require_complete(graph)
    assert graph.macs == (5 + 5 + 4) * SQUARE
    assert names(graph, "sgd", "adamw") == ["shared.update"]
    assert len(names(graph, "add")) == 4


def test_gradients_of_what_all_repetitions_read_add_up() -> None:
    def describe(net: Tracer, x: Value) -> Value:
        memory = net.linear(x, WIDTH, bias=False, name="encoder")
        for _ in net.repeat(3, "layer"):
            x = net.linear(x, WIDTH, bias=False, name="fc") * memory
        return x

    graph = step(describe)
    require_complete(graph)
    assert graph.macs == 4 * SQUARE + (3 + 2) * SQUARE + SQUARE
    assert [op.outputs[0].shape for op in graph.operators if op.kind == "add"] == [(ROWS, WIDTH)] * 2


def test_what_is_carried_on_and_never_read_outside_gets_no_gradient_from_there() -> None:
    def describe(net: Tracer, x: Value) -> Value:
        cell = net.cell("lstm", WIDTH, WIDTH)
        h = c = net.shift(x)
        for _ in net.repeat(4, "step"):
            h, c = net.step(cell, x, h, c)
        return h

    graph = step(describe)
    require_complete(graph)
    assert [(block.name, block.count) for block in graph.blocks] == [
        ("step", 3),
        ("step", 1),
        ("step_backward", 1),
        ("step_backward", 3),
    ]


def test_blocks_in_blocks_go_backwards_as_blocks_in_blocks() -> None:
    def describe(net: Tracer, x: Value) -> Value:
        x = net.shift(x)
        for _ in net.repeat(3, "outer"):
            for _ in net.repeat(4, "inner"):
                x = net.relu(net.linear(x, WIDTH, bias=False, name="fc"))
            x = net.gelu(x)
        return x

    for recompute in (False, True):
        graph = step(describe, recompute=recompute)
        require_complete(graph)
        assert graph.block("outer_backward").block("inner_backward").count == 4
        assert updated(graph) == 12 * WIDTH * WIDTH + WIDTH
    graph = step(describe)
    assert graph.macs == 3 * 12 * SQUARE
    reads = [op.weights[0].base for op in graph.operators if op.name.endswith("fc.grad_input")]
    assert reads == [f"outer{i}.inner{j}.fc.weight" for i in (2, 1, 0) for j in (3, 2, 1, 0)]


def test_no_gradient_goes_through_what_is_detached() -> None:
    def describe(net: Tracer, x: Value) -> Value:
        below = net.linear(x, WIDTH, bias=False, name="below")
        return net.linear(net.detach(below), WIDTH, bias=False, name="above")

    assert names(step(describe), "adamw") == ["above.weight.update"]


def test_gradients_of_parts_are_put_in_their_place() -> None:
    def describe(net: Tracer, x: Value) -> Value:
        a, b = net.split(net.linear(x, 2 * WIDTH, bias=False, name="both"), 2)
        return a * b

    graph = step(describe)
    whole = graph.operator("grad:both")
    assert (whole.kind, whole.outputs[0].shape) == ("assemble", (ROWS, 2 * WIDTH))


def test_gradients_are_summed_over_what_was_broadcast() -> None:
    graph = step(lambda net, x: net.scale(x, name="scale"))
    assert graph.operator("grad:scale.weight").outputs[0].shape == (WIDTH,)


@pytest.mark.parametrize(("optimizer", "moments"), [("adamw", 2), ("adam", 2), ("momentum", 1), ("sgd", 0)])
def test_an_optimizer_reads_and_writes_weight_and_moments(optimizer: str, moments: int) -> None:
    graph, elements = step(chain, optimizer=optimizer), WIDTH * WIDTH
    op = graph.blocks[-1].operator("fc.weight.update")
    assert (op.kind, op.other_ops) == (optimizer, OPTIMIZER_OPS[optimizer] * elements)
    assert op.bytes_read == (2 + 2 + 4 * moments) * elements
    assert op.bytes_written == (2 + 4 * moments) * elements
    assert graph.state_bytes == 4 * 4 * moments * elements


@pytest.mark.parametrize("name", ["gpt3-7b", "llama-3-8b", "mamba-130m"])
def test_training_a_language_model_is_three_forward_passes(name: str) -> None:
    """2 of 3 MACs are backwards (Kaplan et al. 2020, section 2.1), where the stem is a table and has no product."""
    model, forward = load_model(name), load_model(name).prefill((24, 16))
    graph, head = model.trace((24, 16), "training"), counted(forward) - sum(b.macs * b.count for b in forward.blocks)
    require_complete(graph)
    assert (graph.phase, graph.params) == ("training", model.params)
    assert graph.macs == 3 * (forward.macs - head + 20 * head)  # every token has its logits, not one of each request
    assert graph.trained_params == updated(graph) == model.params
    assert graph.state_bytes == 2 * 4 * model.params
    assert graph.digest == model.trace((24, 16), "training").digest


def test_an_image_classifier_does_not_ask_for_the_gradient_of_its_image() -> None:
    model = load_model("poolformer-s12")
    graph, forward = model.trace((1,), "training"), model.trace((1,))
    stem = next(op for op in forward.operators if op.kind == "conv").macs
    assert graph.macs == 3 * forward.macs - stem
    require_complete(graph)


def one(net: Tracer, x: Value) -> Value:
    return net.linear(x, WIDTH, name="fc")


ERRORS: dict[str, tuple[Describe, tuple[str, ...] | None, str]] = {
    "pattern": (one, ("fc.wait",), "tiny: trainable: no weight is called 'fc.wait'; weights: fc.weight, fc.bias"),
    "nothing trained": (
        lambda net, x: net.relu(x),
        None,
        "tiny: output 'relu' depends on nothing that is trained; train more",
    ),
    "mark": (
        lambda net, x: (one(net, x), net.trainable("other"))[0],
        None,
        "trainable 'other': no weight is called so here; weights: fc.weight, fc.bias",
    ),
    "size": (
        lambda net, x: (one(net, x), net.trainable("fc.weight", 9))[0],
        None,
        "trainable 'fc.weight': axis 0 of (8, 8) has no 9 elements",
    ),
    "state": (
        lambda net, x: net.matmul(one(net, x), net.state(WIDTH, WIDTH, name="memory")),
        None,
        "'matmul': no gradient goes through the state 'memory'; take it as an input",
    ),
}


@pytest.mark.parametrize("name", ERRORS)
def test_what_cannot_be_trained_has_its_sentence(name: str) -> None:
    describe, trainable, sentence = ERRORS[name]
    with pytest.raises(ModelError) as error:
        step(describe, trainable)
    assert str(error.value).endswith(sentence)


def test_a_kind_without_a_gradient_is_named() -> None:
    with pytest.raises(ModelError, match=r"^'round': round has no gradient, but lies between what is trained and"):
        step(lambda net, x: net.unary("round", one(net, x)))
