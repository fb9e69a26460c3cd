"""What documents and certificates are called on a page."""

import unicodedata
from typing import Any
from urllib.parse import urlsplit

from django.urls import reverse
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from signapp.error_responses import explanation_of
from signapp.models import Document
from signapp.services.certificates import Certificate, CertificateRequest

MOVING = {"approving", "signing"}
_KEY_ALGORITHMS = {
    "rsa-2048": "RSA 2048",
    "rsa-3072": "RSA 3072",
    "rsa-4096": "RSA 4096",
    "ec-p256": "ECDSA P-256",
    "ec-p384": "ECDSA P-384",
}


def visible_text(text: str) -> str:
    """Text from elsewhere, without characters that hide or turn round what stands beside them."""
    return "".join("\ufffd" if unicodedata.category(char) in {"Cc", "Cf"} else char for char in text)


def write_size(size: int) -> str:
    """Decimal units, as a signer's own computer has them."""
    if size < 1000:
        return ngettext("%(size)d byte", "%(size)d bytes", size) % {"size": size}
    if size < 1_000_000:
        return _("%(size)d kB") % {"size": round(size / 1000)}
    megabytes = round(size / 1_000_000, 1)
    return _("%(size)s MB") % {"size": number_format(megabytes, 0 if megabytes.is_integer() else 1)}


def describe_protection(encryption: str) -> str:
    """What a reader should know of a cipher; nothing of a document that is not encrypted."""
    if not encryption:
        return ""
    if encryption.startswith("RC4"):
        return _("Encrypted in an outdated way (%(cipher)s) that hides little. It stays as it is.") % {
            "cipher": encryption
        }
    return _("Encrypted (%(cipher)s), and the signed document stays so.") % {"cipher": encryption}


def describe_repairs(repairs: str) -> list[str]:
    """What was changed when the document was repaired, a sentence each."""
    words = {
        "leading_bytes": _("What stood before its beginning was removed."),
        "trailing_bytes": _("What stood behind its end was removed."),
        "cross_references": _("The list of its parts was made anew."),
        "objects": _("Parts that programs read differently were settled."),
        "xfa": _("A second form of it (XFA) was removed."),
        "usage_rights": _("A vendor's leave to fill it in was removed."),
        "rewritten": _("It was written anew, without parts that nothing leads to."),
    }
    return [words[name] for name in repairs.split(",") if name in words]


def badge(state: str) -> dict[str, str]:
    """A document's state."""
    badges = {
        "ready": {"kind": "neutral", "label": _("To be signed")},
        "prepared": {"kind": "neutral", "label": _("Ready to approve")},
        "approving": {"kind": "info", "label": _("Waiting for your approval"), "icon": "clock"},
        "signing": {"kind": "info", "label": _("Being signed"), "icon": "clock"},
        "signed": {"kind": "success", "label": _("Signed")},
        "failed": {"kind": "warning", "label": _("Not signed")},
    }
    return badges[state]


def _act(document: Document) -> dict[str, str]:
    """What the list offers first."""
    here = reverse("signapp:document", args=[document.pk])
    if document.state == "signed":
        return {
            "label": _("Download"),
            "href": reverse("signapp:download", args=[document.pk]),
            "icon": "download",
        }
    words = {"ready": _("Read and sign"), "failed": _("Try again"), "signing": _("Follow")}
    return {"label": words.get(document.state, _("Continue")), "href": here, "icon": ""}


