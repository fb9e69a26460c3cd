"""Twenty signers in a row: each signs the file that the one before left, and every signature is valid in the end."""

import subprocess
from collections.abc import Callable
from pathlib import Path

from tests.gateway.conftest import User
from tests.gateway.remote import Remote
from tests.support import pdfs

SIGNERS = 20


def test_twenty_signatures_of_as_many_certificates_are_all_valid(
    alice: User, remote: Remote, work: Callable[[str], None], tmp_path: Path
) -> None:
    pdf, path = pdfs.make_pdf(pages=2), tmp_path / "signed.pdf"
    for number in range(1, SIGNERS + 1):
        job_id = alice.open_job(pdf).json()["job_id"]
        credential_id = remote.add_credential(alice.subject, "rsa" if number % 5 == 0 else "p256")
        assert alice.prepare(job_id, credential_id, level="B-B").status_code == 200
        alice.complete(job_id, remote.approve(alice.ask(job_id).json()["authorization_url"], alice.subject))
        work(job_id)
        signed = alice.download(job_id)
        assert signed.startswith(pdf)
        pdf = signed
        path.write_bytes(pdf)
        assert count_valid(path) == number
    assert subprocess.run(["qpdf", "--check", path], capture_output=True, check=False).returncode == 0
    assert remote.calls["signHash"] == SIGNERS


def count_valid(path: Path) -> int:
    """As pdfsig sees it: valid ones, the last of which covers the whole file."""
    said = subprocess.run(["pdfsig", "-nocert", path], capture_output=True, text=True, check=False).stdout
    signatures = said.count("Signature Validation:")
    assert said.count("Signature is Valid.") == signatures
    assert said.count("Total document signed") >= 1
    return signatures
