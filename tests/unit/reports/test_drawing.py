"""Pictures of blocks: every operator, every edge, residual ways marked, nothing on top of anything else."""

import itertools

import pytest

from neupims.errors import ModelError
from neupims.graph import Block, load_model
from neupims.reports.blocks import Drawing, drawing_of, drawing_rows
from neupims.reports.drawing import drawing_figure
from neupims.reports.figure import save_figure


def drawn(model: str, block: str | None = None) -> Drawing:
    return drawing_of(load_model(model).trace((64, 64)), block)


def test_a_block_has_its_operators_in_order():
    block = load_model("gpt3-7b").trace((64, 64)).block("layer")
    nodes = drawn("gpt3-7b").nodes
    assert [node.name for node in nodes if node.kind != "port"] == [item.name for item in block.items]
    assert [node.name for node in nodes if node.kind == "port"] == [
        "from the repetition before",
        "to the next repetition",
    ]


def test_edges_are_what_operators_read():
    edges = {(edge.source, edge.target): edge for edge in drawn("gpt3-7b").edges}
    assert edges["attention.qkv", "attention.logit"].shapes == ("2x4096",)
    assert edges["attention.softmax", "attention.attend"].shapes == ("32x128",)
    assert ("attention.qkv", "attention.softmax") not in edges
    around = [ends for ends, edge in edges.items() if edge.residual]
    assert around == [("from the repetition before", "attention.residual"), ("attention.residual", "ffn.residual")]


def test_operators_are_classed_by_what_they_do():
    kinds = {node.name: node.kind for node in drawn("biformer").nodes}
    assert (kinds["attention.logit"], kinds["attention.softmax"]) == ("product", "vector")
    assert kinds["attention.gather"] == "move"


def test_what_an_operator_holds_stands_in_its_box():
    details = {node.name: node.detail for node in drawn("mamba-2.8b").nodes}
    assert details["in_proj"].startswith("linear w:2560x10240\n")
    assert details["scan"].startswith("selective_scan w:5120x16 s:2x5120x16\n")


def test_the_heaviest_block_is_drawn_unless_another_is_named():
    assert drawn("biformer").title == "biformer-t: stage3.block, 8×"
    assert drawn("biformer", "stage1.block").title == "biformer-t: stage1.block, 2×"


def test_around_the_blocks_each_is_a_box():
    whole = drawn("gpt3-7b", "all")
    assert {node.name: node.detail for node in whole.nodes if node.kind == "block"} == {"layer": "32×"}
    ends = {(edge.source, edge.target) for edge in whole.edges}
    assert {
        ("embedding.add", "layer"),
        ("layer", "final_norm"),
        ("sampling", "output"),
        ("tokens", "embedding.token"),
    } <= ends


def test_a_block_that_is_not_there():
    with pytest.raises(ModelError) as error:
        drawn("gpt3-7b", "block")
    assert str(error.value) == "gpt3-7b: --block block: there is none; blocks: layer, all"


@pytest.mark.parametrize(
    "model", ["gpt3-7b", "mamba-2.8b", "biformer", "informer", "poolformer", "pointer-network-h256"]
)
def test_boxes_lie_apart_and_inside_the_picture(model):
    drawing = drawn(model)
    axes = drawing_figure(drawing).axes[0]
    boxes = [patch.get_extents() for patch in axes.patches if type(patch).__name__ == "FancyBboxPatch"]
    assert len(boxes) == sum(node.kind != "port" for node in drawing.nodes)
    assert not any(one.overlaps(other) for one, other in itertools.combinations(boxes, 2))
    frame = axes.get_window_extent()
    assert all(frame.x0 < box.x0 and box.x1 < frame.x1 and frame.y0 < box.y0 and box.y1 < frame.y1 for box in boxes)
    labels = [text.get_window_extent() for text in axes.texts if text.get_zorder() == 5]
    assert len(labels) == len(drawing.edges)
    assert not any(one.overlaps(other) for one, other in itertools.combinations(labels, 2))


def test_every_item_of_every_model_is_drawn():
    graph = load_model("forwardgnn-cora_ml").trace((1,))
    drawing = drawing_of(graph, "all")
    names = {item.name for item in graph.items}
    assert names <= {node.name for node in drawing.nodes}
    assert sum(isinstance(item, Block) for item in graph.items) == sum(n.kind == "block" for n in drawing.nodes)


def test_blocks_of_one_name_are_told_apart():
    """The backward pass of S2FT is made of several blocks, as its first and last layers differ from the others."""
    graph = load_model("s2ft-llama-2-7b").trace((8,), "training")
    backward = [block for block in graph.blocks if block.name == "layer_backward"]
    assert len(backward) > 1
    names = [node.name for node in drawing_of(graph, "all").nodes if node.kind == "block"]
    assert [name for name in names if "backward" in name] == [f"layer_backward{block.first}" for block in backward]
    assert drawing_of(graph, f"layer_backward{backward[-1].first}").title.endswith(f", {backward[-1].count}×")


def test_what_the_forward_pass_kept_is_named():
    names = {node.name for node in drawing_of(load_model("gpt3-7b").trace((8,), "training"), "layer_backward").nodes}
    assert "ffn.gelu, kept" in names


def test_the_same_graph_gives_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        drawing = drawn("biformer")
        save_figure(drawing_figure(drawing), drawing_rows(drawing), tmp_path / f"{name}.svg")
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
    lines = (tmp_path / "a.csv").read_text().splitlines()
    assert lines[0] == "from,to,shape,residual"
    assert len(lines) == 1 + len(drawn("biformer").edges)
