"""Who asks for a certificate, by another OpenID provider: what the gateway passes on, and what it makes of refusals."""

from typing import Any

import httpx
import pytest

from tests.gateway.conftest import User
from tests.gateway.remote import Remote

STATE = "s" * 43
BEGIN = {"credential_id": "waiting-1", "state": STATE}
COMPLETE = BEGIN | {"code": "c", "iss": "https://id.example.org"}


def test_it_is_passed_on_and_nothing_is_kept(alice: User, remote: Remote) -> None:
    begun = alice.call("POST", "identifications", BEGIN)
    assert (begun.status_code, begun.json()) == (
        201,
        {"authorization_url": f"https://id.example.org/authorize?state={STATE}"},
    )
    done = alice.call("POST", "identifications/complete", COMPLETE)
    assert (done.status_code, done.json()["state"], done.json()["identified_by"]) == (
        200,
        "waiting",
        "https://id.example.org",
    )
    assert remote.identified == {
        "credentialID": "waiting-1",
        "state": STATE,
        "code": "c",
        "iss": "https://id.example.org",
    }
    alice.call("POST", "identifications/complete", {name: COMPLETE[name] for name in COMPLETE if name != "iss"})
    assert "iss" not in remote.identified


@pytest.mark.parametrize(
    ("path", "body", "status", "told"),
    [
        ("identifications", BEGIN, 400, (409, "credential_not_usable")),
        ("identifications", BEGIN, 409, (409, "wrong_state")),
        ("identifications", BEGIN, 401, (401, "invalid_token")),
        ("identifications", BEGIN, 503, (503, "signing_service_unavailable")),
        ("identifications/complete", COMPLETE, 400, (403, "identity_refused")),
        ("identifications/complete", COMPLETE, 409, (409, "wrong_state")),
        ("identifications/complete", COMPLETE, 503, (503, "signing_service_unavailable")),
        ("identifications/complete", COMPLETE, 200, (409, "credential_not_usable")),
    ],
)
def test_refusals(
    alice: User, remote: Remote, path: str, body: dict[str, str], status: int, told: tuple[int, str]
) -> None:
    remote.identify_answer = httpx.Response(status, json={"error": "invalid_request"})
    answer = alice.call("POST", path, body)
    assert (answer.status_code, answer.json()["error"]) == told


@pytest.mark.parametrize(
    "change",
    [{"state": "short"}, {"state": None}, {"credential_id": ""}, {"code": ""}, {"code": "c" * 3000}, {"iss": 7}],
)
def test_bad_input_goes_nowhere(alice: User, remote: Remote, change: dict[str, Any]) -> None:
    answer = alice.call("POST", "identifications/complete", COMPLETE | change)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
    assert remote.calls["identified"] == 0
