"""The OCSP responder before openssl, a linter and people who mean no good: every answer is OCSP's, none is a 5xx."""

import base64
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from asn1crypto import ocsp as asn1
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from django.conf import settings as django_settings
from django.test import Client
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rssp.errors import MalformedStatusRequestError
from rssp.models import Certificate, StatusAnswer
from rssp.pki.ocsp import LONGEST_REQUEST, MOST_CERTIFICATES, parse_request
from rssp.services import responding
from rssp.services.authority import prepare_service_certificate, read_authority, renew_issuing_authority
from rssp.services.revoking import resume_certificate, revoke_certificate, suspend_certificate
from tests.rssp.conftest import Asked, Signer
from tests.rssp.rows import add_certificates
from tests.support.softhsm import Token

URL, TYPE = "/pki/ocsp", "application/ocsp-request"
HASHES: dict[str, hashes.HashAlgorithm] = {"sha1": hashes.SHA1(), "sha256": hashes.SHA256()}  # noqa: S303  (RFC 5019)
STATUS = ocsp.OCSPResponseStatus


@pytest.fixture
def issuer(alice: Signer) -> Certificate:
    """With its responder's certificate, so that signatures are for answers alone."""
    issuing = read_authority(role="issuing")
    prepare_service_certificate(role="ocsp", issuer=issuing)
    return issuing


def loaded(certificate: Certificate) -> x509.Certificate:
    return x509.load_der_x509_certificate(bytes(certificate.der))


def ask_about(
    certificate: Certificate, *, nonce: bytes | None = None, serial_number: int | None = None, hash_name: str = "sha1"
) -> bytes:
    assert certificate.issuer is not None
    algorithm = HASHES[hash_name]
    seen, by = loaded(certificate), loaded(certificate.issuer)
    builder = ocsp.OCSPRequestBuilder()
    if serial_number is None:
        builder = builder.add_certificate(seen, by, algorithm)
    else:
        one = ocsp.load_der_ocsp_request(ask_about(certificate, hash_name=hash_name))
        builder = builder.add_certificate_by_hash(one.issuer_name_hash, one.issuer_key_hash, serial_number, algorithm)
    if nonce is not None:
        builder = builder.add_extension(x509.OCSPNonce(nonce), critical=False)
    return builder.build().public_bytes(Encoding.DER)


def post(request: bytes, content_type: str = TYPE, **extra: Any) -> Any:
    return Client().generic("POST", URL, request, content_type, **extra)


def get(encoded: str, **headers: str) -> Any:
    return Client().get(f"{URL}/{encoded}", headers=headers)


def read(response: Any) -> ocsp.OCSPResponse:
    assert response.status_code == 200
    assert response["Content-Type"] == "application/ocsp-response"
    return ocsp.load_der_ocsp_response(response.content)


def failure(response: Any) -> str:
    answer = read(response)
    assert answer.response_status is not STATUS.SUCCESSFUL
    assert len(response.content) == 5
    assert response["Cache-Control"] == "no-store"
    return answer.response_status.name


def verified(answer: ocsp.OCSPResponse, issuer: Certificate) -> ocsp.OCSPResponse:
    """By the responder's certificate in it, which the issuer delegated."""
    (responder,) = answer.certificates
    responder.verify_directly_issued_by(loaded(issuer))
    usages = responder.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usages) == [x509.ExtendedKeyUsageOID.OCSP_SIGNING]
    responder.extensions.get_extension_for_class(x509.OCSPNoCheck)
    assert answer.signature_hash_algorithm is not None
    key = responder.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    key.verify(answer.signature, answer.tbs_response_bytes, ec.ECDSA(answer.signature_hash_algorithm))
    assert answer.responder_key_hash == x509.SubjectKeyIdentifier.from_public_key(key).digest
    return answer


# --- What it answers ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("hash_name", HASHES)
def test_a_certificate_is_good_then_on_hold_then_good_then_revoked(
    alice: Signer, issuer: Certificate, hash_name: str
) -> None:
    certificate = alice.credential.certificate

    def status() -> tuple[str, str | None]:
        answer = verified(read(post(ask_about(certificate, hash_name=hash_name))), issuer)
        assert answer.serial_number == loaded(certificate).serial_number
        assert answer.hash_algorithm.name == hash_name
        assert answer.next_update_utc == answer.this_update_utc + django_settings.OCSP_LIFETIME
        return answer.certificate_status.name, answer.revocation_reason.name if answer.revocation_reason else None

    assert status() == ("GOOD", None)
    suspend_certificate(certificate=certificate)
    assert status() == ("REVOKED", "certificate_hold")
    resume_certificate(certificate=certificate)
    assert status() == ("GOOD", None)
    revoke_certificate(certificate=certificate, reason="key_compromise")
    assert status() == ("REVOKED", "key_compromise")


