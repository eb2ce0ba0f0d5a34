"""Operators, blocks and tensors as JSON-ready documents."""

from typing import Any

from neupims.graph.body import Block, Body, Port
from neupims.graph.operator import Attribute, Operator
from neupims.graph.tensor import Tensor

Json = dict[str, Any]


def body_json(body: Body) -> Json:
    """What stands in a graph or in one repetition of a block; blocks stand in it once, with their count."""
    training = {
        "trained": [[part.weight, part.axis, part.start, part.stop] for part in body.trained],
        "kept": [tensor_json(tensor) for tensor in body.kept],
    }
    return {
        **{key: value for key, value in training.items() if value},
        "weights": [tensor_json(tensor) for tensor in body.weights],
        "states": [tensor_json(tensor) for tensor in body.states],
        "items": [_block(item) if isinstance(item, Block) else _operator(item) for item in body.items],
    }


def _block(block: Block) -> Json:
    return {
        "block": block.name,
        "count": block.count,
        "first": block.first,
        "inputs": [_port(port) for port in block.inputs],
        "outputs": [tensor.name for tensor in block.outputs],
        **body_json(block),
    }


def _port(port: Port) -> Json:
    carried = port.carried and tensor_json(port.carried)
    record = {"tensor": tensor_json(port.tensor), "initial": port.initial.name, "carried": carried}
    return {**record, "mirrored": True} if port.mirrored else record


def _operator(op: Operator) -> Json:
    return {
        "name": op.name,
        "kind": op.kind,
        "inputs": [tensor_json(tensor) for tensor in op.inputs],
        "weights": [tensor.name for tensor in op.weights],
        "states": [tensor.name for tensor in op.states],
        "outputs": [tensor_json(tensor) for tensor in op.outputs],
        "attributes": {name: _attribute(value) for name, value in op.attributes},
        "macs": op.macs,
        "other_ops": op.other_ops,
        "bytes_read": op.bytes_read,
        "bytes_written": op.bytes_written,
    }


def _attribute(value: Attribute) -> object:
    return list(value) if isinstance(value, tuple) else value


def tensor_json(tensor: Tensor) -> Json:
    """A tensor; `base` only for a view."""
    record: Json = {"name": tensor.name, "shape": list(tensor.shape), "element": tensor.element, "role": tensor.role}
    return record if tensor.base is None else {**record, "base": tensor.base}
