"""The numbers of a table: one row for each run, the same for the terminal, for CSV and for pictures."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from neupims.lowering.operators.elementwise import ESTIMATED
from neupims.results.energy import BACKGROUND
from neupims.results.record import Run
from neupims.results.spans import OperatorSpan, StageSpan

PS_PER_MS = 1e9

DRAM_GROUPS: Mapping[str, tuple[str, ...]] = {
    "activate": ("ACT",),
    "read_write": ("RD", "WR"),
    "refresh": ("REF",),
    "pim_activate": ("PIM_ACT",),
    "pim_mac": ("PIM_MAC",),
    "pim_vector": ("PIM_GWRITE", "PIM_READ"),
    "standby": (BACKGROUND,),
}
"""Commands whose energy a table shows together; `pim_vector` moves operands and results of GEMVs."""


PROCESSOR_PARTS = ("mac", "vector", "scratchpad", "static")
"""Of the energy of NPU or GPU."""


def estimated(run: Run) -> tuple[tuple[str, ...], float]:
    """Kinds of operators that are timed by their number of operations alone, and their share of the iteration."""
    spans = [(span, stage.repeats) for span, stage in _staged(run) if span.unit == "vector" and span.kind in ESTIMATED]
    spent = sum(repeats * (span.end_ps - span.start_ps) for span, repeats in spans)
    return tuple(sorted({span.kind for span, _ in spans})), spent / run.iteration_ps if run.iteration_ps else 0.0


def _staged(run: Run) -> Iterator[tuple[OperatorSpan, StageSpan]]:
    """Operators, each with the stage that it ends in."""
    for span in run.operators:
        yield span, next(stage for stage in run.stages if span.end_ps <= stage.end_ps)


def dram_groups_mj(run: Run) -> dict[str, float | None]:
    """DRAM energy by group, in mJ; None for each where the DRAM was not simulated."""
    spent = run.dram_energy_mj
    return {
        group: sum(spent.get(name, 0.0) for name in names) if spent else None for group, names in DRAM_GROUPS.items()
    }


def has_pim(run: Run) -> bool:
    """Whether the run used PIM at all."""
    return any(name.startswith("PIM_") and count for name, count in run.commands.items())


def summary_rows(runs: Sequence[Run]) -> list[dict[str, Any]]:
    """One row of plain numbers for each run; units are in the names, speed-ups are over the first run."""
    return [_row(run, runs[0]) for run in runs]


def csv_text(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows as CSV with a header; None is an empty field."""
    text = io.StringIO()
    if rows:
        writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return text.getvalue()


def _row(run: Run, base: Run) -> dict[str, Any]:
    return {
        "system": run.system,
        "model": run.label,
        "batch": run.batch,
        "tp": run.tp,
        "pp": run.pp,
        "layers": run.layers,
        "tokens_per_s": run.tokens_per_s,
        "iteration_ms": run.iteration_ps / PS_PER_MS,
        "speedup": run.tokens_per_s / base.tokens_per_s,
        "npu_utilization": run.utilization.npu,
        "pim_utilization": run.utilization.pim if has_pim(run) else None,
        "bandwidth_utilization": run.utilization.bandwidth,
        **{f"{part}_energy_mj": value for part, value in run.energy.to_json().items()},
        **{f"dram_{group}_mj": value for group, value in dram_groups_mj(run).items()},
        **{f"processor_{part}_mj": run.processor_energy_mj.get(part) for part in PROCESSOR_PARTS},
        "energy_per_token_mj": run.energy_per_token_mj["total"],
        **{f"{part}_power_w": value for part, value in run.power_w.items()},
        "area_overhead": run.area_overhead,
    }
