"""Clients that act alone, and calls that are answered once."""

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib import admin
from django.test import RequestFactory
from django.utils import timezone

from gateway.models import Batch, ClientPolicy, CredentialRequest, Job, KeptAnswer
from gateway.services import idempotency, sweeping
from gateway.services.batch_work import run_batch
from tests.gateway.conftest import User
from tests.gateway.remote import Remote
from tests.support import pdfs

Work = Callable[[str], None]


@pytest.fixture
def client(remote: Remote, alice: User) -> User:
    """A client that an operator lets seal with Alice's seals."""
    ClientPolicy.objects.create(client_id="invoices", may_seal=True, seal_owner=alice.subject)
    return User("invoices", remote.log_in_client("invoices"), remote)


@pytest.fixture
def seal_id(remote: Remote, alice: User, client: User) -> str:
    return remote.add_seal(alice.subject, client.subject)


@pytest.fixture
def job_id(client: User, seal_id: str) -> str:
    """A prepared job of the client's."""
    job_id: str = client.open_job().json()["job_id"]
    assert client.prepare(job_id, seal_id).status_code == 200
    return job_id


def seal(user: User, job_id: str, sad: str) -> Any:
    return user.call("POST", f"jobs/{job_id}/seal", {"sad": sad})


# --- Seals ---------------------------------------------------------------------------------------------------


def test_a_client_seals_what_it_opened_itself(
    client: User, seal_id: str, job_id: str, remote: Remote, work: Work
) -> None:
    sad = remote.open_seal(seal_id, client.job(job_id)["digest"])
    assert seal(client, job_id, sad).json()["state"] == "approved"
    kept = Job.objects.get(pk=job_id)
    assert sad not in kept.sad
    assert client.token not in kept.token
    assert seal(client, job_id, sad).status_code == 202
    work(job_id)
    assert client.job(job_id)["state"] == "signed"
    assert client.download(job_id).startswith(b"%PDF")
    ended = Job.objects.get(pk=job_id)
    assert (ended.sad, ended.token, remote.calls["signHash"]) == ("", "", 1)
    assert seal(client, job_id, sad).json()["state"] == "signed"


def test_the_seals_of_its_owner_are_listed_and_no_persons_credentials(
    client: User, alice: User, credential_id: str, seal_id: str
) -> None:
    listed = [each["credential_id"] for each in client.call("GET", "credentials").json()["credentials"]]
    assert listed == [seal_id]
    listed = [each["credential_id"] for each in alice.call("GET", "credentials").json()["credentials"]]
    assert listed == [credential_id]


def test_a_client_prepares_with_no_credential_of_a_person(
    client: User, alice: User, credential_id: str, seal_id: str
) -> None:
    opened = client.open_job().json()["job_id"]
    assert client.prepare(opened, credential_id).json()["error"] == "credential_not_usable"
    theirs = alice.open_job().json()["job_id"]
    assert alice.prepare(theirs, seal_id).json()["error"] == "credential_not_usable"


@pytest.mark.parametrize("policy", [None, {"active": False}, {"may_seal": False}])
def test_a_client_that_no_operator_allowed_gets_nothing(
    remote: Remote, alice: User, policy: dict[str, bool] | None
) -> None:
    if policy is not None:
        ClientPolicy.objects.create(**{"client_id": "other", "may_seal": True, "seal_owner": alice.subject, **policy})
    other = User("other", remote.log_in_client("other"), remote)
    for answer in (other.open_job(), other.call("GET", "credentials"), other.call("GET", f"jobs/{uuid.uuid4()}")):
        assert (answer.status_code, answer.json()["error"]) == (403, "client_not_allowed")
    assert not Job.objects.exists()


def test_a_policy_that_is_taken_back_ends_at_once(client: User, job_id: str) -> None:
    ClientPolicy.objects.update(active=False)
    assert client.call("GET", f"jobs/{job_id}").status_code == 403


def test_a_token_that_calls_a_person_a_client_is_none(remote: Remote, alice: User) -> None:
    token = remote.log_in(alice.subject, client_id="invoices", gty="client_credentials")
    assert User(alice.subject, token, remote).open_job().status_code == 401


