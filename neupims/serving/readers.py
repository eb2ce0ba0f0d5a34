"""Request files: one request a line, with the length of its context and, if wanted, its memory channel."""

import csv
import re
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path

from neupims.errors import RequestError
from neupims.request import Batch, Request

LENGTH, CHANNEL = "seq_len", "ch_idx"
COLUMNS = (LENGTH, CHANNEL)
DIGITS = 15
SHOWN = 40

Line = tuple[str, list[str]]
"""Where a line is, `file:line`, and its fields."""


def read_requests(path: Path | str) -> Batch:
    """Requests of a CSV file with a column `seq_len` (tokens) and an optional column `ch_idx` (channel from 0).

    A byte order mark, blank lines, spaces around values and any line ends are taken. RequestError, as
    `file:line: seq_len: ...`, for everything else that is not such a file.
    """
    lines = _lines(Path(path))
    header = next(lines, None)
    if header is None:
        raise RequestError(f"{path}: empty; a request file is CSV with a column {LENGTH}")
    columns = _columns(*header)
    batch = tuple(_request(index, columns, *line) for index, line in enumerate(lines))
    if not batch:
        raise RequestError(f"{path}: no requests under the header; give one {LENGTH} a line")
    return batch


def _lines(path: Path) -> Iterator[Line]:
    for number, line in enumerate(_text(path).splitlines(), 1):
        where = f"{path}:{number}"
        try:
            fields = [field.strip() for field in next(csv.reader([line]))]
        except csv.Error as error:
            raise RequestError(f"{where}: not a line of a CSV file: {error}") from None
        if any(fields):
            yield where, fields


def _text(path: Path) -> str:
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise RequestError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise RequestError(f"{path}: not text in UTF-8; a request file is CSV with a column {LENGTH}") from None
    if "\0" in text:
        raise RequestError(f"{path}: holds zero bytes; a request file is CSV with a column {LENGTH}")
    return text


def _columns(where: str, header: list[str]) -> list[str]:
    if LENGTH not in header:
        close = get_close_matches(LENGTH, filter(str.isidentifier, header), n=1)
        hint = f", did you mean it by '{close[0]}'?" if close else ""
        raise RequestError(
            f"{where}: {LENGTH}: no such column in the header '{_short(','.join(header))}'{hint}; "
            f"the first line names the columns: {LENGTH} and, if wanted, {CHANNEL}"
        )
    for name in header:
        if name not in COLUMNS:
            raise RequestError(f"{where}: {_short(name)}: unknown column; allowed: {', '.join(COLUMNS)}")
        if header.count(name) > 1:
            raise RequestError(f"{where}: {name}: the header names this column {header.count(name)} times")
    return header


def _request(index: int, columns: list[str], where: str, fields: list[str]) -> Request:
    if len(fields) != len(columns):
        raise RequestError(f"{where}: {len(fields)} values under the {len(columns)} columns {', '.join(columns)}")
    values = dict(zip(columns, fields, strict=True))
    length = _integer(where, LENGTH, values[LENGTH], least=1)
    return Request(index, length, _integer(where, CHANNEL, values[CHANNEL], least=0) if CHANNEL in values else None)


def _integer(where: str, column: str, text: str, least: int) -> int:
    if not re.fullmatch(r"[+-]?[0-9]+", text):
        raise RequestError(f"{where}: {column}: '{_short(text)}' is not an integer")
    if len(text) > DIGITS:
        raise RequestError(f"{where}: {column}: {_short(text)} has more than {DIGITS} digits")
    if int(text) < least:
        raise RequestError(f"{where}: {column}: {int(text)} is less than {least}")
    return int(text)


def _short(text: str) -> str:
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."
