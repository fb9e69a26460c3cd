"""TLS for an installation of somebody's own network: a certificate for one name, by an authority for that name alone.

The authority's key is thrown away as soon as it has signed: whoever trusts it, trusts one certificate. It may vouch for
no other name all the same (RFC 5280, 4.2.1.10), for those who read only the authority's certificate.
"""

import ipaddress
import re
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import certifi
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

# Telephones take no certificate that is good for longer.
_LIFETIME, _LEFT = timedelta(days=397), timedelta(days=30)
_HERE = ipaddress.ip_address("127.0.0.1")
_NAME = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)(\.(?!-)[a-z0-9-]{1,63}(?<!-))*")


class HostNameError(ValueError):
    """No name that a certificate and a passkey could be bound to; the message is a sentence."""


def verify_name(name: str) -> str:
    """In small letters; raises `HostNameError`."""
    name = name.lower().removesuffix(".")
    if len(name) > 253 or not _NAME.fullmatch(name) or name.rsplit(".", 1)[-1].isdecimal():
        raise HostNameError(f"HOST must be a name, because passkeys are bound to one, and {name!r} is none.")
    return name


@dataclass(frozen=True)
class Tls:
    """``authority`` lies in a folder of its own, so that it can be handed out; ``bundle`` holds the public ones too."""

    folder: Path

    @property
    def authority(self) -> Path:
        return self.folder / "authority" / "authority.crt"

    @property
    def certificate(self) -> Path:
        return self.folder / "certificate.pem"

    @property
    def key(self) -> Path:
        return self.folder / "key.pem"

    @property
    def bundle(self) -> Path:
        return self.folder / "bundle.pem"

    def is_good(self) -> bool:
        try:
            certificate = x509.load_pem_x509_certificate(self.certificate.read_bytes())
        except (OSError, ValueError):
            return False
        return certificate.not_valid_after_utc - datetime.now(UTC) > _LEFT and self.bundle.exists()

    def context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.authority))


def prepare_tls(folder: Path, host: str) -> Tls:
    """What lies in ``folder``, made where it is not there or ends within a month."""
    tls = Tls(folder)
    if tls.is_good():
        return tls
    tls.authority.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    authority_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    authority = _authority(authority_key, host)
    certificate = _certificate(key, host, authority, authority_key)
    tls.key.touch(mode=0o600)
    tls.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    tls.authority.write_bytes(authority.public_bytes(Encoding.PEM))
    tls.bundle.write_bytes(Path(certifi.where()).read_bytes() + authority.public_bytes(Encoding.PEM))
    tls.certificate.write_bytes(certificate.public_bytes(Encoding.PEM))
    return tls


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + _LIFETIME)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority,
        key_cert_sign=authority,
        crl_sign=authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _authority(key: ec.EllipticCurvePrivateKey, host: str) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"Paraph, for {host} alone"[:64])])
    names = [x509.DNSName(host), x509.IPAddress(ipaddress.ip_network(f"{_HERE}/32"))]
    return (
        _builder(name, name, key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(authority=True), critical=True)
        .add_extension(x509.NameConstraints(permitted_subtrees=names, excluded_subtrees=None), critical=True)
        .sign(key, SHA256())
    )


def _certificate(
    key: ec.EllipticCurvePrivateKey, host: str, authority: x509.Certificate, authority_key: ec.EllipticCurvePrivateKey
) -> x509.Certificate:
    identifier = authority.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    return (
        _builder(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host[:64])]), authority.subject, key)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(authority=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host), x509.IPAddress(_HERE)]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), critical=False)
        .sign(authority_key, SHA256())
    )