def test_an_unspecified_reason_is_left_out_and_the_time_is_told(alice: Signer, issuer: Certificate) -> None:
    certificate = alice.credential.certificate
    revoke_certificate(certificate=certificate, reason="unspecified")
    answer = read(post(ask_about(certificate)))
    assert (answer.certificate_status.name, answer.revocation_reason) == ("REVOKED", None)
    assert certificate.revoked_at is not None
    assert answer.revocation_time_utc == certificate.revoked_at.replace(microsecond=0)


def test_what_has_expired_keeps_its_status_since_the_issuer_began(alice: Signer, issuer: Certificate) -> None:
    certificate = alice.credential.certificate
    Certificate.objects.filter(pk=certificate.pk).update(not_after=timezone.now() - timedelta(days=1))
    parsed = asn1.OCSPResponse.load(post(ask_about(certificate)).content)
    (single,) = parsed.response_data["responses"]
    assert single["cert_status"].name == "good"
    assert single.archive_cutoff_value.native == issuer.not_before


@pytest.mark.parametrize("serial_number", [1, 2**159 - 1, 2**160, 2**2000])
def test_a_serial_number_that_nobody_got_is_unknown(alice: Signer, issuer: Certificate, serial_number: int) -> None:
    """Beyond what the library would ask, too."""
    request = asn1.OCSPRequest.load(ask_about(alice.credential.certificate))
    request["tbs_request"]["request_list"][0]["req_cert"]["serial_number"] = serial_number
    for wanted in (serial_number, -serial_number):
        request["tbs_request"]["request_list"][0]["req_cert"]["serial_number"] = wanted
        parsed = asn1.OCSPResponse.load(post(request.dump(force=True)).content)
        (single,) = parsed.response_data["responses"]
        assert (single["cert_status"].name, single["cert_id"]["serial_number"].native) == ("unknown", wanted)
    assert not StatusAnswer.objects.exists()


def test_a_certificate_that_was_perhaps_not_signed_is_unknown_until_it_is_revoked(
    alice: Signer, issuer: Certificate
) -> None:
    (row,) = add_certificates(issuer, 1)
    Certificate.objects.filter(pk=row.pk).update(state="intended")
    request = ask_about(alice.credential.certificate, serial_number=int(row.serial_number, 16))
    assert read(post(request)).certificate_status.name == "UNKNOWN"
    revoke_certificate(certificate=row, reason="cessation_of_operation")
    assert read(post(request)).certificate_status.name == "REVOKED"


def test_another_authority_s_certificate_is_not_ours_to_tell(alice: Signer, issuer: Certificate, asked: Asked) -> None:
    assert failure(post(ask_about(issuer))) == "UNAUTHORIZED"  # the root's certificates are in its list alone
    request = asn1.OCSPRequest.load(ask_about(alice.credential.certificate))
    name = request["tbs_request"]["request_list"][0]["req_cert"]
    name["issuer_key_hash"] = b"k" * 20
    assert failure(post(request.dump(force=True))) == "UNAUTHORIZED"
    assert asked.count == 0


def test_each_authority_has_a_responder_of_its_own_until_it_ends(alice: Signer, issuer: Certificate) -> None:
    certificate = alice.credential.certificate
    second = renew_issuing_authority()
    of_second = prepare_service_certificate(role="ocsp", issuer=second)
    verified(read(post(ask_about(certificate))), issuer)
    verified(read(post(ask_about(of_second))), second)
    Certificate.objects.filter(pk=issuer.pk).update(not_after=timezone.now())
    keys = Certificate.objects.count()
    assert failure(post(ask_about(certificate, nonce=b"late"))) == "UNAUTHORIZED"
    assert Certificate.objects.count() == keys  # nobody makes a key for it any more
    verified(read(post(ask_about(of_second))), second)


