"""One decoder block on the published simulator's NPU without PIM (branch npu-only), operator by operator.

Its cycles were measured by running it. Attention, a chain of known steps, must agree to the cycle; in the others the
phase of refresh and the order in which loads and stores alternate leave small differences.
"""

import pytest

from neupims.graph import load_model
from neupims.hardware.load import load_system
from neupims.request import Request
from neupims.simulate import simulate

PUBLISHED = {
    ("gpt3-7b", 8, 256): {
        "attention.norm": 134,
        "attention.qkv": 28_459,
        "attention": 71_847,
        "attention.projection": 11_265,
        "ffn.fc1": 37_813,
        "ffn.fc2": 38_025,
    },
    ("gpt3-13b", 3, 700): {
        "attention.norm": 101,
        "attention.qkv": 44_265,
        "attention": 68_708,
        "attention.projection": 14_722,
        "ffn.fc1": 58_351,
        "ffn.fc2": 58_555,
    },
}
"""Cycles, by model, requests and their length, at TP 4."""

BLOCK = {("gpt3-7b", 8, 256): 188_189, ("gpt3-13b", 3, 700): 245_102}
EXACT = ("attention.norm", "attention")
GEMM_TOLERANCE, BLOCK_TOLERANCE = 0.01, 0.001


@pytest.mark.parametrize("job", list(PUBLISHED), ids=lambda job: f"{job[0]}-{job[1]}x{job[2]}")
def test_a_decoder_block(job: tuple[str, int, int]) -> None:
    model, requests, length = job
    batch = tuple(Request(index, length, index) for index in range(requests))
    run = simulate(load_system("npu-only-authors"), load_model(model), batch, tp=4, layers=1)
    found = {operator.name.removeprefix("layer0."): operator for operator in run.operators}
    cycles = {name: (found[name].end_ps - found[name].start_ps) // 1000 for name in PUBLISHED[job]}
    assert {name: cycles[name] for name in EXACT} == {name: PUBLISHED[job][name] for name in EXACT}
    assert cycles == pytest.approx(PUBLISHED[job], rel=GEMM_TOLERANCE)
    assert max(operator.end_ps for operator in run.operators) / 1000 == pytest.approx(BLOCK[job], rel=BLOCK_TOLERANCE)
