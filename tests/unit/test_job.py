"""Devices that a model gets if none are asked for."""

import pytest

from neupims.graph import load_model
from neupims.job import default_pp, default_tp
from neupims.request import Request


@pytest.mark.parametrize(
    ("name", "devices"),
    [
        ("gpt3-30b", (8, 1)),
        ("llama-3.2-1b", (1, 1)),
        ("llama-2-7b", (4, 1)),
        ("llama-3-70b", (8, 1)),
        ("llama-3.1-405b", (8, 8)),
        ("mamba-2.8b", (1, 1)),
        ("mixtral-8x7b", (1, 4)),
        ("poolformer-m48", (1, 1)),
    ],
)
def test_devices_hold_the_weights(name: str, devices: tuple[int, int]) -> None:
    model = load_model(name)
    tp = default_tp(model)
    assert (tp, default_pp(model, tp, (Request(0, 1),) * 16)) == devices


def test_states_count_as_well() -> None:
    """128 KiB for each token of context in 32 layers of 8 heads of keys and of values."""
    model = load_model("s2ft-llama-3-8b")
    assert default_pp(model, 1, (Request(0, 10),) * 4) == 1
    assert default_pp(model, 1, (Request(0, 2000),) * 64) == 2
    assert default_pp(model, 1, (Request(0, 2000),) * 256) == 4
