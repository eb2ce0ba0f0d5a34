"""Eigenvalues without vectors."""

from collections.abc import Callable

import pytest

from neupims.errors import ModelError
from neupims.graph import Graph


def test_one_for_each_row_of_each_matrix(trace: Callable[..., Graph]) -> None:
    graph = trace(lambda net, x: net.eigenvalues(net.reshape(x, 3, 4, 4)), lengths=(6,), prefill=True)
    op = graph.operator("eigenvalues")
    assert op.outputs[0].shape == (3, 4)
    assert (op.macs, op.other_ops) == (0, 3 * 4 * 4**3 // 3)


def test_a_matrix_must_be_square(trace: Callable[..., Graph]) -> None:
    with pytest.raises(ModelError, match=r"eigenvalues 'eigenvalues': input \(3, 8\) must be a square matrix"):
        trace(lambda net, x: net.eigenvalues(x), lengths=(3,), prefill=True)
