"""docs/paper/README.md: tables of claims, pictures, and the text around them."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# (data frames have no types)

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import pandas as pd

from neupims.paper.claims import (
    AGREES,
    BOTH,
    CLAIMS,
    COMMANDS,
    DUAL,
    FRONT_END,
    NAIVE,
    PACKED,
    ROUND,
    Claim,
    Settings,
    added,
)
from neupims.paper.mechanisms import mechanism_lines
from neupims.reports.figure import save_figure
from neupims.reports.study import View
from neupims.reports.study_figures import Drawing, energy_figure, grouped_figure, lines_figure

SWEEPS = ("throughput", "ablation", "length", "parallelism", "assumptions", "design-space", "beyond")
HEADING = "| what | paper | here | | source |"


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture of some rows of a sweep's table."""

    name: str
    sweep: str
    draw: Drawing
    view: View
    rows: Settings


BY_MODEL = View("batch", "system", over="npu-only", facet="model")
PICTURES = (
    Picture("throughput-sharegpt", "throughput", grouped_figure, BY_MODEL, {"dataset": "sharegpt"}),
    Picture("throughput-alpaca", "throughput", grouped_figure, BY_MODEL, {"dataset": "alpaca"}),
    Picture(
        "energy", "throughput", energy_figure, View("batch", "system"), {"dataset": "sharegpt", "model": "gpt3-7b"}
    ),
    Picture("length", "length", lines_figure, View("length", "system", over="npu-only"), {}),
)


def write_page(folder: Path, frames: Mapping[str, pd.DataFrame]) -> None:
    """Write README.md and its pictures into `folder`; `frames` are the tables of SWEEPS."""
    for picture in PICTURES:
        frame = frames[picture.sweep]
        for name, value in picture.rows.items():
            frame = frame[frame[name] == value]
        figure, rows = picture.draw(frame, picture.view)
        save_figure(figure, rows, folder / f"{picture.name}.png")
    text = files("neupims.paper").joinpath("page.md").read_text(encoding="utf-8")
    for sweep in SWEEPS:
        text = text.replace(f"{{{sweep}}}", "\n".join(LINES.get(sweep, claim_lines)(sweep, frames[sweep])))
    (folder / "README.md").write_text(text, encoding="utf-8")


def claim_lines(sweep: str, frame: pd.DataFrame) -> Iterator[str]:
    """A table of the claims of a sweep."""
    yield from (HEADING, "|---|--:|--:|---|---|")
    for claim in CLAIMS:
        if claim.sweep == sweep:
            ours = claim.ours(frame)
            theirs = f"above {claim.theirs:g}" if claim.least else f"{claim.theirs:g}"
            yield f"| {claim.what} | {theirs} | {ours:.3g} | {verdict(claim, ours)} | {claim.source} |"


def verdict(claim: Claim, ours: float) -> str:
    """Whether ours agrees, or by how much it differs."""
    if claim.least:
        return "yes" if ours > claim.theirs else "**no**"
    error = ours / claim.theirs - 1
    return f"{error:+.0%}" if abs(error) <= AGREES else f"**{error:+.0%}**"


def ablation_lines(sweep: str, frame: pd.DataFrame) -> Iterator[str]:
    """The claims, and every combination of the parts over the naive one, by batch."""
    yield from claim_lines(sweep, frame)
    batches = sorted(set(frame["batch"]))
    yield from ("", "| over NPU+PIM, in mean | " + " | ".join(f"batch {batch}" for batch in batches) + " |")
    yield "|---|" + "--:|" * len(batches)
    for name, parts in PARTS.items():
        for packing in (ROUND, PACKED):
            packed = ", min-load packing" if packing is PACKED else ""
            ratios = [added(frame[frame["batch"] == batch], {**parts, **packing}, NAIVE) for batch in batches]
            yield f"| {name}{packed} | " + " | ".join(f"{ratio:.2f}" for ratio in ratios) + " |"


PARTS: Mapping[str, Settings] = {
    "one row buffer": NAIVE,
    "one row buffer, composite commands": COMMANDS,
    "dual row buffers": DUAL,
    "dual row buffers, interleaving": BOTH,
}


def assumption_lines(_: str, frame: pd.DataFrame) -> Iterator[str]:
    """What each assumption about a baseline does to the ratios of NeuPIMs over it, model by model.

    Of throughput, as it is and with second row buffers alone, and of memory energy for a token.
    """
    models = list(dict.fromkeys(frame["model"]))
    yield f"| assumption, {', '.join(models)} | NeuPIMs over it | dual row buffers alone | memory energy |"
    yield "|---|--:|--:|--:|"
    for what, settings in ASSUMPTIONS:
        yield f"| {what} | " + " | ".join(_assumed(frame, models, settings)) + " |"