@pytest.mark.parametrize("algorithm", ["md5", "sha384", "sha512", "2.999.1"])
def test_an_issuer_named_by_another_hash_is_nobody_here(alice: Signer, issuer: Certificate, algorithm: str) -> None:
    """With the right hashes of SHA-256 beside it, too."""
    request = asn1.OCSPRequest.load(ask_about(alice.credential.certificate, hash_name="sha256"))
    request["tbs_request"]["request_list"][0]["req_cert"]["hash_algorithm"]["algorithm"] = algorithm
    assert failure(post(request.dump(force=True))) == "UNAUTHORIZED"


def several(*requests: bytes) -> asn1.OCSPRequest:
    singles = [asn1.OCSPRequest.load(item)["tbs_request"]["request_list"][0].native for item in requests]
    return asn1.OCSPRequest({"tbs_request": {"request_list": singles}})


def test_several_in_one_are_answered_one_by_one(alice: Signer, bob: Signer, issuer: Certificate, asked: Asked) -> None:
    revoke_certificate(certificate=bob.credential.certificate, reason="superseded")
    request = several(
        ask_about(alice.credential.certificate),
        ask_about(issuer),
        ask_about(bob.credential.certificate, hash_name="sha256"),
        ask_about(alice.credential.certificate, serial_number=77),
    )
    before = asked.count
    response = post(request.dump())
    assert asked.count == before + 1
    singles = asn1.OCSPResponse.load(response.content).response_data["responses"]
    assert [single["cert_status"].name for single in singles] == ["good", "unknown", "revoked", "unknown"]
    wanted = [single["req_cert"].native for single in request["tbs_request"]["request_list"]]
    assert [single["cert_id"].native for single in singles] == wanted
    assert response["Cache-Control"] == "no-store"


def test_too_many_in_one_are_refused(alice: Signer, issuer: Certificate, asked: Asked) -> None:
    one = ask_about(alice.credential.certificate)
    most = several(*[one] * MOST_CERTIFICATES)
    singles = asn1.OCSPResponse.load(post(most.dump()).content).response_data["responses"]
    assert len(singles) == MOST_CERTIFICATES
    assert failure(post(several(*[one] * (MOST_CERTIFICATES + 1)).dump())) == "MALFORMED_REQUEST"
    assert asked.count == 1


# --- Nonces (RFC 9654) -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("length", [1, 16, 32, 128])
def test_a_nonce_comes_back(alice: Signer, issuer: Certificate, asked: Asked, length: int) -> None:
    request = ask_about(alice.credential.certificate, nonce=b"n" * length)
    for _ in range(2):
        answer = verified(read(post(request)), issuer)
        assert answer.extensions.get_extension_for_class(x509.OCSPNonce).value.nonce == b"n" * length
    assert asked.count == 2
    assert not StatusAnswer.objects.exists()


@pytest.mark.parametrize(
    "value", [b"\x04\x00", b"\x04\x81\x81" + b"n" * 129, b"", b"raw", b"\x04\x02n", b"\x02\x01\x01"]
)
def test_a_nonce_that_is_none_is_malformed(alice: Signer, issuer: Certificate, asked: Asked, value: bytes) -> None:
    request = with_extension(alice, "1.3.6.1.5.5.7.48.1.2", value, critical=False)
    assert failure(post(request)) == "MALFORMED_REQUEST"
    assert asked.count == 0


def test_two_nonces_are_malformed(alice: Signer, issuer: Certificate) -> None:
    request = asn1.OCSPRequest.load(ask_about(alice.credential.certificate, nonce=b"one"))
    request["tbs_request"]["request_extensions"].append({"extn_id": "nonce", "extn_value": b"two"})
    assert failure(post(request.dump(force=True))) == "MALFORMED_REQUEST"


def with_extension(signer: Signer, oid: str, value: bytes, *, critical: bool) -> bytes:
    builder = ocsp.OCSPRequestBuilder().add_certificate(
        loaded(signer.credential.certificate),
        loaded(read_authority(role="issuing")),
        hashes.SHA1(),  # noqa: S303
    )
    extension = x509.UnrecognizedExtension(x509.ObjectIdentifier(oid), value)
    return builder.add_extension(extension, critical).build().public_bytes(Encoding.DER)


def test_an_unknown_extension_is_ignored_unless_it_is_critical(alice: Signer, issuer: Certificate) -> None:
    assert read(post(with_extension(alice, "2.999.3", b"\x05\x00", critical=False))).certificate_status.name == "GOOD"
    assert failure(post(with_extension(alice, "2.999.3", b"\x05\x00", critical=True))) == "MALFORMED_REQUEST"


