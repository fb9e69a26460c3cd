"""Webhooks, against a real receiving process: yardsticks H1 and H3, and that no event is lost or told twice."""

import datetime as dt
import json
import re
import socket
import ssl
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.contrib.messages import get_messages
from django.contrib.messages.storage.fallback import FallbackStorage
from django.test import RequestFactory
from django.utils import timezone
from standardwebhooks import Webhook, WebhookVerificationError

from gateway.clients import outbound, pinning
from gateway.clients import webhooks as wire
from gateway.errors import OutboundRefusedError
from gateway.models import Archive, Batch, ClientPolicy, Job, StoredDocument, WebhookDelivery, WebhookEndpoint
from gateway.services import announcing, batch_work, signing, sweeping, webhooks
from tests.gateway.conftest import User
from tests.gateway.remote import Remote
from tests.support.receiver import Receiver, receive

EVENTS = list(WebhookEndpoint.Event.values)
CLIENT = "paraph-signapp"  # which the tests' service tokens are of
Work = Callable[[str], None]


@pytest.fixture(scope="module")
def receiver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    with receive(tmp_path_factory.mktemp("receiver")) as running:
        yield running


@pytest.fixture
def client_policy(settings: Any, receiver: Receiver) -> ClientPolicy:
    settings.PRIVATE_ORIGINS = [receiver.origin]
    return ClientPolicy.objects.create(client_id=CLIENT)


@pytest.fixture
def listen(client_policy: ClientPolicy, receiver: Receiver) -> Callable[..., tuple[WebhookEndpoint, str, str]]:
    """An address of this test's own: (endpoint, secret, path)."""

    def make(kind: str, events: list[str] = EVENTS) -> tuple[WebhookEndpoint, str, str]:
        path = f"/{kind}/{uuid.uuid4()}"
        endpoint, secret = webhooks.add_endpoint(client=client_policy, url=receiver.origin + path, events=events)
        return endpoint, secret, path

    return make


def tell(endpoint: WebhookEndpoint) -> WebhookDelivery:
    """An event for this address."""
    return WebhookDelivery.objects.create(endpoint=endpoint, event="job.signed", body='{"type": "job.signed"}')


def now_due() -> None:
    WebhookDelivery.objects.update(next_attempt_at=timezone.now())
    WebhookEndpoint.objects.update(quiet_until=None)


# --- Events -------------------------------------------------------------------------------------------------


def test_a_signed_job_is_told_signed_and_with_nothing_but_identifiers(
    listen: Any, alice: User, credential_id: str, remote: Remote, work: Work, receiver: Receiver
) -> None:
    endpoint, secret, path = listen("ok")
    job_id = alice.open_job(name="Secret%20plans.pdf").json()["job_id"]
    alice.prepare(job_id, credential_id)
    url = alice.ask(job_id).json()["authorization_url"]
    alice.complete(job_id, remote.approve(url, alice.subject))
    work(job_id)
    for _ in range(2):
        announcing.announce_changes()
        webhooks.deliver(endpoint_id=endpoint.pk)
    got = receiver.got(path)
    told = [Webhook(secret).verify(each["body"], each["headers"]) for each in got]
    assert [(each["type"], each["data"]) for each in told] == [
        (f"job.{state}", {"job_id": job_id, "batch_id": None, "state": state, "error": None})
        for state in ("prepared", "signed")
    ]
    assert len({each["headers"]["webhook-id"] for each in got}) == 2
    sent = json.dumps(got)
    for word in ("plans", alice.subject, alice.token, secret, credential_id):
        assert word not in sent
    assert secret not in WebhookEndpoint.objects.get().secret
    with pytest.raises(WebhookVerificationError):
        Webhook(wire.make_secret()).verify(got[0]["body"], got[0]["headers"])


def test_a_failed_job_says_why(listen: Any, alice: User, prepared: str) -> None:
    assert not WebhookDelivery.objects.exists()
    endpoint, _secret, _path = listen("ok")
    job_id = alice.open_job().json()["job_id"]
    signing.fail(Job.objects.filter(pk__in=[job_id, prepared]), OutboundRefusedError())
    sweeping.sweep_jobs()
    # What was opened before anybody listened is told to nobody.
    (told,) = WebhookDelivery.objects.all()
    assert (told.endpoint, told.event) == (endpoint, "job.failed")
    assert json.loads(told.body)["data"]["error"] == "outbound_refused"


