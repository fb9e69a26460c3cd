"""One instance that serves every role: what it signs is accepted elsewhere, and so is what is signed again."""

import re
from pathlib import Path

import pytest
from pyhanko.pdf_utils.reader import PdfFileReader

from tests.flows.chain import Chain, Signer
from tests.flows.verdicts import read_root, verify
from tests.support.pdfs import make_pdf, make_xref_stream_pdf
from tests.support.walk import Walker

pytestmark = [pytest.mark.instance, pytest.mark.xdist_group("flows-one")]

REASON = "J’accepte le bail — 東京, Żółć 🖋"


def reasons(reader: PdfFileReader) -> list[str]:
    return [str(signature.sig_object["/Reason"]) for signature in reader.embedded_signatures]


@pytest.mark.parametrize("key_algorithm", ["rsa-2048", "ec-p256", "rsa-3072", "ec-p384"])
def test_every_kind_of_key_signs(chain: Chain, tmp_path: Path, key_algorithm: str) -> None:
    original = make_pdf(pages=2)
    with chain.walker("Alice") as alice:
        alice.sign_up()
        alice.get_certificate(key_algorithm)
        signed = alice.sign(original, name="Bail – Zürich.pdf", reason=REASON)
    reader = verify(signed, original=original, root=read_root(chain.base_url), folder=tmp_path)
    assert reasons(reader) == [REASON]


def test_a_signed_file_is_signed_again_by_somebody_else(
    chain: Chain, alice: Signer, bob: Signer, tmp_path: Path
) -> None:
    root = read_root(chain.base_url)
    original = make_xref_stream_pdf(pages=2)
    once = alice.walker.sign(original, reason="As tenant", credential_id=alice.credential)
    verify(once, original=original, root=root, folder=tmp_path)
    twice = bob.walker.sign(once, reason="As landlord")
    reader = verify(twice, original=once, root=root, folder=tmp_path, signatures=2)
    assert reasons(reader) == ["As tenant", "As landlord"]


def test_a_second_login_finds_the_documents_and_the_certificate_again(chain: Chain, tmp_path: Path) -> None:
    original = make_pdf()
    with chain.walker("Alice") as alice:
        alice.sign_up()
        alice.get_certificate("ec-p256")
        path = alice.upload(original)
        alice.log_in()
        alice.prepare(path)
        alice.approve(alice.begin_approval(path))
        assert alice.wait(path) == "signed"
        verify(alice.download(path), original=original, root=read_root(chain.base_url), folder=tmp_path)


def test_each_signature_used_the_key_once(chain: Chain, alice: Signer) -> None:
    before = chain.signatures_made()
    alice.walker.sign(make_pdf(), credential_id=alice.credential)
    assert chain.signatures_made() == before + 1


def test_the_fingerprint_beside_the_document_is_the_one_on_the_approval_page(alice: Signer) -> None:
    path = alice.walker.upload(make_pdf())
    page = alice.walker.prepare(path, credential_id=alice.credential)
    consent = alice.walker.begin_approval(path)
    shown = set(_fingerprints(page.text))
    assert len(shown) == 1
    assert shown == set(_fingerprints(consent.text))


def test_a_declined_approval_signs_nothing_and_may_be_asked_for_again(chain: Chain, alice: Signer) -> None:
    path = alice.walker.upload(make_pdf())
    alice.walker.prepare(path, credential_id=alice.credential)
    before = chain.sign_calls()
    page = alice.walker.begin_approval(path)
    alice.walker.send(page, answer="decline")
    assert alice.walker.state(path) == "prepared"
    assert chain.sign_calls() == before
    alice.walker.approve(alice.walker.begin_approval(path))
    assert alice.walker.wait(path) == "signed"


def test_a_wrong_password_on_the_approval_page_signs_nothing(chain: Chain, alice: Signer) -> None:
    path = alice.walker.upload(make_pdf())
    alice.walker.prepare(path, credential_id=alice.credential)
    before = chain.sign_calls()
    with pytest.raises(AssertionError, match="422"):
        alice.walker.approve(alice.walker.begin_approval(path), password="correct horse battery")
    assert chain.sign_calls() == before


def test_nobody_else_sees_or_fetches_a_document(chain: Chain, alice: Signer, bob: Signer) -> None:
    path = alice.walker.upload(make_pdf())
    stranger: Walker = bob.walker
    for address in (path, f"{path}/state", f"{path}/file", f"{path}/download", f"{path}/delete"):
        assert stranger.http.get(f"{chain.base_url}{address}").status_code == 404


def _fingerprints(text: str) -> list[str]:
    return re.findall(r"\b(?:[0-9A-F]{4} ){7}[0-9A-F]{4}\b", text)
