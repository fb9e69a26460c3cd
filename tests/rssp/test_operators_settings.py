"""Odd words in OPERATOR_API_CLIENTS have a numbered message; what is sensible has none."""

from typing import Any

import pytest
from django.conf import settings as django_settings
from django.core.checks import run_checks

from rssp.checks import check_operator_clients

BOB, CAROL = "6f1c2a9e-0c55-4c39-9d3e-7b1d2b7a90aa", "0b0e8a52-7f0c-4b0e-9d0e-2f6a3f1f7a11"


def count() -> int:
    messages = check_operator_clients()
    assert {message.id for message in messages} <= {"rssp.E070"}
    return len(messages)


def test_the_check_is_one_of_manage_py_check(settings: Any) -> None:
    for clients, is_odd in (({}, False), ({"renewals": BOB}, False), ({"renewals": "bob"}, True)):
        settings.OPERATOR_API_CLIENTS = clients
        assert ("rssp.E070" in {message.id for message in run_checks()}) is is_odd


@pytest.mark.parametrize(
    ("clients", "odd"),
    [
        ({}, 0),
        ({"console": "", "renewals": BOB, "reports": BOB, "5d9c": CAROL}, 0),
        # What is no client.
        *(({client: BOB}, 1) for client in ("", " ", " console", "console ", "con\nsole", "k\u00f6nsole", "x" * 256)),
        # Our own, which sign or log people in.
        *(
            ({client: ""}, 1)
            for client in (
                *(django_settings.GATEWAY_CLIENT_ID, django_settings.SIGNAPP_CLIENT_ID, django_settings.RSSP_CLIENT_ID),
                *(django_settings.COMMAND_LINE_CLIENT_ID, django_settings.OPERATORS_CLIENT_ID),
            )
        ),
        # Who is nobody: no token has such a sub, so two people would be made of one.
        *(
            ({"renewals": person}, 1)
            for person in (
                BOB.upper(),
                f"{{{BOB}}}",
                BOB.replace("-", ""),
                f"{BOB} ",
                "bob",
                "bob@example.org",
                "=",
                "x=y",
            )
        ),
        ({"": "bob", "renewals": BOB.upper(), django_settings.GATEWAY_CLIENT_ID: "renewals"}, 5),
    ],
)
def test_clients_of_the_operators_api_and_what_is_said_of_them(
    settings: Any, clients: dict[str, str], odd: int
) -> None:
    settings.OPERATOR_API_CLIENTS = clients
    assert count() == odd


@pytest.mark.parametrize(
    ("person", "odd"),
    [("bob", 0), ("auth0|6f1c", 0), (BOB.upper(), 0), (" bob", 1), ("b\u00f6b", 1), ("x" * 256, 1), ("renewals", 1)],
)
def test_another_provider_names_people_as_it_likes(settings: Any, person: str, odd: int) -> None:
    settings.EXTERNAL_ISSUER = "https://login.example.org"
    settings.OPERATOR_API_CLIENTS = {"renewals": person}
    assert count() == odd
