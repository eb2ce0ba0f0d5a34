"""A torch module as a model, by way of `torch.export`: the only file that knows torch.

`module:factory` or `file.py:factory` names a function without arguments that returns the module and a tuple of example
inputs. Parameters are weights, buffers and what follows from them alone constants. The examples fix all shapes.
"""

import importlib.util
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, cast

from neupims.errors import ModelError
from neupims.graph.architecture import Architecture, Paper
from neupims.graph.config import Config, configure, did_you_mean
from neupims.graph.importers.assembly import Assembler, ImportedModel, optional, path_of
from neupims.graph.importers.aten import HANDLERS, Call
from neupims.graph.model import Model
from neupims.graph.tensor import ElementType, Shape
from neupims.graph.tracer import Tracer
from neupims.graph.tracing.regions import Value

ELEMENTS: Mapping[str, ElementType] = {
    "torch.float32": "fp32",
    "torch.float64": "fp32",
    "torch.float16": "fp16",
    "torch.bfloat16": "bf16",
    "torch.int64": "int32",
    "torch.int32": "int32",
    "torch.int8": "int8",
    "torch.uint8": "int8",
    "torch.bool": "int8",
}
"""Our element types; what is wider counts as four bytes, and truth values as one."""


READ = {"batch_norm": 3}
"""Arguments that are read, where it is not all: mean and variance are folded into scale and shift."""


class Nothing(Config):
    """An exported module has no options."""


def load_module(name: str, options: Mapping[str, object]) -> Model:
    """The model of `module:factory`.

    Raises:
        ModelError: the factory cannot be called or does not return a module and its inputs, the module cannot be
            exported, or an operator is not known.
    """
    torch = optional("torch", "torch", f"{name}: exporting it")
    made = _made(name)
    if not (isinstance(made, tuple) and len(cast("Any", made)) == 2 and isinstance(made[1], tuple)):
        raise ModelError(f"{name}: the factory must return a module and a tuple of example inputs")
    module, examples = cast("tuple[Any, tuple[Any, ...]]", made)
    try:
        program = torch.export.export(module.eval(), examples)
    except Exception as error:
        raise ModelError(f"{name}: torch.export cannot export it: {type(error).__name__}: {error}") from None
    model = name.rpartition(":")[2]
    architecture = Architecture(
        model,
        Paper(f"torch module {type(module).__name__}"),
        "imported",
        about="Operators of an exported torch module.",
        config=Nothing,
        variants={},
        describe=partial(_describe, name, program),
        file=name.rpartition(":")[0],
        passes="forward",
    )
    return ImportedModel(architecture, None, configure(Nothing, model, {}, options))


def _made(name: str) -> object:
    place, _, factory = name.rpartition(":")
    try:
        module = _from_file(Path(place)) if place.endswith(".py") else import_module(place)
    except Exception as error:
        raise ModelError(f"{name}: {place} cannot be imported: {type(error).__name__}: {error}") from None
    if not hasattr(module, factory):
        raise ModelError(f"{name}: {place} has no '{factory}'{did_you_mean(factory, vars(module))}")
    try:
        return cast("Callable[[], object]", getattr(module, factory))()
    except Exception as error:
        raise ModelError(f"{name}: the factory failed: {type(error).__name__}: {error}") from error