def describe_document(document: Document) -> dict[str, Any]:
    """Everything that the templates say about one document."""
    state = str(document.state)
    pages = ngettext("%(pages)d page", "%(pages)d pages", document.pages) % {"pages": document.pages}
    is_signed = state == "signed"
    together = document.batch is not None and document.batch.is_open
    return {
        "id": document.pk,
        "name": visible_text(document.name),
        "meta": f"{pages} · {write_size(document.size)}",
        "sha256": document.sha256,
        "protection": describe_protection(document.encryption),
        "repairs": describe_repairs(document.repairs),
        "state": state,
        "is_signed": is_signed,
        "moves": state in MOVING,
        "badge": badge(state),
        "act": _act(document),
        "created": document.created,
        "signed_at": document.signed_at,
        "signature_level": document.signature_level if is_signed else "",
        "lasts_until": document.lasts_until if is_signed else None,
        "credential_label": visible_text(document.credential_name),
        "fingerprint": document.fingerprint if state not in {"ready", "failed"} else "",
        "failure": explanation_of(document.error_code) if state == "failed" else None,
        "can_delete": state != "signing" and document.part_id is None and not together,
        "batch_id": document.batch_id if together else None,
        "envelope_id": document.part.envelope_id if document.part else None,
        "delete_text": _("The signed PDF is deleted here too. Copies that you have downloaded stay valid.")
        if is_signed
        else _("It is deleted at once, with its encrypted copy. That cannot be undone."),
        "panel_title": _("What you signed") if is_signed else _("What you are signing"),
        "approve_label": _("Go on to approval") if state == "approving" else _("Continue to approval"),
        "prepare_label": _("Try again") if state == "failed" else _("Prepare to sign"),
        "progress": [
            {"label": _("Approved by you"), "state": "done"},
            {"label": _("Being signed in the vault"), "state": "current"},
            {"label": _("Ready to download"), "state": "todo"},
        ],
    }


def describe_certificate(certificate: Certificate) -> dict[str, Any]:
    """Everything that the templates say about one certificate."""
    key = _KEY_ALGORITHMS.get(certificate.key_algorithm, certificate.key_algorithm)
    name = visible_text(certificate.common_name)
    until = certificate.valid_to.strftime("%Y-%m-%d")
    words = {"name": name, "key": key, "date": until}
    note, choice = _("%(key)s, certificate valid until %(date)s"), _("%(name)s, %(key)s, valid until %(date)s")
    if certificate.short_lived:
        note = _("%(key)s. A certificate is made for this signature, and the key is destroyed after it.")
        choice = _("%(name)s, %(key)s, a certificate is made for this signature")
    return {
        "id": certificate.credential_id,
        "name": name,
        "key": key,
        "note": note % words,
        "choice": choice % words,
        "is_short_lived": certificate.short_lived,
        "serial_number": certificate.serial_number,
        "valid_from": certificate.valid_from,
        "valid_to": certificate.valid_to,
        "badge": _certificate_badge(certificate),
        "can_sign": certificate.is_usable,
        "email": visible_text(certificate.email),
        "is_demonstration": certificate.certificate_policy == "demonstration",
    }


def describe_request(request: CertificateRequest) -> dict[str, Any]:
    """Everything that the templates say about a request for a certificate."""
    badge, sentence = _request_words(request.state)
    if request.state == "waiting" and request.identified_by:
        sentence = _("%s says who you are. Somebody looks at it before your name gets into a certificate.") % (
            _host(request.identified_by)
        )
    return {
        "id": request.credential_id,
        "provider": _host(request.identity_provider) if request.state == "waiting" else "",
        "name": visible_text(request.description),
        "badge": badge,
        "sentence": sentence,
        "reason": visible_text(request.reason) if request.state == "refused" else "",
        "requested_at": request.requested_at,
        "expires_at": request.expires_at if request.state in {"waiting", "approved"} else None,
    }


def _host(address: str) -> str:
    return visible_text(urlsplit(address).hostname or "")


def _request_words(state: str) -> tuple[dict[str, str], str]:
    """A badge and a sentence."""
    words = {
        "waiting": (
            {"kind": "info", "label": _("Waiting for approval")},
            _("Somebody checks who you are before your name gets into a certificate. You need not do anything."),
        ),
        "refused": (
            {"kind": "danger", "label": _("Refused")},
            _("No certificate was issued, and the key that was made for it is destroyed. You can ask again."),
        ),
        "expired": (
            {"kind": "warning", "label": _("Expired")},
            _("Nobody decided in time, and the key that was made for it is destroyed. You can ask again."),
        ),
    }
    on_its_way = (
        {"kind": "info", "label": _("Being issued")},
        _("Your request is approved. The certificate stands here as soon as it has come."),
    )
    return words.get(state, on_its_way)


def _certificate_badge(certificate: Certificate) -> dict[str, str]:
    if certificate.is_usable:
        return {"kind": "success", "label": _("Can sign")}
    words = {
        "expired": _("Expired"),
        "revoked": _("Revoked"),
        "suspended": _("Suspended"),
    }
    return {"kind": "warning", "label": words.get(certificate.cert_status, _("Disabled"))}
