"""An ONNX file as a model: its nodes are operators, its initializers weights, its symbolic dimensions options.

Sizes follow from the inputs, node by node, and must agree with what ONNX infers. A first dimension of the inputs that
is symbolic is the batch, one sample for each request; if it is a number, the file stands for that many requests.
What needs no data (shapes, ranges, masks of constants) is evaluated and costs nothing.
"""

import re
from ast import literal_eval
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np

from neupims.errors import ModelError
from neupims.graph.architecture import Architecture, Paper
from neupims.graph.config import Config, configure, listed
from neupims.graph.importers.assembly import Assembler, ImportedModel, optional, path_of
from neupims.graph.importers.onnx_node import Node, Operand
from neupims.graph.importers.onnx_nodes import HANDLERS
from neupims.graph.kinds import ShapeError
from neupims.graph.model import Model
from neupims.graph.tensor import ElementType
from neupims.graph.tracer import Tracer
from neupims.graph.tracing.location import file_name

ELEMENTS: Mapping[str, ElementType] = {
    "FLOAT": "fp32",
    "DOUBLE": "fp32",
    "FLOAT16": "fp16",
    "BFLOAT16": "bf16",
    "INT64": "int32",
    "INT32": "int32",
    "INT8": "int8",
    "UINT8": "int8",
    "BOOL": "int8",
}
"""Our element types; what is wider counts as four bytes, and truth values as one."""

READ = {"BatchNormalization": 3}
"""Inputs that are read, where it is not all: mean and variance are folded into scale and shift."""

Sizes = Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Document:
    """A file, and the symbolic dimensions of its inputs by the names of the options that set them."""

    file: str
    folder: str
    onnx: Any
    proto: Any
    options: Mapping[str, str]
    batch: str | int | None
    """The symbol, or the number, of samples."""


def load_onnx(name: str, options: Mapping[str, object]) -> Model:
    """The model of an ONNX file; options give sizes to its symbolic dimensions.

    Raises:
        ModelError: the file cannot be read, a dimension has no size, or an operator or its shapes are not known.
    """
    path = Path(name)
    document = _document(path)
    kind = _config(document)
    architecture = Architecture(
        path.stem,
        Paper(f"ONNX graph '{document.proto.graph.name}'"),
        "imported",
        about="Operators of an ONNX file.",
        config=kind,
        variants={},
        describe=partial(_describe, document),
        file=str(path),
        passes="forward",
    )
    return ImportedModel(architecture, None, configure(kind, path.stem, {}, options))


def _document(path: Path) -> Document:
    file = file_name(str(path))
    onnx = optional("onnx", "onnx", f"{file}: reading it")
    try:
        proto = onnx.load(str(path), load_external_data=False)
    except Exception as error:
        raise ModelError(f"{file}: the file cannot be read as ONNX: {error}") from None
    if proto.functions:
        proto = optional("onnx.inliner", "onnx", file).inline_local_functions(proto)
    symbols = [dim.dim_param or dim.dim_value for dims in _dimensions(proto) for dim in dims]
    first = next((dims[0].dim_param or dims[0].dim_value for dims in _dimensions(proto) if dims), None)
    named = {symbol for symbol in symbols if isinstance(symbol, str)} - {first}
    return Document(file, str(path.parent), onnx, proto, {_option(symbol): symbol for symbol in sorted(named)}, first)


def _config(document: Document) -> type[Config]:
    """A record with one number for each symbolic dimension but the batch."""
    return type("Sizes", (Config,), {"__annotations__": dict.fromkeys(document.options, int)})


def _option(symbol: str) -> str:
    return re.sub(r"\W", "_", symbol.lower())


def _inputs(proto: Any) -> Sequence[Any]:
    known = {tensor.name for tensor in proto.graph.initializer}
    return [value for value in proto.graph.input if value.name not in known]


def _dimensions(proto: Any) -> Iterator[Sequence[Any]]:
    return (value.type.tensor_type.shape.dim for value in _inputs(proto))


def _describe(document: Document, net: Tracer, cfg: Config) -> None:
    assert isinstance(net, Assembler)
    sizes: dict[str, int] = {symbol: getattr(cfg, option) for option, symbol in document.options.items()}
    if isinstance(document.batch, str):
        sizes[document.batch] = net.batch
    elif net.batch not in (1, document.batch):
        problem = f"it holds {document.batch} samples, not {net.batch}; export it with a symbolic first dimension"
        raise ModelError(f"{document.file}: {problem}")
    translation = _Translation(document, net, _sized(document, sizes))
    for node in translation.proto.graph.node:
        translation.add(node)
    for result in translation.proto.graph.output:
        net.output(translation.value(result.name))


def _sized(document: Document, sizes: Sizes) -> Any:
    """The file with all dimensions of its inputs as numbers, and what ONNX infers from them."""
    proto = document.onnx.ModelProto()
    proto.CopyFrom(document.proto)
    for value in _inputs(proto):
        for axis, dim in enumerate(value.type.tensor_type.shape.dim):
            if dim.dim_param:
                dim.dim_value = sizes[dim.dim_param]
            if dim.dim_value < 1:
                problem = f"axis {axis} has no size and no name; export it with a number or a symbolic dimension"
                raise ModelError(f"{document.file}: input '{value.name}': {problem}")
    del proto.graph.value_info[:]
    for result in proto.graph.output:
        result.type.tensor_type.ClearField("shape")
    return optional("onnx.shape_inference", "onnx", document.file).infer_shapes(proto, data_prop=True)


