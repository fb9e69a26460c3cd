"""First half of a PAdES signature: an incremental update with an empty place for the CMS. Runs in the child process.

ETSI EN 319 142-1, 5.3 and 6.3: SubFilter ``ETSI.CAdES.detached``, signing-certificate-v2, no signing-time attribute
(the claimed time stands in ``/M``).
"""

import asyncio
import os
from typing import IO

from asn1crypto.x509 import Certificate
from pyhanko.pdf_utils.generic import DictionaryObject
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign.fields import MDPPerm, SigFieldSpec, SigSeedSubFilter, enumerate_sig_fields
from pyhanko.sign.general import SigningError
from pyhanko.sign.signers import ExternalSigner, PdfSignatureMetadata, PdfSigner
from pyhanko.sign.signers.pdf_cms import PdfCMSSignedAttributes

from gateway.errors import CertificationNotFirstError, FieldConstrainedError
from gateway.pades.algorithms import parse_algorithm
from gateway.pades.appearance import AppearanceStyle
from gateway.pades.attributes import signed_attribute_spec
from gateway.pades.cms import external_signer
from gateway.pades.fields import add_empty_field, find_empty_field, lock_existing, lock_of, refuse_if_locked
from gateway.pades.levels import reaches
from gateway.pades.pages import Page, describe, place_of, read_page
from gateway.pades.raster import Area, compare_pages
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
    options = request.options
    writer = IncrementalPdfFileWriter(stream, prev=read_document(stream))
    size = stream.seek(0, os.SEEK_END)
    areas = _prepare_fields(writer, request)
    metadata = PdfSignatureMetadata(
        field_name=request.field_name,
        md_algorithm=algorithm.hash_name,
        subfilter=SigSeedSubFilter.PADES,
        name=_common_name(request.chain[0]),
        reason=options.reason or None,
        location=options.location or None,
        contact_info=options.contact or None,
        certify=options.certify is not None,
        docmdp_permissions=MDPPerm(options.certify or MDPPerm.FILL_FORMS.value),
    )
    style, new_field = _style(writer, request), _new_field(writer, request)
    pdf_signer = PdfSigner(metadata, signer, new_field_spec=new_field, stamp_style=style)
    try:
        prepared, _, _ = await pdf_signer.async_digest_doc_for_signing(
            writer, bytes_reserved=_reserved(request), output=output
        )
    except SigningError:
        raise FieldConstrainedError from None
    if prepared.reserved_region_start < size:
        raise AssertionError("the update reaches into the original")
    # Read back now: what could not be verified at the end is refused before anybody approves it.
    output.seek(0)
    read_document(output)
    compare_pages(output, size, areas)
    attributes = await signer.signed_attrs(
        prepared.document_digest,
        algorithm.hash_name,
        use_pades=True,
        attr_settings=PdfCMSSignedAttributes(cades_signed_attrs=signed_attribute_spec(options)),
    )
    return PreparedSignature(attributes.dump(), prepared.reserved_region_start, prepared.reserved_region_end)


def _prepare_fields(writer: IncrementalPdfFileWriter, request: SignatureRequest) -> list[Area]:
    """Makes the fields for later signers, and refuses what earlier signatures or fields do not allow; answers with the
    places where the document may look different afterwards."""
    options, handler = request.options, writer.prev
    if options.certify is not None and next(enumerate_sig_fields(handler, filled_status=True), None):
        raise CertificationNotFirstError
    refuse_if_locked(handler, request.field_name)
    areas = []
    for new in options.new_fields:
        add_empty_field(writer, new, request.pages)
        areas.append(Area(new.place.page, new.place.box))
    existing = find_empty_field(writer, request.field_name)
    if existing is not None:
        lock_existing(existing, options.lock)
        return [*areas, *_area_of(writer, existing, request.pages)]
    return [*areas, *([Area(options.place.page, options.place.box)] if options.place else [])]


def _area_of(writer: IncrementalPdfFileWriter, field: DictionaryObject, pages: int) -> list[Area]:
    found = _page_of(writer, field, pages)
    if found is None or "/Rect" not in field:
        return []
    number, page = found
    left, bottom, right, top = (float(each) for each in field["/Rect"])
    box = (min(left, right), min(bottom, top), max(left, right), max(bottom, top))
    return [Area(number, page.to_shown(box))]


def _page_of(writer: IncrementalPdfFileWriter, field: DictionaryObject, pages: int) -> tuple[int, Page] | None:
    """The page whose annotations hold the field's widget; its number from 1."""
    for number in range(1, pages + 1):
        reference, _ = writer.find_page_for_modification(number - 1)  # type: ignore[no-untyped-call]  # pyHanko's is not annotated
        page = reference.get_object()
        if any(each.get_object() is field for each in page.get("/Annots", ())):
            return number, describe(page)
    return None


def _new_field(writer: IncrementalPdfFileWriter, request: SignatureRequest) -> SigFieldSpec | None:
    options = request.options
    if find_empty_field(writer, request.field_name) is not None:
        return None
    lock = lock_of(options.lock)
    if options.place is None:
        return SigFieldSpec(request.field_name, on_page=0, field_mdp_spec=lock)
    box = place_of(writer, options.place, request.pages)
    return SigFieldSpec(request.field_name, on_page=options.place.page - 1, box=box, field_mdp_spec=lock)  # type: ignore[arg-type]


def _style(writer: IncrementalPdfFileWriter, request: SignatureRequest) -> AppearanceStyle | None:
    options = request.options
    if options.appearance is None:
        return None
    shown = Page((0, 0, 1, 1), 0, 1.0)
    existing = find_empty_field(writer, request.field_name)
    if existing is not None and (found := _page_of(writer, existing, request.pages)) is not None:
        shown = found[1]
    elif options.place is not None:
        shown = read_page(writer, options.place.page, request.pages)
    return AppearanceStyle(
        shows=options.appearance, turned=shown.turned, unit=shown.unit, font_folders=request.font_folders
    )


def _reserved(request: SignatureRequest) -> int:
    """Hexadecimal digits for the CMS object."""
    stamp = LONGEST_TOKEN if reaches(request.level, "B-T") else 0
    return 2 * (sum(len(certificate) for certificate in request.chain) + _CMS_MARGIN + stamp)


def _common_name(certificate: bytes) -> str | None:
    name = Certificate.load(certificate).subject.native.get("common_name")
    return name if isinstance(name, str) else None
