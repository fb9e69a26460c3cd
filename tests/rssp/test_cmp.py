"""Requests for certificates, verified by OpenSSL, and the protocol against OpenSSL's own server."""

import os
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID

from rssp.clients.cmp import post_message
from rssp.errors import InvalidSignatureError, IssuerRefusedError, IssuerUnavailableError, WrongCertificateError
from rssp.hsm.interface import Hsm
from rssp.pki import cmp, cmp_messages, cmp_protection
from rssp.pki.csr import build_csr
from rssp.services.hsm import get_hsm
from tests.rssp.conftest import Asked
from tests.support.outside_authority import REFERENCE, SECRET, OutsideAuthority, openssl
from tests.support.softhsm import Token

SUBJECT = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Zoë Example")])


@pytest.fixture
def hsm(token: Token) -> Hsm:
    return get_hsm()


@pytest.fixture
def outside(tmp_path: Path) -> OutsideAuthority:
    return OutsideAuthority(tmp_path)


def make_request(hsm: Hsm, key_algorithm: str = "ec-p256", email: str | None = "alice@example.org") -> bytes:
    key_id = os.urandom(16)
    public_key = hsm.generate_key(key_id=key_id, label="test", key_algorithm=key_algorithm)
    with hsm.open_key(key_id=key_id) as signer:
        return build_csr(
            subject=SUBJECT, email=email, public_key=public_key, key_algorithm=key_algorithm, signer=signer
        )


@pytest.mark.parametrize("key_algorithm", ["ec-p256", "ec-p384", "rsa-2048"])
def test_openssl_verifies_a_request_that_the_token_signed(hsm: Hsm, asked: Asked, key_algorithm: str) -> None:
    request = make_request(hsm, key_algorithm)
    assert asked.count == 1
    text = openssl("req", "-inform", "DER", "-verify", "-noout", "-text", "-nameopt", "utf8", stdin=request).decode()
    assert "Zoë Example" in text
    assert "email:alice@example.org" in text
    parsed = x509.load_der_x509_csr(request)
    assert parsed.is_signature_valid
    assert parsed.subject == SUBJECT
    assert not list(x509.load_der_x509_csr(make_request(hsm, key_algorithm, None)).extensions)


def test_a_request_signed_by_another_key_is_not_handed_out(hsm: Hsm) -> None:
    key_id, other = os.urandom(16), os.urandom(16)
    public_key = hsm.generate_key(key_id=key_id, label="test", key_algorithm="ec-p256")
    hsm.generate_key(key_id=other, label="test", key_algorithm="ec-p256")
    with hsm.open_key(key_id=other) as signer, pytest.raises(InvalidSignatureError):
        build_csr(subject=SUBJECT, email=None, public_key=public_key, key_algorithm="ec-p256", signer=signer)


@pytest.fixture
def request_(hsm: Hsm, outside: OutsideAuthority) -> bytes:
    request = make_request(hsm)
    outside.certify(request)
    return request


@pytest.fixture(autouse=True)
def _nowhere(settings: Any) -> None:
    settings.CMP_URL = "http://127.0.0.1:9/"


def transact(settings: Any, address: str, **changes: Any) -> cmp.CmpTransaction:
    settings.CMP_URL, settings.CLIENT_TRANSPORT = address, "config.transport.transport_for"
    secret = changes.pop("secret", SECRET.encode())
    chosen = {
        "protection": cmp_protection.SharedSecret(secret, REFERENCE.encode()),
        "send": post_message,
        "wait": lambda _: None,
    }
    return cmp.CmpTransaction(**(chosen | changes))


def accept(_certificate: bytes, _beside: list[bytes]) -> None:
    pass


def test_openssl_s_server_issues_and_is_told_that_it_was_taken(
    settings: Any, outside: OutsideAuthority, request_: bytes
) -> None:
    seen: list[bytes] = []
    with outside.serve() as address:
        for _ in range(2):  # the server takes a second transaction only if the first was ended
            der, beside = transact(settings, address).request_certificate(
                request=request_, accept=lambda certificate, _: seen.append(certificate)
            )
    assert seen == [der, der] == [outside.der("signer.pem")] * 2
    assert beside == [outside.issuing]