@dataclass(slots=True)
class _Translation:
    """What the tensors of the file are, while its nodes are translated in order."""

    document: Document
    net: Assembler
    proto: Any
    values: dict[str, Operand] = field(default_factory=dict[str, "Operand"])

    def add(self, node: Any) -> None:
        """Translate a node, or evaluate it if nothing that it reads depends on data."""
        self.net.path = path_of(_module(node) or node.name)
        inputs = [self._operand(name) for name in node.input[: READ.get(node.op_type)]]
        if node.op_type == "Shape":
            self._shape(node, inputs[0])
        elif not any(self._is_data(found) for found in inputs):
            self._evaluate(node, inputs)
        else:
            self._translate(node, inputs)

    def value(self, name: str) -> Any:
        """A tensor of the file; ModelError if it is a constant."""
        found = self._operand(name)
        if not self._is_data(found):
            raise ModelError(f"{self.document.file}: output '{name}' does not depend on the inputs")
        return found

    def _translate(self, node: Any, inputs: list[Operand]) -> None:
        if node.op_type not in HANDLERS:
            raise self._unknown(node)
        helper = self.document.onnx.helper
        attributes = {attribute.name: _attribute(helper, attribute) for attribute in node.attribute}
        try:
            results = HANDLERS[node.op_type](self.net, Node(node.op_type, inputs, attributes, len(node.output)))
        except (ShapeError, TypeError, ValueError, KeyError, IndexError) as error:
            raise self._error(node, str(error)) from None
        except ModelError as error:
            raise self._error(node, str(error)) from None
        for name, result in zip(node.output, results, strict=False):
            self._check(node, name, result.shape)
            self.values[name] = result

    def _check(self, node: Any, name: str, shape: tuple[int, ...]) -> None:
        inferred = self._inferred().get(name)
        if inferred is not None and inferred != shape and (inferred or shape != (1,)):
            raise self._error(node, f"its result is {shape} here, and {inferred} as ONNX infers it")

    def _inferred(self) -> Mapping[str, tuple[int, ...]]:
        found: dict[str, tuple[int, ...]] = {}
        for value in (*self.proto.graph.value_info, *self.proto.graph.output):
            kind = value.type.tensor_type
            if kind.HasField("shape") and all(dim.HasField("dim_value") for dim in kind.shape.dim):
                found[value.name] = tuple(dim.dim_value for dim in kind.shape.dim)
        return found

    def _shape(self, node: Any, found: Operand) -> None:
        assert found is not None
        helper = self.document.onnx.helper
        ends = {attribute.name: _attribute(helper, attribute) for attribute in node.attribute}
        shape = np.array(found.shape, dtype=np.int64)
        self.values[node.output[0]] = shape[ends.get("start", 0) : ends.get("end", len(shape))]

    def _evaluate(self, node: Any, inputs: list[Operand]) -> None:
        evaluator = optional("onnx.reference", "onnx", self.document.file).ReferenceEvaluator(node)
        feeds = {name: found for name, found in zip(node.input, inputs, strict=False) if found is not None}
        try:
            results = evaluator.run(None, feeds)
        except Exception as error:
            if node.op_type in HANDLERS:
                return self._translate(node, inputs)
            raise self._error(node, f"it cannot be evaluated: {error}") from None
        self.values |= dict(zip(node.output, (np.asarray(result) for result in results), strict=False))

    def _is_data(self, found: Operand) -> bool:
        return found is not None and not isinstance(found, np.ndarray)

    def _operand(self, name: str) -> Operand:
        """A tensor of the file by its name; inputs and weights come into being when they are first read."""
        if not name:
            return None
        if name not in self.values:
            self.values[name] = self._source(name)
        return self.values[name]

    def _source(self, name: str) -> Operand:
        for tensor in self.proto.graph.initializer:
            if tensor.name == name:
                return self._initializer(tensor)
        for value in _inputs(self.proto):
            if value.name == name:
                kind = value.type.tensor_type
                shape = tuple(dim.dim_value for dim in kind.shape.dim) or (1,)
                return self.net.input(path_of(name), *shape, element=self._element(kind.elem_type, name))
        raise ModelError(f"{self.document.file}: '{name}' is read before it is made")

    def _initializer(self, tensor: Any) -> Operand:
        element, shape = self._element(tensor.data_type, tensor.name), tuple(tensor.dims)
        if element in ("int32", "int8") or not shape:
            try:
                return cast("Operand", self.document.onnx.numpy_helper.to_array(tensor, self.document.folder))
            except Exception as error:
                raise ModelError(f"{self.document.file}: '{tensor.name}' cannot be read: {error}") from None
        return self.net.own(path_of(tensor.name), shape, "weight", element)

    def _element(self, number: int, name: str) -> ElementType:
        word = self.document.onnx.TensorProto.DataType.Name(number)
        if word not in ELEMENTS:
            raise ModelError(
                f"{self.document.file}: '{name}' is of type {word}; types that are known: {listed(ELEMENTS)}"
            )
        return ELEMENTS[word]

    def _unknown(self, node: Any) -> ModelError:
        unknown = sorted({node.op_type for node in self.proto.graph.node} - set(HANDLERS) - {"Constant", "Shape"})
        more = f" (others that may not be: {listed(unknown)})" if len(unknown) > 1 else ""
        return self._error(node, f"this operator is not known{more}")

    def _error(self, node: Any, problem: str) -> ModelError:
        return ModelError(f"{self.document.file}: {node.op_type} '{node.name or node.output[0]}': {problem}")


def _module(node: Any) -> str:
    """The path of the module of torch that a node was exported from, if the file says it."""
    for prop in node.metadata_props:
        if prop.key == "pkg.torch.onnx.name_scopes":
            return next((scope for scope in reversed(literal_eval(prop.value)[:-1]) if scope), "")
    return ""


def _attribute(helper: Any, attribute: Any) -> Any:
    value = helper.get_attribute_value(attribute)
    return value.decode() if isinstance(value, bytes) else value
