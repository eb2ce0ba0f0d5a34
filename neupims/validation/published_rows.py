"""Runs of the published simulator as tables: the one that is shipped, and further ones that users bring.

The shipped table has a line for each run, its cycles as `A.attention.norm=6075 ... B=266239 ... total=619230`. A table
of a user has a line for each figure, with the words of the simulator's own log: `SA_stage_A:layer0.attn.ln`,
`STAGE A`, `TOTAL(last finish)`.
"""

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from neupims.errors import ResultError
from neupims.results.files import reason

SHIPPED = Path(__file__).with_name("data") / "published.csv"
COLUMNS = (
    "system", "model", "heads", "width", "tensor_parallel", "batch",
    "requests", "interleaving", "refresh", "operator", "cycles", "run",
)  # fmt: skip
"""Columns of a table with a line for each figure."""

OPERATORS: Mapping[str, str] = {
    "attn.ln": "attention.norm",
    "attn.QKVgen": "attention.qkv",
    "attn.NeuPIMSLogitSoftmax": "attention.logit",
    "attn.NeuPIMSAttend": "attention.attend",
    "attn.attn.FusedMHA": "attention",
    "attn.proj": "attention.projection",
    "attn.res": "attention.residual",
    "ffn.ln": "ffn.norm",
    "ffn.fc1": "ffn.fc1",
    "ffn.gelu": "ffn.gelu",
    "ffn.fc2": "ffn.fc2",
    "ffn.res": "ffn.residual",
}
"""Operators as the published simulator's log names them, and as they are named here."""

TOTAL = "total"
LOGGED = re.compile(r"(?:(?:SA|PIM)_stage_([A-F])|\w+):layer\d+\.(.+)")
SWITCH = ("on", "off")
DIGITS, SHOWN = 15, 40


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedRun:
    """One run of the published simulator: its input, and the cycles that it logged."""

    name: str
    system: str
    """The profile that stands for its branch."""
    model: str
    heads: int
    width: int
    tp: int
    batch: int
    requests: str
    """Name of the request file."""
    interleaving: str
    refresh: str
    cycles: Mapping[str, int]
    """By `A.attention.norm` (`attention.norm` where the log has no stages), `A` for a stage, `total`."""
    exact: tuple[str, ...] = ()
    """Keys that must agree to the cycle; `A.*` stands for stage A and its operators, `all` for everything."""

    def is_exact(self, key: str) -> bool:
        """Whether a figure must agree to the cycle."""
        whole_stage = f"{key[0]}.*" if key[1:2] in ("", ".") else key
        return not {"all", whole_stage, key}.isdisjoint(self.exact)


def shipped_runs() -> tuple[PublishedRun, ...]:
    """The runs that come with the program."""
    with SHIPPED.open(encoding="utf-8", newline="") as file:
        return tuple(_shipped(row) for row in csv.DictReader(file))


def _shipped(row: Mapping[str, str]) -> PublishedRun:
    pairs = (pair.split("=") for pair in row["cycles"].split())
    return PublishedRun(
        name=row["name"],
        system=row["system"],
        model=row["model"],
        heads=int(row["heads"]),
        width=int(row["width"]),
        tp=int(row["tp"]),
        batch=int(row["batch"]),
        requests=row["requests"],
        interleaving=row["interleaving"],
        refresh=row["refresh"],
        cycles={key: int(value) for key, value in pairs},
        exact=tuple(row["exact"].split()),
    )


def read_rows(path: Path) -> tuple[PublishedRun, ...]:
    """The runs of a table with a line for each figure, in the order in which they first appear.

    Raises ResultError as `file:line: column: what is wrong, what is allowed`.
    """
    runs: dict[str, PublishedRun] = {}
    first: dict[str, str] = {}
    for where, row in _lines(path):
        run = _run(where, row)
        known = runs.setdefault(run.name, run)
        first.setdefault(run.name, where)
        if known is not run:
            runs[run.name] = _joined(known, run, where, first[run.name])
    if not runs:
        raise ResultError(f"{path}: no rows under the header")
    return tuple(runs.values())


def _lines(path: Path) -> Iterator[tuple[str, dict[str, str]]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ResultError(f"{path}: cannot be read: {reason(error)}") from None
    except UnicodeDecodeError:
        raise ResultError(f"{path}: not text in UTF-8; a table of runs is CSV") from None
    try:
        lines = list(csv.reader(text.splitlines()))
    except csv.Error as error:
        raise ResultError(f"{path}: not a CSV file: {error}") from None
    if not lines or sorted(lines[0]) != sorted(COLUMNS):
        raise ResultError(f"{path}:1: the columns must be {', '.join(COLUMNS)}")
    for number, fields in enumerate(lines[1:], 2):
        if len(fields) not in (0, len(COLUMNS)):
            raise ResultError(f"{path}:{number}: has {len(fields)} fields, must have {len(COLUMNS)}")
        if fields:
            yield f"{path}:{number}", dict(zip(lines[0], fields, strict=True))


def _run(where: str, row: Mapping[str, str]) -> PublishedRun:
    for column in ("system", "model", "requests", "run"):
        if not row[column].strip():
            raise ResultError(f"{where}: {column}: is empty")
    key = _key(where, row["operator"])
    return PublishedRun(
        name=row["run"],
        system=row["system"],
        model=row["model"],
        heads=_count(where, row, "heads"),
        width=_count(where, row, "width"),
        tp=_count(where, row, "tensor_parallel"),
        batch=_count(where, row, "batch"),
        requests=row["requests"],
        interleaving=_one_of(where, row, "interleaving", SWITCH),
        refresh=_one_of(where, row, "refresh", SWITCH),
        cycles={key: _count(where, row, "cycles")},
    )


def _joined(run: PublishedRun, more: PublishedRun, where: str, first: str) -> PublishedRun:
    """The run with one figure more. Its input must be that of its first line, the figure a new one."""
    if replace(more, cycles=run.cycles) != run:
        raise ResultError(f"{where}: run: {run.name} has another input than on {first}")
    (key,) = more.cycles
    if key in run.cycles:
        raise ResultError(f"{where}: operator: {run.name} has this one already")
    return replace(run, cycles={**run.cycles, **more.cycles})


def _key(where: str, operator: str) -> str:
    if operator.startswith("TOTAL"):
        return TOTAL
    if re.fullmatch("STAGE [A-F]", operator):
        return operator[-1]
    found = LOGGED.fullmatch(operator)
    if found is None or found[2] not in OPERATORS:
        allowed = f"STAGE A to F, TOTAL, or SA_stage_A:layer0.NAME with a NAME of {', '.join(OPERATORS)}"
        raise ResultError(f"{where}: operator: '{operator[:SHOWN]}' is not known, must be {allowed}")
    return f"{found[1]}.{OPERATORS[found[2]]}" if found[1] else OPERATORS[found[2]]


def _count(where: str, row: Mapping[str, str], column: str) -> int:
    text = row[column].strip()
    value = int(text) if text.isascii() and text.isdigit() and len(text) <= DIGITS else 0
    if value < 1:
        raise ResultError(f"{where}: {column}: '{text[:SHOWN]}' must be a whole number from 1")
    return value


def _one_of(where: str, row: Mapping[str, str], column: str, allowed: Sequence[str]) -> str:
    if row[column] not in allowed:
        raise ResultError(f"{where}: {column}: '{row[column][:SHOWN]}' must be {' or '.join(allowed)}")
    return row[column]
