"""Mamba against its published code: parameters, MACs of one token, and the products of its scan."""

import pytest
from figures import Figure, weighted

from neupims.graph import load_model
from neupims.graph.kinds.sequence import SCAN_MULTIPLIES, SELECTIVE_SCAN_OPS

# Of one token: parameters (130m and 2.8b measured, the others from the source), linear layers and head, convolutions,
# and 3 products for each of channels x states of each layer in the scan.
SIZES = {
    "130m": (129_135_360, 128_268_288, 147_456, 1_769_472),
    "370m": (371_516_416, 369_205_248, 393_216, 4_718_592),
    "790m": (793_204_224, 789_737_472, 589_824, 7_077_888),
    "1.4b": (1_372_178_432, 1_367_556_096, 786_432, 9_437_184),
    "2.8b": (2_768_345_600, 2_760_642_560, 1_310_720, 15_728_640),
}

FIGURES = [
    figure
    for name, (params, linear, conv, _) in SIZES.items()
    for figure in (
        Figure(f"mamba-{name}", params, linear, phase="decode", only=("linear",), tolerance=0),
        Figure(f"mamba-{name}", None, conv, phase="decode", only=("causal_conv",), tolerance=0),
    )
]


@pytest.mark.parametrize("figure", FIGURES, ids=str)
def test_figures(figure: Figure) -> None:
    figure.check()


@pytest.mark.parametrize("name", SIZES)
def test_the_scan_of_a_token_multiplies_three_times_for_each_state(name: str) -> None:
    scans = [
        (op, times) for op, times in weighted(load_model("mamba", name).decode((1,))) if op.kind == "selective_scan"
    ]
    pairs = sum(times * op.weights[0].elements for op, times in scans)
    skips = sum(times * 2 * op.inputs[0].elements for op, times in scans)
    assert SCAN_MULTIPLIES * pairs == SIZES[name][3]
    assert sum(times * op.other_ops for op, times in scans) == SELECTIVE_SCAN_OPS * pairs + skips


def test_the_state_does_not_grow_with_the_context() -> None:
    """Convolution fp16 and scan fp32 of 130m: 147456 and 589824 elements for each request."""
    model = load_model("mamba-130m")
    assert model.decode((7,)).state_bytes == model.decode((4096,)).state_bytes == 2 * 147_456 + 4 * 589_824
    assert model.decode((7, 7)).state_bytes == 2 * model.decode((7,)).state_bytes


def test_a_prompt_costs_its_tokens_but_one_head() -> None:
    model, head = load_model("mamba-130m"), 38_615_040
    assert model.prefill((64,)).macs - head == 64 * (model.decode((1,)).macs - head)
