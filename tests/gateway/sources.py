"""A time-stamping unit, a responder and a revocation list, with real keys. A test changes what they do through the
attributes of `Sources`."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from asn1crypto import keys, tsp
from asn1crypto.x509 import Certificate
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID
from pyhanko.sign.timestamps.dummy_client import DummyTimeStamper
from pyhanko_certvalidator.registry import SimpleCertificateStore

from tests.support.authority import Authority, Identity

# pyHanko's stand-in for a time-stamping unit signs with RSA alone.
_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)

Answer = httpx.Response | Exception


def time_stamping_unit(authority: Authority, *, usage: Any = ExtendedKeyUsageOID.TIME_STAMPING) -> Identity:
    return authority.issue("Test TSA", _KEY, usage=usage)


@dataclass
class Sources:
    """``query`` and ``reply`` are bent as a test likes; an answer of ``answers`` stands in for a source's own."""

    authority: Authority
    calls: Counter[str] = field(default_factory=Counter)
    answers: dict[str, Answer] = field(default_factory=dict)
    query: Callable[[tsp.TimeStampReq], None] | None = None
    reply: Callable[[bytes], bytes] | None = None
    unit: Identity | None = None
    clock: timedelta = timedelta(0)
    revoked: set[int] = field(default_factory=set)
    responder: Identity | None = None
    age: timedelta = timedelta(0)

    def handle(self, name: str, request: httpx.Request) -> httpx.Response:
        self.calls[name] += 1
        answer = self.answers.get(name)
        if isinstance(answer, Exception):
            raise answer
        return answer or httpx.Response(200, content=getattr(self, f"_{name}")(request.content))

    def _tsa(self, content: bytes) -> bytes:
        unit = self.unit or time_stamping_unit(self.authority)
        store = SimpleCertificateStore()
        store.register(Certificate.load(self.authority.certificate))
        der = unit.key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        query = tsp.TimeStampReq.load(content)
        assert query["cert_req"].native is True
        if self.query is not None:
            self.query(query)
        stamper = DummyTimeStamper(
            Certificate.load(unit.certificate),
            keys.PrivateKeyInfo.load(der),
            store,
            fixed_dt=datetime.now(UTC) + self.clock,
        )
        reply: bytes = stamper.request_tsa_response(query).dump()
        return self.reply(reply) if self.reply else reply

    def _ocsp(self, content: bytes) -> bytes:
        asked = ocsp.load_der_ocsp_request(content)
        issuer = x509.load_der_x509_certificate(self.authority.certificate)
        revoked = asked.serial_number in self.revoked
        now = datetime.now(UTC) - self.age
        response = ocsp.OCSPResponseBuilder().add_response_by_hash(
            asked.issuer_name_hash,
            asked.issuer_key_hash,
            asked.serial_number,
            SHA1(),  # noqa: S303  (as the request has it)
            ocsp.OCSPCertStatus.REVOKED if revoked else ocsp.OCSPCertStatus.GOOD,
            now - timedelta(minutes=1),
            now + timedelta(hours=1),
            now - timedelta(minutes=1) if revoked else None,
            x509.ReasonFlags.key_compromise if revoked else None,
        )
        signer = self.responder
        by = x509.load_der_x509_certificate(signer.certificate) if signer else issuer
        response = response.responder_id(ocsp.OCSPResponderEncoding.HASH, by)
        if signer:
            response = response.certificates([by])
        signed = response.sign(signer.key if signer else self.authority.key, SHA256())
        return signed.public_bytes(Encoding.DER)

    def _crl(self, _content: bytes) -> bytes:
        issuer = x509.load_der_x509_certificate(self.authority.certificate)
        now = datetime.now(UTC) - self.age
        builder = (
            x509.CertificateRevocationListBuilder(issuer.subject, now - timedelta(minutes=1), now + timedelta(hours=1))
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.public_key()), critical=False)
            .add_extension(x509.CRLNumber(1), critical=False)
        )
        for serial in self.revoked:
            entry = x509.RevokedCertificateBuilder(serial, now - timedelta(minutes=1))
            builder = builder.add_revoked_certificate(entry.build())
        return builder.sign(self.authority.key, SHA256()).public_bytes(Encoding.DER)


def flip(answer: bytes) -> bytes:
    """The last bytes of a reply are the signature's."""
    return answer[:-1] + bytes([answer[-1] ^ 1])


def change_nonce(query: Any) -> None:
    query["nonce"] = query["nonce"].native + 1


def change_imprint(query: Any) -> None:
    query["message_imprint"]["hashed_message"] = bytes(32)
