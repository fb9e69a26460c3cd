"""Real PDFs of other projects through upload, prepare, approval and signature.

Two small packages by default; ``COLLECTION=all`` for every one, ``COLLECTION_PART=1/2`` for a half of them.
"""

import os
import uuid
from dataclasses import replace
from pathlib import Path

from gateway.services import signing
from tests.flows.chain import report
from tests.gateway.collection import (
    OWN_WISH,
    PACKAGES,
    SMALL,
    Look,
    Outcome,
    compare,
    fetch,
    look_at,
    summarise,
)
from tests.gateway.conftest import User
from tests.gateway.remote import Remote

_SANE_AND_NOT_CLEAN = 0.01
_OFFERED = "repairable_pdf"


def test_real_documents_come_back_signed_or_are_refused_by_name(
    alice: User, remote: Remote, credential_id: str, tmp_path: Path
) -> None:
    part, parts = map(int, os.environ.get("COLLECTION_PART", "1/1").split("/"))
    files = fetch(PACKAGES if os.environ.get("COLLECTION") == "all" else SMALL)[part - 1 :: parts]
    outcomes = [try_file(path, alice, remote, credential_id, tmp_path) for path in files]
    for line in summarise(outcomes):
        report(line)
    sane = [item for item in outcomes if item.is_sane and item.detail not in OWN_WISH]
    assert len(sane) > len(outcomes) / 3
    wrong = [str(item) for item in outcomes if item.verdict == "failed" or "pages changed" in item.detail]
    assert not wrong
    missed = [str(item) for item in sane if item.verdict not in {"clean", "repaired"}]
    assert len(missed) <= _SANE_AND_NOT_CLEAN * len(sane), missed


def try_file(path: Path, user: User, remote: Remote, credential_id: str, folder: Path) -> Outcome:
    """As it is, or repaired where that is offered."""
    before, original = look_at(path, folder), path.read_bytes()
    outcome = sign(path, original, before, user, remote, credential_id, folder)
    if outcome.verdict != "refused" or user.call("POST", "inspections", original).json().get("error") != _OFFERED:
        return outcome
    repaired = folder / "repaired.pdf"
    repaired.write_bytes(b"".join(user.call("POST", "repairs", original).streaming_content))
    between = look_at(repaired, folder)
    if before.is_sane and between.pages != before.pages:
        return Outcome(path, before.is_sane, "unclean", "pages changed when repaired")
    again = sign(path, repaired.read_bytes(), between, user, remote, credential_id, folder)
    return replace(again, is_sane=before.is_sane, verdict="repaired" if again.verdict == "clean" else again.verdict)


def sign(
    path: Path, original: bytes, before: Look, user: User, remote: Remote, credential_id: str, folder: Path
) -> Outcome:
    answer = user.open_job(original)
    if answer.status_code == 201:
        job_id = answer.json()["job_id"]
        answer = user.call("POST", f"jobs/{job_id}/prepare", {"credential_id": credential_id, "level": "B-B"})
    if answer.status_code >= 500:
        return Outcome(path, before.is_sane, "failed", f"{answer.status_code}")
    if answer.status_code >= 400:
        return Outcome(path, before.is_sane, "refused", answer.json()["error"])
    url = user.ask(job_id).json()["authorization_url"]
    user.complete(job_id, remote.approve(url, user.subject))
    signing.run_job(job_id=uuid.UUID(job_id))
    job = user.job(job_id)
    if job["state"] != "signed":
        return Outcome(path, before.is_sane, "failed", f"{job['state']} {job.get('error')}")
    signed = user.download(job_id)
    if not signed.startswith(original):
        return Outcome(path, before.is_sane, "unclean", "the original is not its beginning")
    result = folder / "signed.pdf"
    result.write_bytes(signed)
    wrong = compare(before, look_at(result, folder))
    return Outcome(path, before.is_sane, "unclean" if wrong else "clean", wrong)
