"""Every address that takes an identifier, tried by a user whose it is not: 404, as for one that does not exist."""

import uuid

import pytest
from django.urls import get_resolver

from gateway.models import Job
from gateway.urls import urlpatterns
from tests.gateway.conftest import User
from tests.gateway.remote import Remote

_BODIES = {
    "prepare": {"credential_id": "c"},
    "authorization": {"state": "s" * 43},
    "complete": {"code": "c", "iss": "i"},
    "finish": {},
    "credential-complete": {"code": "c", "iss": "i"},
}
_ADDRESSES = [pattern for pattern in urlpatterns if "_id>" in str(pattern.pattern)]


def _calls() -> list[tuple[str, str, str]]:
    found = []
    for pattern in _ADDRESSES:
        name = str(pattern.name)
        methods = ["GET", "DELETE"] if name == "job" else ["POST"] if name in _BODIES else ["GET"]
        found += [(method, name, str(pattern.pattern)) for method in methods]
    return found


def test_every_address_with_an_identifier_is_tried_here() -> None:
    assert get_resolver()
    assert {name for _, name, _ in _calls()} == {
        *("job", "prepare", "authorization", "complete", "finish", "result", "credential-complete")
    }


@pytest.mark.parametrize(("method", "name", "pattern"), _calls())
def test_another_users_object_answers_as_one_that_does_not_exist(
    alice: User, bob: User, remote: Remote, prepared: str, method: str, name: str, pattern: str
) -> None:
    answer = alice.call(
        "POST",
        "credential-requests",
        {"certificate_policy": "demonstration", "key_algorithm": "ec-p256", "state": "s" * 43},
    ).json()
    bodies = []
    for identifier in (answer["request_id"] if name == "credential-complete" else prepared, str(uuid.uuid4())):
        path = pattern.removeprefix("gateway/v1/")
        path = path.replace("<uuid:job_id>", identifier).replace("<uuid:request_id>", identifier)
        response = bob.call(method, path, _BODIES.get(name))
        assert response.status_code == 404
        body = response.json()
        body.pop("request_id")
        bodies.append(body)
    assert bodies[0] == bodies[1]
    assert Job.objects.get(pk=prepared).state == "prepared"
    assert remote.calls["token"] == 0
