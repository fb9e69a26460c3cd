"""Mode A: accepted, signed by this process, fetched by polling; lost processes, lost results and the outbound call."""

import base64
import ipaddress
import json
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from django.utils import timezone

from rssp.clients import outbound
from rssp.clients.outbound import parse_address, post_json
from rssp.clients.pinning import is_public
from rssp.errors import OutboundRefusedError, OutboundUnreachableError
from rssp.models import ActivatedDigest, AsynchronousCall
from rssp.services import asynchronous
from tests.rssp.conftest import ALIAS, Asked, Signer, call, digest
from tests.rssp.test_signing import verify
from tests.support.dripping import BODY, HEAD, dripping

pytestmark = pytest.mark.django_db(databases=[ALIAS, "default"], transaction=True)

LEASE, ANNEX = digest("Lease"), digest("Annex")
ACCEPTED = (
    "The previous asynchronous signature request has been accepted for processing, but the processing has not yet been "
    "completed."
)


def accepted(answer: Any) -> str:
    assert answer.status_code == 200, answer.content
    assert set(answer.json()) == {"responseID"}
    return str(answer.json()["responseID"])


def poll(bearer: str, response_id: Any, **members: Any) -> Any:
    return call("signatures/signPolling", {"requestID": response_id} | members, bearer)


def polled(bearer: str, response_id: str) -> Any:
    deadline = time.monotonic() + 60
    while (answer := poll(bearer, response_id)).status_code == 202:
        body = answer.json()
        assert (body["error"], body["error_description"]) == ("accepted_request", ACCEPTED)
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return answer


def refused(answer: Any, sentence: str, status: int = 400) -> None:
    assert (answer.status_code, answer.json()["error_description"]) == (status, sentence)


