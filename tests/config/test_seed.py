"""The demo data: told the same each time, made as any other data, and good to log in and to sign with."""

import base64
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.serialization import load_der_private_key
from cryptography.x509 import ocsp
from django.core.management import CommandError, call_command
from pytest_django import Settings

from scripts.demo import SAMPLE
from scripts.instance import Instance
from tests.support.authenticator import Authenticator
from tests.support.instance import start_instance
from tests.support.walk import SIGN_ALGO, CscClient, Walker, digest_of, encode, passkey_options

pytestmark = pytest.mark.xdist_group("seed")


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    with start_instance(tmp_path_factory.mktemp("seeded")) as started:
        yield started


def seed(instance: Instance) -> Any:
    return json.loads(instance.manage("seed_demo", capture=True))


def client_of(told: Any) -> CscClient:
    """The printed client."""
    client = told["clients"][0]
    return CscClient(
        issuer=f"{told['base_url']}/authz",
        service=f"{told['base_url']}/csc",
        client_id=client["client_id"],
        secret=client["client_secret"],
        redirect_uri=client["redirect_uris"][0],
    )


def walker_of(told: Any, name: str) -> tuple[Walker, str]:
    """A printed user with the printed passkey, logged in with the printed password."""
    user = next(user for user in told["users"] if user["email"] == f"{name.lower()}@example.org")
    walker = Walker(name, signapp=told["base_url"], authz=told["base_url"])
    passkey = user["passkeys"][0]
    private_key: Any = load_der_private_key(base64.b64decode(passkey["privateKey"]), password=None)
    walker.key = Authenticator(
        rp_id=passkey["rpId"],
        origin=told["base_url"],
        counts=True,
        user_handle=base64.b64decode(passkey["userHandle"]),
        credential_id=base64.b64decode(passkey["credentialId"]),
        private_key=private_key,
        sign_count=passkey["signCount"],
    )
    page = walker.send(walker.open("/login?next=/documents"), email=user["email"], password=user["password"])
    page = walker.send(page, response=json.dumps(walker.key.get(passkey_options(page)[0])))
    assert str(page.url) == f"{told['base_url']}/documents"
    return walker, user["password"]


@pytest.mark.instance
def test_it_tells_the_same_people_credentials_and_client_each_time(instance: Instance) -> None:
    first = seed(instance)
    assert seed(instance) == first
    assert [user["email"] for user in first["users"]] == [
        "alice@example.org",
        "bob@example.org",
        "operator@example.org",
    ]
    found = [(each["email"], each["key"], each["auth_mode"], each["scal"]) for each in first["credentials"]]
    assert found == [
        ("alice@example.org", "rsa-2048", "oauth2code", "2"),
        ("alice@example.org", "ec-p256", "oauth2code", "2"),
        ("alice@example.org", "rsa-2048", "explicit", "2"),
        ("alice@example.org", "ec-p256", "explicit", "2"),
        ("bob@example.org", "ec-p256", "oauth2code", "2"),
    ]


@pytest.mark.instance
def test_the_authority_s_addresses_answer(instance: Instance) -> None:
    told = seed(instance)
    root = x509.load_pem_x509_certificate(httpx.get(told["root_url"], trust_env=False).content)
    assert root.issuer == root.subject
    published = httpx.get(told["crl_url"], trust_env=False)
    assert x509.load_der_x509_crl(published.content).next_update_utc is not None
    asked = httpx.post(told["ocsp_url"], content=b"0", headers={"Content-Type": "application/ocsp-request"})
    answer = ocsp.load_der_ocsp_response(asked.content)
    assert answer.response_status is ocsp.OCSPResponseStatus.MALFORMED_REQUEST


@pytest.mark.instance
def test_what_is_secret_is_for_the_owners_eyes_and_of_this_installation_alone(instance: Instance) -> None:
    seed(instance)
    files = list((instance.var_dir / "secrets").glob("demo_*"))
    assert len(files) == 5
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}


