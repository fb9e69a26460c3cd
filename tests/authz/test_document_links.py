"""Links on the consent page: back to the client's own pages, and nowhere else."""

from typing import Any

import pytest
from django.conf import settings

from authz.authorization_details import parse_authorization_details
from authz.errors import InvalidAuthorizationDetailsError
from tests.authz.conftest import Flow, Person, Pkce, Server, signing_details

HOME = settings.APPROVAL_REDIRECT_URI.removesuffix("/approval/callback")


def pushed(server: Server, make: Any, links: Any) -> Any:
    return server.push(make(Pkce(), signing_details("Lease.pdf", "Annex.pdf", documentLinks=links)))


def test_each_document_of_a_batch_leads_back_to_where_it_is_read(alice: Person, flow: Flow) -> None:
    alice.log_in()
    links = [f"{HOME}/documents/1?page=2", ""]
    details = signing_details("Lease.pdf", "Annex.pdf", documentLinks=links)
    page = alice.browser.get(flow.open(alice, Pkce(), details)).content.decode()
    assert "You are about to sign 2 documents" in page
    assert f'href="{links[0]}"' in page
    assert page.count("Read it again") == 1


@pytest.mark.parametrize(
    "link",
    [
        "https://evil.example/x",
        "//evil.example/x",
        "/documents/1",
        "javascript:alert(1)",
        f"{HOME}.evil.example/",
        f"{HOME}@evil.example/",
        HOME.replace("http", "ftp", 1) + "/x",
        f"{HOME}:1/x",
        f"{HOME}/a b",
        f"{HOME}/" + "x" * 2048,
        f"{HOME}/\u202e",
        "http://[",
    ],
)
def test_a_link_to_elsewhere_is_refused(server: Server, credential_request: Any, link: str) -> None:
    answer = pushed(server, credential_request, [link, ""])
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_authorization_details")


@pytest.mark.parametrize("links", ["x", [""], ["", "", ""], [1, ""], {"0": ""}])
def test_there_is_one_for_each_digest(server: Server, credential_request: Any, links: Any) -> None:
    assert pushed(server, credential_request, links).status_code == 400


def test_nobody_asks_out_of_band_with_a_link() -> None:
    import json

    text = json.dumps(signing_details("Lease.pdf", documentLinks=[f"{HOME}/x"], onBehalfOf="elsewhere"))
    with pytest.raises(InvalidAuthorizationDetailsError):
        parse_authorization_details(text, is_out_of_band=True)
