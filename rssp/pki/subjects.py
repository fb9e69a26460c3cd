"""Names and addresses as a certificate may hold them (RFC 5280, appendix A.1; EN 319 412-1, -2 and -3)."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography import x509
from cryptography.x509.oid import NameOID

from rssp.errors import CertificateSubjectError

_MAXIMUM_CHARACTERS = 64
_MAXIMUM_ADDRESS = 254
_MAXIMUM_SUBJECT = 1024  # of the whole, as RFC 4514 text

# Embeddings, overrides and isolates (Unicode, UAX 9) can make a name read as another one.
_DIRECTIONS = frozenset(map(chr, (*range(0x202A, 0x202F), *range(0x2066, 0x206A))))

# EN 319 412-1, 5.1.3 and 5.1.4: who gave the identifier, in which country, and the identifier. Two letters and a colon
# are a country's own scheme.
_NATURAL_SEMANTICS = re.compile(r"(?:PAS|IDC|PNO|TIN|[A-Z]{2}:)[A-Z]{2}-\S.*")
_LEGAL_SEMANTICS = re.compile(r"(?:VAT|NTR|PSD|LEI|[A-Z]{2}:)[A-Z]{2}-\S.*")
_LOOKS_LIKE_SEMANTICS = re.compile(r"[A-Z]{2}[A-Z:][A-Za-z]{2}-")


@dataclass(frozen=True)
class UnverifiedPerson:
    """A name that nobody verified; ``email`` is an address that was verified, or None."""

    common_name: str
    email: str | None = None


@dataclass(frozen=True)
class NaturalPerson:
    """A person (EN 319 412-2, 4.2.4), by given name and surname (one of them may be missing) or by a pseudonym.

    ``identifier`` is the serialNumber: one with the semantics of EN 319 412-1, 5.1.3 (``PNOFR-…``, ``PASDE-…``), or any
    other text that tells this person from all others of the authority.
    """

    common_name: str
    country: str
    identifier: str
    given_name: str = ""
    surname: str = ""
    pseudonym: str = ""
    email: str | None = None


@dataclass(frozen=True)
class LegalPerson:
    """An organisation (EN 319 412-3, 4.2.1); ``identifier`` as in EN 319 412-1, 5.1.4: ``VATFR-…``, ``NTRDE-…``."""

    common_name: str
    country: str
    organisation: str
    identifier: str
    email: str | None = None


Subject = UnverifiedPerson | NaturalPerson | LegalPerson


def build_subject(subject: Subject) -> x509.Name:
    """The distinguished name; raises `CertificateSubjectError`, which names the part and never its content."""
    match subject:
        case UnverifiedPerson():
            return _build([(NameOID.COMMON_NAME, parse_common_name(subject.common_name))])
        case NaturalPerson():
            return _build(_natural_attributes(subject))
        case LegalPerson():
            return build_organisation_name(
                common_name=subject.common_name,
                organisation=subject.organisation,
                identifier=subject.identifier,
                country=subject.country,
            )


def build_organisation_name(*, common_name: str, organisation: str, identifier: str, country: str) -> x509.Name:
    """EN 319 412-3, 4.2.1, for a subject, and EN 319 412-2, 4.2.3.1, for an issuer."""
    name, organisation_name = parse_common_name(common_name), _parse(organisation, "an organisation's name")
    organisation_id = _parse(identifier, "an organisation's identifier")
    if not _LEGAL_SEMANTICS.fullmatch(organisation_id):
        raise CertificateSubjectError("an organisation's identifier is built like VATFR-1234 (EN 319 412-1, 5.1.4)")
    if organisation_id == organisation_name:
        raise CertificateSubjectError("an organisation's identifier is not its name")
    return _build(
        [
            (NameOID.COUNTRY_NAME, parse_country(country)),
            (NameOID.ORGANIZATION_NAME, organisation_name),
            (NameOID.ORGANIZATION_IDENTIFIER, organisation_id),
            (NameOID.COMMON_NAME, name),
        ]
    )


def parse_common_name(text: str) -> str:
    """The name in NFC, without blanks around it. Characters count, not bytes, so every script has the same room."""
    return _parse(text, "a name")


def parse_country(text: str) -> str:
    """Two capital letters (ISO 3166-1), as PrintableString holds them."""
    if not re.fullmatch(r"[A-Z]{2}", text):
        raise CertificateSubjectError("a country in a certificate is two capital letters (ISO 3166-1)")
    return text


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


def has_semantics(subject: Subject) -> bool:
    """Whether the identifier is one that EN 319 412-1 gives a meaning."""
    match subject:
        case NaturalPerson():
            return bool(_NATURAL_SEMANTICS.fullmatch(subject.identifier))
        case LegalPerson():
            return bool(_LEGAL_SEMANTICS.fullmatch(subject.identifier))
        case UnverifiedPerson():
            return False


def _natural_attributes(person: NaturalPerson) -> list[tuple[x509.ObjectIdentifier, str]]:
    if bool(person.pseudonym) == bool(person.given_name or person.surname):
        raise CertificateSubjectError("a person has a given name or a surname, or else a pseudonym")
    identifier = _parse_printable(person.identifier, "a person's identifier")
    if _LOOKS_LIKE_SEMANTICS.match(identifier) and not _NATURAL_SEMANTICS.fullmatch(identifier):
        raise CertificateSubjectError("a person's identifier is built like PNOFR-1234 (EN 319 412-1, 5.1.3)")
    parts = (
        (NameOID.GIVEN_NAME, person.given_name, "a given name"),
        (NameOID.SURNAME, person.surname, "a surname"),
        (NameOID.PSEUDONYM, person.pseudonym, "a pseudonym"),
    )
    return [
        (NameOID.COUNTRY_NAME, parse_country(person.country)),
        *((oid, _parse(text, words)) for oid, text, words in parts if text),
        (NameOID.COMMON_NAME, parse_common_name(person.common_name)),
        (NameOID.SERIAL_NUMBER, identifier),
    ]


def _parse(text: str, words: str) -> str:
    name = unicodedata.normalize("NFC", text).strip()
    if not 1 <= len(name) <= _MAXIMUM_CHARACTERS:
        raise CertificateSubjectError(f"{words} in a certificate has 1 to {_MAXIMUM_CHARACTERS} characters")
    if any(
        unicodedata.category(character) in {"Cc", "Cs", "Co", "Cn", "Zl", "Zp"} or character in _DIRECTIONS
        for character in name
    ):
        raise CertificateSubjectError(f"{words} in a certificate has no control characters")
    return name


def _parse_printable(text: str, words: str) -> str:
    """serialNumber is a PrintableString (RFC 5280, appendix A.1)."""
    if not re.fullmatch(r"[A-Za-z0-9 '()+,./:=?-]{1,64}", text) or text != text.strip():
        raise CertificateSubjectError(f"{words} has 1 to {_MAXIMUM_CHARACTERS} Latin letters, digits and '()+,-./:=?")
    return text


def _build(attributes: Sequence[tuple[x509.ObjectIdentifier, str]]) -> x509.Name:
    # The library counts bytes where the standard counts characters; `_parse` counted.
    name = x509.Name([x509.NameAttribute(oid, text, _validate=False) for oid, text in attributes])
    if len(name.rfc4514_string()) > _MAXIMUM_SUBJECT:
        raise CertificateSubjectError("the names are too long together")
    return name