@pytest.mark.instance
@pytest.mark.parametrize("key", ["rsa-2048", "ec-p256"])
def test_alice_signs_with_a_key_that_another_process_made(instance: Instance, key: str) -> None:
    told = seed(instance)
    alice, password = walker_of(told, "Alice")
    credential = next(
        each for each in told["credentials"] if each["key"] == key and each["email"] == "alice@example.org"
    )
    with alice:
        path = alice.upload(SAMPLE.read_bytes())
        alice.prepare(path, credential_id=credential["credential_id"])
        alice.approve(alice.begin_approval(path), password=password)
        assert alice.wait(path) == "signed"
        assert alice.download(path).startswith(SAMPLE.read_bytes())
    assert seed(instance)["users"][0]["passkeys"][0]["signCount"] == alice.key.sign_count


@pytest.mark.instance
@pytest.mark.parametrize("version", [1, 2])
def test_a_foreign_client_signs_with_alices_pin(instance: Instance, version: int) -> None:
    told = seed(instance)
    alice, _password = walker_of(told, "Alice")
    pin = next(user["pin"] for user in told["users"] if user["email"] == "alice@example.org")
    assert [user["pin"] for user in told["users"]] == [pin, None, None]
    with alice:
        application = client_of(told)
        bearer = application.log_in(alice)
    for credential in (each for each in told["credentials"] if each["auth_mode"] == "explicit"):
        own, digest = {"credentialID": credential["credential_id"]}, digest_of("Lease")
        wanted = {{1: "hash", 2: "hashes"}[version]: [encode(digest)]}
        for given, status in ((pin[::-1], 400), (pin, 200)):
            factors = {"PIN": given} if version == 1 else {"authData": [{"id": "PIN", "value": given}]}
            body = own | wanted | factors | {"numSignatures": 1}
            opened = application.call("credentials/authorize", body, bearer, version=version)
            assert opened.status_code == status, opened.text
        body = own | wanted | {"SAD": opened.json()["SAD"], "signAlgo": SIGN_ALGO[credential["key"].split("-")[0]]}
        signed = application.call("signatures/signHash", body, bearer, version=version)
        assert signed.status_code == 200, signed.text
        verify_value(application, bearer, credential["credential_id"], digest, signed.json()["signatures"][0])


def verify_value(application: CscClient, bearer: str, credential_id: str, digest: bytes, signature: str) -> None:
    """With the certificate's own key."""
    found = application.call("credentials/info", {"credentialID": credential_id}, bearer).json()
    leaf = x509.load_der_x509_certificate(base64.b64decode(found["cert"]["certificates"][0]))
    key, value, hashed = leaf.public_key(), base64.b64decode(signature), Prehashed(hashes.SHA256())
    if isinstance(key, rsa.RSAPublicKey):
        key.verify(value, digest, padding.PKCS1v15(), hashed)
    else:
        assert isinstance(key, ec.EllipticCurvePublicKey)
        key.verify(value, digest, ec.ECDSA(hashed))


@pytest.mark.instance
def test_a_foreign_client_lists_bobs_credential(instance: Instance) -> None:
    told = seed(instance)
    bob, _password = walker_of(told, "Bob")
    with bob:
        application = client_of(told)
        listed = application.list_credentials(application.log_in(bob))
    mine = [each["credential_id"] for each in told["credentials"] if each["email"] == "bob@example.org"]
    assert listed == mine


@pytest.mark.instance
def test_the_operator_opens_the_admin_and_bob_does_not(instance: Instance) -> None:
    told = seed(instance)
    for name, is_let_in in (("Operator", True), ("Bob", False)):
        somebody, _password = walker_of(told, name)
        with somebody:
            page = somebody.http.get(f"{told['base_url']}/admin/", follow_redirects=True)
        assert ("What is kept here" in page.text) is is_let_in


def test_there_is_no_demo_data_outside_development(settings: Settings) -> None:
    settings.DEVELOPMENT = False
    with pytest.raises(CommandError, match="no place outside development"):
        call_command("seed_demo")
