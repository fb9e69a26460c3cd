"""Seals on a whole instance: flow F13, and what a password alone opens at the CSC API, through clients of others."""

import json
import secrets
from collections import Counter
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from tests.flows.chain import Chain, Signer
from tests.flows.test_explicit import PIN, authorize_body, create, pin_file
from tests.flows.test_parallel import at_once
from tests.support.walk import PASSWORD, SIGN_ALGO, digest_of, encode

pytestmark = [pytest.mark.instance, pytest.mark.xdist_group("flows-one")]
both_versions = pytest.mark.parametrize("version", [1, 2])
MOST = 20


@dataclass(frozen=True)
class Sealer:
    """A client that acts alone, and the seal that an operator granted to it."""

    chain: Chain
    client_id: str
    secret: str
    owner: str
    credential: str

    def token(self) -> httpx.Response:
        form = {"grant_type": "client_credentials", "scope": "service"}
        address = f"{self.chain.base_url}/authz/oauth2/token"
        return httpx.post(address, data=form, auth=(self.client_id, self.secret), timeout=60, trust_env=False)

    def call(self, method: str, body: dict[str, Any], bearer: str, *, version: int) -> httpx.Response:
        return call(self.chain, method, body, f"Bearer {bearer}", version=version)

    def sign(self, sad: str, bearer: str, digests: list[bytes], *, version: int) -> httpx.Response:
        body: dict[str, Any] = {"credentialID": self.credential, "SAD": sad, "signAlgo": SIGN_ALGO["ec"]}
        body[{1: "hash", 2: "hashes"}[version]] = [encode(digest) for digest in digests]
        return self.call("signatures/signHash", body, bearer, version=version)


def call(chain: Chain, method: str, body: dict[str, Any], authorization: Any, *, version: int) -> httpx.Response:
    how: dict[str, Any] = {"auth": authorization} if isinstance(authorization, tuple) else {}
    if isinstance(authorization, str):
        how = {"headers": {"Authorization": authorization}}
    address = f"{chain.base_url}/csc/v{version}/{method}"
    return httpx.post(address, json=body, timeout=60, trust_env=False, **how)


def operate(chain: Chain, code: str) -> str:
    """What an operator does in the admin, without the pages; answers what the code prints."""
    return chain.instance.manage("shell", "--no-imports", "-c", f"{_OPERATOR}\n{code}", capture=True)


_OPERATOR = """
from rssp.models import Credential, SealGrant
from rssp.services import granting
from rssp.services.operating import Operator
by = {"operator": Operator(name="operator@example.org", request_id="", address="")}
"""


@pytest.fixture
def sealer(chain: Chain, alice: Signer) -> Sealer:
    told = json.loads(chain.instance.manage("create_client", "Invoices", "--may-act-alone", capture=True))
    credential = create(alice, "--pin-file", pin_file(chain), "--scal", "1", "--multisign", "50")
    [(owner,)] = chain.rows("rssp", "SELECT subject FROM rssp_credential WHERE credential_id = ?", credential)
    operate(
        chain,
        f"""
granting.set_seal(
    credential=Credential.objects.get(credential_id={credential!r}), is_seal=True, reason="invoices", **by
)
granting.grant_seals(client_id={told["client_id"]!r}, subject={owner!r}, max_signatures={MOST}, **by)
""",
    )
    return Sealer(chain, told["client_id"], told["client_secret"], owner, credential)