def test_a_batch_and_its_documents_are_told(listen: Any, alice: User, credential_id: str) -> None:
    listen("ok")
    jobs = [alice.open_job().json()["job_id"] for _ in range(2)]
    batch_id = alice.call("POST", "batches", {"jobs": jobs}).json()["batch_id"]
    alice.call("POST", f"batches/{batch_id}/prepare", {"credential_id": credential_id})
    batch_work.run_batch(batch_id=uuid.UUID(batch_id))
    announcing.announce_changes()
    Batch.objects.update(state=Batch.State.ENDED)
    announcing.announce_changes()
    told = [json.loads(each.body) for each in WebhookDelivery.objects.order_by("created_at")]
    assert [each["type"] for each in told] == ["job.prepared"] * 2 + ["batch.prepared", "batch.ended"]
    assert {each["data"]["batch_id"] for each in told} == {batch_id}


def test_a_renewal_is_told_each_time(listen: Any) -> None:
    listen("ok")
    now = timezone.now()
    archive = Archive.objects.create(
        issuer="i",
        subject="s",
        client_id=CLIENT,
        announced=0,
        name="a.pdf",
        document=StoredDocument.objects.create(wrapped_key="", size=1, sha256="0" * 64),
        signatures=1,
        lasts_until=now,
        next_renewal_at=now,
    )
    for renewals in (0, 1, 1, 2):
        Archive.objects.update(renewals=renewals)
        announcing.announce_changes()
    told = [json.loads(each.body)["data"] for each in WebhookDelivery.objects.order_by("created_at")]
    assert [each["renewals"] for each in told] == [1, 2]
    assert {each["archive_id"] for each in told} == {str(archive.pk)}


def test_only_what_an_address_asked_for_is_told_and_no_other_clients(
    listen: Any, alice: User, remote: Remote, credential_id: str
) -> None:
    endpoint, _secret, _path = listen("ok", ["job.failed"])
    other = User(alice.subject, remote.log_in(alice.subject, client_id="another"), remote)
    for user in (alice, other):
        job_id = user.open_job().json()["job_id"]
        user.prepare(job_id, credential_id)
        signing.fail(Job.objects.filter(pk=job_id), OutboundRefusedError())
    announcing.announce_changes()
    assert [(each.endpoint, each.event) for each in WebhookDelivery.objects.all()] == [(endpoint, "job.failed")]


# --- Sending (yardstick H3) -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "said"),
    [("slow", "took too long"), ("drip", "took too long"), ("huge", "longer"), ("redirect", "307"), ("broken", "500")],
)
def test_h3_a_receiver_that_misbehaves_is_tried_again_later_and_holds_nobody_up(
    listen: Any, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, kind: str, said: str
) -> None:
    assert (wire.BOUNDS.seconds, wire.BOUNDS.size) == (5, 64 * 1024)
    monkeypatch.setattr(wire, "BOUNDS", outbound.Bounds(0.5, 64 * 1024))
    endpoint, _secret, path = listen(kind)
    waiting = [tell(endpoint), tell(endpoint)]
    begun = time.monotonic()
    webhooks.deliver(endpoint_id=endpoint.pk)
    assert time.monotonic() - begun < 3
    assert [each["path"] for each in receiver.got() if each["path"].startswith(path)] == [path]
    first, second = (WebhookDelivery.objects.get(pk=each.pk) for each in waiting)
    assert said in first.outcome + second.outcome
    assert {first.state, second.state} == {"waiting"}
    assert sorted([first.attempts, second.attempts]) == [0, 1]
    # Nothing more is sent to this address for now.
    webhooks.deliver(endpoint_id=endpoint.pk)
    assert len(receiver.got(path)) == 1


def test_h3_a_certificate_that_nobody_trusts_is_refused_and_nothing_is_said(
    client_policy: ClientPolicy, settings: Any, tmp_path: Path
) -> None:
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "x")])
    now = dt.datetime.now(dt.UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + timedelta(days=1))
    pem = tmp_path / "x.pem"
    pem.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    heard: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            try:
                with context.wrap_socket(connection, server_side=True) as secure:
                    heard.append(secure.recv(1000))
            except OSError:
                connection.close()

        threading.Thread(target=serve, daemon=True).start()
        origin = f"https://127.0.0.1:{listener.getsockname()[1]}"
        settings.PRIVATE_ORIGINS = [origin]
        endpoint, _secret = webhooks.add_endpoint(client=client_policy, url=f"{origin}/ok", events=EVENTS)
        delivery = tell(endpoint)
        webhooks.deliver(endpoint_id=endpoint.pk)
    delivery.refresh_from_db()
    assert "could not be asked" in delivery.outcome
    assert heard == []


