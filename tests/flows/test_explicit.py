"""Explicit mode on a whole instance, through a client that somebody else registered: flows F1 to F7 and F11.

The one-time passwords are read where the instance's mails lie; the passkey is asked for on the real page.
"""

import asyncio
import base64
import re
import secrets
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256
from pyhanko.sign.signers.csc_signer import CSCAuthorizationInfo, CSCAuthorizationManager

from tests.flows.chain import Chain, Signer, eventually
from tests.flows.test_foreign_client import sign_with
from tests.flows.verdicts import read_root, verify
from tests.support.pdfs import make_pdf
from tests.support.walk import SIGN_ALGO, digest_of, encode

pytestmark = [pytest.mark.instance, pytest.mark.xdist_group("flows-one")]
# A canary: what finds it in a log found the PIN.
PIN = "Canary-7391"
both_versions = pytest.mark.parametrize("version", [1, 2])


@pytest.fixture(scope="module")
def alice(chain: Chain) -> Iterator[Signer]:
    with chain.signer("Alice", "ec-p256") as signer:
        yield signer


def create(signer: Signer, *options: str) -> str:
    """A credential in explicit mode, as an operator makes it."""
    chain = signer.chain
    [(subject,)] = chain.rows(
        "rssp", "SELECT subject FROM rssp_credential WHERE credential_id = ?", signer.credentials[0]
    )
    named = ["--subject", subject, "--common-name", signer.walker.name, "--email", signer.walker.email]
    told = chain.instance.manage("create_explicit_credential", *named, "--reason", "by letter", *options, capture=True)
    return told.strip()


def pin_file(chain: Chain) -> str:
    path = chain.folder / f"pin-{secrets.token_hex(4)}"
    path.touch(mode=0o600)
    path.write_text(f"{PIN}\n", encoding="utf-8")
    return str(path)


def read_password(chain: Chain, address: str) -> str:
    """The one-time password of the newest letter to ``address`` that was not read before."""
    return chain.instance.mailbox.await_match(address, r"(?m)^(\d{6}) is your one-time password")[1]


def authorize_body(credential: str, digests: list[bytes], version: int, **members: Any) -> dict[str, Any]:
    hashes = {1: "hash", 2: "hashes"}[version]
    body = {"credentialID": credential, "numSignatures": len(digests), hashes: [encode(each) for each in digests]}
    return body | members


def sign(signer: Signer, credential: str, digests: list[bytes], version: int, sad: str) -> Any:
    hashes = {1: "hash", 2: "hashes"}[version]
    body = {"credentialID": credential, "SAD": sad, "signAlgo": SIGN_ALGO["ec"]}
    body[hashes] = [encode(each) for each in digests]  # type: ignore[assignment]
    return signer.client.call("signatures/signHash", body, signer.service_token, version=version)


def verified(signer: Signer, credential: str, digests: list[bytes], answer: Any) -> None:
    """With the certificate's own key, by another library than the one that signed."""
    assert answer.status_code == 200, answer.text
    told = signer.client.call("credentials/info", {"credentialID": credential}, signer.service_token).json()
    key = x509.load_der_x509_certificate(base64.b64decode(told["cert"]["certificates"][0])).public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    for digest, value in zip(digests, answer.json()["signatures"], strict=True):
        key.verify(base64.b64decode(value), digest, ec.ECDSA(Prehashed(SHA256())))


@both_versions
def test_f1_f2_f5_f7_pin_and_a_password_by_mail(alice: Signer, version: int) -> None:
    chain = alice.chain
    credential = create(alice, "--pin-file", pin_file(chain), "--email-otp")
    digests = [digest_of(secrets.token_hex(8))]
    if version == 1:
        sent = alice.client.call("credentials/sendOTP", {"credentialID": credential}, alice.service_token, version=1)
        factors: dict[str, Any] = {"PIN": PIN, "OTP": "000000"}
    else:
        asked = {"credentialID": credential, "authObjectID": "MAIL"}
        sent = alice.client.call("credentials/getChallenge", asked, alice.service_token)
        factors = {"authData": [{"id": "PIN", "value": PIN}, {"id": "MAIL", "value": "000000"}]}
    assert (sent.status_code, sent.content) == (204, b"")
    body, before = authorize_body(credential, digests, version), chain.signatures_made()
    wrong = alice.client.call("credentials/authorize", body | factors, alice.service_token, version=version)
    assert wrong.json()["error"] == {1: "invalid_otp", 2: "invalid_authentication_data"}[version]
    password = read_password(chain, alice.walker.email)
    if version == 1:
        factors["OTP"] = password
    else:
        factors["authData"][1]["value"] = password
    opened = alice.client.call("credentials/authorize", body | factors, alice.service_token, version=version)
    assert opened.status_code == 200, opened.text
    verified(alice, credential, digests, sign(alice, credential, digests, version, opened.json()["SAD"]))
    assert chain.signatures_made() == before + 1


