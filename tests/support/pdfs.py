"""PDFs made in code: sane ones of any length, and one of each kind that must be refused."""

import io
import subprocess
import tempfile
import zlib
from pathlib import Path

_FONT = b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"


def _escape(text: str) -> bytes:
    return text.encode("latin-1", "replace").replace(b"\\", b"\\\\").replace(b"(", b"\\(").replace(b")", b"\\)")


def stream_object(data: bytes, entries: bytes = b"") -> bytes:
    return b"<< /Length %d %s >>\nstream\n%s\nendstream" % (len(data), entries, data)


def document_objects(*, pages: int = 1, text: str = "Lease agreement") -> dict[int, bytes]:
    """Number -> body: 1 catalog, 2 page tree, 3 font, then a page and its content for each page."""
    objects = {1: b"<< /Type /Catalog /Pages 2 0 R >>", 3: _FONT}
    kids = []
    for index in range(pages):
        page, content = 4 + 2 * index, 5 + 2 * index
        kids.append(b"%d 0 R" % page)
        objects[page] = (
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents %d 0 R "
            b"/Resources << /Font << /F1 3 0 R >> >> >>" % content
        )
        line = b"BT /F1 18 Tf 72 760 Td (%s) Tj 0 -28 Td (Page %d of %d) Tj ET" % (_escape(text), index + 1, pages)
        objects[content] = stream_object(line)
    objects[2] = b"<< /Type /Pages /Count %d /Kids [%s] >>" % (pages, b" ".join(kids))
    return objects


def assemble(
    objects: dict[int, bytes], *, trailer: bytes = b"", size: int | None = None, version: bytes = b"1.7"
) -> bytes:
    """A file with a classic cross-reference table."""
    out = io.BytesIO()
    out.write(b"%%PDF-%s\n%%\xe2\xe3\xcf\xd3\n" % version)
    offsets = {}
    for number, body in sorted(objects.items()):
        offsets[number] = out.tell()
        out.write(b"%d 0 obj\n%s\nendobj\n" % (number, body))
    start, count = out.tell(), max(objects) + 1
    out.write(b"xref\n0 %d\n0000000000 65535 f \n" % count)
    for number in range(1, count):
        out.write(b"%010d 00000 n \n" % offsets[number] if number in offsets else b"0000000000 65535 f \n")
    out.write(b"trailer\n<< /Size %d /Root 1 0 R %s >>\n" % (size or count, trailer))
    out.write(b"startxref\n%d\n%%%%EOF\n" % start)
    return out.getvalue()


def make_pdf(*, pages: int = 1, text: str = "Lease agreement") -> bytes:
    """A sane PDF with a line of real text on every page."""
    return assemble(document_objects(pages=pages, text=text))