def _from_file(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(f"neupims_module_{path.stem}", path)
    if spec is None or spec.loader is None or not path.is_file():
        raise FileNotFoundError(str(path))
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def _describe(name: str, program: Any, net: Tracer, cfg: Nothing) -> None:
    assert isinstance(net, Assembler)
    translation = _Translation(name, program, net)
    first = next((node.meta["val"].shape for node in program.graph.nodes if translation.is_input(node)), (1,))
    if net.batch not in (1, int(first[0]) if first else 1):
        raise ModelError(f"{name}: the example holds {int(first[0])} samples, not {net.batch}; make another example")
    for node in program.graph.nodes:
        if node.op == "call_function":
            translation.add(node)
        elif node.op == "output":
            for result in node.args[0]:
                if result is not None and (value := translation.value(result)).tensor.role == "activation":
                    net.output(value)


@dataclass(slots=True)
class _Translation:
    """What the nodes of a program are, while they are translated in order."""

    name: str
    program: Any
    net: Assembler
    values: dict[Any, Any] = field(default_factory=dict[Any, Any])

    def is_input(self, node: Any) -> bool:
        """Whether a node is an input of the user."""
        return node.op == "placeholder" and node.name in self.program.graph_signature.user_inputs

    def add(self, node: Any) -> None:
        """Translate a node; one that depends on no input and no parameter is a constant, made when it is read."""
        if node.meta.get("val") is None:
            return
        word = getattr(node.target, "__name__", str(node.target))
        if not any(self._is_data(source) for source in node.all_input_nodes):
            return
        if word == "getitem":
            self.values[node] = self.values[node.args[0]][node.args[1]]
            return
        self.net.path = path_of(_module(node))
        self.values[node] = self._translated(node, word.partition(".")[0])

    def value(self, node: Any) -> Any:
        """What a node is; inputs, weights and constants come into being when they are first read."""
        if node not in self.values:
            self.values[node] = self._source(node)
        return self.values[node]

    def _translated(self, node: Any, word: str) -> Any:
        word = word.rstrip("_") if word.rstrip("_") in HANDLERS else word
        if word not in HANDLERS:
            raise self._error(node, f"this operator is not known{did_you_mean(word, HANDLERS)}")
        call = Call(self.net, word, self._read(node.args[: READ.get(word)]), self._read(node.kwargs), _shape(node))
        try:
            result = HANDLERS[word](call)
        except (ModelError, TypeError, ValueError, KeyError, IndexError) as error:
            raise self._error(node, str(error)) from None
        if isinstance(result, Value) and (result.shape != call.shape and (call.shape or result.shape != (1,))):
            raise self._error(node, f"its result is {result.shape} here, and {call.shape} in torch")
        return result

    def _read(self, given: Any) -> Any:
        """Arguments with values in the place of nodes."""
        if isinstance(given, dict):
            return {key: self._read(item) for key, item in cast("dict[str, Any]", given).items()}
        if isinstance(given, list | tuple):
            return [self._read(item) for item in cast("list[Any]", given)]
        return self.value(given) if hasattr(given, "all_input_nodes") else given

    def _is_data(self, node: Any) -> bool:
        if node.op == "placeholder":
            return self.is_input(node) or node.name in self.program.graph_signature.inputs_to_parameters
        return node in self.values and not self._is_constant(self.values[node])

    def _is_constant(self, value: Any) -> bool:
        return isinstance(value, Value) and value.tensor.role == "constant"

    def _source(self, node: Any) -> Value:
        signature = self.program.graph_signature
        element, shape = self._element(node), _shape(node) or (1,)
        if self.is_input(node):
            return self.net.input(node.name, *shape, element=element)
        parameter = signature.inputs_to_parameters.get(node.name)
        role = "constant" if parameter is None else "weight"
        return self.net.own(path_of(parameter or f"constants.{node.name}"), shape, role, element)

    def _element(self, node: Any) -> ElementType:
        found = node.meta["val"]
        kind = str(found.dtype) if hasattr(found, "dtype") else "torch.float32"
        if kind not in ELEMENTS:
            raise self._error(node, f"its type {kind} is not known; types: {', '.join(ELEMENTS)}")
        return ELEMENTS[kind]

    def _error(self, node: Any, problem: str) -> ModelError:
        place = _module(node)
        return ModelError(f"{self.name}: {node.target} '{node.name}'{f' in {place}' if place else ''}: {problem}")


def _shape(node: Any) -> Shape:
    found: Any = node.meta["val"]
    first: Any = cast("Any", found)[0] if isinstance(found, list | tuple) else found
    return tuple(int(size) for size in getattr(first, "shape", ()))


def _module(node: Any) -> str:
    """The path of the module in which a node was."""
    stack: list[Any] = list((node.meta.get("nn_module_stack") or cast("Any", {})).values())
    return str(stack[-1][0]) if stack else ""