def test_a_person_does_not_seal(alice: User, prepared: str, remote: Remote) -> None:
    answer = seal(alice, prepared, "sad")
    assert (answer.status_code, answer.json()["error"]) == (403, "client_not_allowed")
    assert alice.job(prepared)["state"] == "prepared"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("jobs/{job}/authorization", {"state": "s" * 43}),
        ("jobs/{job}/complete", {"code": "c", "iss": "i"}),
        ("credential-requests", {"certificate_policy": "p", "key_algorithm": "ec-p256", "state": "s" * 43}),
        ("passkey-changes", {"credential_id": "c", "action": "bind", "state": "s" * 43}),
    ],
)
def test_what_a_person_approves_no_client_asks_for(
    client: User, job_id: str, remote: Remote, path: str, body: dict[str, Any]
) -> None:
    answer = client.call("POST", path.format(job=job_id), body)
    assert (answer.status_code, answer.json()["error"]) == (403, "client_not_allowed")
    assert remote.calls["pushed_authorize"] == 0


def test_a_sad_for_something_else_signs_nothing_and_says_so(
    client: User, seal_id: str, job_id: str, remote: Remote, work: Work
) -> None:
    seal(client, job_id, remote.open_seal(seal_id, "AAAA"))
    work(job_id)
    assert client.job(job_id)["error"]["code"] == "approval_refused"
    assert Job.objects.get(pk=job_id).sad == ""


def test_a_job_that_is_not_prepared_is_not_sealed(client: User, seal_id: str) -> None:
    opened = client.open_job().json()["job_id"]
    assert seal(client, opened, "sad").json()["error"] == "wrong_state"


def test_another_clients_job_does_not_exist(client: User, job_id: str, remote: Remote, alice: User) -> None:
    ClientPolicy.objects.create(client_id="other", may_seal=True, seal_owner=alice.subject)
    other = User("other", remote.log_in_client("other"), remote)
    assert seal(other, job_id, "sad").json()["error"] == "job_not_found"


@pytest.mark.parametrize("sad", ["", "x" * 4097, None, 1, "a\nb"])
def test_a_misshapen_sad_is_refused(client: User, job_id: str, sad: Any) -> None:
    assert seal(client, job_id, sad).status_code == 400


def test_a_policy_is_made_and_changed_by_operators_and_never_removed(rf: RequestFactory) -> None:
    page = admin.site.get_model_admin(ClientPolicy)
    assert not page.has_delete_permission(rf.get("/admin/"))
    assert page.get_readonly_fields(rf.get("/admin/"), ClientPolicy()) == ("client_id",)


# --- Seals, many at once --------------------------------------------------------------------------------------


@pytest.fixture
def sealed_batch(client: User, seal_id: str) -> str:
    """Two documents of the client's, prepared: the batch's address."""
    jobs = [client.open_job(pdfs.make_pdf(text=text)).json()["job_id"] for text in ("Invoice 1", "Invoice 2")]
    batch = f"batches/{client.call('POST', 'batches', {'jobs': jobs}).json()['batch_id']}"
    assert client.call("POST", f"{batch}/prepare", {"credential_id": seal_id, "level": "B-B"}).status_code == 202
    _work(batch)
    assert client.call("GET", batch).json()["state"] == "prepared"
    return batch


def _digests(client: User, batch: str) -> list[str]:
    return [job["digest"] for job in client.call("GET", f"{batch}/jobs").json()["jobs"]]


def _work(batch: str) -> None:
    run_batch(batch_id=uuid.UUID(batch.rpartition("/")[2]))


def test_one_activation_seals_a_batch_once(client: User, seal_id: str, sealed_batch: str, remote: Remote) -> None:
    sad = remote.open_seal(seal_id, *_digests(client, sealed_batch))
    for _ in range(2):
        answer = client.call("POST", f"{sealed_batch}/seal", {"sad": sad})
        assert (answer.status_code, answer.json()["states"]) == (202, {"approved": 2})
    kept = Batch.objects.get()
    assert kept.sad
    assert sad not in kept.sad
    assert client.token not in kept.token
    _work(sealed_batch)
    told = client.call("POST", f"{sealed_batch}/seal", {"sad": "another"}).json()
    assert (told["state"], told["states"]) == ("ended", {"signed": 2})
    ended = Batch.objects.get()
    assert (ended.sad, ended.token, remote.calls["signHash"]) == ("", "", 1)


