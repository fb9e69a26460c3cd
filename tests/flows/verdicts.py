"""What foreign programs say of a signed PDF."""

import io
import re
import subprocess
from pathlib import Path

import httpx
from asn1crypto import pem, x509
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.validation import validate_pdf_signature
from pyhanko_certvalidator import ValidationContext


def pdfsig(pdf: bytes, folder: Path) -> str:
    path = folder / "signed.pdf"
    path.write_bytes(pdf)
    said = subprocess.run(["pdfsig", "-nocert", str(path)], capture_output=True, text=True, check=False)
    return said.stdout + said.stderr


def verify(pdf: bytes, *, original: bytes, root: bytes, folder: Path, signatures: int = 1) -> PdfFileReader:
    """Every signature is valid to poppler and to pyHanko, the last one covers the whole file, and the file that was
    uploaded is the beginning of the one that came back."""
    assert len(pdf) > len(original)
    assert pdf.startswith(original)
    said = pdfsig(pdf, folder)
    assert said.count("Signature Validation: Signature is Valid.") == signatures, said
    assert said.count("Signature Type: ETSI.CAdES.detached") == signatures, said
    assert said.rsplit("Signature #", 1)[1].count("Total document signed") == 1, said
    checked = subprocess.run(
        ["qpdf", "--check", str(folder / "signed.pdf")], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
    reader = PdfFileReader(io.BytesIO(pdf))
    context = ValidationContext(trust_roots=[x509.Certificate.load(root)], allow_fetching=False)
    embedded = reader.embedded_signatures
    assert len(embedded) == signatures
    for signature in embedded:
        status = validate_pdf_signature(signature, context)
        assert status.intact
        assert status.valid
        assert status.trusted
    assert re.search(r"ENTIRE_FILE", str(status.coverage))
    return reader


def read_root(rssp_url: str) -> bytes:
    """The authority's root certificate as everybody gets it."""
    answer = httpx.get(f"{rssp_url}/pki/root.pem", trust_env=False, timeout=60)
    assert answer.status_code == 200
    return pem.unarmor(answer.content)[2]