def test_h3_it_is_sent_under_one_id_until_it_is_taken(listen: Any, receiver: Receiver) -> None:
    endpoint, secret, path = listen("later")
    delivery = tell(endpoint)
    for _ in range(4):
        webhooks.deliver(endpoint_id=endpoint.pk)
        now_due()
    delivery.refresh_from_db()
    got = receiver.got(path)
    assert (delivery.state, delivery.attempts, len(got)) == ("delivered", 3, 3)
    assert len({each["headers"]["webhook-id"] for each in got}) == 1
    for each in got:
        Webhook(secret).verify(each["body"], each["headers"])


def test_h3_back_off_grows_and_ends(listen: Any, receiver: Receiver) -> None:
    endpoint, _secret, path = listen("broken")
    delivery, waits = tell(endpoint), []
    for _ in range(len(webhooks.DELAYS) + 2):
        before = timezone.now()
        webhooks.deliver(endpoint_id=endpoint.pk)
        delivery.refresh_from_db()
        if delivery.state == "waiting":
            waits.append((delivery.next_attempt_at - before).total_seconds())
        now_due()
    assert delivery.state == "failed"
    assert len(receiver.got(path)) == delivery.attempts == len(webhooks.DELAYS) + 1
    assert waits == sorted(waits)
    assert waits[0] < 10 < waits[-1]


def test_h3_who_is_gone_is_asked_no_more(listen: Any, receiver: Receiver) -> None:
    endpoint, _secret, path = listen("gone")
    tell(endpoint)
    tell(endpoint)
    for _ in range(2):
        webhooks.deliver(endpoint_id=endpoint.pk)
        now_due()
    endpoint.refresh_from_db()
    assert not endpoint.active
    assert len(receiver.got(path)) == 1


def test_a_sender_that_died_leaves_it_to_be_sent_again(
    listen: Any, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint, _secret, path = listen("ok")
    delivery = tell(endpoint)

    def die(**_arguments: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(wire, "send", die)
        with pytest.raises(KeyboardInterrupt):
            webhooks.deliver(endpoint_id=endpoint.pk)
    # While the lease stands nobody else sends it.
    webhooks.deliver(endpoint_id=endpoint.pk)
    assert receiver.got(path) == []
    now_due()
    webhooks.deliver(endpoint_id=endpoint.pk)
    delivery.refresh_from_db()
    assert (delivery.state, delivery.attempts) == ("delivered", 2)


def test_a_client_or_an_address_that_was_switched_off_is_told_nothing(
    listen: Any, receiver: Receiver, client_policy: ClientPolicy, alice: User
) -> None:
    endpoint, _secret, path = listen("ok")
    tell(endpoint)
    for rows in (ClientPolicy.objects, WebhookEndpoint.objects):
        rows.update(active=False)
        webhooks.deliver(endpoint_id=endpoint.pk)
        assert announcing.first_announcement(client_id=CLIENT) is None
        rows.update(active=True)
    assert receiver.got(path) == []


# --- Addresses (yardstick H1) ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "localhost", "[::1]", "0.0.0.0", "169.254.169.254", "10.0.0.1", "2130706433", "0x7f.1"),  # noqa: S104
        *("0177.0.0.1", "[::ffff:127.0.0.1]", "[64:ff9b::7f00:1]", "[fc00::1]"),
    ],
)
def test_h1_an_address_that_leads_inward_is_refused_before_a_packet_leaves(
    client_policy: ClientPolicy, receiver: Receiver, host: str
) -> None:
    """The origin that an operator vouches for is one port of one host by one scheme, and no other name of it."""
    port = receiver.origin.rpartition(":")[2]
    endpoint, _secret = webhooks.add_endpoint(client=client_policy, url=f"https://{host}:{port}/ok/h1", events=EVENTS)
    delivery = tell(endpoint)
    webhooks.deliver(endpoint_id=endpoint.pk)
    delivery.refresh_from_db()
    assert "not public" in delivery.outcome
    assert receiver.got("/ok/h1") == []


