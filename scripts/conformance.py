"""Writes the pages of what is shown by which tests: ``python -m scripts.conformance``.

docs/authorization-server-conformance.md comes from tests/authz/requirements/, docs/attacks.md from tests/attacks/. A
row says by which tests its requirement is met, or what is ``lacking``, or why it is ``outside`` of what is done here.
"""

import tomllib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

ROOT = Path(__file__).resolve().parent.parent
State = Literal["met", "not met", "not applicable"]


@dataclass(frozen=True)
class Page:
    """Written to ``path``, from the tables in ``data``; ``headings`` are those of a row's clause and requirement."""

    path: Path
    data: Path
    introduction: str
    headings: tuple[str, str]


AUTHORIZATION_SERVER = Page(
    path=ROOT / "docs" / "authorization-server-conformance.md",
    data=ROOT / "tests" / "authz" / "requirements",
    headings=("clause", "requirement"),
    introduction="""\
# What the authorization server is measured by

One row a requirement, in our own words. *Met* names the tests that show it, *not met* says what is missing, *not
applicable* says why. The RFCs, OpenID and FAPI are judged at `{ISSUER}/oauth2/`, the CSC API's clause 8 at
`{CSC_BASE_URL}/v1/oauth2/` and `/v2/oauth2/`. Nobody certified any of it.

Written by `python -m scripts.conformance` from `tests/authz/requirements/`; `tests/architecture/test_conformance.py`
compares, and looks for each test.
""",
)
ATTACKS = Page(
    path=ROOT / "docs" / "attacks.md",
    data=ROOT / "tests" / "attacks",
    headings=("row", "attack or fault: answer"),
    introduction="""\
# Attacks and faults, and what shows the answer

One row an attack or a fault, with the answer that it gets and the tests that make it. What they run against is real:
SoftHSM, PostgreSQL and Redis where several processes matter, Chromium where a browser does. What stays possible says
[threat-model.md](threat-model.md).

Written by `python -m scripts.conformance` from `tests/attacks/`; `tests/architecture/test_conformance.py` compares,
and looks for each test.
""",
)
PAGES = (AUTHORIZATION_SERVER, ATTACKS)


@dataclass(frozen=True)
class Row:
    """``tests`` are pytest's node ids without parameters; ``reason`` stands where there are none."""

    clause: str
    requirement: str
    state: State
    tests: tuple[str, ...] = ()
    reason: str = ""


@dataclass(frozen=True)
class Document:
    """One standard's rows; ``name`` is its short one."""

    name: str
    title: str
    rows: tuple[Row, ...]


def read_documents(page: Page) -> list[Document]:
    """The tables in the order of their files' names; raises `ValueError` for a row that does not say exactly one of
    ``by``, ``lacking`` and ``outside``."""
    documents = []
    for path in sorted(page.data.glob("*.toml")):
        table = tomllib.loads(path.read_text(encoding="utf-8"))
        rows = tuple(_read_row(f"{path.name} {row.get('clause')}", **row) for row in table["rows"])
        documents.append(Document(table["name"], table["title"], rows))
    return documents


def _read_row(
    where: str, *, clause: str, requirement: str, by: list[str] | None = None, lacking: str = "", outside: str = ""
) -> Row:
    if [bool(by), bool(lacking), bool(outside)].count(True) != 1:
        raise ValueError(f"{where}: exactly one of by, lacking and outside")
    if by:
        return Row(clause, requirement, "met", tests=tuple(by))
    return Row(clause, requirement, "not met" if lacking else "not applicable", reason=lacking or outside)


def write_page(page: Page) -> str:
    """The page as Markdown."""
    documents = read_documents(page)
    return "\n".join([page.introduction, *_write_summary(documents), *_write_tables(documents, page.headings)])


def _write_summary(documents: list[Document]) -> Iterator[str]:
    yield "| | met | not met | not applicable |"
    yield "| --- | --- | --- | --- |"
    for document in documents:
        found = Counter(row.state for row in document.rows)
        yield f"| {document.title} | {found['met']} | {found['not met']} | {found['not applicable']} |"
    yield ""


def _write_tables(documents: list[Document], headings: tuple[str, str]) -> Iterator[str]:
    for document in documents:
        yield f"## {document.name}: {document.title}\n"
        yield f"| {headings[0]} | {headings[1]} | | by, or why |"
        yield "| --- | --- | --- | --- |"
        for row in document.rows:
            proof = ", ".join(_link(test) for test in row.tests) or row.reason
            yield f"| {row.clause} | {row.requirement} | {row.state} | {proof} |"
        yield ""


def _link(test: str) -> str:
    path, _, name = test.partition("::")
    return f"[`{name}`](../{path})"


def main() -> None:
    for page in PAGES:
        page.path.write_text(write_page(page), encoding="utf-8")


if __name__ == "__main__":
    main()
