"""ForwardGNN: parameters, matrix products and aggregations by formula, and training that stays in its layer."""

import pytest
from figures import Figure, weighted

from neupims.graph import Graph, load_model

# Parameters of gcn, sage and gat; MACs of the linear layers of four layers of gcn and gat (sage has twice as many);
# multiply-accumulates of their aggregations, one for each of the width of each edge, virtual nodes and loops included.
SETS = {
    "citeseer": ((126_720, 252_928, 127_744), 534_617_088, 10_405_888),
    "cora_ml": ((418_176, 835_840, 419_200), 1_253_827_328, 11_852_800),
    "pubmed": ((113_664, 226_816, 114_688), 2_231_357_440, 68_405_248),
    "photo": ((145_024, 289_536, 146_048), 1_106_672_896, 130_873_344),
    "github": ((66_048, 131_584, 67_072), 2_470_838_272, 339_949_568),
}
CONVS = {"gcn": 1, "sage": 2, "gat": 1}
"""Linear layers of a layer."""

FIGURES = [
    Figure(f"forwardgnn-{name}", params[place], linears * macs, {"conv": conv}, only=("linear",), tolerance=0)
    for name, (params, macs, _) in SETS.items()
    for place, (conv, linears) in enumerate(CONVS.items())
]


@pytest.mark.parametrize("figure", FIGURES, ids=str)
def test_figures(figure: Figure) -> None:
    figure.check()


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("conv", ["gcn", "gat"])
def test_aggregations_multiply_and_add_for_each_edge(name: str, conv: str) -> None:
    graph = load_model("forwardgnn", name, {"conv": conv}).trace((1,))
    assert other(graph, "message_passing") == 2 * SETS[name][2]


def other(graph: Graph, *kinds: str) -> int:
    return sum(times * op.other_ops for op, times in weighted(graph) if op.kind in kinds)


@pytest.mark.parametrize("conv", CONVS)
def test_each_layer_is_trained_on_its_own(conv: str) -> None:
    """A step of all layers is a step of each: no gradient goes from one to another, nor to the features."""
    whole = load_model("forwardgnn", "citeseer", {"conv": conv}).training((1,), optimizer="adam")
    steps = [
        load_model("forwardgnn", "citeseer", {"conv": conv, "layer": layer}).training((1,), optimizer="adam")
        for layer in (1, 2, 3, 4)
    ]
    assert whole.macs == sum(step.macs for step in steps)
    assert whole.other_ops == sum(step.other_ops for step in steps)
    assert whole.trained_params == whole.params == sum(step.params for step in steps)
    assert len(whole.outputs) == 4
    assert steps[1].kept_bytes < whole.kept_bytes


def test_a_layer_needs_the_gradient_of_its_weights_and_not_of_its_input() -> None:
    nodes, width, classes, train = 4236, 128, 6, 4230 * 64 // 100
    step = load_model("forwardgnn-citeseer", options={"layer": 2}).training((1,), optimizer="adam")
    product, logits = nodes * width * width, train * width * classes
    assert step.macs == 2 * product + 3 * logits
    updates = [op.name for op in step.operators if op.kind == "adam"]
    assert updates == ["layer2.linear.weight.update", "layer2.bias.weight.update"]


def test_a_cached_layer_has_no_aggregation_left() -> None:
    step = load_model("forwardgnn-citeseer", options={"layer": 2, "conv": "gcn_cached"}).training(
        (1,), optimizer="adam"
    )
    assert "message_passing" not in {op.kind for op in step.operators}


def test_attention_over_edges_goes_forwards_and_backwards() -> None:
    edges, nodes = 10674 + 2 * (4230 * 64 // 100) + 4236, 4236
    step = load_model("forwardgnn-citeseer", options={"conv": "gat", "layer": 2}).training((1,))
    assert other(step, "message_passing") == 2 * 2 * edges * 128
    assert other(step, "edge_gradient") == 2 * edges * 128
    (share,) = (op for op in step.operators if op.name == "layer2.exp")
    assert share.outputs[0].shape == (edges, 4)
    assert nodes == step.operator("layer2.linear").outputs[0].shape[0]
