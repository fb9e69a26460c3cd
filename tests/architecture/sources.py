"""The tracked files, and what a role's modules say in strings."""

import ast
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from config.roles import ALL_ROLES

ROOT = Path(__file__).resolve().parents[2]
ROLES = ALL_ROLES


@cache
def tracked_files() -> tuple[Path, ...]:
    """What git knows, as far as it still lies here."""
    told = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout.decode()
    return tuple(ROOT / name for name in told.split("\0") if name and (ROOT / name).is_file())


def modules(*folders: str) -> Iterator[Path]:
    for folder in folders:
        yield from sorted((ROOT / folder).rglob("*.py"))


def _docstrings(tree: ast.AST) -> set[int]:
    """The nodes of strings that stand alone: docstrings are prose and may name anybody."""
    return {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}


def strings(path: Path) -> Iterator[tuple[str, int]]:
    """Each string of a module's code with its line."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    prose = _docstrings(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose:
            yield node.value, node.lineno
