"""A certificate's life in a running instance: issued, used, time-stamped, ended; each end is told wherever somebody
asks, and what was approved before it signs nothing."""

import base64
import json
import secrets
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from rssp.pki.profiles import DEMONSTRATION_EMAIL_POLICY, DEMONSTRATION_POLICY
from tests.flows.chain import Chain, Signer, eventually
from tests.flows.test_revocation import Relying
from tests.support.pdfs import make_pdf
from tests.support.walk import digest_of

pytestmark = [pytest.mark.instance, pytest.mark.xdist_group("flows-one")]

_ISSUE_EVERY_PROFILE = """
import json, secrets
from django.conf import settings
from rssp.pki.profiles import SUBSCRIBER_PROFILES
from rssp.pki.subjects import LegalPerson, NaturalPerson, UnverifiedPerson
from rssp.services.authority import issue_certificate, prepare_service_certificate
from rssp.services.hsm import get_hsm
settings.RSSP_CERTIFICATE_POLICIES = list(SUBSCRIBER_PROFILES)
person = NaturalPerson("Alice Example", "FR", "PNOFR-1234", given_name="Alice", surname="Example")
subjects = [
    ("demonstration", UnverifiedPerson("Alice Example")),
    ("demonstration", UnverifiedPerson("Alice Example", "alice@example.org")),
    ("signer", person),
    ("short-lived", person),
    ("short-lived-unpublished", person),
    ("seal", LegalPerson("Example Seal", "FR", "Example SARL", "VATFR-12345678901")),
]
made = [prepare_service_certificate(role=role) for role in ("tsa", "ocsp")]
for policy, subject in subjects:
    key = get_hsm().generate_key(key_id=secrets.token_bytes(16), label="test", key_algorithm="ec-p256")
    made.append(issue_certificate(certificate_policy=policy, subject=subject, public_key=key))
print(json.dumps({row.profile: bytes(row.der).hex() for row in made}))
"""


@pytest.fixture
def relying(chain: Chain, tmp_path: Path) -> Iterator[Relying]:
    with chain.signer("Carol", "ec-p256") as signer:
        yield Relying(chain, signer, tmp_path)


def put_lists(relying: Relying) -> None:
    """Both revocation lists as PEM, and the root with them: openssl ts reads lists from nowhere else."""
    for name in ("root", "issuing"):
        parsed = x509.load_der_x509_crl(relying.get(f"{name}.crl"))
        (relying.folder / f"{name}.crl.pem").write_bytes(parsed.public_bytes(Encoding.PEM))
    parts = ("root.pem", "root.crl.pem", "issuing.crl.pem")
    (relying.folder / "trusted.pem").write_bytes(b"".join((relying.folder / name).read_bytes() for name in parts))


def verify_with_lists(relying: Relying, name: str, *options: str) -> str:
    files = ("-CAfile", "trusted.pem", "-untrusted", "issuing.pem")
    return relying.openssl("verify", "-x509_strict", "-crl_check_all", *files, *options, name)


def stamp(relying: Relying, name: str) -> None:
    relying.openssl("ts", "-query", "-data", name, "-sha256", "-cert", "-out", "query")
    headers = {"Content-Type": "application/timestamp-query"}
    content = (relying.folder / "query").read_bytes()
    answer = httpx.post(
        f"{relying.chain.base_url}/pki/tsa", content=content, headers=headers, trust_env=False, timeout=60
    )
    assert answer.status_code == 200
    (relying.folder / "reply").write_bytes(answer.content)


def verify_stamp(relying: Relying, name: str, trusted: str) -> str:
    return relying.openssl("ts", "-verify", "-crl_check_all", "-data", name, "-in", "reply", "-CAfile", trusted)


def refusal(answer: Any) -> str:
    assert answer.status_code == 400, answer.text
    return str(answer.json()["error_description"])


def test_issued_used_stamped_and_revoked_it_is_told_everywhere_and_what_was_approved_is_not_signed(
    chain: Chain, relying: Relying
) -> None:
    put_lists(relying)
    assert "signer.pem: good" in relying.ask()
    assert "signer.pem: OK" in verify_with_lists(relying, "signer.pem")
    lease, annex = digest_of(secrets.token_hex(8)), digest_of(secrets.token_hex(8))
    token = relying.signer.ask(lease, annex)
    signed = relying.signer.sign(token, lease)
    assert signed.status_code == 200
    verify_signature(relying, lease, signed.json()["signatures"][0])
    stamp(relying, "signature")
    assert "Verification: OK" in verify_stamp(relying, "signature", "trusted.pem")
    assert "Verification: OK" not in verify_stamp(relying, "signature", "root.pem")  # no list, no trust

    relying.change("revoke", "--code", "cessation_of_operation")
    assert eventually(lambda: "signer.pem: revoked" in relying.ask())
    assert "Reason: cessationOfOperation" in relying.ask()
    assert eventually(lambda: "certificate revoked" in relying.verify())
    before = chain.sign_calls()
    assert refusal(relying.signer.sign(token, annex)) == "Signing certificate 'CN=Carol Example' is revoked."
    assert chain.ledger([lease, annex]) == ["signed", "withdrawn"]
    assert chain.sign_calls() == before
    put_lists(relying)
    assert "Verification: OK" in verify_stamp(relying, "signature", "trusted.pem")  # what was stamped before stays so
    assert "certificate revoked" in verify_with_lists(relying, "signer.pem")
    assert refusal(relying.signer.sign(relying.signer.ask(annex), annex)).endswith("is revoked.")


