"""A program seals PDFs through gateway on a whole instance, without a person: flow F13 with documents."""

import base64
import json
import secrets
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from standardwebhooks import Webhook

from tests.flows.chain import Chain, Signer, eventually
from tests.flows.test_explicit import PIN, create, pin_file
from tests.flows.test_parallel import at_once
from tests.flows.test_seals import operate
from tests.flows.verdicts import read_root, verify
from tests.support.pdfs import make_pdf
from tests.support.receiver import Receiver

pytestmark = [pytest.mark.instance, pytest.mark.xdist_group("flows-one")]
MOST = 3


@dataclass(frozen=True)
class Program:
    """A client that acts alone, with a seal that operators of both services let it use."""

    chain: Chain
    client_id: str
    secret: str
    credential: str
    webhook_secret: str

    def token(self) -> str:
        base = self.chain.base_url
        resources = [f"{base}/gateway", f"{base}/csc"]
        form = {"grant_type": "client_credentials", "scope": "service", "resource": resources}
        own = (self.client_id, self.secret)
        answer = httpx.post(f"{base}/authz/oauth2/token", data=form, auth=own, timeout=60, trust_env=False)
        assert answer.status_code == 200, answer.text
        token: str = answer.json()["access_token"]
        return token

    def call(self, method: str, address: str, body: Any, token: str) -> httpx.Response:
        given: dict[str, Any] = {"content": body} if isinstance(body, bytes) else {"json": body} if body else {}
        headers = {"Authorization": f"Bearer {token}"}
        if isinstance(body, bytes):
            headers["Content-Type"] = "application/pdf"
        address = f"{self.chain.base_url}/{address}"
        return httpx.request(method, address, headers=headers, timeout=60, trust_env=False, **given)

    def prepare(self, pdf: bytes, token: str) -> Any:
        job = self.call("POST", "gateway/v1/jobs", pdf, token).json()
        prepared = {"credential_id": self.credential, "level": "B-B"}
        answer = self.call("POST", f"gateway/v1/jobs/{job['job_id']}/prepare", prepared, token)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def open_seal(self, jobs: list[Any], token: str) -> str:
        """The PIN goes to the signing service alone, with exactly these digests."""
        body = {
            "credentialID": self.credential,
            "numSignatures": len(jobs),
            "hashes": [job["digest"] for job in jobs],
            "hashAlgorithmOID": jobs[0]["hash_algorithm_oid"],
            "authData": [{"id": "PIN", "value": PIN}],
        }
        answer = self.call("POST", "csc/v2/credentials/authorize", body, token)
        assert answer.status_code == 200, answer.text
        sad: str = answer.json()["SAD"]
        return sad

    def seal(self, job: Any, sad: str, token: str) -> httpx.Response:
        return self.call("POST", f"gateway/v1/jobs/{job['job_id']}/seal", {"sad": sad}, token)

    def ended(self, job: Any, token: str) -> Any:
        def read() -> Any:
            found = self.call("GET", f"gateway/v1/jobs/{job['job_id']}", None, token).json()
            return found if found["state"] in {"signed", "failed"} else None

        return eventually(read)


@pytest.fixture
def program(chain: Chain, alice: Signer, receiver: Receiver) -> Program:
    made = ("create_client", "Invoices", "--may-act-alone", "--may-use-gateway")
    told = json.loads(chain.instance.manage(*made, capture=True))
    credential = create(alice, "--pin-file", pin_file(chain), "--scal", "2", "--multisign", "50")
    [(owner,)] = chain.rows("rssp", "SELECT subject FROM rssp_credential WHERE credential_id = ?", credential)
    said = operate(
        chain,
        f"""
granting.set_seal(
    credential=Credential.objects.get(credential_id={credential!r}), is_seal=True, reason="invoices", **by
)
granting.grant_seals(client_id={told["client_id"]!r}, subject={owner!r}, max_signatures={MOST}, **by)
from gateway.models import ClientPolicy, WebhookEndpoint
from gateway.services import webhooks
policy = ClientPolicy.objects.create(client_id={told["client_id"]!r}, may_seal=True, seal_owner={owner!r})
print(webhooks.add_endpoint(client=policy, url="{receiver.origin}/ok/seals", events=WebhookEndpoint.Event.values)[1])
""",
    )
    return Program(chain, told["client_id"], told["client_secret"], credential, said.split()[-1])


