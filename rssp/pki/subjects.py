"""Names and addresses as a certificate may hold them (RFC 5280, appendix A.1, upper bounds)."""

import unicodedata

from cryptography import x509
from cryptography.x509.oid import NameOID

from rssp.errors import CertificateSubjectError

_MAXIMUM_CHARACTERS = 64
_MAXIMUM_ADDRESS = 254


def parse_common_name(text: str) -> str:
    """The name in NFC, without blanks around it. Characters count, not bytes, so every script has the same room."""
    name = unicodedata.normalize("NFC", text).strip()
    if not 1 <= len(name) <= _MAXIMUM_CHARACTERS:
        raise CertificateSubjectError(f"a name in a certificate has 1 to {_MAXIMUM_CHARACTERS} characters")
    if any(unicodedata.category(character) in {"Cc", "Cs", "Co", "Cn", "Zl", "Zp"} for character in name):
        raise CertificateSubjectError("a name in a certificate has no control characters")
    return name


def parse_email(text: str) -> str:
    """The address as rfc822Name holds it: ASCII, an international domain in its A-label form (RFC 5280, 7.5)."""
    local, at, domain = text.strip().rpartition("@")
    try:
        address = f"{local}@{domain.encode('idna').decode('ascii')}"
        address.encode("ascii")
    except UnicodeError:
        raise CertificateSubjectError("the e-mail address cannot stand in a certificate") from None
    is_plain = all("!" <= character <= "~" for character in address)
    if not (local and at and domain and is_plain and len(address) <= _MAXIMUM_ADDRESS):
        raise CertificateSubjectError("the e-mail address cannot stand in a certificate")
    return address


def build_signer_name(common_name: str) -> x509.Name:
    # The library counts bytes where the standard counts characters; `parse_common_name` counted.
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, parse_common_name(common_name), _validate=False)])


def build_authority_name(*, common_name: str, organisation: str, country: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, country),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation),
            x509.NameAttribute(NameOID.COMMON_NAME, parse_common_name(common_name)),
        ]
    )
