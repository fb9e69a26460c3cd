"""Revocation lists of a real authority in a real token, read by other tools; stale ones, busy ones, and none at all."""

import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from django.conf import settings as django_settings
from django.test import Client
from django.utils import timezone

from rssp.checks import check_revocation
from rssp.errors import RevocationListUnavailableError
from rssp.models import Certificate, RevocationList, RevocationScope
from rssp.pki import crl
from rssp.services import revocation_lists, scopes
from rssp.services.authority import read_authority, read_chain, renew_issuing_authority
from rssp.services.revocation_lists import read_revocation_list, ring_revocation_lists
from rssp.services.revoking import resume_certificate, revoke_certificate, suspend_certificate
from rssp.tasks import renew_revocation_lists
from tests.rssp.conftest import Asked, Signer, have_authority
from tests.rssp.rows import add_certificates
from tests.support.softhsm import Token

ISSUING, ROOT = "/pki/issuing.crl", "/pki/root.crl"
REASONS = {
    "key_compromise": "Key Compromise",
    "affiliation_changed": "Affiliation Changed",
    "superseded": "Superseded",
    "cessation_of_operation": "Cessation Of Operation",
    "privilege_withdrawn": "Privilege Withdrawn",
}


@pytest.fixture
def authority(token: Token) -> Certificate:
    have_authority()
    return read_authority(role="issuing")


def fetch(path: str = ISSUING, **headers: str) -> Any:
    return Client().get(path, headers=headers)


def parse(response: Any) -> x509.CertificateRevocationList:
    assert response.status_code == 200, response.content
    return x509.load_der_x509_crl(response.content)


def number_of(revocation_list: x509.CertificateRevocationList) -> int:
    return revocation_list.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number


def listed(revocation_list: x509.CertificateRevocationList) -> set[str]:
    return {f"{entry.serial_number:x}" for entry in revocation_list}


def openssl(*arguments: str) -> str:
    finished = subprocess.run(["openssl", *arguments], capture_output=True, text=True, check=False)
    return finished.stdout + finished.stderr


def write(folder: Path, certificate: Certificate, *lists: bytes) -> list[str]:
    """What ``openssl verify`` wants: the signer's certificate last."""
    signer, issuing, root = (
        x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM) for der in read_chain(certificate)
    )
    (folder / "signer.pem").write_bytes(signer)
    (folder / "root.pem").write_bytes(root)
    (folder / "issuing.pem").write_bytes(issuing)
    together = b"".join(x509.load_der_x509_crl(der).public_bytes(Encoding.PEM) for der in lists)
    (folder / "lists.pem").write_bytes(together)
    files = ["-CAfile", "root.pem", "-untrusted", "issuing.pem", "-CRLfile", "lists.pem", "signer.pem"]
    return [str(folder / item) if item.endswith(".pem") else item for item in files]


