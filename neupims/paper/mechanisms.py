"""What each mechanism that the paper does not have gives, from the table of the sweep `beyond`."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# (data frames have no types)

from collections.abc import Iterator, Sequence

import pandas as pd

from neupims.paper.claims import Settings

SPLIT, WHOLE = "policy.split_requests", 0
DEFAULTS: Settings = {
    "policy.stage_barriers": True,
    "policy.sub_batch_count": 2,
    SPLIT: WHOLE,
    "policy.attention_order": "request",
    "pim.precharge_scope": "bank",
    "pim.gwrite_overlap": False,
    "memory.controller.refresh_postpone": 0,
}
TOGETHER: Settings = {
    "policy.stage_barriers": False,
    SPLIT: 1024,
    "pim.precharge_scope": "all",
    "pim.gwrite_overlap": True,
}
MECHANISMS: Sequence[tuple[str, Settings]] = (
    ("no barriers between stages", {"policy.stage_barriers": False}),
    ("three sub-batches", {"policy.sub_batch_count": 3}),
    ("contexts of more than 1,024 tokens split over channels", {SPLIT: 1024}),
    ("attend by head", {"policy.attention_order": "head"}),
    ("one PIM_PRE closes all banks", {"pim.precharge_scope": "all"}),
    ("rows of the next tile open during PIM_GWRITE", {"pim.gwrite_overlap": True}),
    ("up to seven refreshes wait", {"memory.controller.refresh_postpone": 7}),
    ("no barriers, split contexts, PIM_PRE of all banks and PIM_GWRITE overlapped", TOGETHER),
    ("the same, and up to seven refreshes wait: `neupims-plus`", {**TOGETHER, "memory.controller.refresh_postpone": 7}),
)


def mechanism_lines(_: str, frame: pd.DataFrame) -> Iterator[str]:
    """Mean change of throughput over the models, by mode and batch, and that of the faster mode with its range."""
    frame = frame.fillna({SPLIT: WHOLE})
    base = _speeds(frame, {})
    places = [(mode, batch) for mode, batch in base.columns if mode != "faster"]
    shown = [f"{'serial' if mode == 'off' else 'interleaved'}, {batch}" for mode, batch in places]
    yield "| mechanism | " + " | ".join(shown) + " | faster of both, least to greatest |"
    yield "|---|" + "--:|" * (len(shown) + 1)
    for what, changes in MECHANISMS:
        ratios = _speeds(frame, changes) / base - 1
        means = [f"{ratios[place].mean():+.1%}" for place in places]
        faster = ratios["faster"]
        yield f"| {what} | " + " | ".join(means) + f" | {faster.min(axis=None):+.1%} to {faster.max(axis=None):+.1%} |"


def _speeds(frame: pd.DataFrame, changes: Settings) -> pd.DataFrame:
    """Throughput by model [rows], and by mode and batch [columns]; the mode `faster` takes the better of both."""
    for name, value in {**DEFAULTS, **changes}.items():
        frame = frame[frame[name] == value]
    speed = frame.set_index(["model", "interleaving", "batch"])["tokens_per_s"]
    modes = speed.unstack(["interleaving", "batch"]).sort_index(axis=1, ascending=[False, True])
    faster = speed.groupby(["model", "batch"]).max().unstack()
    return pd.concat([modes[["off", "on"]], pd.concat({"faster": faster}, axis=1)], axis=1)