# --- The two ways of asking --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "encode",
    [
        lambda der: quote(base64.b64encode(der).decode(), safe=""),
        lambda der: base64.b64encode(der).decode(),
        lambda der: base64.b64encode(der).decode().rstrip("="),
        lambda der: base64.urlsafe_b64encode(der).decode(),
        lambda der: quote(base64.encodebytes(der).decode()),
        lambda der: quote(base64.encodebytes(der).decode().replace("\n", "\r\n")),
    ],
    ids=["escaped", "plain", "without its end", "base64url", "lines", "other lines"],
)
def test_a_get_is_read_as_clients_write_it(alice: Signer, issuer: Certificate, encode: Callable[[bytes], str]) -> None:
    """Until base64 has each of its special signs."""
    seen: set[str] = set()
    for serial_number in range(2**64, 2**64 + 400):
        request = ask_about(alice.credential.certificate, serial_number=serial_number * 0xFBEFBE, hash_name="sha256")
        text = base64.b64encode(request).decode()
        if set(text) & set("+/=") - seen:
            seen |= set(text) & set("+/=")
            assert read(get(encode(request))).certificate_status.name == "UNKNOWN"
        if seen == set("+/="):
            break
    assert seen >= set("+/")
    assert read(get(encode(ask_about(alice.credential.certificate)))).certificate_status.name == "GOOD"


@pytest.mark.parametrize("text", ["", "M", "%00", "%FF", "MEU%20", "äöü", "....", "/" * 50, "A" * 3000, "MA==MA=="])
def test_a_get_of_nonsense_is_malformed(issuer: Certificate, text: str) -> None:
    assert failure(get(text)) == "MALFORMED_REQUEST"
    assert failure(Client().get(URL)) == "MALFORMED_REQUEST"


def test_other_bodies_and_methods(alice: Signer, issuer: Certificate, asked: Asked) -> None:
    request = ask_about(alice.credential.certificate)
    for content_type in (
        "application/json",
        "application/ocsp-response",
        "multipart/form-data; boundary=x",
        "ocsp",
        "",
    ):
        refused = post(request, content_type)
        assert (refused.status_code, refused.content, refused["Accept-Post"]) == (415, b"", TYPE)
    for method in ("PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"):
        refused = Client().generic(method, URL, request, TYPE)
        assert (refused.status_code, refused.content) == (405, b"")
    assert read(post(request, f"{TYPE}; charset=binary")).certificate_status.name == "GOOD"
    assert asked.count == 1


def test_a_body_is_read_no_further_than_a_request_can_be_long(issuer: Certificate, asked: Asked) -> None:
    for length in (LONGEST_REQUEST + 1, 1_100_000, 20_000_000):
        assert failure(post(b"\x30" * length)) == "MALFORMED_REQUEST"
    assert failure(post(b"\x30" * 1000, CONTENT_LENGTH="5")) == "MALFORMED_REQUEST"
    assert asked.count == 0


def test_no_token_of_a_form_is_asked_for(alice: Signer, issuer: Certificate) -> None:
    client = Client(enforce_csrf_checks=True)
    assert read(client.post(URL, ask_about(alice.credential.certificate), TYPE)).certificate_status.name == "GOOD"


# --- Answers that are kept (RFC 5019) ----------------------------------------------------------------------------


def test_an_answer_without_a_nonce_is_signed_once(alice: Signer, issuer: Certificate, asked: Asked) -> None:
    request = ask_about(alice.credential.certificate)
    answers = {post(request).content for _ in range(5)} | {get(base64.b64encode(request).decode()).content}
    assert (len(answers), asked.count) == (1, 1)
    post(ask_about(alice.credential.certificate, hash_name="sha256"))
    assert (asked.count, StatusAnswer.objects.count()) == (2, 2)


def test_a_kept_answer_is_worth_nothing_after_a_change(alice: Signer, issuer: Certificate, asked: Asked) -> None:
    certificate = alice.credential.certificate
    request = ask_about(certificate)
    first = post(request)
    suspend_certificate(certificate=certificate)
    resume_certificate(certificate=certificate)
    again = post(request)
    assert (read(first).certificate_status, read(again).certificate_status) == (ocsp.OCSPCertStatus.GOOD,) * 2
    assert asked.count == 2
    assert first.content != again.content