def _assumed(frame: pd.DataFrame, models: Sequence[str], settings: Settings) -> Iterator[str]:
    """A cell for each ratio, with a number for each model."""
    parts = [frame[frame["model"] == model] for model in models]
    alone = {"system": "neupims", "interleaving": "off", **ROUND}
    yield ", ".join(f"{added(part, WHOLE, settings):.2f}" for part in parts)
    yield ", ".join(f"{added(part, alone, settings):.2f}" for part in parts) if settings["system"] == "npu-pim" else "–"
    spent = [[_memory_energy(part, which) for which in (WHOLE, settings)] for part in parts]
    yield ", ".join(f"{mine / its:.2f}" for mine, its in spent) if settings["system"] == "npu-only" else "–"


def _memory_energy(frame: pd.DataFrame, settings: Settings) -> float:
    for name, value in settings.items():
        frame = frame[frame[name] == value]
    return float(((frame["dram_energy_mj"] + frame["pim_energy_mj"]) / frame["batch"]).mean())


def choice_lines(_: str, frame: pd.DataFrame) -> Iterator[str]:
    """What each choice does to throughput, run by run: serial, interleaved, and the faster of both; and to energy."""
    yield "| choice | serial | interleaved | faster of both | energy for a token |"
    yield "|---|--:|--:|--:|--:|"
    base = _outcomes(frame, {})
    for what, changes in CHOICES:
        ratios = _outcomes(frame, changes) / base
        shown = [f"{ratios[name].mean() - 1:+.1%}" for name in ("off", "on", "faster", "energy")]
        yield f"| {what} | " + " | ".join(shown) + " |"


def _outcomes(frame: pd.DataFrame, changes: Settings) -> pd.DataFrame:
    """Throughput in each mode and in the faster one, and energy for a token in that one, for each batch."""
    for name, value in {**DEFAULTS, **changes}.items():
        frame = frame[frame[name] == value]
    runs = frame.set_index(["model", "batch", "seed", "interleaving"]).sort_index()
    speed, energy = (runs[name].unstack() for name in ("tokens_per_s", "energy_per_token_mj"))
    spent = energy["off"].where(speed["off"] >= speed["on"], energy["on"])
    return speed.assign(faster=speed.max(axis=1), energy=spent)


DEFAULTS: Settings = {
    "policy.sub_batches": "alternating",
    "pim.precharge_scope": "bank",
    "policy.estimate": "paper",
    "policy.attention_order": "request",
}
CHOICES: Sequence[tuple[str, Settings]] = (
    ("sub-batches of equal estimated time, not of equal number", {"policy.sub_batches": "balanced"}),
    ("one PIM_PRE closes a bank group", {"pim.precharge_scope": "bank_group"}),
    ("one PIM_PRE closes all banks", {"pim.precharge_scope": "all"}),
    ("estimates from the timing parameters, not the paper's constants", {"policy.estimate": "timing"}),
    ("attend after all logits of a sub-batch, not by request", {"policy.attention_order": "barrier"}),
    ("equal time, PIM_PRE of all banks", {"policy.sub_batches": "balanced", "pim.precharge_scope": "all"}),
    (
        "equal time, PIM_PRE of all banks, timing estimates",
        {"policy.sub_batches": "balanced", "pim.precharge_scope": "all", "policy.estimate": "timing"},
    ),
)


EFFICIENCY = "processor.attention_efficiency"
WHOLE: Settings = {"system": "neupims", "interleaving": "auto", **PACKED}
SHARED_END: Settings = {"system": "npu-pim", FRONT_END: "device"}
RATE = "pim.front_end.per_cycle"
ASSUMPTIONS: Sequence[tuple[str, Settings]] = (
    ("NPU+PIM: instructions leave for each channel", {"system": "npu-pim", FRONT_END: "channel", RATE: 2}),
    ("NPU+PIM: one front end for the device, two instructions per cycle", {**SHARED_END, RATE: 2}),
    ("NPU+PIM: one front end for the device, one per cycle, as published", {**SHARED_END, RATE: 1}),
    ("NPU-only: attention of all heads on all arrays", {"system": "npu-only", "policy.attention": "stream"}),
    ("NPU-only: one head after the other", {"system": "npu-only", "policy.attention": "chain"}),
    *(
        (f"GPU: attention reaches {share:.0%} of its bandwidth", {"system": "gpu-a100", EFFICIENCY: share})
        for share in (0.78, 0.5, 0.25, 0.1)
    ),
)

LINES = {
    "ablation": ablation_lines,
    "assumptions": assumption_lines,
    "design-space": choice_lines,
    "beyond": mechanism_lines,
}
