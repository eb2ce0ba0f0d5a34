"""Devices that a model gets if none are asked for."""

import pytest

from neupims.graph import load_model
from neupims.job import default_pp, default_tp


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
    assert (tp, default_pp(model, tp)) == devices
