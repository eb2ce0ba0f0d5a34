"""Block coordinate descent against closed forms: a gradient of n samples and p unknowns costs 2 n p."""

import pytest
from figures import Figure, counted

from neupims.errors import ModelError
from neupims.graph import Block, Operator, load_model

FIGURES = [  # linear: products with the whole data matrix; those with a block of its columns are matmul
    Figure("block-coordinate-descent-a", None, 20_000_000, {"iterations": 1}, only=("linear",), tolerance=0),
    Figure("block-coordinate-descent-c", None, 100_000_000, {"iterations": 1}, only=("linear",), tolerance=0),
    Figure("block-coordinate-descent-a", None, 10_000_000_000, only=("linear",), tolerance=0),
    Figure("block-coordinate-descent-b", None, 20_000_000, {"iterations": 1}, only=("linear",), tolerance=0),
]


def iteration(variant: str, **options: object) -> Block:
    return load_model("block-coordinate-descent", variant, options).trace((1,)).block("iteration")


def operator(block: Block, name: str) -> Operator:
    return block.operator(name)


@pytest.mark.parametrize("figure", FIGURES, ids=str)
def test_figures(figure: Figure) -> None:
    figure.check()


def test_a_problem_has_no_parameters() -> None:
    graph = load_model("block-coordinate-descent").trace((1,))
    assert graph.params == 0
    assert graph.weight_bytes == 2 * (1000 * 10_000 + 1000)


@pytest.mark.parametrize("variant", ["a", "b", "c"])
@pytest.mark.parametrize("size", [5, 20, 50])
def test_the_bound_of_a_block_costs_a_square_of_it(variant: str, size: int) -> None:
    found = iteration(variant, block=size, update="hb")
    assert operator(found, "gram").macs == 1000 * size**2
    assert operator(found, "cholesky").other_ops == size**3 // 3
    assert operator(found, "moved").inputs[0].shape == (size, 1)


def test_given_blocks_need_no_gradient_of_the_others() -> None:
    """A x anew, and one product with the columns of the block: n p + n tau instead of 2 n p."""
    found = iteration("a", rule="cyclic", block=20)
    assert counted(found, ("linear",)) == 1000 * 10_000
    assert operator(found, "slope").macs == 1000 * 20
    several = iteration("c", rule="cyclic", block=20)
    assert counted(several, ("linear",)) == 1000 * 1000 * 50
    assert operator(several, "slope").macs == 1000 * 20


def test_rules_differ_in_one_division() -> None:
    plain, scaled = iteration("a", rule="gs"), iteration("a", rule="gsl")
    assert scaled.other_ops - plain.other_ops == 10_000
    assert operator(plain, "block").inputs[0].base == "size"
    assert operator(scaled, "block").inputs[0].base == "score"


def test_an_iteration_goes_on_from_the_last_one() -> None:
    operators = {op.name: op for op in load_model("block-coordinate-descent").trace((1,)).operators}
    assert operators["iteration0.moving"].inputs[0].name == "start"
    assert operators["iteration499.moving"].inputs[0].name == "iteration498.moved"
    assert operators["iteration499.predictions"].inputs[0].base == "iteration498.moved"


def test_a_batch_of_problems_is_refused() -> None:
    with pytest.raises(ModelError, match=r"descent.py:\d+: input .start.: one problem is solved at a time, not"):
        load_model("block-coordinate-descent").trace((1, 1))
