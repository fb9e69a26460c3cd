"""Trusted lists (ETSI TS 119 612): the signature first, and then only what it covers. Runs in the child process."""

import hashlib
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

from cryptography.x509 import load_der_x509_certificate
from lxml import etree
from pyhanko.sign.validation.qualified.eutl_parse import read_qualified_service_definitions
from pyhanko.sign.validation.qualified.tsp import CAServiceInformation, QcCertType, QualifiedServiceInformation
from signxml.algorithms import SignatureMethod
from signxml.exceptions import SignXMLException
from signxml.xades.xades import XAdESSignatureConfiguration, XAdESVerifier

from gateway.errors import TrustedListExpiredError, TrustedListMalformedError, TrustedListSignatureError
from gateway.pades.values import ListedService, TrustedListContent

_NAMESPACE = "http://uri.etsi.org/02231/v2#"
_ROOT = f"{{{_NAMESPACE}}}TrustServiceStatusList"
_CLOCKS_APART = timedelta(hours=1)
_METHODS = frozenset(
    {
        *(SignatureMethod.RSA_SHA256, SignatureMethod.RSA_SHA384, SignatureMethod.RSA_SHA512),
        *(SignatureMethod.SHA256_RSA_MGF1, SignatureMethod.SHA384_RSA_MGF1, SignatureMethod.SHA512_RSA_MGF1),
        *(SignatureMethod.ECDSA_SHA256, SignatureMethod.ECDSA_SHA384, SignatureMethod.ECDSA_SHA512),
    }
)
_CONFIGURATION = XAdESSignatureConfiguration(require_x509=True, expect_references=True, signature_methods=_METHODS)


def read_trusted_list(xml: bytes, *, signers: Sequence[bytes], now: datetime) -> TrustedListContent:
    """The services that grant qualified certificates for signatures or seals, or qualified time-stamps, today.

    ``signers`` are DER certificates, any of which may have signed. Raises `TrustedListSignatureError`,
    `TrustedListExpiredError` or `TrustedListMalformedError`.
    """
    signed, signer = _verify(xml, signers)
    root = etree.fromstring(signed, etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False))
    issued, next_update = (_moment(root, path) for path in ("ListIssueDateTime", "NextUpdate/{}dateTime"))
    if not issued - _CLOCKS_APART <= now < next_update:
        raise TrustedListExpiredError
    return TrustedListContent(
        territory=_text(root, "SchemeTerritory").upper(),
        operator=_text(root, "SchemeOperatorName/{}Name"),
        sequence_number=int(_text(root, "TSLSequenceNumber")),
        issued=issued.isoformat(),
        next_update=next_update.isoformat(),
        signer_sha256=hashlib.sha256(signer).hexdigest(),
        services=tuple(_read_services(signed.decode(), now)),
    )


def _verify(xml: bytes, signers: Iterable[bytes]) -> tuple[bytes, bytes]:
    """The list as it was signed, in canonical form, and the certificate whose key did it."""
    for signer in signers:
        verifier = XAdESVerifier()
        try:
            results = verifier.verify(xml, x509_cert=load_der_x509_certificate(signer), expect_config=_CONFIGURATION)
        except (SignXMLException, ValueError):
            continue
        for result in results:
            # What is not signed, or not all of the list, is not looked at.
            if result.signed_xml is not None and result.signed_xml.tag == _ROOT:
                return result.signed_data, signer
    raise TrustedListSignatureError


def _read_services(xml: str, now: datetime) -> Iterable[ListedService]:
    for service in read_qualified_service_definitions(xml):
        base = service.base_info
        # An entry with an end is history.
        if base.valid_until is None and base.valid_from <= now and _is_for_signatures(service):
            kind = "ca" if isinstance(service, CAServiceInformation) else "tsa"
            for certificate in base.provider_certs:
                yield ListedService(kind, base.service_name, certificate.dump())


def _is_for_signatures(service: QualifiedServiceInformation) -> bool:
    narrowed = service.base_info.additional_info_certificate_type
    return not narrowed or bool(narrowed & {QcCertType.QC_ESIGN, QcCertType.QC_ESEAL})


def _text(root: etree._Element, path: str) -> str:
    prefix = f"{{{_NAMESPACE}}}"
    found = root.findtext(f"{prefix}SchemeInformation/{prefix}{path.format(prefix)}")
    if not found or not found.strip():
        raise TrustedListMalformedError
    return " ".join(found.split())


def _moment(root: etree._Element, path: str) -> datetime:
    try:
        moment = datetime.fromisoformat(_text(root, path))
    except ValueError:
        raise TrustedListMalformedError from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
