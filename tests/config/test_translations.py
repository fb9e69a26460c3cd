"""Every text of the signers' and the authorization server's pages is there in every language, and pages speak it."""

import re
import subprocess
from pathlib import Path

import pytest
from django.test import Client
from pytest_django import Settings

from scripts.messages import CATALOGUES, extract

_FIELD = re.compile(r"%%|%(?:\(\w+\))?[.\d]*[a-z]|\{\w+\}|<[^>]+>")
# Before these, and inside the quotation marks, French has a space at which no line ends (U+00A0: letters are shown in
# fonts that are not ours, and not all have the narrow one). A time of day has none.
_UNSPACED = re.compile(r"(?<!\xa0)[;?!»]|(?<![\xa0\d]):|(?<=\d):(?!\d)|«(?!\xa0)|\d (?=%|[kMG]o\b)")


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("messages") / "django.pot"
    extract(path)
    return path


@pytest.mark.parametrize("catalogue", CATALOGUES, ids=lambda path: path.parent.parent.name)
def test_no_text_is_missing_or_left_unsure(catalogue: Path, template: Path) -> None:
    """After a new text: `make messages`, then translate what it says is left."""
    told = subprocess.run(["msgcmp", str(catalogue), str(template)], capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stderr


def test_a_new_text_without_a_translation_is_noticed(template: Path, tmp_path: Path) -> None:
    more = tmp_path / "more.pot"
    more.write_text(template.read_text(encoding="utf-8") + '\nmsgid "Something new"\nmsgstr ""\n', encoding="utf-8")
    told = subprocess.run(["msgcmp", str(CATALOGUES[0]), str(more)], capture_output=True, text=True, check=False)
    assert told.returncode == 1
    assert "Something new" in more.read_text(encoding="utf-8")


@pytest.mark.parametrize("catalogue", CATALOGUES, ids=lambda path: path.parent.parent.name)
def test_what_is_filled_into_a_text_is_filled_into_its_translation(catalogue: Path) -> None:
    """Names in braces and markup too, which the compiler does not look at."""
    wrong = []
    flat = subprocess.run(["msgcat", "--no-wrap", str(catalogue)], capture_output=True, text=True, check=True).stdout
    for entry in flat.split("\n\n"):
        asked = re.findall(r'^msgid "(.+)"$', entry, re.MULTILINE)
        said = re.findall(r'^msgstr(?:\[\d\])? "(.+)"$', entry, re.MULTILINE)
        plural = re.findall(r'^msgid_plural "(.+)"$', entry, re.MULTILINE)
        wanted = [sorted(_FIELD.findall(text)) for text in asked + plural]
        wrong += [text for text in said if wanted and sorted(_FIELD.findall(text)) not in wanted]
    assert wrong == []


def unspaced(text: str) -> bool:
    """Whether French punctuation lacks its space that does not break; markup and what is filled in stand for a word."""
    words = re.sub(
        r"https?://\S+|&(?:\w+|#\d+);", "x", _FIELD.sub(lambda found: "%" if found[0] == "%%" else "x", text)
    )
    return _UNSPACED.search(words) is not None


def test_french_punctuation_is_not_parted_from_its_word() -> None:
    (catalogue,) = [path for path in CATALOGUES if path.parent.parent.name == "fr"]
    flat = subprocess.run(["msgcat", "--no-wrap", str(catalogue)], capture_output=True, text=True, check=True).stdout
    _header, *entries = flat.split("\n\n")
    said = [text for entry in entries for text in re.findall(r'^(?:msgstr(?:\[\d\])? )?"(.+)"$', entry, re.MULTILINE)]
    assert len(said) > 1000
    assert [text for text in said if unspaced(text)] == []


@pytest.mark.parametrize(
    ("text", "is_wrong"),
    [
        *((f"Vraiment{space}{mark}", space != "\xa0") for mark in ":;?!" for space in (" ", "", "\xa0")),
        *((f"«{space}Bail{space}»", space != "\xa0") for space in (" ", "", "\xa0")),
        ("%(name)s : oui", True),
        ("%(name)s\xa0: <a href='/x?y=1;2:3'>oui</a> à 12:30, https://example.org:8000/?x!", False),
        ("<b>Bail</b>?", True),
        ("Fin&nbsp;suite &#8239;", False),
        ("6 %% au plus", True),
        ("2 Mo, 3 Moines", True),
        ("2\xa0Mo, 3 Moines, 4 %(unit)s", False),
    ],
)
def test_a_space_that_could_end_a_line_is_noticed(text: str, is_wrong: bool) -> None:
    assert unspaced(text) is is_wrong


@pytest.mark.usefixtures("compiled_messages")
@pytest.mark.django_db(databases=["default", "signapp"])
def test_a_page_is_in_the_browser_s_language_or_in_the_one_that_was_chosen() -> None:
    client = Client(headers={"accept-language": "fr-CA,fr;q=0.9"})
    page = client.get("/authz/login")
    assert '<html lang="fr"' in page.content.decode()
    assert "<h1>Se connecter</h1>" in page.content.decode()
    assert 'lang="en">English</button>' in page.content.decode()
    came_from = "http://testserver/authz/login?next=%2Fauthz%2Faccount"
    chosen = client.post("/language", {"language": "en"}, headers={"referer": came_from})
    assert (chosen.status_code, chosen["Location"]) == (302, came_from)
    assert "<h1>Log in</h1>" in client.get("/authz/login").content.decode()
    assert "<h1>Log in</h1>" in Client(headers={"accept-language": "de"}).get("/authz/login").content.decode()


@pytest.mark.usefixtures("compiled_messages")
@pytest.mark.django_db(databases=["default", "signapp"])
def test_a_language_is_chosen_by_a_form_alone_and_leads_nowhere_else() -> None:
    client = Client()
    assert client.get("/language?language=fr").status_code == 405
    elsewhere = "https://elsewhere.example/"
    away = client.post("/language", {"language": "fr", "next": elsewhere}, headers={"referer": elsewhere})
    assert away["Location"] == "/"
    none = client.post("/language", {"language": "xx", "next": "/logged-out"})
    assert not none.cookies


@pytest.mark.usefixtures("compiled_messages")
@pytest.mark.django_db(databases=["default", "signapp"])
def test_what_programs_read_stays_as_the_standard_has_it(settings: Settings) -> None:
    client = Client(headers={"accept-language": "fr"})
    answer = client.post("/csc/v2/info", content_type="application/json", data="{}")
    assert answer.headers.get("Content-Language", "en") == "en"
    for path in ("/csc/v2/no-such-method", "/gateway/v1/credentials", "/pki/no-such-page"):
        assert client.get(path).headers.get("Content-Language", "en") == "en", path