def verify_signature(relying: Relying, digest: bytes, encoded: str) -> None:
    """By openssl, over the digest and with the certificate's key."""
    key = x509.load_pem_x509_certificate((relying.folder / "signer.pem").read_bytes()).public_key()
    (relying.folder / "key.pem").write_bytes(key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    (relying.folder / "digest").write_bytes(digest)
    (relying.folder / "signature").write_bytes(base64.b64decode(encoded))
    said = relying.openssl(
        "pkeyutl", "-verify", "-pubin", "-inkey", "key.pem", "-sigfile", "signature", "-in", "digest"
    )
    assert "Signature Verified Successfully" in said


def test_a_hold_ends_what_was_approved_and_a_resumed_certificate_signs_again(chain: Chain, relying: Relying) -> None:
    first, second = digest_of(secrets.token_hex(8)), digest_of(secrets.token_hex(8))
    token = relying.signer.ask(first, second)
    assert relying.signer.sign(token, first).status_code == 200
    relying.change("suspend")
    assert "Reason: certificateHold" in relying.ask()
    assert eventually(lambda: "certificate revoked" in relying.verify())
    assert refusal(relying.signer.sign(token, second)) == "Signing certificate 'CN=Carol Example' is suspended."
    assert chain.ledger([first, second]) == ["signed", "withdrawn"]
    relying.change("resume")
    assert relying.signer.sign(token, second).status_code == 400  # resumed is the certificate, not the approval
    assert relying.signer.sign(relying.signer.ask(second), second).status_code == 200
    assert "signer.pem: good" in relying.ask()


@pytest.mark.parametrize(("begins", "ends", "state"), [(-400, -1, "expired"), (1, 400, "suspended")])
def test_a_certificate_signs_within_its_time_alone(
    chain: Chain, relying: Relying, begins: int, ends: int, state: str
) -> None:
    digest = digest_of(secrets.token_hex(8))
    token = relying.signer.ask(digest)
    serial = relying.serial
    [dates] = chain.rows("rssp", "SELECT not_before, not_after FROM rssp_certificate WHERE serial_number = ?", serial)
    change = "UPDATE rssp_certificate SET not_before = ?, not_after = ? WHERE serial_number = ?"
    now = datetime.now(UTC).replace(tzinfo=None)
    chain.rows("rssp", change, str(now + timedelta(days=begins)), str(now + timedelta(days=ends)), serial)
    before = chain.sign_calls()
    assert refusal(relying.signer.sign(token, digest)) == f"Signing certificate 'CN=Carol Example' is {state}."
    assert chain.sign_calls() == before
    chain.rows("rssp", change, *dates, serial)
    assert relying.signer.sign(token, digest).status_code == 200


def test_openssl_verifies_every_profile_with_every_list(chain: Chain, relying: Relying) -> None:
    put_lists(relying)
    made = json.loads(chain.instance.manage("shell", "-c", _ISSUE_EVERY_PROFILE, capture=True).splitlines()[-1])
    silent = {"ocsp", "short-lived-unpublished"}  # they name no list, so none of ours is about them
    assert set(made) == silent | {"tsa", "demonstration", "demonstration-email", "signer", "short-lived", "seal"}
    for profile, der in made.items():
        pem = x509.load_der_x509_certificate(bytes.fromhex(der)).public_bytes(Encoding.PEM)
        (relying.folder / f"{profile}.pem").write_bytes(pem)
        purpose = {"tsa": ["-purpose", "timestampsign"], "ocsp": ["-purpose", "ocsphelper"]}.get(profile, [])
        if profile in silent:
            assert "different CRL scope" in verify_with_lists(relying, f"{profile}.pem", *purpose)
            files = ("-CAfile", "root.pem", "-untrusted", "issuing.pem")
            assert f"{profile}.pem: OK" in relying.openssl("verify", "-x509_strict", *files, *purpose, f"{profile}.pem")
            continue
        assert f"{profile}.pem: OK" in verify_with_lists(relying, f"{profile}.pem", *purpose)


def test_without_a_confirmed_address_a_certificate_signs_and_carries_none_and_with_one_it_says_so(
    chain: Chain, tmp_path: Path
) -> None:
    with chain.signer("Dave", "ec-p256") as signer:
        first = Relying(chain, signer, tmp_path)
        assert contents(first) == (DEMONSTRATION_POLICY, [])
        assert "None in it" in (page := signer.walker.open("/account")).text
        assert f"{chain.base_url}/authz/passkeys" in page.text
        assert signer.walker.sign(make_pdf()).startswith(b"%PDF")

        confirm_address(chain, signer)
        signer.walker.get_certificate("ec-p256")
        [second] = set(signer.client.list_credentials(signer.service_token)) - set(signer.credentials)
        folder = tmp_path / "second"
        folder.mkdir()
        later = Relying(chain, Signer(chain, signer.walker, signer.client, signer.service_token, (second,)), folder)
        assert contents(later) == (DEMONSTRATION_EMAIL_POLICY, [signer.walker.email])
        assert f"<dd>{signer.walker.email}</dd>" in signer.walker.open("/account").text
        assert signer.walker.sign(make_pdf(), credential_id=second).startswith(b"%PDF")


def contents(relying: Relying) -> tuple[str, list[str]]:
    """The policy and the addresses that a signer's certificate has."""
    extensions = x509.load_pem_x509_certificate((relying.folder / "signer.pem").read_bytes()).extensions
    [policy] = extensions.get_extension_for_class(x509.CertificatePolicies).value
    names = [item.value for item in extensions if isinstance(item.value, x509.SubjectAlternativeName)]
    addresses = [address for item in names for address in item.get_values_for_type(x509.RFC822Name)]
    return policy.policy_identifier.dotted_string, addresses


def confirm_address(chain: Chain, signer: Signer) -> None:
    """Opens the link that was mailed, and presses the button there."""
    link = chain.instance.mailbox.await_link(signer.walker.email, "/authz/address/")
    signer.walker.send(signer.walker.open(link))
