"""A CSC client that somebody else wrote, pyHanko's, signs PDFs by version 1 of the API; rssp never sees a document."""

import asyncio
import base64
import io
from collections.abc import Callable, Coroutine, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign.fields import SigSeedSubFilter
from pyhanko.sign.general import SigningError
from pyhanko.sign.signers import PdfSignatureMetadata, PdfSigner
from pyhanko.sign.signers.csc_signer import (
    CSCAuthorizationInfo,
    CSCAuthorizationManager,
    CSCServiceSessionInfo,
    CSCSigner,
    fetch_certs_in_csc_credential,
)

from tests.flows.chain import Chain, Signer
from tests.flows.verdicts import read_root, verify
from tests.support.pdfs import make_pdf

pytestmark = [pytest.mark.instance, pytest.mark.xdist_group("flows-one")]


class ApprovedByHand(CSCAuthorizationManager):
    """Asks the signer, at the authorization server, about the digests that are to be signed."""

    def __init__(self, ask: Callable[..., str], *described: Any) -> None:
        super().__init__(*described)
        self.ask = ask

    async def authorize_signature(self, hash_b64s: list[str]) -> CSCAuthorizationInfo:
        digests = [base64.b64decode(item) for item in hash_b64s]
        return CSCAuthorizationInfo(sad=await asyncio.to_thread(self.ask, *digests))


async def sign(signer: Signer, credential: str, pdfs: list[bytes], ask: Callable[..., str]) -> list[bytes]:
    """All of them by one approval."""
    return await sign_with(partial(ApprovedByHand, ask), signer, credential, pdfs)


async def sign_with(
    manager_for: Callable[[Any, Any], CSCAuthorizationManager], signer: Signer, credential: str, pdfs: list[bytes]
) -> list[bytes]:
    service = CSCServiceSessionInfo(signer.chain.base_url, credential, oauth_token=signer.service_token)
    async with aiohttp.ClientSession() as session:
        described = await fetch_certs_in_csc_credential(session, service)
        manager = manager_for(service, described)
        csc = CSCSigner(session, manager, batch_size=len(pdfs), embed_roots=False)
        metadata = PdfSignatureMetadata(field_name="Signature", md_algorithm="sha256", subfilter=SigSeedSubFilter.PADES)
        signing: list[Coroutine[Any, Any, Any]] = [
            PdfSigner(metadata, csc).async_sign_pdf(IncrementalPdfFileWriter(io.BytesIO(pdf))) for pdf in pdfs
        ]
        return [result.getvalue() for result in await asyncio.gather(*signing)]


@pytest.fixture(scope="module")
def alice(chain: Chain) -> Iterator[Signer]:
    with chain.signer("Alice", "ec-p256", "rsa-2048") as signer:
        yield signer


@pytest.mark.parametrize("which", [0, 1], ids=["first key", "second key"])
def test_pyhankos_client_signs_by_version_1(chain: Chain, alice: Signer, tmp_path: Path, which: int) -> None:
    credential = alice.credentials[which]
    original = make_pdf(pages=2)
    [signed] = asyncio.run(sign(alice, credential, [original], lambda *asked: alice.ask(*asked, credential=credential)))
    verify(signed, original=original, root=read_root(chain.base_url), folder=tmp_path)


def test_one_approval_signs_a_batch_of_documents(chain: Chain, alice: Signer, tmp_path: Path) -> None:
    originals = [make_pdf(text=f"Lease {number}") for number in range(3)]
    before = chain.signatures_made()
    results = asyncio.run(sign(alice, alice.credential, originals, alice.ask))
    for original, signed in zip(originals, results, strict=True):
        verify(signed, original=original, root=read_root(chain.base_url), folder=tmp_path)
    assert chain.signatures_made() == before + 3


def test_pyhankos_client_gets_nothing_for_an_approval_of_something_else(chain: Chain, alice: Signer) -> None:
    before = chain.sign_calls()
    with pytest.raises(SigningError):
        asyncio.run(sign(alice, alice.credential, [make_pdf()], lambda *_asked: alice.ask(bytes(32))))
    assert chain.sign_calls() == before
