"""One client assertion, one DPoP proof in many hands at the same moment, on PostgreSQL with two web processes: each is
good once."""

import json
from collections import Counter
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from tests.flows.chain import Chain
from tests.flows.test_parallel import at_once
from tests.support.proofs import ClientKey

pytestmark = [pytest.mark.instance, pytest.mark.postgresql, pytest.mark.xdist_group("flows-several")]
HANDS = 20
ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


@dataclass(frozen=True)
class Sealer:
    """A client that may act alone and proves itself by its key."""

    client_id: str
    issuer: str
    key: ClientKey

    def form(self) -> dict[str, str]:
        assertion = self.key.assertion(self.client_id, self.issuer)
        return {
            "grant_type": "client_credentials",
            "client_assertion_type": ASSERTION,
            "client_assertion": assertion,
        }

    def ask(self, http: httpx.Client, form: dict[str, str], **headers: str) -> httpx.Response:
        return http.post(f"{self.issuer}/oauth2/token", data=form, headers=headers)


@pytest.fixture(scope="module")
def sealer(several: Chain) -> Sealer:
    told = json.loads(several.instance.manage("create_client", "Invoices", "--may-act-alone", capture=True))
    key = ClientKey(kid="1")
    change = "UPDATE authz_application SET authentication = ?, jwks = ? WHERE client_id = ?"
    several.rows("authz", change, "private_key_jwt", json.dumps({"keys": [key.public]}), told["client_id"])
    return Sealer(told["client_id"], f"{several.base_url}/authz", key)


def test_an_assertion_in_many_hands_is_good_once(sealer: Sealer) -> None:
    form = sealer.form()
    answers = at_once([lambda http: sealer.ask(http, form).status_code for _ in range(HANDS)])
    assert Counter(answers) == {200: 1, 401: HANDS - 1}


def test_a_proof_in_many_hands_is_good_once(several: Chain, sealer: Sealer) -> None:
    proof = sealer.key.proof("POST", f"{sealer.issuer}/oauth2/token")
    forms = [sealer.form() for _ in range(HANDS)]
    answers: list[Any] = at_once(
        [lambda http, form=form: sealer.ask(http, form, DPoP=proof) for form in forms]  # type: ignore[misc]
    )
    assert Counter(answer.status_code for answer in answers) == {200: 1, 400: HANDS - 1}
    [token] = [answer.json()["access_token"] for answer in answers if answer.status_code == 200]
    url = f"{several.base_url}/csc/v2/credentials/list"
    shown = sealer.key.proof("POST", url, token=token)
    headers = {"Authorization": f"DPoP {token}", "DPoP": shown}
    statuses = Counter(at_once([lambda http: http.post(url, json={}, headers=headers).status_code] * HANDS))
    # The one that passes is told what else a client without a person has to say.
    assert statuses[401] == HANDS - 1
    assert statuses.total() == HANDS