def lint(folder: Path, der: bytes, kind: str) -> str:
    (folder / "list.crl").write_bytes(der)
    command = [str(Path(sys.executable).parent / "lint_crl"), "lint", "-t", kind, "-p", "PKIX", "-s", "WARNING"]
    done = subprocess.run([*command, str(folder / "list.crl")], capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def test_openssl_takes_what_is_not_listed_and_refuses_what_is(alice: Signer, tmp_path: Path) -> None:
    certificate = alice.credential.certificate
    verify = ["verify", "-x509_strict", "-crl_check_all"]
    before = write(tmp_path, certificate, fetch().content, fetch(ROOT).content)
    assert openssl(*verify, *before).endswith("signer.pem: OK\n")
    suspend_certificate(certificate=certificate)
    held = write(tmp_path, certificate, fetch().content, fetch(ROOT).content)
    assert "certificate revoked" in openssl(*verify, *held)
    resume_certificate(certificate=certificate)
    resumed = write(tmp_path, certificate, fetch().content, fetch(ROOT).content)
    assert openssl(*verify, *resumed).endswith("signer.pem: OK\n")
    revoke_certificate(certificate=certificate, reason="key_compromise")
    revoked = write(tmp_path, certificate, fetch().content, fetch(ROOT).content)
    assert "certificate revoked" in openssl(*verify, *revoked)
    assert "unable to get certificate CRL" in openssl(*verify, *write(tmp_path, certificate, fetch(ROOT).content))


@pytest.mark.parametrize("reason", [*REASONS, "unspecified"])
def test_openssl_reads_every_reason(alice: Signer, tmp_path: Path, reason: str) -> None:
    revoke_certificate(certificate=alice.credential.certificate, reason=reason)
    (tmp_path / "list.crl").write_bytes(fetch().content)
    text = openssl("crl", "-inform", "DER", "-noout", "-text", "-in", str(tmp_path / "list.crl"))
    serial = alice.credential.certificate.serial_number.upper()
    assert f"Serial Number: {serial.zfill(len(serial) + len(serial) % 2)}" in text
    assert ("CRL Reason Code" in text) is (reason != "unspecified")
    for words in (
        "Version 2 (0x1)",
        "Only User Certificates",
        f"URI:{django_settings.RSSP_PKI_URL}/issuing.crl",
        "X509v3 Issuing Distribution Point: critical",
        "X509v3 Authority Key Identifier",
        REASONS.get(reason, "Revoked Certificates"),
    ):
        assert words in text


def test_a_list_says_who_issued_it_and_until_when_it_holds(authority: Certificate) -> None:
    seen = parse(fetch())
    issuing = x509.load_der_x509_certificate(bytes(authority.der))
    assert seen.issuer == issuing.subject
    assert seen.is_signature_valid(issuing.public_key())  # type: ignore[arg-type]
    assert seen.next_update_utc == seen.last_update_utc + django_settings.CRL_LIFETIME
    identifier = seen.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
    assert identifier == issuing.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    expired = seen.extensions.get_extension_for_oid(x509.ObjectIdentifier("2.5.29.60"))
    assert isinstance(expired.value, x509.UnrecognizedExtension)
    assert expired.value.value[2:] == authority.not_before.strftime("%Y%m%d%H%M%SZ").encode()
    assert not expired.critical


def test_the_root_s_list_is_about_authorities(authority: Certificate) -> None:
    seen = parse(fetch(ROOT))
    point = seen.extensions.get_extension_for_class(x509.IssuingDistributionPoint).value
    assert (point.only_contains_ca_certs, point.only_contains_user_certs, point.full_name) == (True, False, None)
    assert len(seen) == 0
    revoke_certificate(certificate=authority, reason="ca_compromise")
    assert listed(parse(fetch(ROOT))) == {authority.serial_number}


@pytest.mark.parametrize(("path", "kind"), [(ISSUING, "CRL"), (ROOT, "ARL")])
def test_a_linter_finds_nothing_to_say(alice: Signer, settings: Any, tmp_path: Path, path: str, kind: str) -> None:
    settings.RSSP_PKI_URL = "http://rssp.example.org/pki"  # the linter takes no host name without a dot
    assert lint(tmp_path, fetch(path).content, kind).strip() == ""
    revoke_certificate(certificate=alice.credential.certificate, reason="key_compromise")
    assert lint(tmp_path, fetch(path).content, kind).strip() == ""


def test_a_revocation_is_on_the_list_that_is_asked_for_next(authority: Certificate, asked: Asked) -> None:
    first, second, third = add_certificates(authority, 3)
    assert (number_of(parse(fetch())), listed(parse(fetch()))) == (1, set())
    revoke_certificate(certificate=first, reason="superseded")
    suspend_certificate(certificate=second)
    assert listed(parse(fetch())) == {first.serial_number, second.serial_number}
    resume_certificate(certificate=second)
    revoke_certificate(certificate=third, reason="superseded")
    assert listed(parse(fetch())) == {first.serial_number, third.serial_number}
    assert number_of(parse(fetch())) == 3
    assert asked.count == 3


def test_what_is_not_stale_is_signed_once(authority: Certificate, asked: Asked) -> None:
    lists = [fetch() for _ in range(5)]
    assert len({response.content for response in lists}) == 1
    assert asked.count == 1


def test_a_list_is_renewed_when_half_of_its_life_is_over(authority: Certificate) -> None:
    fetch()
    half = django_settings.CRL_LIFETIME / 2
    RevocationList.objects.update(this_update=timezone.now() - half + timedelta(minutes=1))
    assert number_of(parse(fetch())) == 1
    RevocationList.objects.update(this_update=timezone.now() - half)
    assert number_of(parse(fetch())) == 2
    RevocationList.objects.update(next_update=timezone.now())  # the setting was shorter when it was made
    assert number_of(parse(fetch())) == 3


def test_what_expired_stays_listed(authority: Certificate) -> None:
    (certificate,) = add_certificates(authority, 1)
    revoke_certificate(certificate=certificate, reason="key_compromise")
    Certificate.objects.filter(pk=certificate.pk).update(not_after=timezone.now() - timedelta(days=400))
    assert listed(parse(fetch())) == {certificate.serial_number}


def test_a_certificate_of_unknown_outcome_can_be_revoked(authority: Certificate) -> None:
    (certificate,) = add_certificates(authority, 1)
    Certificate.objects.filter(pk=certificate.pk).update(state="intended")
    revoke_certificate(certificate=certificate, reason="cessation_of_operation")
    assert listed(parse(fetch())) == {certificate.serial_number}


def test_a_row_that_somebody_changed_by_hand_is_listed_all_the_same(authority: Certificate) -> None:
    (certificate,) = add_certificates(authority, 1)
    Certificate.objects.filter(pk=certificate.pk).update(status="revoked")
    (entry,) = parse(fetch())
    assert f"{entry.serial_number:x}" == certificate.serial_number
    assert entry.revocation_date_utc == certificate.not_before.replace(microsecond=0)


def test_a_date_of_2050_is_a_generalized_time(authority: Certificate) -> None:
    (certificate,) = add_certificates(authority, 1)
    revoke_certificate(certificate=certificate, reason="superseded")
    late = datetime(2050, 1, 1, 0, 0, 1, tzinfo=UTC)
    Certificate.objects.filter(pk=certificate.pk).update(revoked_at=late)
    (entry,) = parse(fetch())
    assert entry.revocation_date_utc == late


def test_a_list_may_be_cached_and_asked_for_conditionally(authority: Certificate) -> None:
    response = fetch()
    assert response["Content-Type"] == "application/pkix-crl"
    fresh = int(response["Cache-Control"].split("max-age=")[1].split(",")[0])
    assert django_settings.CRL_LIFETIME.total_seconds() - 10 < fresh <= django_settings.CRL_LIFETIME.total_seconds()
    assert "s-maxage=60" in response["Cache-Control"]
    for header in ({"If-None-Match": response["ETag"]}, {"If-Modified-Since": response["Last-Modified"]}):
        unchanged = fetch(**header)
        assert (unchanged.status_code, unchanged.content) == (304, b"")
        assert unchanged["ETag"] == response["ETag"]
    revoke_certificate(certificate=add_certificates(authority, 1)[0], reason="superseded")
    changed = fetch(**{"If-None-Match": response["ETag"]})
    assert (changed.status_code, len(parse(changed))) == (200, 1)
    head = Client().head(ISSUING)
    assert (head.status_code, head.content, head["ETag"]) == (200, b"", changed["ETag"])


def test_certificates_fill_one_partition_after_the_other(alice: Signer, bob: Signer, settings: Any) -> None:
    settings.CRL_PARTITION_SIZE = Certificate.objects.filter(role="signer").count() + 1
    issuer = read_authority(role="issuing")
    carol, dave = Signer(alice.remote), Signer(alice.remote)
    partitions = [carol.own_credential().certificate.partition, dave.own_credential().certificate.partition]
    assert partitions[-1] == 1
    certificate = dave.credential.certificate
    points = x509.load_der_x509_certificate(bytes(certificate.der)).extensions.get_extension_for_class(
        x509.CRLDistributionPoints
    )
    address = f"{settings.RSSP_PKI_URL}/issuing/1.crl"
    assert points.value[0].full_name == [x509.UniformResourceIdentifier(address)]
    revoke_certificate(certificate=certificate, reason="superseded")
    theirs = parse(fetch("/pki/issuing/1.crl"))
    point = theirs.extensions.get_extension_for_class(x509.IssuingDistributionPoint).value
    assert point.full_name == [x509.UniformResourceIdentifier(address)]
    assert listed(theirs) == {certificate.serial_number}
    assert listed(parse(fetch())) == set()
    assert RevocationScope.objects.filter(issuer=issuer).count() == 2


def test_openssl_wants_the_list_of_the_certificate_s_own_partition(
    alice: Signer, settings: Any, tmp_path: Path
) -> None:
    settings.CRL_PARTITION_SIZE = 1
    carol = Signer(alice.remote)
    certificate = carol.own_credential().certificate
    assert certificate.partition > 0
    own = fetch(f"/pki/issuing/{certificate.partition}.crl").content
    verify = ["verify", "-x509_strict", "-crl_check"]
    assert openssl(*verify, *write(tmp_path, certificate, own)).endswith("signer.pem: OK\n")
    assert "different CRL scope" in openssl(*verify, *write(tmp_path, certificate, fetch().content))


@pytest.mark.parametrize(
    "path",
    [
        "/pki/issuing/1.crl",
        "/pki/issuing/99999999999999999999.crl",
        "/pki/tsa.crl",
        "/pki/ocsp.crl",
        "/pki/signer.crl",
        "/pki/issuing-2.crl",
        "/pki/issuing-x.crl",
        "/pki/nobody.crl",
    ],
)
def test_a_stranger_s_wish_makes_no_list(authority: Certificate, asked: Asked, path: str) -> None:
    scopes_before = RevocationScope.objects.count()
    assert fetch(path).status_code == 404
    assert (RevocationScope.objects.count(), asked.count) == (scopes_before, 0)
    assert Client().post(ISSUING).status_code == 405


def test_without_the_token_the_last_list_is_served_as_long_as_it_holds(authority: Certificate, token: Token) -> None:
    (certificate,) = add_certificates(authority, 1)
    first = fetch()
    revoke_certificate(certificate=certificate, reason="superseded")
    token.move_away()
    try:
        assert fetch().content == first.content
        RevocationList.objects.update(next_update=timezone.now())
        answer = fetch()
        assert (answer.status_code, answer["Retry-After"]) == (503, "5")
        assert answer.content == b""
    finally:
        token.bring_back()
    assert listed(eventually_parsed()) == {certificate.serial_number}


def eventually_parsed() -> x509.CertificateRevocationList:
    deadline = timezone.now() + timedelta(seconds=10)
    while True:
        answer = fetch()
        if answer.status_code == 200 or timezone.now() > deadline:
            return parse(answer)


def test_while_another_process_makes_a_list_the_last_one_is_served(authority: Certificate, asked: Asked) -> None:
    first = fetch()
    revoke_certificate(certificate=add_certificates(authority, 1)[0], reason="superseded")
    RevocationScope.objects.update(taken_until=timezone.now() + timedelta(seconds=20))
    assert fetch().content == first.content
    RevocationScope.objects.update(taken_until=timezone.now() - timedelta(seconds=1))  # that process died
    assert len(parse(fetch())) == 1
    assert asked.count == 2


def test_who_waits_for_the_first_list_waits_not_for_ever(
    authority: Certificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetch()
    RevocationList.objects.all().delete()
    RevocationScope.objects.update(taken_until=timezone.now() + timedelta(seconds=20))
    monkeypatch.setattr(revocation_lists, "_WAIT_SECONDS", 0.3)
    with pytest.raises(RevocationListUnavailableError):
        read_revocation_list(issuer=authority, partition=0)


def test_a_slow_process_never_publishes_an_older_truth(authority: Certificate) -> None:
    first, second = add_certificates(authority, 2)
    fetch()
    revoke_certificate(certificate=first, reason="superseded")
    scope = RevocationScope.objects.get(issuer=authority, partition=0)
    slow = revocation_lists._take_turn(scope)
    assert slow is not None
    made = revocation_lists._sign(slow)
    revoke_certificate(certificate=second, reason="superseded")
    RevocationScope.objects.update(taken_until=timezone.now() - timedelta(seconds=1))
    newer = parse(fetch())
    assert revocation_lists._publish(slow, made) is None
    assert parse(fetch()) == newer
    assert listed(newer) == {first.serial_number, second.serial_number}
    assert list(RevocationList.objects.filter(scope=scope).order_by("pk").values_list("number", flat=True)) == [1, 3]


def test_a_higher_number_with_an_older_truth_is_not_published(authority: Certificate) -> None:
    """The faster process read before the revocation, the slower one after it: the faster one's number is higher."""
    (certificate,) = add_certificates(authority, 1)
    fetch()
    scope = RevocationScope.objects.get(issuer=authority, partition=0)
    slow = revocation_lists._take_turn(scope)
    RevocationScope.objects.update(taken_until=None)
    fast = revocation_lists._take_turn(scope)
    assert slow is not None
    assert fast is not None
    without = revocation_lists._sign(fast)
    revoke_certificate(certificate=certificate, reason="superseded")
    fresh = revocation_lists._Turn(slow.scope, slow.number, slow.changes + 1)
    assert revocation_lists._publish(fresh, revocation_lists._sign(fresh)) is not None
    assert revocation_lists._publish(fast, without) is None
    assert listed(parse(fetch())) == {certificate.serial_number}


def test_only_the_latest_list_keeps_its_content(authority: Certificate) -> None:
    for certificate in add_certificates(authority, 3):
        revoke_certificate(certificate=certificate, reason="superseded")
        fetch()
    kept = RevocationList.objects.filter(scope__issuer=authority).order_by("number")
    assert [(row.number, row.entries, bool(row.der)) for row in kept] == [(1, 1, False), (2, 2, False), (3, 3, True)]


def test_a_list_that_is_not_what_was_asked_for_is_not_published(
    authority: Certificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = crl._encode_extensions
    monkeypatch.setattr(
        crl, "_encode_extensions", lambda draft, issuer: real(crl.ListDraft(**{**vars(draft), "number": 7}), issuer)
    )
    assert fetch().status_code == 503
    assert not RevocationList.objects.exists()
    monkeypatch.setattr(crl, "_encode_extensions", real)
    assert number_of(parse(fetch())) == 2


class _Web:
    """The web process, as the worker reaches it."""

    def __init__(self, status: int = 200) -> None:
        self.asked: list[str] = []
        self.status = status

    def handle(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(f"{request.method} {request.url}")
        if self.status == 0:
            raise httpx.ConnectError("away")
        answered = Client().head(request.url.path)
        return httpx.Response(self.status if self.status != 200 else answered.status_code)


web = _Web()


def transport_for(_address: str) -> httpx.BaseTransport:
    """Clients are kept from test to test, and what they reach is each test's own."""
    return httpx.MockTransport(lambda request: web.handle(request))


@pytest.fixture
def reached(settings: Any, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> _Web:
    settings.CLIENT_TRANSPORT = f"{__name__}.transport_for"
    fresh = _Web(getattr(request, "param", 200))
    monkeypatch.setattr(sys.modules[__name__], "web", fresh)
    return fresh


def test_the_regular_round_has_every_list_renewed(authority: Certificate, reached: _Web) -> None:
    fetch()
    fetch(ROOT)
    revoke_certificate(certificate=add_certificates(authority, 1)[0], reason="superseded")
    renew_revocation_lists()
    assert sorted(reached.asked) == [f"HEAD {django_settings.RSSP_URL}{path}" for path in (ISSUING, ROOT)]
    assert RevocationList.objects.latest("pk").entries == 1


@pytest.mark.parametrize("reached", [0, 503], indirect=True)
def test_the_regular_round_survives_a_web_process_that_is_away(authority: Certificate, reached: _Web) -> None:
    fetch()
    assert ring_revocation_lists() == 0
    renew_revocation_lists()
    assert len(reached.asked) >= 2


def test_entries_are_read_in_portions(authority: Certificate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(revocation_lists, "_CHUNK", 7)
    rows = add_certificates(authority, 50)
    Certificate.objects.filter(pk__in=[row.pk for row in rows]).update(
        status="revoked", revoked_at=timezone.now(), revocation_reason="superseded"
    )
    RevocationScope.objects.filter(issuer=authority).update(changes=1)
    assert listed(parse(fetch())) == {row.serial_number for row in rows}


def test_a_partition_is_assigned_under_the_setting(authority: Certificate, settings: Any) -> None:
    settings.CRL_PARTITION_SIZE = 10
    have = Certificate.objects.filter(issuer=authority).count()
    add_certificates(authority, 10 - have)
    assert scopes.assign_partition(issuer=authority) == 1
    add_certificates(authority, 10, partition=1)
    assert scopes.assign_partition(issuer=authority) == 2
    names: Sequence[str] = [scopes.list_path(authority, number) for number in (0, 1, 2)]
    assert names == ["issuing.crl", "issuing/1.crl", "issuing/2.crl"]


def test_an_older_authority_goes_on_with_its_own_list_until_it_ends(authority: Certificate, asked: Asked) -> None:
    (older,) = add_certificates(authority, 1)
    second = renew_issuing_authority()
    (newer,) = add_certificates(second, 1)
    for certificate in (older, newer):
        revoke_certificate(certificate=certificate, reason="superseded")
    first_list, second_list = parse(fetch()), parse(fetch("/pki/issuing-2.crl"))
    assert (listed(first_list), listed(second_list)) == ({older.serial_number}, {newer.serial_number})
    assert first_list.issuer != second_list.issuer
    Certificate.objects.filter(pk=authority.pk).update(not_after=timezone.now())
    RevocationScope.objects.update(changes=7)
    signed = asked.count
    assert parse(fetch()) == first_list  # the last one, for good
    assert asked.count == signed
    assert number_of(parse(fetch("/pki/issuing-2.crl"))) == 2


def test_of_an_authority_whose_key_is_elsewhere_there_is_no_list_and_nobody_asks(
    authority: Certificate, reached: _Web
) -> None:
    root = Certificate.objects.get(role="root")
    Certificate.objects.filter(pk=root.pk).update(hsm_key_id=None)
    assert fetch(ROOT).status_code == 503
    fetch()
    assert ring_revocation_lists() == 1
    assert len(reached.asked) == 1


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("CRL_LIFETIME", timedelta(minutes=59), ["rssp.E030"]),
        ("OCSP_LIFETIME", timedelta(0), ["rssp.E030"]),
        ("CRL_PARTITION_SIZE", 0, ["rssp.E030"]),
        ("CRL_LIFETIME", timedelta(hours=49), ["rssp.W030"]),
        ("CRL_LIFETIME", timedelta(hours=48), []),
    ],
)
def test_settings_that_publish_nothing_worth_having_are_named(
    settings: Any, name: str, value: Any, said: list[str]
) -> None:
    setattr(settings, name, value)
    assert [message.id for message in check_revocation()] == said
