"""A batch through the whole chain: one consent page, one passkey, one token, a signature of the HSM for each
document."""

import base64
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.flows.chain import Chain, eventually
from tests.flows.verdicts import read_root, verify
from tests.support.gateway_caller import GatewayCaller
from tests.support.pdfs import make_pdf
from tests.support.walk import query_of

pytestmark = [pytest.mark.instance, pytest.mark.xdist_group("one instance")]

NAMES = ["Lease", "Annex", "Keys", "Lease again"]


@pytest.fixture(scope="module")
def caller(chain: Chain) -> Iterator[GatewayCaller]:
    with chain.walker("Alice") as walker:
        walker.sign_up()
        walker.get_certificate("ec-p256")
        yield GatewayCaller(walker, chain.instance)


@pytest.mark.parametrize("policy", ["all_or_nothing", "best_effort"])
def test_one_approval_by_passkey_signs_every_document_once(
    chain: Chain, caller: GatewayCaller, tmp_path: Path, policy: str
) -> None:
    documents = [make_pdf(text=name) for name in NAMES]
    jobs = [caller.call("POST", "jobs", pdf).json()["job_id"] for pdf in documents]
    batch = f"batches/{caller.call('POST', 'batches', {'jobs': jobs, 'policy': policy}).json()['batch_id']}"
    assert caller.call("POST", f"{batch}/prepare", {"credential_id": caller.credential(), "level": "B-T"}).is_success
    eventually(lambda: caller.call("GET", batch).json()["state"] == "prepared")

    asked = caller.call("POST", f"{batch}/authorization", {"state": secrets.token_urlsafe(24)}).json()
    page = caller.walker.open(asked["authorization_url"])
    assert "You are about to sign 4 documents" in page.text
    answered = caller.walker.approve(page, until=f"{chain.base_url}/approval/callback")
    query = query_of(answered.headers["Location"])
    done = caller.call("POST", f"{batch}/complete", {"code": query["code"], "iss": query["iss"]})
    assert done.status_code == 202, done.text
    eventually(lambda: caller.call("GET", batch).json()["state"] == "ended")

    told = caller.call("GET", f"{batch}/jobs").json()["jobs"]
    assert [(job["state"], job["signed"]["level"]) for job in told] == [("signed", "B-T")] * len(NAMES)
    digests = [base64.b64decode(job["digest"]) for job in told]
    made = chain.signatures_over(*digests)
    assert [made[digest] for digest in digests] == [1] * len(NAMES)
    root = read_root(chain.base_url)
    for job_id, original in zip(jobs, documents, strict=True):
        signed = caller.call("GET", f"jobs/{job_id}/result").content
        verify(signed, original=original, root=root, folder=tmp_path)