def test_an_authority_that_lets_wait_is_asked_again(settings: Any, outside: OutsideAuthority, request_: bytes) -> None:
    waited: list[float] = []
    with outside.serve("-poll_count", "2", "-check_after", "3600") as address:
        transaction = transact(settings, address, wait=waited.append)
        der, _ = transaction.request_certificate(request=request_, accept=accept)
    assert der == outside.der("signer.pem")
    assert waited
    assert max(waited) <= 5  # whatever it says
    with outside.serve("-poll_count", "1000") as address, pytest.raises(IssuerUnavailableError):
        transact(settings, address).request_certificate(request=request_, accept=accept)


def test_a_refusal_keeps_the_authority_s_reason(settings: Any, outside: OutsideAuthority, request_: bytes) -> None:
    said = "no such\x1b person" + "x" * 1000
    with (
        outside.serve("-pkistatus", "2", "-statusstring", said) as address,
        pytest.raises(IssuerRefusedError) as raised,
    ):
        transact(settings, address).request_certificate(request=request_, accept=accept)
    assert str(raised.value) == f"no such person{'x' * 186}"


def test_a_certificate_that_is_not_wanted_is_refused_to_the_authority(
    settings: Any, outside: OutsideAuthority, request_: bytes
) -> None:
    sent: list[bytes] = []

    def send(message: bytes) -> bytes:
        sent.append(message)
        return post_message(message)

    def refuse(_certificate: bytes, _beside: list[bytes]) -> None:
        raise WrongCertificateError("it is for another key")

    with outside.serve() as address, pytest.raises(WrongCertificateError):
        transact(settings, address, send=send).request_certificate(request=request_, accept=refuse)
    (status,) = cmp_messages.Message.load(sent[-1])["body"].chosen
    assert status["status_info"]["status"].native == 2


def test_a_wrong_secret_reference_or_address_decides_nothing(
    settings: Any, outside: OutsideAuthority, request_: bytes
) -> None:
    with outside.serve() as address:
        for changes in ({"secret": b"another"}, {"secret": b""}):
            with pytest.raises(IssuerUnavailableError):
                transact(settings, address, **changes).request_certificate(request=request_, accept=accept)
        with pytest.raises(IssuerUnavailableError):
            transact(settings, address.replace("/pkix/", "/nothing/")).request_certificate(
                request=request_, accept=accept
            )
    with pytest.raises(IssuerUnavailableError):  # the server is gone
        transact(settings, address).request_certificate(request=request_, accept=accept)


# --- Signatures, and revocations ---------------------------------------------------------------------------------


def signatures(outside: OutsideAuthority, *, authority: str = "server", key: str = "client") -> Any:
    names = {"key": f"{key}.key", "chain": "client.pem", "authority": f"{authority}.pem"}
    return cmp_protection.read_signatures(
        **{name: (outside.folder / path).read_bytes() for name, path in names.items()}
    )


@pytest.fixture(params=["ec", "rsa"])
def parties(request: pytest.FixtureRequest, outside: OutsideAuthority) -> OutsideAuthority:
    """A client's and a server's certificates beside the authority's."""
    for name in ("client", "server", "stranger"):
        outside.admit(name, request.param)
    return outside


SIGNED = (
    "-srv_cert",
    "server.pem",
    "-srv_key",
    "server.key",
    "-srv_trusted",
    "root.pem",
    "-srv_untrusted",
    "issuing.pem",
)


def test_messages_are_signed_both_ways(settings: Any, parties: OutsideAuthority, request_: bytes) -> None:
    with parties.serve(*SIGNED, with_secret=False) as address:
        der, _ = transact(settings, address, protection=signatures(parties)).request_certificate(
            request=request_, accept=accept
        )
        transact(settings, address, protection=signatures(parties)).request_revocation(certificate=der, reason=1)
        assert der == parties.der("signer.pem")
        # An answer by another certificate, even one of the same authority, decides nothing.
        stranger = transact(settings, address, protection=signatures(parties, authority="stranger"))
        with pytest.raises(IssuerUnavailableError, match="not signed"):
            stranger.request_certificate(request=request_, accept=accept)


def test_whom_the_authority_does_not_know_it_refuses(
    settings: Any, parties: OutsideAuthority, request_: bytes, tmp_path: Path
) -> None:
    (tmp_path / "forged").mkdir()
    forged = OutsideAuthority(tmp_path / "forged")
    forged.admit("client", "ec")
    (forged.folder / "server.pem").write_bytes((parties.folder / "server.pem").read_bytes())
    with parties.serve(*SIGNED, with_secret=False) as address:
        with pytest.raises((IssuerRefusedError, IssuerUnavailableError)):
            transact(settings, address, protection=signatures(forged)).request_certificate(
                request=request_, accept=accept
            )
        with pytest.raises((IssuerRefusedError, IssuerUnavailableError)):  # a MAC is no signature
            transact(settings, address).request_certificate(request=request_, accept=accept)


