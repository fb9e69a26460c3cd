"""Every variable that the code reads is described in `.env.example`, and none beside; every setting is said once."""

import ast
import re
from itertools import combinations
from pathlib import Path

from config.roles import ALL_ROLES
from tests.architecture.sources import ROOT, modules

_READERS = re.compile(r"env_(str|int|bool|counts|list|pairs|secret)|os\.environ\.(get|setdefault)")
# Django's own, set by each entry point and by nobody else.
_NOT_SETTINGS = {"DJANGO_SETTINGS_MODULE"}


def _names(argument: ast.expr) -> set[str]:
    if isinstance(argument, ast.Constant):
        return {str(argument.value)}
    # f"DATABASE_URL_{role.upper()}": one for each role.
    pattern = re.sub(r"\{role\.upper\(\)\}", "{}", ast.unparse(argument)[2:-1])
    return {pattern.format(role.upper()) for role in ALL_ROLES}


def variables_read() -> set[str]:
    read: set[str] = set()
    for path in [*modules(*ALL_ROLES), *(path for path in modules("config") if path.name != "env.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and _READERS.fullmatch(ast.unparse(node.func)):
                read |= _names(node.args[0])
            if isinstance(node, ast.Subscript) and ast.unparse(node.value) == "os.environ":
                read |= _names(node.slice)
    return read - _NOT_SETTINGS


def test_the_example_describes_every_variable_and_no_other() -> None:
    example = (ROOT / ".env.example").read_text(encoding="utf-8")
    described = re.findall(r"^#?([A-Z][A-Z0-9_]*)=", example, re.MULTILINE)
    assert len(described) == len(set(described))
    assert set(described) == variables_read()


def test_the_roles_read_no_variable_themselves() -> None:
    for path in modules(*ALL_ROLES):
        assert "os.environ" not in path.read_text(encoding="utf-8"), path


def _settings(part: Path) -> set[str]:
    """The names in capitals that a part of config/settings/ gives a value."""
    return {
        node.id
        for node in ast.walk(ast.parse(part.read_text(encoding="utf-8")))
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
        if node.id.isupper() and not node.id.startswith("_")
    }


def test_every_setting_is_in_one_part_alone() -> None:
    parts = {path: _settings(path) for path in modules("config/settings")}
    assert sum(map(len, parts.values())) > 200
    for one, other in combinations(parts, 2):
        assert not parts[one] & parts[other], (one, other)


def test_every_part_with_settings_is_gathered() -> None:
    gathering = ast.parse((ROOT / "config/settings/__init__.py").read_text(encoding="utf-8"))
    gathered = {
        node.module for node in ast.walk(gathering) if isinstance(node, ast.ImportFrom) and node.names[0].name == "*"
    }
    assert gathered == {f"config.settings.{path.stem}" for path in modules("config/settings") if _settings(path)}