def test_an_activation_for_fewer_documents_seals_none(
    client: User, seal_id: str, sealed_batch: str, remote: Remote
) -> None:
    sad = remote.open_seal(seal_id, _digests(client, sealed_batch)[0])
    client.call("POST", f"{sealed_batch}/seal", {"sad": sad})
    _work(sealed_batch)
    told = client.call("GET", sealed_batch).json()
    assert (told["state"], told["states"]) == ("failed", {"failed": 2})
    assert (Batch.objects.get().sad, Batch.objects.get().token) == ("", "")


def test_a_batch_is_sealed_by_its_client_alone_and_when_it_is_prepared(
    client: User, alice: User, seal_id: str, sealed_batch: str, remote: Remote
) -> None:
    ClientPolicy.objects.create(client_id="other", may_seal=True, seal_owner=alice.subject)
    other = User("other", remote.log_in_client("other"), remote)
    assert other.call("POST", f"{sealed_batch}/seal", {"sad": "s"}).json()["error"] == "batch_not_found"
    assert client.call("POST", f"{sealed_batch}/authorization", {"state": "s" * 43}).status_code == 403
    assert client.call("POST", f"{sealed_batch}/complete", {"code": "c", "iss": "i"}).status_code == 403
    assert client.call("POST", f"{sealed_batch}/seal", {"sad": ""}).status_code == 400
    # One of its documents is not sealed beside the others.
    job = client.call("GET", f"{sealed_batch}/jobs").json()["jobs"][0]["job_id"]
    assert seal(client, job, "s").json()["error"] == "wrong_state"
    Batch.objects.update(state=Batch.State.PREPARING)
    assert client.call("POST", f"{sealed_batch}/seal", {"sad": "s"}).json()["error"] == "wrong_state"
    assert set(Job.objects.values_list("state", flat=True)) == {"prepared"}
    mine = alice.call("POST", "batches", {"jobs": [alice.open_job().json()["job_id"]]}).json()["batch_id"]
    assert alice.call("POST", f"batches/{mine}/seal", {"sad": "s"}).json()["error"] == "client_not_allowed"
    assert remote.calls["signHash"] == 0


# --- Mass assignment (yardstick I6) ---------------------------------------------------------------------------


def test_members_that_are_no_callers_are_ignored(alice: User, bob: User, credential_id: str) -> None:
    job_id = alice.open_job().json()["job_id"]
    forged = {
        "state": "signed",
        "subject": bob.subject,
        "issuer": "https://elsewhere.example",
        "client_id": "invoices",
        "digest": "AAAA",
        "token": "t",
        "attempts": 9,
        "expires_at": "2099-01-01T00:00:00Z",
    }
    before = Job.objects.get(pk=job_id)
    assert alice.prepare(job_id, credential_id, **forged).json()["state"] == "prepared"
    after = Job.objects.get(pk=job_id)
    for name in ("subject", "issuer", "client_id", "token", "attempts", "expires_at"):
        assert getattr(after, name) == getattr(before, name), name
    assert after.digest != "AAAA"


# --- Idempotency keys -----------------------------------------------------------------------------------------

KEY = {"HTTP_IDEMPOTENCY_KEY": "k1"}
REQUEST = {"certificate_policy": "demonstration", "key_algorithm": "ec-p256", "state": "s" * 43}


def test_the_same_key_and_request_are_answered_once(alice: User, remote: Remote) -> None:
    first = alice.call("POST", "credential-requests", REQUEST, **KEY)
    again = alice.call("POST", "credential-requests", dict(reversed(REQUEST.items())), **KEY)
    assert (again.status_code, again.json()) == (201, first.json())
    assert remote.calls["pushed_authorize"] == CredentialRequest.objects.count() == 1
    assert first.json()["authorization_url"] not in KeptAnswer.objects.get().body


