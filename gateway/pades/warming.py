"""What the ASN.1 and PDF libraries put off until they are first used is done once, with a document and a certificate of
our own: each child inherits it, and would do it again for each document otherwise."""

import datetime as dt
import hashlib
import io
import os
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from pyhanko.pdf_utils.generic import ArrayObject, DictionaryObject, NameObject, NumberObject, StreamObject
from pyhanko.pdf_utils.writer import PageObject, PdfFileWriter

from gateway.pades.complete import complete_document
from gateway.pades.covering import hash_original
from gateway.pades.inspect import inspect_document
from gateway.pades.levels import Trust
from gateway.pades.prepare import prepare_document
from gateway.pades.raster import compare_pages
from gateway.pades.to_be_signed import fix_signature
from gateway.pades.values import SignatureRequest
from gateway.pades.verify import Expected, verify_document

_SIGN_ALGO, _FIELD = "1.2.840.10045.4.3.2", "Warm"
_DRAWN = b"q 36 0 0 36 9 9 cm /I Do Q BT /F 12 Tf 9 50 Td (Word) Tj ET"
_FONT = {"/Type": "/Font", "/Subtype": "/Type1", "/BaseFont": "/Helvetica"}
_PICTURE = {
    "/Type": "/XObject",
    "/Subtype": "/Image",
    "/Width": 1,
    "/Height": 1,
    "/ColorSpace": "/DeviceRGB",
    "/BitsPerComponent": 8,
}
_KEY_USAGES = (
    *("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement"),
    *("key_cert_sign", "crl_sign", "encipher_only", "decipher_only"),
)


def warm_up() -> None:
    """A signature from the beginning to the end, of a file in memory."""
    key = ec.generate_private_key(ec.SECP256R1())
    chain = _chain(key)
    document = os.fdopen(os.memfd_create("document"), "w+b")
    original = _document()
    document.write(original)
    document.seek(0)
    facts = inspect_document(document, max_pages=1)
    document.seek(0)
    request = SignatureRequest(chain=chain, sign_algo=_SIGN_ALGO, field_name=_FIELD, pages=1)
    place = prepare_document(document, request)
    compare_pages(document, facts.size, place.areas)
    document.seek(facts.size)
    prepared = fix_signature(
        io.BytesIO(document.read()),
        original=hash_original([original], hash_name="sha256"),
        place=place,
        request=request,
    )
    digest = hashlib.sha256(prepared.signed_attributes).digest()
    value = key.sign(digest, ec.ECDSA(utils.Prehashed(hashes.SHA256())))
    complete_document(document, chain=chain, sign_algo=_SIGN_ALGO, prepared=prepared, value=value)
    expected = Expected(chain, _FIELD, "B-B", len(original), hashlib.sha256(original).hexdigest())
    verify_document(document, expected=expected, trust=Trust(chain[-1:], chain[-1:]))


def _document() -> bytes:
    """One page with a word and a picture: who draws the first ones looks for fonts, and takes longer for that than for
    a page."""
    writer = PdfFileWriter()  # type: ignore[no-untyped-call]  # pyHanko's is not annotated
    content = writer.add_object(StreamObject(stream_data=_DRAWN))
    picture = writer.add_object(StreamObject(_dictionary(_PICTURE), stream_data=bytes(3)))
    resources = _dictionary({"/Font": {"/F": _FONT}, "/XObject": {"/I": picture}})
    media_box = ArrayObject([NumberObject(each) for each in (0, 0, 72, 72)])  # type: ignore[no-untyped-call]  # as above
    writer.insert_page(PageObject(content, media_box, resources))  # type: ignore[no-untyped-call]  # pyHanko's is not annotated
    document = io.BytesIO()
    writer.write(document)  # type: ignore[no-untyped-call]  # pyHanko's is not annotated
    return document.getvalue()


def _dictionary(entries: dict[str, Any]) -> DictionaryObject:
    """Strings are names."""
    kinds: dict[type, Any] = {dict: _dictionary, str: NameObject, int: NumberObject}
    made = {NameObject(name): kinds.get(type(value), lambda same: same)(value) for name, value in entries.items()}
    return DictionaryObject(made)  # type: ignore[no-untyped-call]  # pyHanko's is not annotated


def _chain(key: ec.EllipticCurvePrivateKey) -> tuple[bytes, ...]:
    """A signer's certificate and its issuer's, DER, with one key."""
    return tuple(_certificate(key, name, authority=name == "Authority") for name in ("Signer", "Authority"))


def _certificate(key: ec.EllipticCurvePrivateKey, name: str, *, authority: bool) -> bytes:
    now, public = dt.datetime.now(dt.UTC), key.public_key()
    usage = dict.fromkeys(_KEY_USAGES, False) | {"key_cert_sign" if authority else "content_commitment": True}
    builder = x509.CertificateBuilder(
        subject_name=x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]),
        issuer_name=x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Authority")]),
        public_key=public,
        serial_number=x509.random_serial_number(),
        not_valid_before=now - dt.timedelta(days=1),
        not_valid_after=now + dt.timedelta(days=1),
    )
    builder = builder.add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
    builder = builder.add_extension(x509.KeyUsage(**usage), critical=True)
    builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    builder = builder.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(public), critical=False)
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)
