import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))
STYLE = (ROOT / "static" / "paraph.css").read_text(encoding="utf-8")
SPRITE = (ROOT / "static" / "icons" / "sprite.svg").read_text(encoding="utf-8")


def test_the_lock_names_no_registry_and_pins_every_package_by_hash() -> None:
    lock = json.loads((ROOT / "package-lock.json").read_text(encoding="utf-8"))
    packages = {name: entry for name, entry in lock["packages"].items() if name}
    assert packages
    for name, entry in packages.items():
        assert "resolved" not in entry, name
        assert entry["integrity"].startswith("sha512-"), name


def test_every_direct_front_end_library_is_pinned_to_one_version() -> None:
    package = json.loads((ROOT / "package.json").read_text(encoding="utf-8"))
    for name, version in (package["dependencies"] | package["devDependencies"]).items():
        assert re.fullmatch(r"\d+\.\d+\.\d+", version), name


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_icon_and_static_file_that_a_template_names_exists(template: Path) -> None:
    text = template.read_text(encoding="utf-8")
    for icon in re.findall(r'(?:icon\.html" with name|\bicon|action_icon|badge_icon)="([a-z-]+)"', text):
        assert f'<symbol id="{icon}"' in SPRITE, icon
    for name in re.findall(r"{% static ['\"]([^'\"]+)['\"]", text):
        if not name.startswith("vendor/"):
            assert (ROOT / "static" / name).is_file(), name


def test_colours_are_named_in_the_tokens_and_nowhere_else() -> None:
    tokens_end = STYLE.index("/* --- Ground")
    rest = STYLE[tokens_end:]
    # The paper of a PDF page and a text selection are the two exceptions: neither follows the theme.
    found = re.findall(r"#[0-9a-f]{3,8}\b", rest)
    assert sorted(found) == ["#35447f", "#cdd7f5", "#ffffff"]


def test_the_stylesheet_uses_only_tokens_that_it_defines() -> None:
    defined = set(re.findall(r"(--[a-z0-9-]+)\s*:", STYLE))
    from_scripts = {"--total-scale-factor"}
    assert set(re.findall(r"var\((--[a-z0-9-]+)", STYLE)) <= defined | from_scripts
