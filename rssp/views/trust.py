"""The page for people who are to trust this authority, and the files that it hands them."""

import hashlib
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7
from cryptography.x509.oid import NameOID
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_cookie

from rssp.models import Certificate
from rssp.services.authority import list_authority
from rssp.services.scopes import list_address

_CACHE_SECONDS = 3600


@require_safe
@cache_control(public=True, max_age=300)
@vary_on_cookie  # which language was chosen
def page(request: HttpRequest) -> HttpResponse:
    """How to trust this authority, in the programs that people have."""
    roots, issuing = list_authority(role="root"), list_authority(role="issuing")
    context = {
        "name": settings.RSSP_NAME,
        "home_url": settings.SIGNAPP_URL,
        "root": _describe(roots[0]) if roots else None,
        "authorities": [_describe(certificate) for certificate in (*roots, *issuing)],
        "addresses": [
            *({"label": _common_name(each), "url": list_address(each, 0)} for each in (*roots[:1], *issuing[:1])),
        ],
        "ocsp_url": f"{settings.RSSP_PKI_URL}/ocsp",
        "tsa_url": f"{settings.RSSP_URL}/pki/tsa",
    }
    return render(request, "rssp/trust.html", context, status=200 if roots else 503)


@require_safe
def chain(_request: HttpRequest) -> HttpResponse:
    """Every certificate of root and issuing authorities, as PKCS #7 without a signature (RFC 5652, 5.2; RFC 2315)."""
    own = [*list_authority(role="root"), *list_authority(role="issuing")]
    if not own:
        return HttpResponse(status=404)
    bundle = pkcs7.serialize_certificates([_load(certificate) for certificate in own], Encoding.DER)
    response = HttpResponse(bundle, content_type="application/x-pkcs7-certificates")
    response["Cache-Control"] = f"public, max-age={_CACHE_SECONDS}"
    response["Content-Disposition"] = 'attachment; filename="authorities.p7b"'
    return response


def _describe(certificate: Certificate) -> dict[str, Any]:
    der, name = bytes(certificate.der), certificate.published_name
    return {
        "name": _common_name(certificate),
        "is_root": certificate.role == Certificate.Role.ROOT,
        "is_revoked": certificate.status == Certificate.Status.REVOKED,
        "published_name": name,
        "not_before": certificate.not_before,
        "not_after": certificate.not_after,
        "sha256": _group(hashlib.sha256(der).hexdigest()),
        # Windows and Acrobat Reader still show this one.
        "sha1": _group(hashlib.sha1(der, usedforsecurity=False).hexdigest()),
        "pem_url": reverse("rssp:certificate_pem", args=[name]),
        "der_url": reverse("rssp:certificate_der", args=[name]),
    }


def _load(certificate: Certificate) -> x509.Certificate:
    return x509.load_der_x509_certificate(bytes(certificate.der))


def _common_name(certificate: Certificate) -> str:
    [common_name] = _load(certificate).subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(common_name.value)


def _group(hexadecimal: str) -> str:
    """Upper case, in groups of four, as fingerprints stand everywhere here."""
    return " ".join(hexadecimal[place : place + 4] for place in range(0, len(hexadecimal), 4)).upper()
