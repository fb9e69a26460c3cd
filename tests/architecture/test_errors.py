"""Every error of a role stands in its table, or is named here with the reason why it never reaches one."""

from importlib import import_module
from typing import Any

import pytest

from tests.architecture.sources import ROLES

# (role, class): why no request is ever answered with it.
INTERNAL: dict[tuple[str, str], str] = {
    ("rssp", "AuthenticationObjectError"): "an operator's command or page says it",
    ("rssp", "ExpressionError"): "an operator's command or page says it",
}


def _errors(role: str) -> list[type[Exception]]:
    module = import_module(f"{role}.errors")
    root = getattr(module, f"{role.capitalize()}Error")
    return [each for each in vars(module).values() if isinstance(each, type) and issubclass(each, root)]


def _is_mapped(role: str, error: type[Exception]) -> bool:
    """Tables differ: classes as keys, classes in rows where the first that fits decides, or codes."""
    module = import_module(f"{role}.error_responses")
    table: Any = getattr(module, "TABLE", None) or module.STATUS
    keys = list(table) if isinstance(table, dict) else [row[0] for row in table]
    if isinstance(keys[0], str):
        return getattr(error, "code", None) in keys
    if isinstance(table, dict):
        return error in keys
    return any(issubclass(error, key) for key in keys)


@pytest.mark.parametrize("role", ROLES)
def test_every_error_is_mapped_or_internal(role: str) -> None:
    all_errors = _errors(role)
    assert len(all_errors) > 5
    # A class that others refine is raised as one of them; what is raised as it stands must be in the table.
    parents = {base for error in all_errors for base in error.__bases__}
    missing = {
        error.__name__
        for error in all_errors
        if error not in parents and not _is_mapped(role, error) and (role, error.__name__) not in INTERNAL
    }
    assert missing == set()


def test_what_is_called_internal_exists_and_is_not_mapped() -> None:
    for role, name in INTERNAL:
        error = getattr(import_module(f"{role}.errors"), name)
        assert not _is_mapped(role, error)
