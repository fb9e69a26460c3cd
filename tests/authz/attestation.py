"""A maker of authenticators, who attests to what they are (WebAuthn L3, 8.2, packed attestation)."""

from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID

import cbor2
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from tests.support.authenticator import Authenticator, b64, unb64

_AAGUID = x509.ObjectIdentifier("1.3.6.1.4.1.45724.1.1.4")


class Maker:
    """A root, and a certificate under it for each authenticator."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Maker root")])
        self._root = self._certificate(self._name, self._key, None)

    @property
    def root_pem(self) -> bytes:
        return self._root.public_bytes(Encoding.PEM)

    def _certificate(self, name: x509.Name, key: ec.EllipticCurvePrivateKey, aaguid: str | None) -> x509.Certificate:
        now = datetime.now(UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=30))
            .add_extension(x509.BasicConstraints(ca=aaguid is None, path_length=None), critical=True)
        )
        if aaguid is not None:
            value = b"\x04\x10" + UUID(aaguid).bytes
            builder = builder.add_extension(x509.UnrecognizedExtension(_AAGUID, value), critical=False)
        return builder.sign(self._key, hashes.SHA256())

    def attest(
        self, key: Authenticator, options: dict[str, Any], *, aaguid: str, certified: str | None = None
    ) -> dict[str, Any]:
        """A registration by an authenticator that says ``aaguid``, with a certificate that says ``certified``."""
        made = key.create(options)
        statement = cbor2.loads(unb64(made["response"]["attestationObject"]))
        data = statement["authData"]
        statement["authData"] = data[:37] + UUID(aaguid).bytes + data[53:]
        signed = statement["authData"] + sha256(unb64(made["response"]["clientDataJSON"])).digest()
        attesting = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name(
            [
                x509.NameAttribute(NameOID.COUNTRY_NAME, "DE"),
                x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Maker"),
                x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, "Authenticator Attestation"),
                x509.NameAttribute(NameOID.COMMON_NAME, "Batch 1"),
            ]
        )
        certificate = self._certificate(name, attesting, certified or aaguid)
        statement |= {
            "fmt": "packed",
            "attStmt": {
                "alg": -7,
                "sig": attesting.sign(signed, ec.ECDSA(hashes.SHA256())),
                "x5c": [certificate.public_bytes(Encoding.DER)],
            },
        }
        made["response"]["attestationObject"] = b64(cbor2.dumps(statement))
        return made
