"""A person shows who they are at another OpenID provider: in the browser that began it, once, and nowhere else."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from signapp import errors
from signapp.services import identifying
from tests.signapp.conftest import Person
from tests.signapp.remote import Remote

BACK = {"code": "c", "iss": "https://id.example.org", "error": ""}


@pytest.fixture(autouse=True)
def _provider(settings: Any) -> None:
    settings.IDENTITY_ISSUER = "https://id.example.org/realm"


def begin(person: Person) -> str:
    address = identifying.begin(session=person.session, credential_id="credential-2", **person.who)
    assert address.startswith("https://id.example.org/go?state=")
    return address.rpartition("=")[2]


def complete(person: Person, state: str, **changes: str) -> Any:
    return identifying.complete(session=person.session, state=state, **(BACK | changes), **person.who)


def test_what_comes_back_is_handed_on_once(alice: Person, remote: Remote) -> None:
    state = begin(alice)
    stands = complete(alice, state)
    assert (stands.state, stands.identified_by) == ("waiting", "https://id.example.org")
    assert remote.identified == [
        {"credential_id": "credential-2", "state": state, "code": "c", "iss": "https://id.example.org"}
    ]
    with pytest.raises(errors.IdentityStaleError):
        complete(alice, state)
    assert len(remote.identified) == 1


def test_nobody_answers_for_somebody_else(
    alice: Person, bob: Person, visitor: Callable[[], Person], remote: Remote
) -> None:
    """Mallory's way to the provider, walked by Alice, says nothing about Mallory's request."""
    state = begin(bob)
    for person in (alice, visitor().log_in("bob")):
        with pytest.raises(errors.IdentityStaleError):
            complete(person, state)
    in_between = begin(alice)
    alice.log_in("bob")
    with pytest.raises(errors.IdentityStaleError):
        complete(alice, in_between)
    assert remote.identified == []


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"error": "access_denied"}, errors.IdentityDeniedError),
        ({"code": ""}, errors.IdentityRefusedError),
        ({"code": "c" * 3000}, errors.IdentityRefusedError),
        ({"iss": "i" * 3000}, errors.IdentityRefusedError),
    ],
)
def test_what_is_no_answer_goes_nowhere(
    alice: Person, remote: Remote, change: dict[str, str], error: type[Exception]
) -> None:
    with pytest.raises(error):
        complete(alice, begin(alice), **change)
    assert remote.identified == []


@pytest.mark.parametrize(
    "issuer", ["", "https://other.example.org", "http://id.example.org", "https://id.example.org:8"]
)
def test_nobody_is_sent_to_another_host(alice: Person, settings: Any, issuer: str) -> None:
    settings.IDENTITY_ISSUER = issuer
    with pytest.raises(errors.ServiceUnavailableError):
        identifying.begin(session=alice.session, credential_id="credential-2", **alice.who)


@pytest.mark.parametrize(
    ("name", "answer", "error"),
    [
        ("identified", (403, "identity_refused"), errors.IdentityRefusedError),
        ("identified", (409, "wrong_state"), errors.WrongStateError),
        ("identified", (503, "signing_service_unavailable"), errors.ServiceUnavailableError),
        ("identifications", (409, "wrong_state"), errors.WrongStateError),
        ("identifications", (409, "credential_not_usable"), errors.CertificateNotUsableError),
    ],
)
def test_refusals_are_told(
    alice: Person, remote: Remote, name: str, answer: tuple[int, str], error: type[Exception]
) -> None:
    remote.answers[name] = httpx.Response(answer[0], json={"error": answer[1]})
    with pytest.raises(error):
        complete(alice, begin(alice))