def test_an_answer_that_is_kept_too_late_is_not_given(
    alice: Signer, issuer: Certificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A revocation between reading the status and keeping the answer."""
    certificate = alice.credential.certificate
    real = responding._keep

    def too_late(row: Certificate, *rest: Any) -> Any:
        monkeypatch.setattr(responding, "_keep", real)
        revoke_certificate(certificate=certificate, reason="key_compromise")
        return real(row, *rest)

    monkeypatch.setattr(responding, "_keep", too_late)
    request = ask_about(certificate)
    assert read(post(request)).certificate_status.name == "GOOD"
    assert read(post(request)).certificate_status.name == "REVOKED"


def test_an_answer_is_renewed_when_half_of_its_life_is_over(alice: Signer, issuer: Certificate, asked: Asked) -> None:
    request = ask_about(alice.credential.certificate)
    post(request)
    half = django_settings.OCSP_LIFETIME / 2
    StatusAnswer.objects.update(this_update=timezone.now() - half + timedelta(minutes=1))
    post(request)
    assert asked.count == 1
    StatusAnswer.objects.update(this_update=timezone.now() - half)
    post(request)
    assert asked.count == 2
    assert StatusAnswer.objects.count() == 1


def test_old_answers_are_forgotten(alice: Signer, issuer: Certificate) -> None:
    post(ask_about(alice.credential.certificate))
    assert responding.clear_answers() == 0
    StatusAnswer.objects.update(next_update=timezone.now())
    assert responding.clear_answers() == 1


def test_a_get_may_be_cached_and_a_post_may_not(alice: Signer, issuer: Certificate) -> None:
    request = ask_about(alice.credential.certificate)
    encoded = base64.b64encode(request).decode()
    response = get(encoded)
    fresh = int(response["Cache-Control"].split("max-age=")[1].split(",")[0])
    assert 0 < fresh <= django_settings.OCSP_LIFETIME.total_seconds()
    for word in ("public", "s-maxage=60", "no-transform", "must-revalidate"):
        assert word in response["Cache-Control"]
    assert response["Last-Modified"]
    assert response["Expires"]
    unchanged = get(encoded, **{"If-None-Match": response["ETag"]})
    assert (unchanged.status_code, unchanged.content) == (304, b"")
    assert post(request)["Cache-Control"] == "no-store"
    with_nonce = ask_about(alice.credential.certificate, nonce=b"mine")
    assert get(base64.b64encode(with_nonce).decode())["Cache-Control"] == "no-store"
    unknown = ask_about(alice.credential.certificate, serial_number=5)
    assert get(base64.b64encode(unknown).decode())["Cache-Control"] == "no-store"


# --- Without the HSM, and against those who would wear it out ----------------------------------------------------


def test_without_the_token_kept_answers_go_on_and_others_come_later(
    alice: Signer, bob: Signer, issuer: Certificate, token: Token
) -> None:
    kept = ask_about(alice.credential.certificate)
    first = post(kept)
    token.move_away()
    try:
        assert post(kept).content == first.content
        assert failure(post(ask_about(bob.credential.certificate))) == "TRY_LATER"
        assert read(post(ask_about(alice.credential.certificate, nonce=b"mine"))).response_status is STATUS.SUCCESSFUL
        revoke_certificate(certificate=alice.credential.certificate, reason="key_compromise")
        assert failure(post(kept)) == "TRY_LATER"  # no answer is better than yesterday's
    finally:
        token.bring_back()


def test_an_error_that_nobody_thought_of_is_an_internal_one(
    alice: Signer, issuer: Certificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_arguments: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(responding, "_find_issuer", fail)
    assert failure(post(ask_about(alice.credential.certificate))) == "INTERNAL_ERROR"


def test_an_address_gets_so_many_signatures_a_minute_and_kept_answers_beyond(
    alice: Signer, bob: Signer, issuer: Certificate, settings: Any, asked: Asked
) -> None:
    settings.OCSP_SIGNATURES_PER_ADDRESS = 3
    plain = ask_about(alice.credential.certificate)
    post(plain)
    requests = [ask_about(alice.credential.certificate, nonce=bytes([number]) * 16) for number in range(1, 6)]
    answers = [read(post(request)) for request in requests]
    assert [len(list(answer.extensions)) for answer in answers] == [1, 1, 0, 0, 0]  # beyond, nonces are ignored
    assert failure(post(ask_about(bob.credential.certificate))) == "TRY_LATER"
    assert failure(post(ask_about(bob.credential.certificate, nonce=b"x"))) == "TRY_LATER"
    assert asked.count == 3
    assert read(post(plain)).certificate_status.name == "GOOD"
    elsewhere = post(ask_about(bob.credential.certificate), REMOTE_ADDR="192.0.2.7")
    assert read(elsewhere).certificate_status.name == "GOOD"


def test_all_addresses_together_get_so_many_signatures_and_0_is_no_limit(
    alice: Signer, bob: Signer, issuer: Certificate, settings: Any
) -> None:
    settings.OCSP_SIGNATURES = 2
    about = [ask_about(signer.credential.certificate) for signer in (alice, bob)]
    for number, request in enumerate(about):
        assert read(post(request, REMOTE_ADDR=f"192.0.2.{number}")).certificate_status.name == "GOOD"
    more = several(ask_about(issuer), ask_about(alice.credential.certificate)).dump()
    assert failure(post(more, REMOTE_ADDR="192.0.2.9")) == "TRY_LATER"
    settings.OCSP_SIGNATURES = settings.OCSP_SIGNATURES_PER_ADDRESS = 0
    for _ in range(5):
        assert read(post(more, REMOTE_ADDR="192.0.2.9")).response_status is STATUS.SUCCESSFUL


def test_a_header_counts_only_from_a_trusted_proxy(alice: Signer, issuer: Certificate, settings: Any) -> None:
    settings.OCSP_SIGNATURES_PER_ADDRESS = 1

    def from_behind(claimed: str, nonce: bytes) -> Any:
        request = several(ask_about(alice.credential.certificate), ask_about(issuer))
        request["tbs_request"]["request_extensions"] = [{"extn_id": "nonce", "extn_value": nonce}]
        return post(request.dump(), headers={"X-Forwarded-For": claimed}, REMOTE_ADDR="198.51.100.1")

    assert read(from_behind("203.0.113.1", b"a")).response_status is STATUS.SUCCESSFUL
    assert failure(from_behind("203.0.113.2", b"b")) == "TRY_LATER"
    settings.TRUSTED_PROXIES = ["198.51.100.1"]
    assert read(from_behind("203.0.113.3", b"c")).response_status is STATUS.SUCCESSFUL
    assert failure(from_behind("203.0.113.4, 203.0.113.3", b"d")) == "TRY_LATER"


# --- Other people's programs -------------------------------------------------------------------------------------


def openssl(*arguments: str) -> str:
    finished = subprocess.run(["openssl", *arguments], capture_output=True, text=True, check=False)
    return finished.stdout + finished.stderr


def files(folder: Path, certificate: Certificate) -> dict[str, str]:
    assert certificate.issuer is not None
    assert certificate.issuer.issuer is not None
    paths = {}
    for name, row in (("signer", certificate), ("issuing", certificate.issuer), ("root", certificate.issuer.issuer)):
        path = folder / f"{name}.pem"
        path.write_bytes(loaded(row).public_bytes(Encoding.PEM))
        paths[name] = str(path)
    (folder / "chain.pem").write_bytes((folder / "root.pem").read_bytes() + (folder / "issuing.pem").read_bytes())
    return {**paths, "chain": str(folder / "chain.pem")}


@pytest.mark.parametrize("digest", ["-sha1", "-sha256"])
def test_openssl_takes_the_answer_to_its_own_request(
    alice: Signer, issuer: Certificate, tmp_path: Path, digest: str
) -> None:
    pem = files(tmp_path, alice.credential.certificate)
    request, response = str(tmp_path / "request.der"), str(tmp_path / "response.der")
    about = [digest, "-issuer", pem["issuing"], "-cert", pem["signer"]]

    def ask(send: Callable[[bytes], Any], *nonce: str) -> str:
        openssl("ocsp", *nonce, *about, "-reqout", request)
        Path(response).write_bytes(send(Path(request).read_bytes()).content)
        return openssl("ocsp", *about, "-no_nonce", "-reqin", request, "-respin", response, "-CAfile", pem["chain"])

    said = ask(post, "-nonce")
    assert "Response verify OK" in said
    assert "signer.pem: good" in said
    assert "nonce" not in said.lower()
    said = ask(lambda der: get(quote(base64.b64encode(der).decode(), safe="")), "-no_nonce")
    assert "Response verify OK" in said
    assert "signer.pem: good" in said
    revoke_certificate(certificate=alice.credential.certificate, reason="key_compromise")
    said = ask(post, "-no_nonce")
    assert "signer.pem: revoked" in said
    assert "Reason: keyCompromise" in said


@pytest.mark.parametrize("kind", ["good", "revoked", "unknown", "nonce", "failure"])
def test_a_linter_finds_nothing_to_say(alice: Signer, issuer: Certificate, tmp_path: Path, kind: str) -> None:
    certificate = alice.credential.certificate
    if kind == "revoked":
        revoke_certificate(certificate=certificate, reason="key_compromise")
    request = {
        "unknown": ask_about(certificate, serial_number=5),
        "nonce": ask_about(certificate, nonce=b"n" * 32),
        "failure": b"0",
    }.get(kind, ask_about(certificate))
    path = tmp_path / "response.der"
    path.write_bytes(post(request).content)
    lint = str(Path(sys.executable).parent / "lint_ocsp_response")
    done = subprocess.run([lint, "lint", "-s", "WARNING", str(path)], capture_output=True, text=True, check=False)
    assert (done.stdout + done.stderr).strip() == ""


# --- Requests that nobody should send ----------------------------------------------------------------------------


def _well_formed() -> bytes:
    certificate_id = {
        "hash_algorithm": {"algorithm": "sha1"},
        "issuer_name_hash": b"n" * 20,
        "issuer_key_hash": b"k" * 20,
        "serial_number": 2**80,
    }
    extensions = [{"extn_id": "nonce", "extn_value": b"n" * 16}]
    tbs = {"request_list": [{"req_cert": certificate_id}], "request_extensions": extensions}
    encoded: bytes = asn1.OCSPRequest({"tbs_request": tbs}).dump()
    return encoded


WELL_FORMED = _well_formed()


@st.composite
def bent(draw: st.DrawFn) -> bytes:
    """A request with some bytes changed, put in, taken out or repeated."""
    request = bytearray(WELL_FORMED)
    for _ in range(draw(st.integers(1, 4))):
        where = draw(st.integers(0, len(request) - 1))
        match draw(st.sampled_from(["change", "put in", "take out", "repeat"])):
            case "change":
                request[where] = draw(st.integers(0, 255))
            case "put in":
                request[where:where] = draw(st.binary(min_size=1, max_size=8))
            case "take out":
                del request[where : where + draw(st.integers(1, 8))]
            case "repeat":
                request[where:where] = request[where : where + draw(st.integers(1, 64))]
        if not request:
            break
    return bytes(request)


@given(st.one_of(st.binary(max_size=300), bent()))
@settings(max_examples=1500, deadline=None)
def test_no_bytes_are_more_than_malformed(encoded: bytes) -> None:
    try:
        request = parse_request(encoded)
    except MalformedStatusRequestError:
        return
    assert 1 <= len(request.certificates) <= MOST_CERTIFICATES
    assert request.nonce is None or 1 <= len(request.nonce) <= 128


@given(encoded=st.one_of(st.binary(max_size=200), bent()), as_get=st.booleans())
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_bytes_make_the_responder_stumble(issuer: Certificate, encoded: bytes, as_get: bool) -> None:
    if not encoded and not as_get:
        return  # the test client sends no media type then
    response = get(quote(base64.b64encode(encoded).decode(), safe="")) if as_get else post(encoded)
    assert failure(response) in {"MALFORMED_REQUEST", "UNAUTHORIZED"}


@given(text=st.text(max_size=200))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_address_makes_the_responder_stumble(issuer: Certificate, text: str) -> None:
    assert failure(get(quote(text.encode("utf-8", "surrogatepass"), safe="/+"))) == "MALFORMED_REQUEST"


@pytest.mark.parametrize("depth", [50, 2000, 7000])
def test_a_deep_structure_is_malformed(depth: int) -> None:
    encoded = b"\x30\x80" * depth
    with pytest.raises(MalformedStatusRequestError):
        parse_request(encoded[:LONGEST_REQUEST])
    nested = b"\x30\x00"
    for _ in range(min(depth, 4000)):
        nested = b"\x30\x83" + len(nested).to_bytes(3, "big") + nested
    with pytest.raises(MalformedStatusRequestError):
        parse_request(nested)
