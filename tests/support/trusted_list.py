"""A small trusted list of a test's own making (ETSI TS 119 612), signed as a scheme operator would (XAdES)."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from lxml import etree
from signxml.xades.xades import XAdESSigner

from tests.support.authority import Authority, Identity

_TSL = "http://uri.etsi.org/02231/v2#"
_BASE = "http://uri.etsi.org/TrstSvc"
CA, TSA = f"{_BASE}/Svctype/CA/QC", f"{_BASE}/Svctype/TSA/QTST"
GRANTED, WITHDRAWN = (f"{_BASE}/TrustedList/Svcstatus/{status}" for status in ("granted", "withdrawn"))
FOR_SIGNATURES, FOR_WEBSITES = (
    f"{_BASE}/TrustedList/SvcInfoExt/{name}" for name in ("ForeSignatures", "ForWebSiteAuthentication")
)


@dataclass(frozen=True)
class Service:
    """An entry: its certificate (DER), kind, status, and what it is narrowed to."""

    certificate: bytes
    name: str = "Test CA"
    kind: str = CA
    status: str = GRANTED
    narrowed_to: str | None = None


def _moment(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _service(service: Service, since: datetime) -> str:
    extension = ""
    if service.narrowed_to:
        extension = (
            '<ServiceInformationExtensions><Extension Critical="true"><AdditionalServiceInformation>'
            f'<URI xml:lang="en">{service.narrowed_to}</URI></AdditionalServiceInformation></Extension>'
            "</ServiceInformationExtensions>"
        )
    return (
        "<TSPService><ServiceInformation>"
        f"<ServiceTypeIdentifier>{service.kind}</ServiceTypeIdentifier>"
        f'<ServiceName><Name xml:lang="en">{service.name}</Name></ServiceName>'
        "<ServiceDigitalIdentity><DigitalId><X509Certificate>"
        f"{base64.b64encode(service.certificate).decode()}"
        "</X509Certificate></DigitalId></ServiceDigitalIdentity>"
        f"<ServiceStatus>{service.status}</ServiceStatus>"
        f"<StatusStartingTime>{_moment(since)}</StatusStartingTime>{extension}"
        "</ServiceInformation></TSPService>"
    )


def build_list(
    services: Sequence[Service],
    *,
    number: int = 1,
    issued: datetime | None = None,
    next_update: datetime | None = None,
    territory: str = "XT",
) -> str:
    """The list without a signature."""
    issued = issued or datetime.now(UTC) - timedelta(hours=1)
    next_update = next_update or issued + timedelta(days=180)
    return (
        f'<TrustServiceStatusList xmlns="{_TSL}" TSLTag="{_TSL}" Id="list"><SchemeInformation>'
        f"<TSLVersionIdentifier>5</TSLVersionIdentifier><TSLSequenceNumber>{number}</TSLSequenceNumber>"
        f"<TSLType>{_BASE}/TrustedList/TSLType/EUgeneric</TSLType>"
        '<SchemeOperatorName><Name xml:lang="en">Test Supervisor</Name></SchemeOperatorName>'
        f"<SchemeTerritory>{territory}</SchemeTerritory>"
        f"<ListIssueDateTime>{_moment(issued)}</ListIssueDateTime>"
        f"<NextUpdate><dateTime>{_moment(next_update)}</dateTime></NextUpdate></SchemeInformation>"
        "<TrustServiceProviderList><TrustServiceProvider><TSPInformation>"
        '<TSPName><Name xml:lang="en">Test Provider</Name></TSPName></TSPInformation><TSPServices>'
        f"{''.join(_service(each, issued - timedelta(days=30)) for each in services)}"
        "</TSPServices></TrustServiceProvider></TrustServiceProviderList></TrustServiceStatusList>"
    )


def sign_list(xml: str, operator: Identity, **options: Any) -> bytes:
    """The list with the operator's enveloped signature over all of it."""
    signer = XAdESSigner(signature_algorithm="ecdsa-sha256", **options)
    certificate = x509.load_der_x509_certificate(operator.certificate)
    signed = signer.sign(etree.fromstring(xml), key=operator.key, cert=[certificate])
    return etree.tostring(signed, xml_declaration=True, encoding="UTF-8")


def new_operator(days: int = 365) -> Identity:
    return Authority(name="Test Scheme").issue("Test Scheme Operator", days=days)
