"""Claims about tables whose numbers are known, and the page that they fill."""

from itertools import product

import pandas as pd
import pytest

from neupims.paper.claims import CLAIMS, ROUND, Claim
from neupims.paper.mechanisms import DEFAULTS as UNCHANGED
from neupims.paper.mechanisms import MECHANISMS, SPLIT, mechanism_lines
from neupims.paper.page import (
    ASSUMPTIONS,
    CHOICES,
    DEFAULTS,
    PICTURES,
    SWEEPS,
    WHOLE,
    ablation_lines,
    choice_lines,
    claim_lines,
    verdict,
    write_page,
)

SPEEDS = {"gpu-a100": 1.0, "npu-only": 2.0, "npu-pim": 3.0, "neupims": 6.0}
MODELS = ("gpt3-7b", "gpt3-30b")
POWER = {"dram_power_w": 10.0, "pim_power_w": 0.0}
ENERGY = {f"{part}_energy_mj": 1.0 for part in ("dram", "pim", "npu", "link")}
COMMON = {"energy_per_token_mj": 8.0, "total_energy_mj": 4.0, "total_power_w": 40.0, "dram_standby_mj": 0.5, **ENERGY}


def throughput():
    """NeuPIMs is 3 times NPU-only, 4 times on ShareGPT and 512 requests; its memory takes twice the power."""
    for system, model, dataset, batch, seed in product(SPEEDS, MODELS, ("sharegpt", "alpaca"), (64, 256, 512), (0, 1)):
        extra = 4 / 3 if (system, dataset, batch) == ("neupims", "sharegpt", 512) else 1.0
        yield {
            **{"system": system, "model": model, "dataset": dataset, "batch": batch, "seed": seed, "tp": 4},
            **{"tokens_per_s": SPEEDS[system] * extra, "npu_utilization": 0.3, "pim_busy": 0.2},
            **(POWER if system != "neupims" else {"dram_power_w": 12.0, "pim_power_w": 8.0}),
            **COMMON,
        }


def ablation():
    kinds = (
        *(("single", False, "device"), ("single", False, "channel")),
        ("single", True, "channel"),
        ("dual", True, "channel"),
    )
    for (buffers, composite, scope), packing, interleaving, batch in product(
        kinds, ("round_robin", "min_load"), ("off", "on"), (64, 256)
    ):
        speed = {False: 1.0, True: 1.25}[composite] * (1.6 if buffers == "dual" else 1.0)
        speed *= 0.5 if scope == "device" else 1.0
        speed *= 1.1 if packing == "min_load" else 1.0
        speed *= {64: 0.5, 256: 1.5}[batch] if interleaving == "on" else 1.0
        if buffers == "dual" or interleaving == "off":
            yield {
                **{"pim.row_buffers": buffers, "pim.composite_gemv": composite, "policy.channel_packing": packing},
                **{
                    "pim.front_end.scope": scope,
                    "interleaving": interleaving if buffers == "dual" else None,
                    "batch": batch,
                    "seed": 0,
                },
                "tokens_per_s": speed,
            }


def assumptions():
    for model in MODELS:
        one = {"model": model, "batch": 256, "seed": 0, "dram_energy_mj": 6.0, "pim_energy_mj": 3.0}
        yield {**one, **WHOLE, "tokens_per_s": 9.0}
        yield {**one, "system": "neupims", "interleaving": "off", **ROUND, "tokens_per_s": 3.0}
        for number, (_, settings) in enumerate(ASSUMPTIONS, start=1):
            spent = {"dram_energy_mj": 9.0 * number, "pim_energy_mj": 0.0}
            yield {**one, **spent, "tokens_per_s": float(number), **settings}


def choices():
    for model, (number, (_, changes)), mode, batch in product(
        MODELS, enumerate((("", {}), *CHOICES)), ("off", "on"), (256, 512)
    ):
        speed = 1 + number / 10 if mode == "off" else 1.2
        yield {
            **{"model": model, "batch": batch, "seed": 0, "interleaving": mode, **DEFAULTS, **changes},
            **{"tokens_per_s": speed, "energy_per_token_mj": 10 / speed},
        }


def mechanisms():
    """Each is as many tenths faster as its number when serial, and half as much when interleaved."""
    for model, (number, (_, changes)), (mode, batch) in product(
        MODELS, enumerate((("", {}), *MECHANISMS)), (("off", 64), ("off", 256), ("on", 256))
    ):
        gain = number / 10 if mode == "off" else number / 20
        split = {SPLIT: {**UNCHANGED, **changes}[SPLIT] or None}
        yield {
            **{"model": model, "batch": batch, "interleaving": mode, **UNCHANGED, **changes, **split},
            "tokens_per_s": (1 + gain) * (1.0 if mode == "off" else 1.2),
        }


