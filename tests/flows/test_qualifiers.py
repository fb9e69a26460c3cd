"""A signature qualifier in a credential's place, in a running instance: the signer chooses, and the HSM signs with what
was chosen and with nothing else."""

import json
import secrets
from typing import Any

import httpx
import pytest

from tests.flows.chain import Chain, Signer
from tests.flows.test_refusals import INVALID_SAD, refusal
from tests.support.walk import Walker, digest_of

pytestmark = [pytest.mark.instance, pytest.mark.xdist_group("flows-one")]

QUALIFIER = "paraph_demonstration"


def ask(signer: Signer, digest: bytes, credential_id: str) -> dict[str, Any]:
    """The token's answer, after the signer chose this credential."""
    [detail] = signer.client.details("", digest)["authorization_details"]
    del detail["credentialID"]
    walker: Walker = signer.walker
    answered = signer.client.authorize(
        walker,
        choose=credential_id,
        authorization_details=[detail | {"signatureQualifier": QUALIFIER}],
    )
    told: dict[str, Any] = signer.client.redeem(answered).json()
    return told


def test_what_was_chosen_signs_once_and_the_other_one_never(chain: Chain, alice: Signer) -> None:
    digest = digest_of(secrets.token_hex(8))
    for info in credential_infos(alice):
        assert info["signatureQualifier"] == QUALIFIER
    other, chosen = alice.credentials[:2]
    told = ask(alice, digest, chosen)
    assert told["credentialID"] == chosen == told["authorization_details"][0]["credentialID"]
    before = chain.signatures_made()
    refused = alice.sign(told["access_token"], digest, credential=other)
    assert refused.status_code == httpx.codes.BAD_REQUEST
    assert chain.signatures_made() == before
    described = alice.client.call("credentials/info", {"credentialID": chosen}, told["access_token"])
    assert described.json()["signatureQualifier"] == QUALIFIER
    assert alice.sign(told["access_token"], digest, credential=chosen).status_code == httpx.codes.OK
    assert chain.signatures_made() == before + 1


@pytest.mark.parametrize("change", ["another", "none", "another credential"])
def test_a_qualifier_that_the_signer_did_not_see_signs_nothing(chain: Chain, alice: Signer, change: str) -> None:
    """Who has authz's database changes what was asked for, or which credential it became."""
    digest = digest_of(secrets.token_hex(8))
    other, chosen = alice.credentials[:2]
    told = ask(alice, digest, chosen)
    [(key, text)] = chain.rows(
        "authz", "SELECT id, details FROM authz_consent WHERE state = 'approved' ORDER BY decided DESC LIMIT 1"
    )
    [detail] = json.loads(text)
    assert (detail["signatureQualifier"], detail["credentialID"]) == (QUALIFIER, chosen)
    if change == "none":
        del detail["signatureQualifier"]
    else:
        detail |= {"signatureQualifier": "eu_eidas_aes"} if change == "another" else {"credentialID": other}
    chain.rows("authz", "UPDATE authz_consent SET details = ? WHERE id = ?", json.dumps([detail]), key)
    before = chain.sign_calls()
    refused = alice.sign(told["access_token"], digest, credential=detail["credentialID"])
    assert refusal(refused) == (400, "invalid_request", INVALID_SAD)
    assert chain.sign_calls() == before


def credential_infos(signer: Signer) -> list[dict[str, Any]]:
    answer = signer.client.call("credentials/list", {"credentialInfo": True}, signer.service_token)
    found: list[dict[str, Any]] = answer.json()["credentialInfos"]
    return found