def test_a_program_seals_documents_and_no_more_than_it_may_and_is_told(
    chain: Chain, program: Program, alice: Signer, receiver: Receiver, tmp_path: Path
) -> None:
    token = program.token()
    listed = program.call("GET", "gateway/v1/credentials", None, token).json()["credentials"]
    assert program.credential in {each["credential_id"] for each in listed}
    assert not {*alice.credentials} & {each["credential_id"] for each in listed}
    originals = [make_pdf(pages=number + 1) for number in range(MOST)]
    jobs = [program.prepare(original, token) for original in originals]
    other = program.prepare(make_pdf(), token)
    sad = program.open_seal(jobs, token)
    before = chain.signatures_made()
    # Impatience: each document is sealed once, however often that is asked for.
    statuses = at_once([lambda _http, job=job: program.seal(job, sad, token).status_code for job in jobs * 3])
    assert Counter(statuses) == {202: 3 * MOST}
    ended = [program.ended(job, token) for job in jobs]
    assert {job["state"] for job in ended} == {"signed"}, ended
    root = read_root(chain.base_url)
    for job, original in zip(jobs, originals, strict=True):
        signed = program.call("GET", f"gateway/v1/jobs/{job['job_id']}/result", None, token)
        verify(signed.content, original=original, root=root, folder=tmp_path)
    assert chain.signatures_made() == before + MOST
    names = {job["job_id"] for job in jobs}

    def told() -> Any:
        """By a library that is not ours: it refuses what is not signed. An event whose answer came late comes again."""
        got = {each["headers"]["webhook-id"]: each for each in receiver.got("/ok/seals")}.values()
        every = [Webhook(program.webhook_secret).verify(each["body"], each["headers"]) for each in got]
        heard = Counter((each["type"], each["data"]["job_id"]) for each in every if each["data"]["job_id"] in names)
        return heard if len(heard) == 2 * MOST else None

    heard = eventually(told)
    assert heard == {(f"job.{state}", name): 1 for state in ("prepared", "signed") for name in names}
    # What was opened for those is opened for no other, and one that was made up opens nothing.
    for wrong in (sad, secrets.token_urlsafe(32)):
        assert program.seal(other, wrong, token).status_code == 202
        failed = program.ended(other, token)
        assert failed["error"]["code"] in {"approval_refused", "approval_expired"}
        other = program.prepare(make_pdf(), token)
    digests = [base64.b64decode(job["digest"]) for job in jobs]
    assert chain.signatures_over(*digests) == Counter(digests)
    # Many by one activation: a batch.
    seal_batch(program, 2, token)
    # An operator who takes the policy back is obeyed at once.
    mine = f"ClientPolicy.objects.filter(client_id={program.client_id!r})"
    operate(chain, f"from gateway.models import ClientPolicy\n{mine}.update(active=False)")
    assert program.seal(other, sad, token).json()["error"] == "client_not_allowed"
    assert chain.signatures_made() == before + MOST + 2


def seal_batch(program: Program, count: int, token: str) -> None:
    def call(method: str, address: str, body: Any = None) -> Any:
        answer = program.call(method, f"gateway/v1/{address}", body, token)
        assert answer.is_success, answer.text
        return answer.json()

    jobs = [call("POST", "jobs", make_pdf(pages=number + 1))["job_id"] for number in range(count)]
    batch = f"batches/{call('POST', 'batches', {'jobs': jobs})['batch_id']}"
    hash_oid = "2.16.840.1.101.3.4.2.1"
    call("POST", f"{batch}/prepare", {"credential_id": program.credential, "level": "B-B"})
    eventually(lambda: call("GET", batch)["state"] == "prepared")
    digests = [{**job, "hash_algorithm_oid": hash_oid} for job in call("GET", f"{batch}/jobs")["jobs"]]
    assert call("POST", f"{batch}/seal", {"sad": program.open_seal(digests, token)})["state"] == "approved"
    eventually(lambda: call("GET", batch)["state"] == "ended")
    assert call("GET", batch)["states"] == {"signed": count}
