"""A list of people as comma-separated values (RFC 4180), read whole and checked whole before anything is sent."""

import codecs
import csv
import io
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import IO

from django.core.exceptions import ValidationError
from django.core.validators import validate_email

MOST_BYTES = 5_000_000
COLUMNS = {"name": 120, "email": 254, "title": 120, "message": 2000}  # and how long a cell may be
_NEEDED = ("name", "email")
_SEPARATORS = ",;\t"
# A spreadsheet takes what begins so for a formula.
FORMULA = ("=", "+", "-", "@", "\t", "\r")
_MOST_PROBLEMS = 200


@dataclass(frozen=True)
class Row:
    line: int  # of the file, from 1; the first of those that a quoted cell spreads over
    name: str
    email: str
    title: str = ""
    message: str = ""


@dataclass(frozen=True)
class Problem:
    """``code`` says what is wrong with ``column`` in ``line`` (0: the file); ``detail`` is a number or a column."""

    line: int
    code: str
    column: str = ""
    detail: str = ""


@dataclass
class PeopleList:
    """Nothing of it is used while there are ``problems``. ``ignored`` are columns that mean nothing here."""

    rows: list[Row] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


class _UnusableError(Exception):
    def __init__(self, code: str, *, line: int = 0, column: str = "", detail: str = "") -> None:
        super().__init__(code)
        self.problem = Problem(line, code, column, detail)


def read_people(file: IO[bytes], *, most: int, taken: Collection[str] = ()) -> PeopleList:
    """``most`` rows at most; ``taken`` are addresses that everybody's envelope has already. Raises nothing."""
    found = PeopleList()
    try:
        _read(file, found, most, {email.casefold() for email in taken})
    except _UnusableError as unusable:
        found.problems.append(unusable.problem)
    return found


def _read(file: IO[bytes], found: PeopleList, most: int, taken: set[str]) -> None:
    data = file.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise _UnusableError("too_large", detail=str(MOST_BYTES // 1_000_000))
    lines = _records(_decode(data))
    first = next(lines, None)
    if first is None:
        raise _UnusableError("empty")
    columns = [cell.strip().casefold() for cell in first[1]]
    _check_columns(columns, found)
    lines_of: dict[str, int] = {}
    for line, cells in lines:
        if len(found.rows) >= most:
            raise _UnusableError("too_many_rows", detail=str(most))
        if len(found.problems) >= _MOST_PROBLEMS:
            raise _UnusableError("too_many_problems", line=line)
        row = _read_row(line, dict(zip(columns, cells, strict=False)), found.problems)
        if len(cells) != len(columns):
            found.problems.append(Problem(line, "wrong_width", detail=f"{len(cells)}/{len(columns)}"))
        key = row.email.casefold()
        if key in taken:
            found.problems.append(Problem(line, "in_envelope", "email"))
        if key and key in lines_of:
            found.problems.append(Problem(line, "twice", "email", str(lines_of[key])))
        lines_of.setdefault(key, line)
        found.rows.append(row)
    if not found.rows:
        raise _UnusableError("empty")


def _decode(data: bytes) -> str:
    """UTF-8 with or without a byte order mark, and UTF-16 with one: what spreadsheets write as Unicode."""
    encoding = "utf-16" if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        raise _UnusableError("not_unicode", line=data.count(b"\n", 0, error.start) + 1) from None


def _records(text: str) -> Iterator[tuple[int, list[str]]]:
    """Lines that hold something, each with the number of its first."""
    head = text.partition("\n")[0]
    separator = max(_SEPARATORS, key=head.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error:
            raise _UnusableError("broken", line=line) from None
        if any(cell.strip() for cell in cells):
            yield line, cells


def _check_columns(columns: list[str], found: PeopleList) -> None:
    for needed in _NEEDED:
        if needed not in columns:
            raise _UnusableError("missing_column", line=1, column=needed)
    for column in COLUMNS:
        if columns.count(column) > 1:
            raise _UnusableError("column_twice", line=1, column=column)
    found.ignored = [column[:40] for column in columns if column and column not in COLUMNS]


def _read_row(line: int, cells: dict[str, str], problems: list[Problem]) -> Row:
    values = {column: cells.get(column, "").strip() for column in COLUMNS}
    for column, value in values.items():
        code = _fault(column, value, cells.get(column, ""))
        if code:
            problems.append(Problem(line, code, column, str(COLUMNS[column])))
    return Row(line, **values)


def _fault(column: str, value: str, cell: str) -> str:
    if not value:
        return "missing" if column in _NEEDED else ""
    if value.startswith(FORMULA) or cell.startswith(FORMULA):
        return "formula"
    if len(value) > COLUMNS[column]:
        return "too_long"
    if not value.replace("\n", " ").isprintable() if column == "message" else not value.isprintable():
        return "unprintable"
    if column == "email":
        try:
            validate_email(value)
        except ValidationError:
            return "not_an_address"
    return ""