@both_versions
def test_f13_a_client_seals_many_digests_and_no_more_than_it_may(
    chain: Chain, sealer: Sealer, alice: Signer, version: int
) -> None:
    assert "oauth2client" in call(chain, "info", {}, None, version=version).json()["authType"]
    answer = sealer.token().json()
    assert "refresh_token" not in answer
    bearer = answer["access_token"]
    assert sealer.call("credentials/list", {}, bearer, version=version).status_code == 400
    listed = sealer.call("credentials/list", {"userID": sealer.owner}, bearer, version=version).json()
    assert sealer.credential in listed["credentialIDs"]
    assert not {*alice.credentials} & {*listed["credentialIDs"]}
    factors = {"PIN": PIN} if version == 1 else {"authData": [{"id": "PIN", "value": PIN}]}
    asked = {"credentialID": sealer.credential, **factors}
    for private in alice.credentials:
        refused = sealer.call("credentials/info", {"credentialID": private}, bearer, version=version)
        assert refused.json()["error_description"] == "Invalid parameter credentialID"
    many = sealer.call("credentials/authorize", asked | {"numSignatures": MOST + 1}, bearer, version=version)
    assert many.json()["error_description"] == "Numbers of signatures is too high"
    before = chain.signatures_made()
    opened = sealer.call("credentials/authorize", asked | {"numSignatures": MOST}, bearer, version=version)
    assert opened.status_code == 200, opened.text
    sad = opened.json()["SAD"]
    digests = [digest_of(secrets.token_hex(8)) for _ in range(MOST + 1)]
    first = sealer.sign(sad, bearer, digests[:5], version=version)
    assert len(first.json()["signatures"]) == 5
    # By the owner's own service token the client's SAD is nothing, and the other way round.
    body = {"credentialID": sealer.credential, "SAD": sad, "signAlgo": SIGN_ALGO["ec"]}
    body[{1: "hash", 2: "hashes"}[version]] = [encode(digests[5])]
    assert alice.client.call("signatures/signHash", body, alice.service_token, version=version).status_code == 400
    statuses = at_once(
        [
            lambda _http, digest=digest: sealer.sign(sad, bearer, [digest], version=version).status_code
            for digest in digests[5:]
        ]
    )
    assert Counter(statuses) == {200: MOST - 5, 400: 1}
    assert chain.signatures_made() == before + MOST
    operate(chain, 'granting.set_grant_active(grant=SealGrant.objects.latest("pk"), active=False, reason="over", **by)')
    gone = sealer.call("credentials/list", {"userID": sealer.owner}, bearer, version=version)
    assert gone.json()["error_description"] == "Invalid parameter userID"


@both_versions
def test_f1_a_password_alone_opens_what_a_pin_opens_and_nothing_of_a_passkey(
    chain: Chain, alice: Signer, version: int
) -> None:
    info = call(chain, "info", {}, None, version=version).json()
    assert "basic" in info["authType"]
    assert {"auth/login", "auth/revoke"} <= set(info["methods"])
    logged_in = call(chain, "auth/login", {}, (alice.walker.email, PASSWORD), version=version)
    assert logged_in.status_code == 200, logged_in.text
    bearer = f"Bearer {logged_in.json()['access_token']}"
    credential, digests = create(alice, "--pin-file", pin_file(chain)), [digest_of(secrets.token_hex(8))]
    listed = call(chain, "credentials/list", {}, bearer, version=version).json()["credentialIDs"]
    assert {credential, *alice.credentials} <= set(listed)
    factors = {"PIN": PIN} if version == 1 else {"authData": [{"id": "PIN", "value": PIN}]}
    body = authorize_body(credential, digests, version, **factors)
    sad = call(chain, "credentials/authorize", body, bearer, version=version).json()["SAD"]
    signing: dict[str, Any] = {"SAD": sad, "signAlgo": SIGN_ALGO["ec"]}
    signing[{1: "hash", 2: "hashes"}[version]] = [encode(digests[0])]
    before = chain.signatures_made()
    # At a credential that a passkey guards: neither this SAD nor that passkey's approval for another client.
    guarded = signing | {"credentialID": alice.credential}
    assert call(chain, "signatures/signHash", guarded, bearer, version=version).status_code == 400
    approved = guarded | {"SAD": alice.ask(digests[0])}
    assert call(chain, "signatures/signHash", approved, bearer, version=version).status_code == 400
    opened = call(chain, "credentials/authorize", body | {"credentialID": alice.credential}, bearer, version=version)
    assert opened.status_code == 400
    assert chain.signatures_made() == before
    signed = call(chain, "signatures/signHash", signing | {"credentialID": credential}, bearer, version=version)
    assert signed.status_code == 200, signed.text
    revoked = call(chain, "auth/revoke", {"token": bearer.removeprefix("Bearer ")}, bearer, version=version)
    assert revoked.status_code == 204
    assert call(chain, "credentials/list", {}, bearer, version=version).status_code == 401
