"""The texts are true: links lead somewhere, commands exist, and nothing speaks of one machine or of work to come."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.architecture.sources import ROLES, ROOT, modules, tracked_files

_PAGES = [path for path in tracked_files() if path.suffix == ".md"]
# Put together here, so that this file does not find itself.
_UNFINISHED = re.compile("|".join(["TO" + "DO", "FIX" + "ME", "X" * 3]))
_ONE_MACHINE = re.compile("|".join(f"/{folder}/" for folder in ("work", "root", "home")))
_LIBRARIES = {"requirements.txt", "requirements-dev.txt", "requirements-assets.txt", "package-lock.json"}


def _text_files() -> list[tuple[Path, str]]:
    found = []
    for path in tracked_files():
        try:
            found.append((path.relative_to(ROOT), path.read_text(encoding="utf-8")))
        except UnicodeDecodeError:
            continue
    return found


@pytest.mark.parametrize("page", _PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_of_a_page_leads_to_a_file(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if not re.match(r"[a-z]+:|#", target):
            assert (page.parent / target.split("#")[0]).exists(), target


@pytest.mark.parametrize("folder", ["decisions", "operations"])
def test_every_page_of_a_folder_is_linked_from_its_index(folder: str) -> None:
    pages = {path.name for path in (ROOT / "docs" / folder).glob("*.md")} - {"README.md"}
    index = (ROOT / "docs" / folder / "README.md").read_text(encoding="utf-8")
    assert set(re.findall(r"\]\(([^)]+\.md)\)", index)) == pages


def test_the_reading_order_names_every_page_of_the_documentation() -> None:
    pages = {path.name for path in (ROOT / "docs").glob("*.md")} - {"index.md"}
    assert pages <= set(re.findall(r"\]\(([^)]+\.md)\)", (ROOT / "docs" / "index.md").read_text(encoding="utf-8")))


def test_no_file_holds_a_path_of_one_machine_or_a_note_of_work_to_come() -> None:
    found = [
        f"{path}: {match[0]}"
        for path, text in _text_files()
        if path.name not in _LIBRARIES
        for match in [_UNFINISHED.search(text), _ONE_MACHINE.search(text)]
        if match
    ]
    assert found == []


def test_the_first_screen_of_the_readme_shows_both_commands() -> None:
    first = "\n".join((ROOT / "README.md").read_text(encoding="utf-8").splitlines()[:24])
    assert "\nmake run " in first
    assert "\nmake test " in first
    assert "apt-get install -y git make" in first


def test_make_help_lists_every_target() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))
    shown = subprocess.run(["make", "-s", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert set(re.findall(r"^  make (\w+)", shown, re.MULTILINE)) == targets
    phony = re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    assert phony is not None
    assert set(phony[1].split()) == targets


def test_every_script_that_make_runs_exists() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for module in re.findall(r"-m scripts\.(\w+)", makefile):
        assert (ROOT / "scripts" / f"{module}.py").is_file(), module


def test_no_role_prints() -> None:
    for path in modules(*ROLES, "config"):
        assert not re.search(r"(?<![\w.])print\(", path.read_text(encoding="utf-8")), path
