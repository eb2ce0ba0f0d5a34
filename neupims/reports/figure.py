"""Figures without global state: size, type, colours, and files that are the same every time."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# (the keyword arguments of matplotlib have no types)

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.figure import Figure

from neupims.errors import ResultError
from neupims.reports.summary import csv_text
from neupims.results.files import write_atomically

COLUMN_IN = 3.5
"""Width of one column of a paper."""

TITLE, LABEL, SMALL = 8.5, 7.5, 6.5
"""Type sizes in points."""

INK, QUIET, FAINT = "#222222", "#666666", "#dddddd"

COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#332288")
"""Told apart with any kind of colour vision (Okabe and Ito, 2008; indigo for their yellow, pale on white)."""

OTHER = "#999999"

LEGEND: Mapping[str, Any] = {
    "fontsize": SMALL,
    "frameon": False,
    "borderaxespad": 0.1,
    "handlelength": 0.9,
    "handletextpad": 0.4,
    "columnspacing": 1.0,
}
"""Style of every legend."""

_METADATA: dict[str, dict[str, str | None]] = {
    "png": {"Software": None},
    "svg": {"Date": None, "Creator": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}


def new_figure(height_in: float) -> Figure:
    """An empty figure of one column."""
    return Figure(figsize=(COLUMN_IN, height_in), dpi=300, layout="constrained", facecolor="white")


def save_figure(figure: Figure, rows: list[dict[str, object]], path: Path) -> None:
    """Write a picture, its kind by its suffix, and the numbers behind it as CSV beside it.

    Raises ResultError for an unknown suffix or a file that cannot be written.
    """
    check_suffix(path)
    kind, picture = path.suffix[1:].lower(), io.BytesIO()
    with rc_context({"svg.hashsalt": "neupims", "pdf.fonttype": 42}):
        figure.savefig(picture, format=kind, metadata=_METADATA[kind])
    write_atomically(path, picture.getvalue())
    write_atomically(path.with_suffix(".csv"), csv_text(rows))


def check_suffix(path: Path) -> None:
    """Raises ResultError unless the suffix names a kind of picture that can be written."""
    if path.suffix[1:].lower() not in _METADATA:
        allowed = ", ".join(f".{kind}" for kind in _METADATA)
        raise ResultError(f"{path}: no such kind of picture; its name must end in one of {allowed}")
