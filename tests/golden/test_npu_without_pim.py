"""Decoder blocks on the published simulator's NPU without PIM (branch npu-only): every operator to the cycle.

Its cycles were measured by running it.
"""

import pytest

from neupims.graph import load_model
from neupims.hardware.load import load_system
from neupims.request import Request
from neupims.simulation import simulate

OPERATORS = (
    "attention.norm",
    "attention.qkv",
    "attention",
    "attention.projection",
    "attention.residual",
    "ffn.norm",
    "ffn.fc1",
    "ffn.gelu",
    "ffn.fc2",
    "ffn.residual",
)
PUBLISHED = {
    ("gpt3-7b", (256,) * 8): (134, 28_459, 71_847, 11_265, 173, 164, 37_813, 118, 38_025, 173),
    ("gpt3-7b", (1, 8, 129)): (91, 28_263, 17_500, 10_149, 86, 100, 37_689, 68, 36_898, 108),
    ("gpt3-13b", (700,) * 3): (101, 44_265, 68_708, 14_722, 93, 110, 58_351, 80, 58_555, 109),
}
"""Cycles of each operator, by model and lengths of the requests, at TP 4."""

BLOCK = {("gpt3-7b", (256,) * 8): 188_189, ("gpt3-7b", (1, 8, 129)): 130_960, ("gpt3-13b", (700,) * 3): 245_102}
"""End of the last operator: splitting and joining the tensors of the requests takes the rest."""


@pytest.mark.parametrize("job", list(PUBLISHED), ids=lambda job: f"{job[0]}-{len(job[1])}x{max(job[1])}")
def test_a_decoder_block(job: tuple[str, tuple[int, ...]]) -> None:
    model, lengths = job
    batch = tuple(Request(index, length, index) for index, length in enumerate(lengths))
    run = simulate(load_system("npu-only-authors"), load_model(model), batch, tp=4, layers=1)
    found = {operator.name.removeprefix("layer0."): operator for operator in run.operators}
    cycles = {name: (found[name].end_ps - found[name].start_ps) / 1000 for name in OPERATORS}
    assert cycles == dict(zip(OPERATORS, PUBLISHED[job], strict=True))
    assert max(operator.end_ps for operator in run.operators) / 1000 == BLOCK[job]
