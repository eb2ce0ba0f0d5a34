"""Operators on the NPU: those with matrix products on the arrays, all others on the vector units."""

from collections.abc import Callable
from math import prod

from neupims.graph import Operator, Tensor
from neupims.graph.kinds import KINDS, Product
from neupims.isa.work import NpuWork
from neupims.lowering.operators.arena import Arena
from neupims.lowering.operators.elementwise import lower_append, lower_vector
from neupims.lowering.operators.product import Matrix, Task, lower_products
from neupims.lowering.target import Target

Works = tuple[NpuWork, ...]


def lower_on_arrays(op: Operator, arena: Arena, target: Target) -> Works:
    """Work of an operator with matrix products; each of several products of its own shape is a work of its own."""
    products = KINDS[op.kind].products(op)
    tasks = TASKS.get(op.kind, _pair if len(products) == 1 else _several)(op, products, arena)
    works = tuple(lower_products(task, arena.address, target) for task in tasks)
    appends = op.kind in ("logit", "attend") and op.states and op.states[0].base is None
    return (*works, lower_append(op, arena)) if appends else works


def lower_on_vector(op: Operator, arena: Arena, target: Target) -> Works:
    """Work of any operator on the vector units."""
    return (lower_vector(op, arena, target),)


def matrix(tensor: Tensor, arena: Arena, *, shared: bool = False) -> Matrix:
    """A tensor as an operand."""
    return Matrix(arena.base(tensor), tensor.bytes, tensor.role != "activation", shared)


def _pair(op: Operator, products: tuple[Product, ...], arena: Arena) -> list[Task]:
    """Two operands: an activation, and a weight or another activation."""
    a, b = (*op.inputs, *op.states, *op.weights)[:2]
    (product,) = products
    bias = op.weights[1:2] if op.kind in ("linear", "conv", "conv_transposed") else ()
    shared = prod(b.shape[:-2]) == 1 and product.count > 1
    return [
        Task(
            op.name,
            product,
            matrix(a, arena),
            matrix(b, arena, shared=shared),
            matrix(op.outputs[0], arena),
            matrix(bias[0], arena) if bias else None,
            _kind(op),
            op.other_ops,
        )
    ]


def _experts(op: Operator, products: tuple[Product, ...], arena: Arena) -> list[Task]:
    """A product for each expert that has rows: its rows, its weights."""
    x, weight, out = op.inputs[0], op.weights[0], op.outputs[0]
    rows, experts = op.numbers("rows"), weight.shape[0]
    used = [expert for expert in range(experts) if rows[expert]]
    tasks: list[Task] = []
    before = 0
    for expert, product in zip(used, products, strict=True):
        tasks.append(
            Task(
                f"{op.name}.expert{expert}",
                product,
                _rows(x, arena, before, product.rows),
                Matrix(arena.base(weight) + expert * (weight.bytes // experts), weight.bytes // experts, early=True),
                _rows(out, arena, before, product.rows),
                other_ops=op.other_ops // len(used),
            )
        )
        before += product.rows
    return tasks


def _rows(tensor: Tensor, arena: Arena, first: int, count: int) -> Matrix:
    row = tensor.bytes // tensor.shape[0]
    return Matrix(arena.base(tensor) + first * row, count * row)


def _several(op: Operator, products: tuple[Product, ...], arena: Arena) -> list[Task]:
    """Products of each request, or expert, of its own size, such as logits without a cache: each has its share."""
    first, second = (matrix(tensor, arena) for tensor in op.inputs)
    out, total = matrix(op.outputs[0], arena), sum(product.macs for product in products)
    tasks: list[Task] = []
    done = 0
    for index, product in enumerate(products):
        a, b, c = (_share(operand, done, product.macs, total) for operand in (first, second, out))
        name = op.name if len(products) == 1 else f"{op.name}.{index}"
        tasks.append(Task(name, product, a, b, c, kind=_kind(op)))
        done += product.macs
    return tasks


def _share(operand: Matrix, done: int, part: int, total: int) -> Matrix:
    start = operand.bytes * done // total
    return Matrix(operand.base + start, max(1, operand.bytes * (done + part) // total - start), operand.early)


def _kind(op: Operator) -> str:
    return "attention" if op.kind in ("logit", "attend") else "gemm" if op.kind in ("linear", "matmul") else op.kind


TASKS: dict[str, Callable[[Operator, tuple[Product, ...], Arena], list[Task]]] = {
    "expert_linear": _experts,
    "logit": _several,
    "attend": _several,
}
"""How operands are divided among products; others have two operands and one sort of product."""