class Receiver:
    """A server on loopback that counts what reaches it, and answers with ``status``."""

    def __init__(self) -> None:
        self.got: list[Any] = []
        self.status = 204
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.got.append(json.loads(body))
                self.send_response(receiver.status)
                self.send_header("Location", f"http://127.0.0.1:{receiver.port}/elsewhere")
                self.end_headers()

            def log_message(self, *_arguments: Any) -> None:
                pass

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def end(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    # A machine that is busy with other tests is no receiver that takes too long.
    monkeypatch.setattr(outbound, "SECONDS", 60.0)
    fresh = Receiver()
    yield fresh
    fresh.end()


# --- Accepted and polled ------------------------------------------------------------------------------------


def test_what_was_accepted_is_signed_once_and_can_be_fetched_again(alice: Signer, asked: Asked) -> None:
    token = alice.approve(LEASE, ANNEX)
    response_id = accepted(alice.sign(token, ANNEX, LEASE, operationMode="A"))
    answer = polled(token, response_id)
    first, second = [base64.b64decode(item) for item in answer.json()["signatures"]]
    verify(alice, first, ANNEX)
    verify(alice, second, LEASE)
    assert poll(token, response_id).json() == answer.json()
    assert asked.count == 2


def test_a_service_token_polls_what_it_asked_for(alice: Signer, asked: Asked) -> None:
    service = alice.log_in()
    response_id = accepted(alice.sign(service, LEASE, SAD=alice.approve(LEASE), operationMode="A"))
    assert polled(service, response_id).status_code == 200
    assert asked.count == 1


def test_one_approval_behind_two_calls_signs_once(alice: Signer, asked: Asked) -> None:
    token = alice.approve(LEASE)
    calls = [accepted(alice.sign(token, LEASE, operationMode="A")) for _ in range(2)]
    answers = [polled(token, response_id) for response_id in calls]
    assert sorted(answer.status_code for answer in answers) == [200, 400]
    refused(next(item for item in answers if item.status_code == 400), "Hash is not authorized by the SAD.")
    assert asked.count == 1


def test_mode_s_ignores_what_mode_a_alone_has(alice: Signer, asked: Asked) -> None:
    members = {"operationMode": "S", "validity_period": "soon", "response_uri": 7}
    assert "signatures" in alice.sign(alice.approve(LEASE), LEASE, **members).json()


@pytest.mark.parametrize(
    ("members", "sentence"),
    [
        ({"operationMode": "X"}, "Invalid parameter operationMode"),
        ({"operationMode": 1}, "Invalid parameter operationMode"),
        ({"operationMode": ["A"]}, "Invalid parameter operationMode"),
        ({"operationMode": "A", "validity_period": "soon"}, "Invalid parameter validity_period"),
        ({"operationMode": "A", "validity_period": 0}, "Invalid parameter validity_period"),
        ({"operationMode": "A", "validity_period": True}, "Invalid parameter validity_period"),
        ({"operationMode": "A", "validity_period": 1.5}, "Invalid parameter validity_period"),
        ({"operationMode": "A", "validity_period": 3_600_001}, "Out of bounds parameter validity_period"),
        ({"operationMode": "A", "validity_period": 2**80}, "Out of bounds parameter validity_period"),
        ({"operationMode": "A", "response_uri": 7}, "Invalid parameter response_uri"),
        ({"operationMode": "A", "response_uri": ""}, "Invalid parameter response_uri"),
        ({"operationMode": "A", "response_uri": "http://example.org/"}, "Invalid parameter response_uri"),
        ({"operationMode": "A", "response_uri": "file:///etc/passwd"}, "Invalid parameter response_uri"),
        ({"operationMode": "A", "response_uri": "https://127.0.0.1/"}, "Invalid parameter response_uri"),
        ({"operationMode": "A", "response_uri": "https://[::1]/"}, "Invalid parameter response_uri"),
        ({"operationMode": "A", "response_uri": "https://ok@example.org/"}, "Invalid parameter response_uri"),
        ({"operationMode": "A", "clientData": 1}, "Invalid parameter clientData"),
    ],
)
def test_a_mode_that_cannot_be_had_is_refused_by_name(
    alice: Signer, asked: Asked, members: dict[str, Any], sentence: str
) -> None:
    refused(alice.sign(alice.approve(LEASE), LEASE, **members), sentence)
    assert asked.count == 0
    assert not AsynchronousCall.objects.exists()


def test_what_mode_s_refuses_mode_a_does_not_accept(alice: Signer, bob: Signer, asked: Asked) -> None:
    service = alice.log_in()
    refused(alice.sign(service, LEASE, SAD="nobody", operationMode="A"), "Invalid parameter SAD")
    refused(alice.sign(service, LEASE, SAD=bob.approve(LEASE), operationMode="A"), "Invalid parameter SAD")
    refused(
        alice.sign(service, LEASE, SAD=alice.approve(LEASE), signAlgo="1.2", operationMode="A"),
        "Invalid parameter signAlgo",
    )
    assert asked.count == 0
    assert not AsynchronousCall.objects.exists()


def test_polling_is_for_the_user_and_client_that_asked(alice: Signer, bob: Signer) -> None:
    service = alice.log_in()
    response_id = accepted(alice.sign(service, LEASE, SAD=alice.approve(LEASE), operationMode="A"))
    assert polled(service, response_id).status_code == 200
    unknown = "Invalid parameter requestID"
    refused(poll(bob.log_in(), response_id), unknown)
    refused(poll(alice.log_in(client_id="another"), response_id), unknown)
    refused(poll(service, response_id[:-1]), unknown)
    refused(poll(service, "nobody"), unknown)
    for odd in (None, 7, [response_id], ""):
        refused(poll(service, odd), "Missing (or invalid type) string parameter requestID")
    refused(poll(service, response_id, userID="alice"), "userID parameter SHALL be null")
    refused(poll(service, response_id, clientData=1), "Invalid parameter clientData")
    refused(call("signatures/signPolling", {"requestID": response_id}), "Malformed authorization header.")
    assert poll("nobody", response_id).status_code == 401
    assert call("signatures/signPolling", {"requestID": response_id}, service, version=1).status_code == 404


# --- Kept and lost ------------------------------------------------------------------------------------------


def test_a_result_is_kept_as_long_as_asked_and_no_longer(alice: Signer) -> None:
    token = alice.approve(LEASE)
    response_id = accepted(alice.sign(token, LEASE, operationMode="A", validity_period=60_000))
    assert polled(token, response_id).status_code == 200
    asynchronous.sweep_calls()
    assert poll(token, response_id).status_code == 200
    AsynchronousCall.objects.update(finished=timezone.now() - timedelta(seconds=61))
    refused(poll(token, response_id), "Invalid parameter requestID")
    asynchronous.sweep_calls()
    assert not AsynchronousCall.objects.exists()


def test_a_call_whose_process_ended_before_it_began_costs_nothing(
    alice: Signer, asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = alice.approve(LEASE)
    monkeypatch.setattr(asynchronous, "_run", lambda _pk, _call, places: places.release())
    response_id = accepted(alice.sign(token, LEASE, operationMode="A"))
    assert asynchronous.sweep_calls() == 0
    assert poll(token, response_id).status_code == 202
    AsynchronousCall.objects.update(created=timezone.now() - timedelta(minutes=3))
    assert asynchronous.sweep_calls() == 1
    answer = poll(token, response_id)
    assert (answer.status_code, answer.json()["error"]) == (503, "temporarily_unavailable")
    assert (asked.count, ActivatedDigest.objects.get().state) == (0, "authorised")
    assert "signatures" in alice.sign(token, LEASE).json()


def test_a_call_whose_process_ended_while_it_ran_is_unknown(
    alice: Signer, asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = alice.approve(LEASE)
    monkeypatch.setattr(asynchronous, "_finish", lambda _pk, _call: None)
    response_id = accepted(alice.sign(token, LEASE, operationMode="A"))
    deadline = time.monotonic() + 60
    while AsynchronousCall.objects.get().state != "started" and time.monotonic() < deadline:
        time.sleep(0.02)
    assert poll(token, response_id).status_code == 202
    AsynchronousCall.objects.update(started=timezone.now() - timedelta(minutes=11))
    assert asynchronous.sweep_calls() == 1
    answer = poll(token, response_id)
    assert (answer.status_code, answer.json()["error"]) == (500, "server_error")


def test_what_is_swept_does_not_begin_any_more(alice: Signer, asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    held: list[Any] = []
    real = asynchronous._run
    monkeypatch.setattr(asynchronous, "_run", lambda *arguments: held.append(arguments))
    token = alice.approve(LEASE)
    response_id = accepted(alice.sign(token, LEASE, operationMode="A"))
    AsynchronousCall.objects.update(created=timezone.now() - timedelta(minutes=3))
    deadline = time.monotonic() + 60
    while not held and time.monotonic() < deadline:
        time.sleep(0.02)
    asynchronous.sweep_calls()
    late = threading.Thread(target=real, args=held[0])
    late.start()
    late.join()
    assert poll(token, response_id).status_code == 503
    assert asked.count == 0


def test_a_process_holds_so_many_calls_and_no_more(
    alice: Signer, asked: Asked, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.MOST_WAITING_CALLS = 1
    asynchronous._executor.cache_clear()
    monkeypatch.setattr(asynchronous, "_run", lambda _pk, _call, _places: None)
    accepted(alice.sign(alice.approve(LEASE), LEASE, operationMode="A"))
    answer = alice.sign(alice.approve(ANNEX), ANNEX, operationMode="A")
    assert (answer.status_code, answer["Retry-After"]) == (503, "5")
    assert AsynchronousCall.objects.count() == 1
    asynchronous._executor.cache_clear()


# --- Told ---------------------------------------------------------------------------------------------------


def test_who_wanted_to_be_told_is_told_once(alice: Signer, settings: Any, receiver: Receiver) -> None:
    settings.RESPONSE_URI_HOSTS = ("localhost",)
    token = alice.approve(LEASE)
    uri = f"http://localhost:{receiver.port}/told?which=1"
    response_id = accepted(alice.sign(token, LEASE, operationMode="A", response_uri=uri))
    assert polled(token, response_id).status_code == 200
    assert (asynchronous.notify_clients(), asynchronous.notify_clients()) == (1, 0)
    assert receiver.got == [{"responseID": response_id}]


def test_its_end_and_that_it_is_to_be_told_are_one_step(
    alice: Signer, settings: Any, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: Any
) -> None:
    """A process that dies between two would leave a client waiting for ever."""
    settings.RESPONSE_URI_HOSTS = ("localhost",)
    monkeypatch.setattr(asynchronous, "_run", lambda _pk, _call, places: places.release())
    uri = f"http://localhost:{receiver.port}/told"
    accepted(alice.sign(alice.approve(LEASE), LEASE, operationMode="A", response_uri=uri))
    row = AsynchronousCall.objects.get()
    with django_assert_num_queries(1, using=ALIAS):
        assert asynchronous._close(row.pk, "accepted", {"state": "done", "signatures": []})
    row.refresh_from_db()
    assert (row.state, row.notification) == ("done", "due")


@pytest.mark.parametrize("status", [302, 404, 500])
def test_who_does_not_take_it_is_told_again_and_not_for_ever(
    alice: Signer, settings: Any, receiver: Receiver, status: int
) -> None:
    settings.RESPONSE_URI_HOSTS = ("localhost",)
    receiver.status = status
    token = alice.approve(LEASE)
    uri = f"http://localhost:{receiver.port}/told"
    response_id = accepted(alice.sign(token, LEASE, operationMode="A", response_uri=uri))
    assert polled(token, response_id).status_code == 200
    for _ in range(10):
        asynchronous.notify_clients()
        AsynchronousCall.objects.filter(notification="due").update(next_attempt=timezone.now())
    assert len(receiver.got) == 6
    assert AsynchronousCall.objects.get().notification == "given up"
    assert poll(token, response_id).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "2130706433", "0x7f000001", "017700000001", "127.1", "0", "[::1]", "[::ffff:127.0.0.1]"),
        *(
            "localhost",
            "localhost.",
            "[::ffff:7f00:1]",
            "[64:ff9b::7f00:1]",
            "169.254.169.254",
            "10.0.0.1",
            "[fe80::1]",
        ),
    ],
)
def test_no_packet_goes_to_a_private_address(receiver: Receiver, host: str) -> None:
    with pytest.raises((OutboundRefusedError, OutboundUnreachableError)):
        post_json(f"https://{host}:{receiver.port}/", {}, allowed_hosts=())
    assert receiver.got == []


@pytest.mark.parametrize(
    "url",
    [
        *("http://example.org/", "ftp://example.org/", "gopher://example.org/", "file:///etc/passwd", "//example.org/"),
        *("https://", "https://user@example.org/", "https://user:pass@example.org/", "https://example.org/#fragment"),
        *("https://example.org:99999/", "https://exa mple.org/", "https://example.org\\@127.0.0.1/", "https://[::1"),
        *("https://example.org/\r\nX: y", "javascript:alert(1)", "https://" + "a" * 2000, "https://192.168.1.1/"),
    ],
)
def test_what_is_no_address_is_refused_by_its_text(url: str) -> None:
    with pytest.raises(OutboundRefusedError):
        parse_address(url, allowed_hosts=())


def test_a_name_that_leads_inward_is_refused_and_asked_for_once(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = [["93.184.216.34", "127.0.0.1"], ["127.0.0.1"]]
    asked: list[str] = []

    def resolve(host: str, port: int, **_options: Any) -> Any:
        asked.append(host)
        return [(2, 1, 6, "", (address, port)) for address in answers[len(asked) - 1]]

    monkeypatch.setattr("socket.getaddrinfo", resolve)
    for _ in range(2):
        with pytest.raises(OutboundRefusedError):
            post_json(f"https://rebinding.example:{receiver.port}/", {}, allowed_hosts=())
    assert asked == ["rebinding.example"] * 2
    assert receiver.got == []


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        *(("93.184.216.34", True), ("2606:2800:220:1::1", True), ("100.64.0.1", False), ("224.0.0.1", False)),
        *(("240.0.0.1", False), ("fc00::1", False), ("2002:7f00:1::", False), ("192.0.2.1", False), ("::", False)),
        *(("64:ff9b::808:808", True), ("64:ff9b::a00:1", False), ("::ffff:8.8.8.8", True), ("::ffff:10.0.0.1", False)),
    ],
)
def test_what_is_public(address: str, expected: bool) -> None:
    assert is_public(ipaddress.ip_address(address)) is expected


@pytest.mark.parametrize("answer", [HEAD, BODY], ids=["head", "body"])
def test_h3_an_address_that_drips_is_left_when_the_time_is_up(answer: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbound, "SECONDS", 0.5)
    begun = time.monotonic()
    with dripping(answer) as url, pytest.raises(OutboundUnreachableError, match="took too long"):
        post_json(url, {}, allowed_hosts=("localhost",))
    assert time.monotonic() - begun < 2
