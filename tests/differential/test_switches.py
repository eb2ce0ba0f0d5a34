"""Both engines on a whole layer, with each switch of a published profile set to the other side's value."""

from dataclasses import replace

import pytest

from neupims.errors import ConfigError
from neupims.graph import load_model
from neupims.hardware.load import load_system
from neupims.request import Request
from neupims.simulation import simulate
from neupims.validation.switches import switches

SMALL = ("memory.organization.channels=1", "policy.head=false")
BATCH = tuple(Request(index, 250 + 7 * index, 0) for index in range(6))
"""Contexts that a single channel works on long enough to meet refreshes in all kinds of states."""
PAIRS = (("neupims", "neupims-authors"), ("npu-pim", "npu-pim-authors"))
CASES = [
    (name, f"{switch.key}={written}")
    for pair in PAIRS
    for switch in switches(pair)
    if switch.key.startswith(("memory.", "pim."))
    for name, value in zip(pair, (switch.published, switch.clean), strict=True)
    if (written := "null" if value is None else str(value).lower())
]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "setting"), CASES)
def test_a_layer_takes_the_same_in_both_engines(name: str, setting: str) -> None:
    try:
        system = load_system(name, [*SMALL, setting])
    except ConfigError:
        pytest.skip("this value needs others beside it")
    model = load_model("gpt3-7b", options={"width": 128, "heads": 1, "layers": 1})
    plain, reference = (
        simulate(system, model, BATCH, tp=1, layers=1, interleaving="off", engine=engine)
        for engine in ("plain", "reference")
    )
    assert replace(plain, wall_s=0, effort=None) == replace(reference, wall_s=0, effort=None)