def make_xref_stream_pdf(*, pages: int = 1, text: str = "Lease agreement") -> bytes:
    """The same with a cross-reference stream (ISO 32000-1, 7.5.8) and compressed."""
    objects = document_objects(pages=pages, text=text)
    out = io.BytesIO()
    out.write(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")
    offsets = {}
    for number, body in sorted(objects.items()):
        offsets[number] = out.tell()
        out.write(b"%d 0 obj\n%s\nendobj\n" % (number, body))
    own = max(objects) + 1
    offsets[own] = out.tell()
    rows = [b"\x00" + (0).to_bytes(4, "big") + b"\xff\xff"]
    rows += [b"\x01" + offsets[number].to_bytes(4, "big") + b"\x00\x00" for number in range(1, own + 1)]
    data = zlib.compress(b"".join(rows))
    entries = b"/Type /XRef /Size %d /W [1 4 2] /Root 1 0 R /Filter /FlateDecode" % (own + 1)
    out.write(b"%d 0 obj\n%s\nendobj\n" % (own, stream_object(data, entries)))
    out.write(b"startxref\n%d\n%%%%EOF\n" % offsets[own])
    return out.getvalue()


def make_hybrid_pdf(*, pages: int = 1, duplicate: bool = False) -> bytes:
    """With hybrid references (ISO 32000-1, 7.5.8.4), laid out as a common word processor does: the table, then an empty
    section that leads to the stream."""
    objects = document_objects(pages=pages)
    if duplicate:
        objects[4] = objects[4].replace(b"/Contents 5 0 R", b"/Contents 5 0 R /Contents 3 0 R")
    out = io.BytesIO()
    out.write(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")
    offsets = {}
    for number, body in sorted(objects.items()):
        offsets[number] = out.tell()
        out.write(b"%d 0 obj\n%s\nendobj\n" % (number, body))
    own = max(objects) + 1
    offsets[own] = out.tell()
    rows = [b"\x00" + (0).to_bytes(4, "big") + b"\xff\xff"]
    rows += [b"\x01" + offsets[number].to_bytes(4, "big") + b"\x00\x00" for number in range(1, own + 1)]
    entries = b"/Type /XRef /Size %d /W [1 4 2] /Root 1 0 R" % (own + 1)
    out.write(b"%d 0 obj\n%s\nendobj\n" % (own, stream_object(b"".join(rows), entries)))
    start = out.tell()
    out.write(b"xref\n0 %d\n0000000000 65535 f \n" % (own + 1))
    for number in range(1, own + 1):
        out.write(b"%010d 00000 n \n" % offsets[number])
    out.write(b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (own + 1, start))
    second = out.tell()
    trailer = b"<< /Size %d /Root 1 0 R /Prev %d /XRefStm %d >>" % (own + 1, start, offsets[own])
    out.write(b"xref\n0 0\ntrailer\n%s\nstartxref\n%d\n%%%%EOF\n" % (trailer, second))
    return out.getvalue()


def make_encrypted_pdf(password: str = "secret", **how: bool) -> bytes:
    """Needs a password to be read: AES-256 by pyHanko, whose options ``use_gcm`` (ISO/TS 32003) and ``pdf_mac``
    (ISO/TS 32004) are."""
    from pyhanko.pdf_utils.reader import PdfFileReader
    from pyhanko.pdf_utils.writer import copy_into_new_writer

    writer = copy_into_new_writer(PdfFileReader(io.BytesIO(make_pdf())))
    writer.encrypt(owner_pass=password, user_pass=password, **{"pdf_mac": False, **how})
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def make_pdf_for_a_certificate(certificate: bytes) -> bytes:
    """Encrypted for whoever has the key of an RSA certificate (ISO 32000-1, 7.6.4)."""
    from asn1crypto.x509 import Certificate
    from pyhanko.pdf_utils.crypt.pubkey import RecipientEncryptionPolicy
    from pyhanko.pdf_utils.reader import PdfFileReader
    from pyhanko.pdf_utils.writer import copy_into_new_writer

    writer = copy_into_new_writer(PdfFileReader(io.BytesIO(make_pdf())))
    policy = RecipientEncryptionPolicy(ignore_key_usage=True)
    writer.encrypt_pubkey([Certificate.load(certificate)], pdf_mac=False, policy=policy)
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def make_certified_pdf(*, allow_changes: bool = False) -> bytes:
    """Certified by an author who allows no changes (DocMDP 1), or form filling and signing (DocMDP 2)."""
    from pyhanko.sign.fields import MDPPerm

    return _signed(certify=True, permission=MDPPerm.FILL_FORMS if allow_changes else MDPPerm.NO_CHANGES)


def make_signed_pdf() -> bytes:
    """Carries somebody's ordinary signature already."""
    from pyhanko.sign.fields import MDPPerm

    return _signed(certify=False, permission=MDPPerm.FILL_FORMS)


def _signed(*, certify: bool, permission: object) -> bytes:
    from asn1crypto import keys
    from asn1crypto.x509 import Certificate
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
    from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
    from pyhanko.sign.signers import PdfSignatureMetadata, PdfSigner, SimpleSigner
    from pyhanko_certvalidator.registry import SimpleCertificateStore

    from tests.support.authority import Authority

    identity = Authority().issue("Carol Example")
    der = identity.key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    signer = SimpleSigner(
        signing_cert=Certificate.load(identity.certificate),
        signing_key=keys.PrivateKeyInfo.load(der),
        cert_registry=SimpleCertificateStore(),
    )
    metadata = PdfSignatureMetadata(
        field_name="Carol", certify=certify, docmdp_permissions=permission, md_algorithm="sha256"
    )
    out = io.BytesIO()
    PdfSigner(metadata, signer).sign_pdf(IncrementalPdfFileWriter(io.BytesIO(make_pdf())), output=out)
    return out.getvalue()


def make_page_loop_pdf() -> bytes:
    """The page tree contains itself."""
    objects = document_objects()
    objects[2] = b"<< /Type /Pages /Count 1 /Kids [2 0 R] >>"
    return assemble(objects)


def make_deeply_nested_pdf(depth: int = 200_000) -> bytes:
    """The catalog holds an array in an array in an array…"""
    objects = document_objects()
    objects[1] = b"<< /Type /Catalog /Pages 2 0 R /Deep " + b"[" * depth + b"]" * depth + b" >>"
    return assemble(objects)


def make_bomb_pdf(layers: int = 2, megabytes: int = 512) -> bytes:
    """A cross-reference stream of a few kB that unpacks, layer in layer, to ``megabytes``."""
    compressor = zlib.compressobj(9)
    data = b"".join(compressor.compress(bytes(1024 * 1024)) for _ in range(megabytes)) + compressor.flush()
    for _ in range(layers - 1):
        data = zlib.compress(data, 9)
    filters = b" ".join([b"/FlateDecode"] * layers)
    body = b"%PDF-1.7\n"
    start = len(body)
    entries = b"/Type /XRef /Size %d /W [1 4 2] /Root 1 0 R /Filter [%s]" % (megabytes * 149_796, filters)
    return body + b"1 0 obj\n" + stream_object(data, entries) + b"\nendobj\nstartxref\n%d\n%%%%EOF\n" % start


def make_duplicate_key_pdf() -> bytes:
    """The page's ``/Contents`` stands twice: some readers show the first, others the last."""
    objects = document_objects()
    objects[6] = stream_object(b"BT /F1 18 Tf 72 760 Td (Another contract) Tj ET")
    objects[4] = objects[4].replace(b"/Contents 5 0 R", b"/Contents 5 0 R /Contents 6 0 R")
    return assemble(objects)


def make_unfinished_update_pdf() -> bytes:
    """An update without an end marker stands behind the last revision: shown before signing, gone after it."""
    pdf = make_pdf()
    start = int(pdf.rsplit(b"startxref\n", 1)[1].split(b"\n", 1)[0])
    offset = len(pdf)
    update = b"5 0 obj\n%s\nendobj\n" % stream_object(b"BT /F1 18 Tf 72 760 Td (Another contract) Tj ET")
    table = b"xref\n5 1\n%010d 00000 n \ntrailer\n<< /Size 6 /Root 1 0 R /Prev %d >>\n" % (offset, start)
    return pdf + update + table + b"startxref\n%d\n" % (offset + len(update))


def make_small_size_pdf() -> bytes:
    """The trailer's ``/Size`` is smaller than the numbers in use."""
    return assemble(document_objects(pages=2), size=5)


def encrypt_pdf(pdf: bytes, cipher: str, *, user: str = "secret", owner: str = "owner", **permissions: str) -> bytes:
    """By qpdf: ``cipher`` is ``RC4-40``, ``RC4-128``, ``AES-128``, ``AES-256`` or, as Acrobat 9 has it, ``AES-256-R5``;
    permissions are qpdf's, such as ``modify="none"``."""
    length = cipher.split("-")[1]
    kind = {"AES-128": ["--force-V4", "--use-aes=y"], "AES-256-R5": ["--force-R5"]}.get(cipher, [])
    options = [length, *kind, *(f"--{name}={value}" for name, value in permissions.items())]
    with tempfile.TemporaryDirectory() as folder:
        source, result = Path(folder, "source.pdf"), Path(folder, "result.pdf")
        source.write_bytes(pdf)
        command = ["qpdf", "--allow-weak-crypto", "--encrypt", user, owner, *options, "--", source, result]
        subprocess.run(command, check=True)
        return result.read_bytes()
