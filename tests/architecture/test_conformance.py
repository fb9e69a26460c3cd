"""The pages of requirements and of attacks say what their tables say, and each test that they name is run."""

import ast
from functools import cache
from pathlib import Path

import pytest

from scripts.conformance import (
    ATTACKS,
    AUTHORIZATION_SERVER,
    PAGES,
    ROOT,
    Document,
    Page,
    read_documents,
    write_page,
)

DOCUMENTS = [document for page in PAGES for document in read_documents(page)]
EXPECTED = (
    *("RFC 6749", "RFC 7636", "RFC 7009", "RFC 7662", "RFC 8414", "RFC 8705", "RFC 9068", "RFC 9101", "RFC 9126"),
    *("RFC 9207", "RFC 9396", "RFC 9449", "RFC 9700", "OpenID Core", "OpenID Discovery", "FAPI 2.0", "WebAuthn L3"),
    "CSC API 8",
    *("Front-Channel Logout", "Back-Channel Logout"),
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
    assert tuple(document.name for document in read_documents(AUTHORIZATION_SERVER)) == EXPECTED
    assert all(document.rows for document in DOCUMENTS)


def test_attacks_are_numbered_without_a_gap() -> None:
    for document in read_documents(ATTACKS):
        assert [row.clause for row in document.rows] == [
            f"{document.name}{number}" for number in range(1, len(document.rows) + 1)
        ]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_each_row_that_is_met_names_tests_that_are_run(document: Document) -> None:
    for row in document.rows:
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


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.path.stem)
def test_the_page_is_what_the_tables_give(page: Page) -> None:
    assert page.path.read_text(encoding="utf-8") == write_page(page)
