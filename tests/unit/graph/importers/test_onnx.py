"""ONNX files, built here node by node: operators, weights, shapes, blocks, and a sentence for what is not known."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from neupims.errors import ModelError
from neupims.graph import Graph, load_model

WHY = "reads ONNX files, which needs the package onnx (pip install 'neupims[onnx]')"
onnx = pytest.importorskip("onnx", reason=WHY)
numpy = pytest.importorskip("numpy")

FLOAT, INT = onnx.TensorProto.FLOAT, onnx.TensorProto.INT64
Node = Callable[..., Any]
node: Node = onnx.helper.make_node


def weight(name: str, *shape: int) -> Any:
    return onnx.numpy_helper.from_array(numpy.zeros(shape, numpy.float32), name)


def known(name: str, *values: int) -> Any:
    return onnx.numpy_helper.from_array(numpy.array(values, numpy.int64), name)


def saved(
    path: Path, nodes: Sequence[Any], shape: Sequence[int | str], tensors: Sequence[Any], kind: int = FLOAT
) -> str:
    """A file with one input x and the output y."""
    given = onnx.helper.make_tensor_value_info("x", kind, shape)
    result = onnx.helper.make_tensor_value_info("y", FLOAT, None)
    graph = onnx.helper.make_graph(nodes, "net", [given], [result], initializer=tensors)
    file = path / "net.onnx"
    onnx.save(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)]), str(file))
    return str(file)


def convolutional(path: Path, batch: int | str = "batch") -> str:
    nodes = [
        node("Conv", ["x", "w", "b"], ["c"], name="stem/conv", kernel_shape=[3, 3], pads=[1, 1, 1, 1], strides=[2, 2]),
        node("BatchNormalization", ["c", "scale", "shift", "mean", "var"], ["n"], name="stem/bn"),
        node("Relu", ["n"], ["r"], name="stem/relu"),
        node("MaxPool", ["r"], ["p"], name="pool", kernel_shape=[2, 2], strides=[2, 2]),
        node("GlobalAveragePool", ["p"], ["g"], name="mean"),
        node("Flatten", ["g"], ["f"], name="flat"),
        node("Gemm", ["f", "head", "bias"], ["y"], name="head", transB=1),
    ]
    norms = [weight(name, 8) for name in ("b", "scale", "shift", "mean", "var")]
    tensors = [weight("w", 8, 3, 3, 3), *norms, weight("head", 10, 8), weight("bias", 10)]
    return saved(path, nodes, [batch, 3, 16, 16], tensors)


def layers(path: Path, count: int, tokens: int | str = 6) -> str:
    """Blocks of attention of one head, whose mask of zeros is made of the shape of x, and a residual each."""
    nodes: list[Any] = []
    tensors = [known("axis", 2), known("first", 1)]
    x = "x"
    for index in range(count):
        at = f"layers.{index}"
        names = {part: f"{at}.{part}" for part in ("q", "k", "v", "o")}
        tensors += [weight(f"{name}.weight", 8, 8) for name in names.values()]
        nodes += [
            node("MatMul", [x, f"{name}.weight"], [name], name=f"/{at}/{part}")
            for part, name in names.items()
            if part != "o"
        ]
        nodes += [
            node("Transpose", [names["k"]], [f"{at}.kt"], name=f"/{at}/turn", perm=[0, 2, 1]),
            node("MatMul", [names["q"], f"{at}.kt"], [f"{at}.s"], name=f"/{at}/logit"),
            node("Softmax", [f"{at}.s"], [f"{at}.p"], name=f"/{at}/softmax"),
            node("MatMul", [f"{at}.p", names["v"]], [f"{at}.m"], name=f"/{at}/attend"),
            node("MatMul", [f"{at}.m", f"{names['o']}.weight"], [names["o"]], name=f"/{at}/o"),
            node("Add", [x, names["o"]], [f"{at}.x"], name=f"/{at}/add"),
        ]
        x = f"{at}.x"
    nodes.append(node("Identity", [x], ["y"]))
    return saved(path, nodes, ["batch", tokens, 8], tensors)


def kinds(graph: Graph) -> list[str]:
    return [op.kind for op in graph.operators]


def test_a_convolutional_network(tmp_path: Path) -> None:
    model = load_model(convolutional(tmp_path))
    graph = model.trace((1,))
    assert (model.name, model.passes, model.family) == ("net", "forward", "imported")
    assert kinds(graph) == ["conv", "batch_norm", "relu", "max_pool", "mean", "linear"]
    assert graph.operators[0].name == "stem.conv.conv"
    assert graph.macs == 8 * 8 * 8 * 27 + 8 * 10
    assert model.params == 8 * 27 + 8 + 2 * 8 + 80 + 10
    assert graph.outputs[0].shape == (1, 10)
    assert graph.outputs[0].element == "fp32"


def test_a_symbolic_first_dimension_is_the_batch(tmp_path: Path) -> None:
    model = load_model(convolutional(tmp_path))
    assert model.trace((1,) * 5).macs == 5 * model.trace((1,)).macs
    fixed = load_model(convolutional(tmp_path, 4))
    assert fixed.trace((1,)).outputs[0].shape == fixed.trace((1,) * 4).outputs[0].shape == (4, 10)
    with pytest.raises(ModelError, match=r"net\.onnx: it holds 4 samples, not 2; export it with a symbolic first dim"):
        fixed.trace((1, 1))


def test_equal_layers_are_a_block_with_the_names_of_the_file(tmp_path: Path) -> None:
    (block,) = load_model(layers(tmp_path, 4)).trace((1,)).blocks
    assert (block.name, block.count) == ("layers", 4)
    assert [op.name for op in block.operators] == [
        *("q.linear", "k.linear", "v.linear", "logit.matmul", "softmax.softmax"),
        *("attend.matmul", "o.linear", "add.add"),
    ]
    assert block.params == 4 * 64
    assert block.macs == 4 * 6 * 64 + 2 * 6 * 6 * 8


def test_other_symbolic_dimensions_are_options(tmp_path: Path) -> None:
    file = layers(tmp_path, 2, "Tokens")
    assert (
        load_model(file, options={"tokens": "6"}).trace((1,)).macs == load_model(layers(tmp_path, 2)).trace((1,)).macs
    )
    file = layers(tmp_path, 2, "Tokens")
    with pytest.raises(ModelError, match=r"^net: no value for tokens; choose a variant or give them as options$"):
        load_model(file)
    with pytest.raises(ModelError, match=r"unknown option 'token'; options: tokens; did you mean tokens\?$"):
        load_model(file, options={"token": 3})


def test_what_needs_no_data_costs_nothing(tmp_path: Path) -> None:
    nodes = [
        node("Shape", ["x"], ["s"]),
        node("Gather", ["s", "zero"], ["n"]),
        node("Concat", ["n", "rest"], ["to"], axis=0),
        node("Reshape", ["x", "to"], ["z"]),
        node("Relu", ["z"], ["y"]),
    ]
    file = saved(tmp_path, nodes, ["b", 4, 6], [known("zero", 0), known("rest", -1)])
    graph = load_model(file).trace((1, 1))
    assert kinds(graph) == ["relu"]
    assert graph.outputs[0].shape == (2, 24)


def test_tables_parts_and_reductions(tmp_path: Path) -> None:
    nodes = [
        node("Gather", ["table", "x"], ["e"], name="embedding"),
        node("Split", ["e", "sizes"], ["a", "b"], axis=2),
        node("Slice", ["b", "one", "three", "two"], ["c"]),
        node("Concat", ["a", "c"], ["d"], axis=2),
        node("ReduceMean", ["d", "one"], ["m"], keepdims=0),
        node("Unsqueeze", ["m", "one"], ["u"]),
        node("Squeeze", ["u", "one"], ["q"]),
        node("Div", ["q", "half"], ["y"], name="half"),
    ]
    half = onnx.numpy_helper.from_array(numpy.array(0.5, numpy.float32), "half")
    lists = [known("sizes", 2, 6), known("one", 1), known("three", 3), known("two", 2), half]
    graph = load_model(saved(tmp_path, nodes, [2, 5], [weight("table", 20, 8), *lists], INT)).trace((1,))
    assert kinds(graph) == ["embedding", "concat", "mean", "div"]
    assert graph.params == 20 * 8
    assert [op.outputs[0].shape for op in graph.operators] == [(2, 5, 8), (2, 5, 4), (2, 4), (2, 4)]
    assert dict(graph.operators[-1].attributes) == {"by": 0.5}


@pytest.mark.parametrize(
    ("nodes", "tensors", "problem"),
    [
        ([node("Relo", ["x"], ["y"], name="a")], [], "Relo 'a': this operator is not known"),
        (
            [node("Det", ["x"], ["z"], name="a"), node("NonZero", ["z"], ["y"])],
            [],
            "Det 'a': this operator is not known (others that may not be: Det, NonZero)",
        ),
        (
            [node("Reshape", ["x", "to"], ["y"], name="a")],
            [known("to", 5, -1)],
            "Reshape 'a': reshape 'x': shape (2, 4, 4) cannot become (5, -1)",
        ),
        (
            [node("MatMul", ["x", "w"], ["y"], name="a")],
            [weight("w", 5, 4)],
            "MatMul 'a': linear 'a.linear': input (2, 4, 4) does not fit weight (5, 4); the last axis of the input "
            "must be 5",
        ),
    ],
)
def test_what_is_not_known_has_its_sentence(
    nodes: list[Any], tensors: list[Any], problem: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    saved(tmp_path, nodes, [2, 4, 4], tensors)
    with pytest.raises(ModelError) as error:
        load_model("net.onnx").trace((1,))
    assert str(error.value) == f"net.onnx: {problem}"


def test_an_input_without_a_size(tmp_path: Path) -> None:
    file = saved(tmp_path, [node("Relu", ["x"], ["y"])], [None, 3], [])  # type: ignore[list-item]
    with pytest.raises(ModelError, match=r"input 'x': axis 0 has no size and no name; export it with a number or a "):
        load_model(file).trace((1,))


def test_a_file_that_is_no_onnx(tmp_path: Path) -> None:
    (tmp_path / "net.onnx").write_bytes(b"no")
    with pytest.raises(ModelError, match=r"net\.onnx: the file cannot be read as ONNX: "):
        load_model(str(tmp_path / "net.onnx"))
