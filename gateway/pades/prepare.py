"""First half of a PAdES B-B signature: an incremental update with an empty place for the CMS. Runs in the child
process.

ETSI EN 319 142-1, 5.3 and 6.3: SubFilter ``ETSI.CAdES.detached``, signing-certificate-v2, no signing-time attribute
(the claimed time stands in ``/M``).
"""

import asyncio
import os
from typing import IO

from asn1crypto.x509 import Certificate
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign.fields import SigFieldSpec, SigSeedSubFilter
from pyhanko.sign.signers import ExternalSigner, PdfSignatureMetadata, PdfSigner

from gateway.pades.algorithms import parse_algorithm
from gateway.pades.cms import external_signer
from gateway.pades.levels import reaches
from gateway.pades.reading import read_document
from gateway.pades.timestamps import LONGEST_TOKEN
from gateway.pades.values import PreparedSignature, SignatureRequest

# Signed attributes, SignerInfo and the largest RSA signature fit in far less.
_CMS_MARGIN = 6 * 1024


def prepare_document(stream: IO[bytes], output: IO[bytes], request: SignatureRequest) -> PreparedSignature:
    """Writes the original followed by the update to ``output``; answers with the attributes to be signed."""
    return asyncio.run(_prepare(stream, output, request))


async def _prepare(stream: IO[bytes], output: IO[bytes], request: SignatureRequest) -> PreparedSignature:
    algorithm = parse_algorithm(certificate=request.chain[0], sign_algo=request.sign_algo)
    signer: ExternalSigner = external_signer(request.chain, algorithm)
    metadata = PdfSignatureMetadata(
        field_name=request.field_name,
        md_algorithm=algorithm.hash_name,
        subfilter=SigSeedSubFilter.PADES,
        name=_common_name(request.chain[0]),
        reason=request.reason or None,
        location=request.location or None,
    )
    pdf_signer = PdfSigner(metadata, signer, new_field_spec=SigFieldSpec(request.field_name, on_page=0))
    writer = IncrementalPdfFileWriter(stream, prev=read_document(stream))
    size = stream.seek(0, os.SEEK_END)
    stamp = LONGEST_TOKEN if reaches(request.level, "B-T") else 0
    reserved = 2 * (sum(len(certificate) for certificate in request.chain) + _CMS_MARGIN + stamp)
    prepared, _, _ = await pdf_signer.async_digest_doc_for_signing(writer, bytes_reserved=reserved, output=output)
    if prepared.reserved_region_start < size:
        raise AssertionError("the update reaches into the original")
    # Read back now: what could not be verified at the end is refused before anybody approves it.
    output.seek(0)
    read_document(output)
    attributes = await signer.signed_attrs(prepared.document_digest, algorithm.hash_name, use_pades=True)
    return PreparedSignature(attributes.dump(), prepared.reserved_region_start, prepared.reserved_region_end)


def _common_name(certificate: bytes) -> str | None:
    name = Certificate.load(certificate).subject.native.get("common_name")
    return name if isinstance(name, str) else None
