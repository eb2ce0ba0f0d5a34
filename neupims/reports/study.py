"""The numbers behind a picture of many runs: means over what is not shown, as they are or over a baseline."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# (data frames have no types)

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches

import pandas as pd

from neupims.errors import ResultError

SETTINGS = (
    *("system", "model", "variant", "tp", "pp", "layers", "interleaving"),
    *("requests", "dataset", "length", "batch", "seed"),
)
"""Columns that say what was asked; so do those with a dot in their names."""
PARTS = ("dram", "pim", "npu", "link")


@dataclass(frozen=True, slots=True)
class View:
    """What a picture shows of a table of runs."""

    x: str
    """Column along the axis."""
    by: str
    """Column whose values have colours of their own."""
    value: str = "tokens_per_s"
    over: str | None = None
    """Value of `by` by which the others are divided, run by run."""
    facet: str | None = None
    """Column with a picture for each of its values."""


def study(frame: pd.DataFrame, view: View) -> pd.DataFrame:
    """Mean, least and greatest value, and the number of runs, for each facet, x and `by`, in the order of the table.

    Raises:
        ResultError: a column does not exist, or no run can be divided by the baseline.
    """
    _check(frame, view)
    done = frame[frame[view.value].notna()].copy()
    if view.over is not None:
        done = over_baseline(done, view)
    keys = [key for key in (view.facet, view.x, view.by) if key is not None]
    groups = done.groupby(keys, sort=False, dropna=False)[view.value]
    return groups.agg(mean="mean", least="min", greatest="max", runs="count").reset_index()


def stacked(frame: pd.DataFrame, view: View) -> pd.DataFrame:
    """Energy of all devices for one token in mJ, by part, in mean for each x and `by`.

    Raises:
        ResultError: a column does not exist.
    """
    _check(frame, view)
    done = frame[frame["total_energy_mj"].notna()].copy()
    for part in PARTS:
        done[part] = done["energy_per_token_mj"] * done[f"{part}_energy_mj"] / done["total_energy_mj"]
    keys = [key for key in (view.facet, view.x, view.by) if key is not None]
    return done.groupby(keys, sort=False, dropna=False)[list(PARTS)].mean().reset_index()


def _check(frame: pd.DataFrame, view: View) -> None:
    for name in (view.x, view.by, view.value, view.facet):
        if name is not None and name not in frame.columns:
            near = get_close_matches(name, frame.columns, 1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(map(str, frame.columns))}"
            raise ResultError(f"{name}: no such column, {hint}")


def over_baseline(frame: pd.DataFrame, view: View) -> pd.DataFrame:
    """The table with values as multiples of the baseline's in the run that is asked the same in all else.

    Raises:
        ResultError: there is no baseline, or no run is asked the same.
    """
    base = frame[frame[view.by].astype(str) == view.over]
    if base.empty:
        found = ", ".join(str(value) for value in dict.fromkeys(frame[view.by]))
        raise ResultError(f"{view.over}: no such {view.by} to divide by; there are {found or 'none'}")
    keys = [key for key in _settings(frame.columns) if key != view.by and base[key].notna().all()]
    paired = frame.merge(base[[*keys, view.value]], on=keys, suffixes=("", " of the baseline")) if keys else frame
    paired[view.value] = paired[view.value] / paired[f"{view.value} of the baseline"]
    if paired.empty:
        raise ResultError(f"{view.over}: no run is asked the same but for {view.by}")
    return paired


def _settings(columns: Iterable[str]) -> list[str]:
    return [name for name in columns if name in SETTINGS or "." in name]
