"""Every address that takes an identifier, tried by a user whose it is not: 404, as for one that does not exist."""

import uuid

import pytest
from django.conf import settings
from django.urls import get_resolver
from django.utils import timezone

from gateway.models import Archive, Job, PasskeyChange, StoredDocument
from gateway.urls import urlpatterns
from tests.gateway.conftest import User
from tests.gateway.remote import Remote

_BODIES = {
    "prepare": {"credential_id": "c"},
    "own-options": {"reason": "r"},
    "authorization": {"state": "s" * 43},
    "complete": {"code": "c", "iss": "i"},
    "finish": {},
    "seal": {"sad": "s"},
    "credential-complete": {"code": "c", "iss": "i"},
    "batch-prepare": {"credential_id": "c"},
    "batch-authorization": {"state": "s" * 43},
    "batch-complete": {"code": "c", "iss": "i"},
    "batch-seal": {"sad": "s"},
    "passkey-complete": {"code": "c", "iss": "i"},
}
_ADDRESSES = [pattern for pattern in urlpatterns if "_id>" in str(pattern.pattern)]


def _calls() -> list[tuple[str, str, str]]:
    found = []
    for pattern in _ADDRESSES:
        name = str(pattern.name)
        whole = {"job", "archive", "batch"}
        methods = ["GET", "DELETE"] if name in whole else ["POST"] if name in _BODIES else ["GET"]
        found += [(method, name, str(pattern.pattern)) for method in methods]
    return found


def test_every_address_with_an_identifier_is_tried_here() -> None:
    assert get_resolver()
    assert {name for _, name, _ in _calls()} == {
        *(
            "job",
            "prepare",
            "own-options",
            "authorization",
            "complete",
            "finish",
            "seal",
            "result",
            "credential-complete",
            "passkey-complete",
        ),
        *("archive", "archive-document"),
        *("batch", "batch-jobs", "batch-progress", "batch-prepare", "batch-authorization", "batch-complete"),
        "batch-seal",
    }


def _archive(user: User) -> str:
    """One of the user's, of nothing in particular."""
    now = timezone.now()
    document = StoredDocument.objects.create(wrapped_key="", size=1, sha256="0" * 64)
    archive = Archive.objects.create(
        issuer=settings.ISSUER,
        subject=user.subject,
        name="a.pdf",
        document=document,
        signatures=1,
        lasts_until=now,
        next_renewal_at=now,
    )
    return str(archive.pk)


def _passkey_change(user: User) -> str:
    change = PasskeyChange.objects.create(
        issuer=settings.ISSUER,
        subject=user.subject,
        credential_id="c",
        action="bind",
        approval_secrets="s",
        expires_at=timezone.now(),
    )
    return str(change.pk)


@pytest.mark.parametrize(("method", "name", "pattern"), _calls())
def test_another_users_object_answers_as_one_that_does_not_exist(
    alice: User, bob: User, remote: Remote, prepared: str, method: str, name: str, pattern: str
) -> None:
    answer = alice.call(
        "POST",
        "credential-requests",
        {"certificate_policy": "demonstration", "key_algorithm": "ec-p256", "state": "s" * 43},
    ).json()
    own = {"credential-complete": answer["request_id"], "archive": _archive(alice), "archive-document": _archive(alice)}
    own["passkey-complete"] = _passkey_change(alice)
    if name.startswith("batch"):
        own[name] = alice.call("POST", "batches", {"jobs": [alice.open_job().json()["job_id"]]}).json()["batch_id"]
    bodies = []
    for identifier in (own.get(name, prepared), str(uuid.uuid4())):
        path = pattern.removeprefix("gateway/v1/")
        for kind in ("job_id", "archive_id", "request_id", "batch_id"):
            path = path.replace(f"<uuid:{kind}>", identifier)
        response = bob.call(method, path, _BODIES.get(name))
        assert response.status_code == 404
        body = response.json()
        body.pop("request_id")
        bodies.append(body)
    assert bodies[0] == bodies[1]
    assert Job.objects.get(pk=prepared).state == "prepared"
    assert remote.calls["token"] == 0
