"""``make messages``: the texts of the pages, found in templates and code, merged into the catalogues below ``locale/``.

``python -m scripts.messages compile`` makes of them what Django reads; ``make`` does that by itself where it is older.
The signers' and the authorization server's pages are translated, and what stands around them; the operators' are not.
"""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from django.utils.translation.template import templatize

from scripts.instance import ROOT

CATALOGUES = sorted((ROOT / "locale").glob("*/LC_MESSAGES/django.po"))
# Of rssp what its clients show to signers, and what it mails to them.
_CODE = ("signapp", "authz", "config", "rssp/services")
_SINGLE = ("rssp/trust.html",)
_SUFFIXES = {".html", ".txt"}
_TEMPLATES = ("signapp", "authz", "components", "frames", "mail")
# The tools' own names the moment, and so would change each time.
_HEADER = 'msgid ""\nmsgstr "Content-Type: text/plain; charset=UTF-8\\n"\n\n'
_KEYWORDS = (
    *("gettext_noop", "gettext_lazy", "ngettext_lazy:1,2", "pgettext:1c,2", "npgettext:1c,2,3"),
    *("pgettext_lazy:1c,2", "npgettext_lazy:1c,2,3"),
)


def sources() -> Iterator[Path]:
    """Code and templates that hold texts for people, in a fixed order."""
    for folder in _CODE:
        yield from sorted(path for path in (ROOT / folder).rglob("*.py") if path.name != "design.py")
    yield from sorted((ROOT / "templates").glob("*.html"))
    yield from (ROOT / "templates" / name for name in _SINGLE)
    for folder in _TEMPLATES:
        yield from sorted(
            path for path in (ROOT / "templates" / folder).rglob("*.*") if path.suffix in {".html", ".txt"}
        )


def extract(into: Path) -> None:
    """Writes the template catalogue, every text once, to ``into``."""
    with tempfile.TemporaryDirectory(prefix="paraph-messages-") as place:
        names = []
        for source in sources():
            name = source.relative_to(ROOT)
            written = Path(place, name)
            written.parent.mkdir(parents=True, exist_ok=True)
            content = source.read_text(encoding="utf-8")
            written.write_text(content if source.suffix == ".py" else templatize(content, str(name)), encoding="utf-8")
            names.append(str(name))
        options = ["--language=Python", "--from-code=UTF-8", "--no-location", "--no-wrap"]
        keywords = [f"--keyword={word}" for word in _KEYWORDS]
        # Its warnings are of texts that stand in one place with a plural and without in another.
        found = subprocess.run(
            ["xgettext", *options, *keywords, "--output=-", *names], cwd=place, check=True, capture_output=True
        )
        _, _, texts = found.stdout.decode().partition("\n\n")
        into.write_text(_HEADER + texts, encoding="utf-8")


def merge() -> None:
    with tempfile.TemporaryDirectory(prefix="paraph-messages-") as place:
        template = Path(place, "django.pot")
        extract(template)
        for catalogue in CATALOGUES:
            options = ["--quiet", "--update", "--backup=none", "--no-fuzzy-matching", "--no-wrap"]
            subprocess.run(["msgmerge", *options, str(catalogue), str(template)], check=True)
            # What is not asked for any more is forgotten.
            subprocess.run(
                ["msgattrib", "--no-obsolete", "--no-wrap", "-o", str(catalogue), str(catalogue)], check=True
            )


def compile_all() -> None:
    for catalogue in CATALOGUES:
        made = catalogue.with_suffix(".mo")
        if not made.exists() or made.stat().st_mtime < catalogue.stat().st_mtime:
            subprocess.run(["msgfmt", "--check-format", f"--output-file={made}", str(catalogue)], check=True)


def main() -> int:
    if sys.argv[1:] == ["compile"]:
        compile_all()
        return 0
    merge()
    compile_all()
    for catalogue in CATALOGUES:
        told = subprocess.run(
            ["msgattrib", "--untranslated", str(catalogue)], capture_output=True, text=True, check=True
        )
        print(f"{catalogue.relative_to(ROOT)}: {max(0, told.stdout.count('msgid ') - 1)} texts to translate")
    return 0


if __name__ == "__main__":
    sys.exit(main())