@pytest.fixture
def frames():
    devices = [{"tp": tp, "pp": 8 // tp, "batch": 64, "seed": 0, "tokens_per_s": float(tp)} for tp in (8, 4, 2)]
    lengths = [
        {"system": system, "length": length, "tokens_per_s": speed * length}
        for system, speed in SPEEDS.items()
        for length in (64, 128)
    ]
    rows = {"throughput": throughput(), "ablation": ablation(), "length": lengths, "parallelism": devices}
    rows |= {"assumptions": assumptions(), "design-space": choices(), "beyond": mechanisms()}
    return {name: pd.DataFrame(rows[name]) for name in rows}


def ours(frames, what):
    [claim] = [claim for claim in CLAIMS if claim.what == what]
    return claim.ours(frames[claim.sweep])


def test_gains_are_means_over_runs(frames):
    boosted = 1 / 6  # of the runs are 4/3 times as fast
    mean = (1 - boosted) + boosted * 4 / 3
    assert ours(frames, "NeuPIMs over GPU-only, mean") == pytest.approx(6 * mean)
    assert ours(frames, "NeuPIMs over NPU+PIM, mean") == pytest.approx(2 * mean)
    assert ours(frames, "NPU+PIM over NPU-only, mean") == pytest.approx(1.5)
    assert ours(frames, "NeuPIMs over NPU+PIM, least") == pytest.approx(2)
    assert ours(frames, "NeuPIMs over NPU+PIM, greatest") == pytest.approx(8 / 3)


def test_trends_compare_means(frames):
    assert ours(frames, "gain over NPU-only, ShareGPT to Alpaca") == pytest.approx((2 + 4 / 3) / 3)
    assert ours(frames, "gain over NPU-only, batch 512 to batch 64") == pytest.approx((1 + 4 / 3) / 2)


def test_power_and_energy_of_the_memory(frames):
    mean = 5 / 6 + 1 / 6 * 3 / 4
    assert ours(frames, "memory power of NeuPIMs over NPU-only") == pytest.approx(2)
    assert ours(frames, "memory energy for a token, NeuPIMs over NPU-only") == pytest.approx(2 / 3 * mean)
    free = ours(frames, "the same, if second row buffers cost no standby")
    assert free == pytest.approx((20 - 0.5 / 4 * 40 / 2) / 10 / 3 * mean)
    assert ours(frames, "NPU utilisation of NeuPIMs, %") == pytest.approx(30)
    assert ours(frames, "PIM utilisation of NeuPIMs, % of the time") == pytest.approx(20)


def test_steps_of_the_ablation_are_over_the_step_before(frames):
    assert ours(frames, "dual row buffers and composite commands, onto NPU+PIM") == pytest.approx(2)
    assert ours(frames, "the same, onto NPU+PIM with one front end for all channels") == pytest.approx(4)
    assert ours(frames, "of these, composite commands alone") == pytest.approx(1.25)
    assert ours(frames, "min-load packing, least gain") == pytest.approx(1.1)
    assert ours(frames, "interleaving from 256 requests on") == pytest.approx(1.5)
    assert ours(frames, "serial over interleaved below 256 requests") == pytest.approx(2)
    assert ours(frames, "TP 8 over TP 4, PP 2") == pytest.approx(2)


@pytest.mark.parametrize(
    ("theirs", "least", "ours", "text"),
    [
        (2.0, False, 2.3, "+15%"),
        (2.0, False, 1.5, "**-25%**"),
        (1.0, True, 1.01, "yes"),
        (1.0, True, 0.99, "**no**"),
    ],
)
def test_a_verdict_marks_what_differs(theirs, least, ours, text):
    assert verdict(Claim("x", "x", theirs, "x", lambda _: 0.0, least), ours) == text


def test_the_page_has_every_claim_and_picture(frames, tmp_path):
    write_page(tmp_path, frames)
    page = (tmp_path / "README.md").read_text()
    assert "{" not in page
    assert all(f"| {claim.what} |" in page for claim in CLAIMS)
    assert all(f"({picture.name}.png)" in page for picture in PICTURES)
    assert {path.stem for path in tmp_path.glob("*.png")} == {picture.name for picture in PICTURES}
    assert "| NPU+PIM: one front end for the device, two instructions per cycle | 4.50, 4.50 | 1.50, 1.50 | – |" in page
    assert "| NPU-only: one head after the other | 1.80, 1.80 | – | 0.20, 0.20 |" in page
    assert set(SWEEPS) >= {claim.sweep for claim in CLAIMS}
    assert list(claim_lines("parallelism", frames["parallelism"]))[2] == (
        "| TP 8 over TP 4, PP 2 | above 1 | 2 | yes | 8.3: TP is better |"
    )


def test_every_combination_of_parts_is_over_the_naive_one(frames):
    lines = list(ablation_lines("ablation", frames["ablation"]))
    table = lines[lines.index("") + 1 :]
    assert table[0] == "| over NPU+PIM, in mean | batch 64 | batch 256 |"
    assert table[2:4] == ["| one row buffer | 1.00 | 1.00 |", "| one row buffer, min-load packing | 1.10 | 1.10 |"]
    assert table[-1] == "| dual row buffers, interleaving, min-load packing | 1.10 | 3.30 |"


def test_choices_are_compared_in_each_mode_and_in_the_faster_one(frames):
    lines = list(choice_lines("design-space", frames["design-space"]))[2:]
    assert len(lines) == len(CHOICES)
    assert lines[0].endswith("| +10.0% | +0.0% | +0.0% | +0.0% |")
    assert lines[4].endswith("| +50.0% | +0.0% | +25.0% | -20.0% |")


def test_mechanisms_are_compared_by_mode_and_batch_and_in_the_faster_mode(frames):
    heading, _, *lines = mechanism_lines("beyond", frames["beyond"])
    assert heading == (
        "| mechanism | serial, 64 | serial, 256 | interleaved, 256 | faster of both, least to greatest |"
    )
    assert len(lines) == len(MECHANISMS)
    assert lines[0].endswith("| +10.0% | +10.0% | +5.0% | +5.0% to +10.0% |")
    assert lines[8].endswith("| +90.0% | +90.0% | +45.0% | +58.3% to +90.0% |")