def test_a_key_that_is_not_its_certificates_is_none(parties: OutsideAuthority) -> None:
    with pytest.raises(IssuerUnavailableError, match="not its certificate's"):
        signatures(parties, key="server")
    with pytest.raises(IssuerUnavailableError, match="cannot be read"):
        cmp_protection.read_signatures(key=b"junk", chain=b"junk", authority=b"junk")


@pytest.mark.parametrize("reason", [0, 1, 4, 5])
def test_the_authority_takes_a_request_to_revoke(
    settings: Any, outside: OutsideAuthority, request_: bytes, reason: int
) -> None:
    with outside.serve() as address:
        transact(settings, address).request_revocation(certificate=outside.der("signer.pem"), reason=reason)


def test_a_revocation_of_what_is_not_the_authority_s_is_refused(
    settings: Any, outside: OutsideAuthority, request_: bytes
) -> None:
    with (
        outside.serve() as address,
        pytest.raises((IssuerRefusedError, IssuerUnavailableError)),
    ):
        transact(settings, address).request_revocation(certificate=outside.root, reason=1)
    with (
        outside.serve("-pkistatus", "2", "-statusstring", "we never do") as address,
        pytest.raises(IssuerRefusedError, match="we never do"),
    ):
        transact(settings, address).request_revocation(certificate=outside.der("signer.pem"), reason=1)


@pytest.fixture
def recorded(settings: Any, outside: OutsideAuthority, request_: bytes) -> tuple[bytes, cmp.CmpTransaction]:
    """A real answer, and a transaction that it is not for."""
    answers: list[bytes] = []

    def send(message: bytes) -> bytes:
        answers.append(post_message(message))
        return answers[-1]

    with outside.serve() as address:
        transact(settings, address, send=send).request_certificate(request=request_, accept=accept)
    return answers[0], transact(settings, address, send=lambda _: answers[0])


def test_an_answer_to_another_message_is_refused(recorded: Any, request_: bytes) -> None:
    with pytest.raises(IssuerUnavailableError, match="another message"):
        recorded[1].request_certificate(request=request_, accept=accept)


@pytest.mark.parametrize("change", ["flip", "cut", "unprotected", "weak", "many", "empty", "junk"])
def test_an_answer_that_was_changed_is_refused(recorded: Any, request_: bytes, change: str) -> None:
    answer, transaction = recorded
    if change in {"unprotected", "weak", "many"}:
        message = cmp_messages.Message.load(answer)
        if change == "unprotected":
            del message["protection"]
        else:
            algorithm = message["header"]["protection_alg"]
            parameters = cmp_messages.PbmParameter.load(algorithm["parameters"].dump())
            if change == "weak":
                parameters["owf"] = {"algorithm": "1.3.14.3.2.26"}  # SHA-1
            else:
                parameters["iteration_count"] = 2**31
            algorithm["parameters"] = parameters
        answer = message.dump(force=True)
    else:
        flipped = bytes([*answer[:400], answer[400] ^ 1, *answer[401:]])
        answer = {"flip": flipped, "cut": answer[:-1], "empty": b"", "junk": b"0" * 100}[change]
    transaction.send = lambda _: answer
    with pytest.raises(IssuerUnavailableError):
        transaction.request_certificate(request=request_, accept=accept)


@pytest.mark.parametrize(
    ("status", "headers", "length"),
    [(500, {}, 9), (200, {"Content-Type": "text/html"}, 9), (200, {}, 300_000), (302, {"Location": "/"}, 9)],
)
def test_an_answer_of_another_kind_or_size_is_refused(
    settings: Any, monkeypatch: pytest.MonkeyPatch, status: int, headers: dict[str, str], length: int
) -> None:
    def answer(_request: httpx.Request) -> httpx.Response:
        return httpx.Response(status, headers={"Content-Type": "application/pkixcmp"} | headers, content=b"0" * length)

    client = httpx.Client(transport=httpx.MockTransport(answer))
    monkeypatch.setattr("rssp.clients.cmp.client_for", lambda _address: client)
    with pytest.raises(IssuerUnavailableError):
        post_message(b"message")