@both_versions
def test_f11_one_authorization_is_extended_hash_by_hash(alice: Signer, version: int) -> None:
    credential = create(alice, "--pin-file", pin_file(alice.chain))
    digests = [digest_of(secrets.token_hex(8)) for _ in range(3)]
    factors = {"PIN": PIN} if version == 1 else {"authData": [{"id": "PIN", "value": PIN}]}
    body = authorize_body(credential, digests[:1], version, numSignatures=3, **factors)
    sad = alice.client.call("credentials/authorize", body, alice.service_token, version=version).json()["SAD"]
    for number, digest in enumerate(digests):
        verified(alice, credential, [digest], sign(alice, credential, [digest], version, sad))
        if number < 2:
            following = authorize_body(credential, [digests[number + 1]], version, SAD=sad)
            extended = alice.client.call(
                "credentials/extendTransaction", following, alice.service_token, version=version
            )
            assert extended.status_code == 200, extended.text
            sad = extended.json()["SAD"]
    assert sign(alice, credential, digests[:1], version, sad).status_code == 400


def approve_on_the_page(signer: Signer) -> None:
    """The signer finds what waits and answers with password and passkey."""
    walker = signer.walker

    def find() -> Any:
        return re.search(r"/authz/approvals/[0-9a-f-]{36}", walker.http.get(f"{walker.authz}/authz/approvals").text)

    page = walker.open(f"{walker.authz}{eventually(find)[0]}")
    assert "Lease" in page.text
    walker.approve(page)


def test_f6_a_passkey_out_of_band_gives_a_client_that_polls_its_sad(alice: Signer) -> None:
    credential = create(alice, "--pin-file", pin_file(alice.chain), "--passkey")
    digests = [digest_of(secrets.token_hex(8)) for _ in range(2)]
    factors = [{"id": "PIN", "value": PIN}, {"id": "Passkey"}]
    body = authorize_body(credential, digests, 2, authData=factors, description="Lease")
    asked = alice.client.call("credentials/authorize", body, alice.service_token)
    assert asked.status_code == 202, asked.text

    def check() -> Any:
        return alice.client.call("credentials/authorizeCheck", asked.json(), alice.service_token)

    assert check().status_code == 202
    approve_on_the_page(alice)
    answer = eventually(lambda: (told := check()).status_code != 202 and told)
    assert answer.status_code == 200, answer.text
    verified(alice, credential, digests, sign(alice, credential, digests, 2, answer.json()["SAD"]))
    assert check().status_code == 400


def test_f4_version_1_waits_for_the_passkey(alice: Signer) -> None:
    credential = create(alice, "--implicit")
    digests = [digest_of(secrets.token_hex(8))]
    body = authorize_body(credential, digests, 1, description="Lease")
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(alice.client.call, "credentials/authorize", body, alice.service_token, version=1)
        approve_on_the_page(alice)
        opened = answer.result(60)
    assert opened.status_code == 200, opened.text
    verified(alice, credential, digests, sign(alice, credential, digests, 1, opened.json()["SAD"]))


class OpenedByPin(CSCAuthorizationManager):
    """pyHanko's client, with the PIN that its user typed."""

    async def authorize_signature(self, hash_b64s: list[str]) -> CSCAuthorizationInfo:
        body = self.format_csc_auth_request(pin=PIN, hash_b64s=hash_b64s)
        address = self.csc_session_info.endpoint_url("credentials/authorize")
        async with (
            aiohttp.ClientSession() as session,
            session.post(address, headers=self.auth_headers, json=body) as answer,
        ):
            assert answer.status == 200, await answer.text()
            return self.parse_csc_auth_response(await answer.json())


def test_pyhankos_client_signs_with_a_pin(alice: Signer, tmp_path: Path) -> None:
    credential = create(alice, "--pin-file", pin_file(alice.chain))
    originals = [make_pdf(text=f"Lease {number}") for number in range(2)]
    started = time.monotonic()
    signed = asyncio.run(sign_with(OpenedByPin, alice, credential, originals))
    assert time.monotonic() - started < 60
    for original, each in zip(originals, signed, strict=True):
        verify(each, original=original, root=read_root(alice.chain.base_url), folder=tmp_path)


def test_i1_no_log_of_the_instance_holds_the_pin(alice: Signer) -> None:
    """After everything above, refused tries among it."""
    credential = create(alice, "--pin-file", pin_file(alice.chain))
    body = authorize_body(credential, [digest_of("Lease")], 1)
    for pin, status in ((PIN + "x", 400), (PIN, 200)):
        answer = alice.client.call("credentials/authorize", body | {"PIN": pin}, alice.service_token, version=1)
        assert answer.status_code == status
    logs = [path for path in alice.chain.instance.var_dir.glob("log/*") if path.is_file()]
    written = "".join(path.read_text(errors="replace") for path in logs)
    assert "credentials/authorize" in written
    for secret in (PIN, answer.json()["SAD"], alice.service_token):
        assert secret not in written


def test_the_signer_s_application_never_offers_such_a_credential(alice: Signer) -> None:
    credential = create(alice, "--pin-file", pin_file(alice.chain))
    assert credential in alice.client.list_credentials(alice.service_token)
    walker = alice.walker
    page = walker.open(walker.upload(make_pdf()))
    assert alice.credentials[0] in page.text
    assert credential not in page.text