def test_h1_a_name_that_turns_inward_later_is_refused_then(
    client_policy: ClientPolicy, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = int(receiver.origin.rpartition(":")[2])
    endpoint, _secret = webhooks.add_endpoint(
        client=client_policy, url=f"https://rebind.example:{port}/ok/rebind", events=EVENTS
    )
    monkeypatch.setattr(
        pinning.socket, "getaddrinfo", lambda *_arguments, **_options: [(2, 1, 6, "", ("127.0.0.1", port))]
    )
    delivery = tell(endpoint)
    webhooks.deliver(endpoint_id=endpoint.pk)
    delivery.refresh_from_db()
    assert "not public" in delivery.outcome
    assert receiver.got("/ok/rebind") == []


@pytest.mark.parametrize(
    "url",
    ["http://example.org/x", "file:///etc/passwd", "gopher://x/", "https://ok@example.org/", "https://x\\@y/", "x", ""],
)
def test_h1_what_is_no_address_of_a_receiver_is_not_written_down(client_policy: ClientPolicy, url: str) -> None:
    with pytest.raises(OutboundRefusedError):
        webhooks.add_endpoint(client=client_policy, url=url, events=EVENTS)
    form = admin.site.get_model_admin(WebhookEndpoint).form(
        {"client": client_policy.pk, "url": url, "events": ["job.signed"], "active": "on"}
    )
    assert "url" in form.errors
    assert not WebhookEndpoint.objects.exists()


# --- In the administration ------------------------------------------------------------------------------------


@pytest.fixture
def request_of_operator(rf: RequestFactory) -> Any:
    request: Any = rf.post("/admin/")
    request.user = get_user_model().objects.create(email="operator@example.org", is_staff=True, is_superuser=True)
    request.session = {}
    request._messages = FallbackStorage(request)
    return request


def test_an_operator_adds_an_address_and_sees_its_secret_once(
    client_policy: ClientPolicy, request_of_operator: Any
) -> None:
    page = admin.site.get_model_admin(WebhookEndpoint)
    form = page.get_form(request_of_operator)(
        {"client": client_policy.pk, "url": "https://example.org/hook", "events": ["job.signed"], "active": "on"}
    )
    assert form.is_valid(), form.errors
    endpoint = form.save(commit=False)
    page.save_model(request_of_operator, endpoint, form, change=False)
    (said,) = [str(each) for each in get_messages(request_of_operator)]
    secret = re.search(r"whsec_\S+", said)
    assert secret is not None
    kept = WebhookEndpoint.objects.get()
    assert (kept.events, kept.client) == (["job.signed"], client_policy)
    assert secret[0] not in kept.secret
    assert not page.has_delete_permission(request_of_operator)


def test_a_new_secret_signs_beside_the_former_one_for_a_day(
    listen: Any, receiver: Receiver, request_of_operator: Any
) -> None:
    endpoint, former, path = listen("ok")
    page = admin.site.get_model_admin(WebhookEndpoint)
    page.renew_secret(request_of_operator, WebhookEndpoint.objects.all())
    new = re.search(r"whsec_\S+", str(next(iter(get_messages(request_of_operator)))))
    assert new is not None
    tell(endpoint)
    webhooks.deliver(endpoint_id=endpoint.pk)
    WebhookEndpoint.objects.update(former_until=timezone.now())
    tell(endpoint)
    webhooks.deliver(endpoint_id=endpoint.pk)
    both, one = receiver.got(path)
    for secret in (new[0], former):
        Webhook(secret).verify(both["body"], both["headers"])
    Webhook(new[0]).verify(one["body"], one["headers"])
    with pytest.raises(WebhookVerificationError):
        Webhook(former).verify(one["body"], one["headers"])


def test_an_operator_has_it_sent_again_under_its_id(listen: Any, receiver: Receiver, request_of_operator: Any) -> None:
    endpoint, _secret, path = listen("ok")
    tell(endpoint)
    webhooks.deliver(endpoint_id=endpoint.pk)
    page = admin.site.get_model_admin(WebhookDelivery)
    assert not page.has_change_permission(request_of_operator)
    page.send_again(request_of_operator, WebhookDelivery.objects.all())
    webhooks.deliver(endpoint_id=endpoint.pk)
    first, second = receiver.got(path)
    assert first["headers"]["webhook-id"] == second["headers"]["webhook-id"]


def test_the_log_is_kept_for_a_month(listen: Any) -> None:
    endpoint, _secret, _path = listen("ok")
    tell(endpoint)
    WebhookDelivery.objects.update(created_at=timezone.now() - timedelta(days=31))
    kept = tell(endpoint)
    sweeping.sweep_jobs()
    assert [each.pk for each in WebhookDelivery.objects.all()] == [kept.pk]
