"""The page of the authorization server's requirements says what the tables say, and each test that it names is run."""

import ast
from functools import cache
from pathlib import Path

import pytest

from scripts.conformance import PAGE, ROOT, Row, read_documents, write_page

DOCUMENTS = read_documents()
EXPECTED = (
    *("RFC 6749", "RFC 7636", "RFC 7009", "RFC 7662", "RFC 8414", "RFC 8705", "RFC 9068", "RFC 9101", "RFC 9126"),
    *("RFC 9207", "RFC 9396", "RFC 9449", "RFC 9700", "OpenID Core", "OpenID Discovery", "FAPI 2.0", "WebAuthn L3"),
    "CSC API 8",
)
# Marks under which a test proves nothing.
_IDLE = {"skip", "skipif", "xfail"}


@cache
def _tests_of(path: Path) -> dict[str, set[str]]:
    """The test functions of a module, each with the names of its marks."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {
        node.name: {
            part.attr for mark in node.decorator_list for part in ast.walk(mark) if isinstance(part, ast.Attribute)
        }
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }


def test_every_standard_has_its_table() -> None:
    assert tuple(document.name for document in DOCUMENTS) == EXPECTED
    assert all(document.rows for document in DOCUMENTS)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_each_row_that_is_met_names_tests_that_are_run(document: object) -> None:
    rows: tuple[Row, ...] = document.rows  # type: ignore[attr-defined]
    for row in rows:
        assert "|" not in row.requirement + row.reason, row
        for test in row.tests:
            path, _, name = test.partition("::")
            assert path.startswith("tests/"), test
            assert name in _tests_of(ROOT / path), test
            assert not _IDLE & _tests_of(ROOT / path)[name], test


def test_no_requirement_stands_twice() -> None:
    for document in DOCUMENTS:
        keys = [(row.clause, row.requirement) for row in document.rows]
        assert len(set(keys)) == len(keys), document.name


def test_the_page_is_what_the_tables_give() -> None:
    assert PAGE.read_text(encoding="utf-8") == write_page(DOCUMENTS)
