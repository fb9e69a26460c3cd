"""What makes a signature last: validation data beside it, and a time-stamp over the whole document. Runs in the child
process.

EN 319 142-1, 5.4 and 6.3: a document security store (B-LT), then a document time-stamp (B-LTA), in one further update.
No VRI dictionaries: data is found by what it is about.
"""

import uuid
from typing import IO

from asn1crypto import crl, ocsp
from asn1crypto.x509 import Certificate
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.fields import SigFieldSpec
from pyhanko.sign.signers import DocumentTimestamp
from pyhanko.sign.signers.cms_embedder import PdfCMSEmbedder, SigIOSetup, SigObjSetup
from pyhanko.sign.validation.dss import DocumentSecurityStore

from gateway.pades.levels import DocumentTimestampPlace, Evidence
from gateway.pades.reading import read_document
from gateway.pades.timestamps import LONGEST_TOKEN
from gateway.pades.writing import SigningWriter

TIMESTAMP_HASH = "sha256"


def add_evidence(
    file: IO[bytes], evidence: Evidence, *, timestamp: bool, password: str = ""
) -> DocumentTimestampPlace | None:
    """Writes an update with the evidence behind what the file holds; with ``timestamp``, also an empty place for a
    document time-stamp, which it answers with."""
    writer = SigningWriter(file, prev=_read(file, password))
    DocumentSecurityStore.supply_dss_in_writer(
        writer,
        sig_contents=None,
        certs=[Certificate.load(der) for der in evidence.certificates],
        ocsps=[ocsp.OCSPResponse.load(der) for der in evidence.ocsps],
        crls=[crl.CertificateList.load(der) for der in evidence.crls],
    )
    if not timestamp:
        writer.write_in_place()  # type: ignore[no-untyped-call]
        return None
    return _write_with_place(writer)


def _read(file: IO[bytes], password: str) -> PdfFileReader:
    file.seek(0)
    return read_document(file, password)


def _write_with_place(writer: SigningWriter) -> DocumentTimestampPlace:
    name = f"Timestamp-{uuid.uuid4().hex[:12]}"
    embedder = PdfCMSEmbedder(new_field_spec=SigFieldSpec(name)).write_cms(field_name=name, writer=writer)
    next(embedder)
    stamp = DocumentTimestamp(bytes_reserved=2 * LONGEST_TOKEN)  # type: ignore[no-untyped-call]
    embedder.send(SigObjSetup(sig_placeholder=stamp))
    prepared, _ = embedder.send(SigIOSetup(md_algorithm=TIMESTAMP_HASH, in_place=True))
    return DocumentTimestampPlace(
        prepared.reserved_region_start, prepared.reserved_region_end, bytes(prepared.document_digest)
    )
