import re
from html.parser import HTMLParser

import pytest
from django.test import Client

pytestmark = pytest.mark.django_db  # what the product is called
PAGES = ["/design/", "/design/card", "/design/workspace", "/design/reader"]


class Attributes(HTMLParser):
    """Collects every element with its attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))


def elements_of(address: str) -> list[tuple[str, dict[str, str | None]]]:
    response = Client().get(address)
    assert response.status_code == 200
    return Attributes(response.content.decode()).elements


@pytest.mark.parametrize("address", PAGES)
def test_no_page_holds_a_style_or_script_that_the_policy_would_refuse(address: str) -> None:
    for tag, attributes in elements_of(address):
        assert tag != "style"
        assert "style" not in attributes
        assert not [name for name in attributes if name.startswith("on")]
        if tag == "script":
            assert (attributes["src"] or "").startswith("/static/")


@pytest.mark.parametrize("address", PAGES)
def test_no_id_stands_twice_and_every_reference_finds_its_element(address: str) -> None:
    elements = elements_of(address)
    ids = [value for _, attributes in elements if (value := attributes.get("id"))]
    assert len(ids) == len(set(ids))
    for _, attributes in elements:
        for name in ("for", "aria-labelledby", "aria-describedby", "aria-controls", "data-opens"):
            for wanted in (attributes.get(name) or "").split():
                assert wanted in ids, f"{name}={wanted}"


def test_a_wrong_field_says_so_to_a_screen_reader_and_in_the_summary() -> None:
    elements = elements_of("/design/?theme=light")
    email = next(attributes for _, attributes in elements if attributes.get("id") == "light-wrong-email")
    assert email["aria-invalid"] == "true"
    assert email["aria-describedby"] == "light-wrong-email_helptext light-wrong-email_error"
    assert ("a", {"href": "#light-wrong-email"}) in elements


def test_every_element_that_is_only_an_icon_has_a_name() -> None:
    for address in PAGES:
        for tag, attributes in elements_of(address):
            if "icon-button" in (attributes.get("class") or ""):
                assert attributes.get("aria-label"), (address, tag, attributes)


def test_a_page_that_does_not_exist_says_so_with_a_reference_and_a_way_back() -> None:
    response = Client().get("/design/nothing")
    page = response.content.decode()
    assert response.status_code == 404
    assert "There is no page here" in page
    assert re.search(r"Reference: [0-9a-f]{16}", page)
    assert 'href="/"' in page


def test_what_a_stranger_puts_into_the_address_is_not_repeated() -> None:
    page = Client().get("/design/?theme=<script>alert(1)</script>").content.decode()
    assert "alert(1)" not in page
