"""First half of a PAdES signature: an incremental update with an empty place for the CMS. Runs in the child process.

ETSI EN 319 142-1, 5.3 and 6.3: SubFilter ``ETSI.CAdES.detached``, signing-certificate-v2, no signing-time attribute
(the claimed time stands in ``/M``).
"""

from typing import IO

from asn1crypto.x509 import Certificate
from pyhanko.pdf_utils.generic import IndirectObject
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign.fields import MDPPerm, SigFieldSpec, SigSeedSubFilter, enumerate_sig_fields
from pyhanko.sign.general import SigningError
from pyhanko.sign.signers import PdfSignatureMetadata, PdfSigner
from pyhanko.stamp import BaseStampStyle

from gateway.errors import CertificationNotFirstError, FieldConstrainedError, SigningNotPermittedError
from gateway.pades.algorithms import HASHES, Algorithm, longest_value, parse_algorithm
from gateway.pades.attributes import build_signed_attributes
from gateway.pades.cms import build_signed_data, external_signer
from gateway.pades.encryption import Encryption
from gateway.pades.fields import add_empty_field, find_empty_field, lock_of, refuse_if_locked, widgets_of
from gateway.pades.forms import Widget, add_form_fields, find_widgets
from gateway.pades.levels import reaches
from gateway.pades.options import Place
from gateway.pades.pages import Page, place_of, read_page
from gateway.pades.placing import verify_place
from gateway.pades.reading import open_document, read_document
from gateway.pades.timestamps import LONGEST_TOKEN
from gateway.pades.values import Area, ReservedPlace, SignatureRequest
from gateway.pades.writing import SigningWriter

# Of a time-stamp beside the signature.
_WRAPPING = 64


def prepare_document(document: IO[bytes], request: SignatureRequest, *, password: str = "") -> ReservedPlace:
    """``document`` grows in its place by the update. What is to be signed then is for
    `to_be_signed.fix_signature` to say, and for `raster.compare_pages` whether its pages look as before."""
    algorithm = parse_algorithm(certificate=request.chain[0], sign_algo=request.sign_algo)
    signer = external_signer(request.chain, algorithm)
    options = request.options
    reader, encryption = open_document(document, password)
    writer = SigningWriter(document, prev=reader)
    areas = _prepare_fields(writer, request, encryption)
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
        session = pdf_signer.init_signing_session(writer)
        session.prepare_tbs_document(validation_info=None, bytes_reserved=_reserved(request, algorithm))
    except SigningError:
        raise FieldConstrainedError from None
    start, end = writer.write_around(session.sig_field["/V"])
    # Read back now: what could not be verified at the end is refused before anybody approves it.
    document.seek(0)
    verify_place(read_document(document, password), request.field_name, start=start)
    return ReservedPlace(start, end, tuple(areas))


def _prepare_fields(writer: IncrementalPdfFileWriter, request: SignatureRequest, encryption: Encryption) -> list[Area]:
    """Makes the fields for later signers, and refuses what earlier signatures, fields or the owner do not allow;
    answers with the places where the document may look different afterwards."""
    options, handler = request.options, writer.prev
    if options.certify is not None and next(enumerate_sig_fields(handler, filled_status=True), None):
        raise CertificationNotFirstError
    refuse_if_locked(handler, request.field_name)
    existing = find_empty_field(writer, request.field_name)
    adds_fields = existing is None or bool(options.new_fields)
    if not (encryption.may_add_field if adds_fields else encryption.may_fill_field):
        raise SigningNotPermittedError
    for new in options.new_fields:
        if new.kind == "signature":
            add_empty_field(writer, new, request.pages)
    add_form_fields(writer, [new for new in options.new_fields if new.kind != "signature"], request.pages)
    areas = [_area_at(writer, new.place, request.pages) for new in options.new_fields if new.place]
    if options.values:
        from gateway.pades.filling import fill_fields

        areas += [_area_of(widget) for widget in fill_fields(writer, options.values, request.font_folders)]
    existing = find_empty_field(writer, request.field_name)
    if existing is not None:
        if options.lock is not None:
            # What is locked when a field is signed was for its maker to say.
            raise FieldConstrainedError
        return [*areas, *(_area_of(widget) for widget in _shown(writer, existing))]
    return [*areas, *([_area_at(writer, options.place, request.pages)] if options.place else [])]


def _area_at(writer: IncrementalPdfFileWriter, place: Place, pages: int) -> Area:
    page = read_page(writer, place.page, pages)
    left, bottom, right, top = (value / page.unit for value in place.box)
    return Area(place.page, (left, bottom, right, top))


def _area_of(widget: Widget) -> Area:
    a, b, c, d = (value / widget.page.unit for value in widget.page.to_shown(widget.box))
    return Area(widget.number, (a, b, c, d))


def _shown(writer: IncrementalPdfFileWriter, field: IndirectObject) -> list[Widget]:
    shown = find_widgets(writer)
    return [shown[each.idnum] for each in widgets_of(field) if each.idnum in shown]


def _new_field(writer: IncrementalPdfFileWriter, request: SignatureRequest) -> SigFieldSpec | None:
    options = request.options
    if find_empty_field(writer, request.field_name) is not None:
        return None
    lock = lock_of(options.lock)
    if options.place is None:
        return SigFieldSpec(request.field_name, on_page=0, field_mdp_spec=lock)
    box = place_of(writer, options.place, request.pages)
    return SigFieldSpec(request.field_name, on_page=options.place.page - 1, box=box, field_mdp_spec=lock)  # type: ignore[arg-type]


def _style(writer: IncrementalPdfFileWriter, request: SignatureRequest) -> BaseStampStyle | None:
    options = request.options
    if options.appearance is None:
        return None
    # Its libraries take longer to import than most documents to prepare.
    from gateway.pades.appearance import AppearanceStyle

    shown = Page((0, 0, 1, 1), 0, 1.0)
    existing = find_empty_field(writer, request.field_name)
    if existing is not None:
        shown = next((widget.page for widget in _shown(writer, existing)), shown)
    elif options.place is not None:
        shown = read_page(writer, options.place.page, request.pages)
    return AppearanceStyle(
        shows=options.appearance, turned=shown.turned, unit=shown.unit, font_folders=request.font_folders
    )


def _reserved(request: SignatureRequest, algorithm: Algorithm) -> int:
    """Hexadecimal digits for the CMS object, which but for its digests and its signature value is known now. No more
    than that: whoever reads the file reads each of them."""
    attributes = build_signed_attributes(
        document_digest=bytes(HASHES[algorithm.hash_name][1].digest_size),
        certificate=request.chain[0],
        options=request.options,
    )
    value = bytes(longest_value(certificate=request.chain[0]))
    longest = build_signed_data(chain=request.chain, algorithm=algorithm, attributes=attributes, value=value)
    stamp = LONGEST_TOKEN + _WRAPPING if reaches(request.level, "B-T") else 0
    return 2 * (len(longest) + stamp)


def _common_name(certificate: bytes) -> str | None:
    name = Certificate.load(certificate).subject.native.get("common_name")
    return name if isinstance(name, str) else None