def test_the_same_key_and_another_request_are_refused(alice: User, remote: Remote) -> None:
    alice.call("POST", "credential-requests", REQUEST, **KEY)
    job_id = alice.open_job().json()["job_id"]
    for path, body in (
        ("credential-requests", REQUEST | {"key_algorithm": "ec-p384"}),
        ("batches", {"jobs": [job_id]}),
    ):
        answer = alice.call("POST", path, body, **KEY)
        assert (answer.status_code, answer.json()["error"]) == (422, "idempotency_key_reused")
    assert not Batch.objects.exists()


def test_keys_are_each_callers_and_each_clients_own(alice: User, bob: User, remote: Remote) -> None:
    elsewhere = User(alice.subject, remote.log_in(alice.subject, client_id="another"), remote)
    answers = [each.call("POST", "credential-requests", REQUEST, **KEY).json() for each in (alice, bob, elsewhere)]
    assert len({each["request_id"] for each in answers}) == 3
    jobs = [each.open_job(**KEY).json()["job_id"] for each in (alice, bob, elsewhere)]
    assert len(set(jobs)) == 3


def test_a_batch_is_opened_once(alice: User) -> None:
    body = {"jobs": [alice.open_job().json()["job_id"]]}
    first, again = (alice.call("POST", "batches", body, **KEY) for _ in range(2))
    assert first.json() == again.json()
    assert alice.call("POST", "batches", body).json()["error"] == "wrong_state"


def test_a_refusal_is_not_kept(alice: User) -> None:
    job_id = alice.open_job().json()["job_id"]
    wrong = {"jobs": [str(uuid.uuid4())]}
    assert alice.call("POST", "batches", wrong, **KEY).status_code == 404
    assert alice.call("POST", "batches", {"jobs": [job_id]}, **KEY).status_code == 201


def test_a_call_under_way_is_not_begun_again_until_its_maker_must_have_died(alice: User) -> None:
    alice.call("POST", "credential-requests", REQUEST, **KEY)
    KeptAnswer.objects.update(status=None, body="")
    answer = alice.call("POST", "credential-requests", REQUEST, **KEY)
    assert (answer.status_code, answer.json()["error"]) == (409, "call_under_way")
    assert int(answer["Retry-After"]) > 0
    KeptAnswer.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    assert alice.call("POST", "credential-requests", REQUEST, **KEY).status_code == 201
    assert CredentialRequest.objects.count() == 2


def test_keys_end(alice: User) -> None:
    first = alice.call("POST", "credential-requests", REQUEST, **KEY).json()
    job = alice.open_job(**KEY).json()
    past = timezone.now() - timedelta(seconds=1)
    KeptAnswer.objects.update(expires_at=past)
    Job.objects.update(expires_at=past)
    assert alice.call("POST", "credential-requests", REQUEST, **KEY).json() != first
    KeptAnswer.objects.update(expires_at=past)
    sweeping.sweep_jobs()
    assert not KeptAnswer.objects.exists()
    assert alice.open_job(pdfs.make_pdf(pages=2), **KEY).json()["job_id"] != job["job_id"]


@pytest.mark.parametrize("key", ["", "x" * 256, "a\x7fb"])
@pytest.mark.parametrize("path", ["batches", "credential-requests", "passkey-changes", "archives"])
def test_a_misshapen_key_is_refused(alice: User, path: str, key: str) -> None:
    bodies: dict[str, dict[str, Any]] = {
        "batches": {"jobs": [str(uuid.uuid4())]},
        "credential-requests": REQUEST,
        "passkey-changes": {"credential_id": "c", "action": "bind", "state": "s" * 43},
        "archives": {"job_id": str(uuid.uuid4())},
    }
    answer = alice.call("POST", path, bodies[path], HTTP_IDEMPOTENCY_KEY=key)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


def test_fingerprints_tell_where_one_part_ends() -> None:
    assert idempotency.fingerprint(b"ab", b"c") != idempotency.fingerprint(b"a", b"bc")
