"""Cheaper ways to mix tokens: shapes, and products that grow as they should."""

from collections.abc import Callable

import pytest

from neupims.errors import ModelError
from neupims.graph import Graph, Tracer, Value
from neupims.graph.sequences import samples

WIDTH, HEADS = 32, 4
Mix = Callable[[Tracer, Value], Value]

MIXERS: dict[str, Mix] = {
    "linear": lambda net, x: net.linear_attention(x, x, x, heads=HEADS),
    "low rank": lambda net, x: net.low_rank_attention(x, x, x, 8, heads=HEADS),
    "windowed": lambda net, x: net.windowed_attention(x, x, x, 16, heads=HEADS),
    "hashed": lambda net, x: net.hashed_attention(x, x, 16, heads=HEADS, hashes=2),
    "all": lambda net, x: net.attend_all(x, x, x, heads=HEADS),
}


def mixed(mix: Mix, *shape: int) -> Graph:
    net = Tracer(samples((1,)))
    net.output(mix(net, net.input("x", *shape)))
    return net.finish("mixed")


def macs(name: str, tokens: int) -> int:
    return mixed(MIXERS[name], 2, tokens, WIDTH).macs


@pytest.mark.parametrize("name", MIXERS)
def test_the_result_is_as_the_tokens(name: str) -> None:
    assert mixed(MIXERS[name], 2, 64, WIDTH).outputs[0].shape == (2, 64, WIDTH)


def test_products_of_each_form() -> None:
    """For 2 samples of n tokens of 32 in 4 heads of 8."""
    n = 64
    assert macs("all", n) == 2 * 2 * n * n * WIDTH
    assert macs("linear", n) == 2 * n * WIDTH * (2 * WIDTH // HEADS + 1)
    assert macs("low rank", n) == 2 * (2 * n * 8 * WIDTH) + 2 * (2 * n * 8 * WIDTH)
    assert macs("windowed", n) == 2 * 2 * n * 16 * WIDTH
    assert macs("hashed", n) == 2 * (2 * n * WIDTH * (n // 16 // 2) + 2 * 2 * n * 32 * WIDTH)


@pytest.mark.parametrize("name", ["linear", "low rank", "windowed"])
def test_twice_the_tokens_take_twice_the_products(name: str) -> None:
    assert macs(name, 128) == 2 * macs(name, 64)


def test_axes_are_mixed_one_at_a_time() -> None:
    graph = mixed(lambda net, x: net.axial_attention(x, x, x, heads=HEADS, axis=1), 2, 10, 20, WIDTH)
    assert graph.outputs[0].shape == (2, 10, 20, WIDTH)
    assert graph.macs == 2 * 2 * 20 * 10 * 10 * WIDTH


WRONG: dict[str, tuple[Mix, str]] = {
    "window": (
        lambda net, x: net.windowed_attention(x, x, x, 5, heads=HEADS),
        "attention 'x': 64 tokens do not divide into windows of 5",
    ),
    "bucket": (
        lambda net, x: net.hashed_attention(x, x, 6, heads=HEADS),
        "attention 'x': 64 tokens do not divide into buckets of 6",
    ),
    "axis": (
        lambda net, x: net.axial_attention(x, x, x, heads=HEADS, axis=2),
        "attention 'x': axis 2 of (2, 64, 32) is no axis of space",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_does_not_divide_has_its_sentence(name: str) -> None:
    mix, sentence = WRONG[name]
    with pytest.raises(ModelError) as error:
        mixed(mix, 2, 64, WIDTH)
    assert str(error.value).endswith(sentence)
