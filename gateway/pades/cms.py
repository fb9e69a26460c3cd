"""The CMS object (RFC 5652) around a signature value made elsewhere."""

from collections.abc import Sequence
from functools import lru_cache

from asn1crypto.x509 import Certificate
from pyhanko.sign.signers import ExternalSigner
from pyhanko_certvalidator.registry import SimpleCertificateStore

from gateway.pades.algorithms import Algorithm
from gateway.pades.der import NULL, element, octets, oid, sequence, set_of

_DATA, _SIGNED_DATA = "1.2.840.113549.1.7.1", "1.2.840.113549.1.7.2"
_TIME_STAMP_TOKEN = "1.2.840.113549.1.9.16.2.14"
_VERSION_1 = b"\x02\x01\x01"
_CONTEXT_0, _CONTEXT_1 = 0xA0, 0xA1


def external_signer(chain: Sequence[bytes], algorithm: Algorithm) -> ExternalSigner:
    """pyHanko's stand-in for a signer that is elsewhere; ``chain`` is DER, the signer's certificate first."""
    store = SimpleCertificateStore()  # type: ignore[no-untyped-call]  # pyHanko's is not annotated
    for certificate in chain[1:]:
        store.register(Certificate.load(certificate))
    return ExternalSigner(
        signing_cert=Certificate.load(chain[0]),
        cert_registry=store,
        signature_mechanism=algorithm.mechanism(),
        embed_roots=False,
    )


def build_signed_data(
    *, chain: Sequence[bytes], algorithm: Algorithm, attributes: bytes, value: bytes, timestamp: bytes | None = None
) -> bytes:
    """DER of the ContentInfo whose signed attributes are ``attributes``, byte for byte; ``timestamp`` is a token over
    ``value`` (RFC 3161, appendix A)."""
    digest_algorithm = sequence(oid(algorithm.hash_algorithm_oid), NULL)
    unsigned = []
    if timestamp is not None:
        unsigned = [set_of([sequence(oid(_TIME_STAMP_TOKEN), set_of([timestamp]))], tag=_CONTEXT_1)]
    signer_info = sequence(
        _VERSION_1,
        issuer_and_serial(chain[0]),
        digest_algorithm,
        # The same SET, with the tag that it has here (RFC 5652, 5.4).
        bytes([_CONTEXT_0]) + attributes[1:],
        algorithm.encoded_mechanism(),
        octets(value),
        *unsigned,
    )
    signed_data = sequence(
        _VERSION_1,
        set_of([digest_algorithm]),
        sequence(oid(_DATA)),
        set_of(embedded_certificates(chain), tag=_CONTEXT_0),
        set_of([signer_info]),
    )
    return sequence(oid(_SIGNED_DATA), element(_CONTEXT_0, signed_data))


def embedded_certificates(chain: Sequence[bytes]) -> list[bytes]:
    """Each once. Roots are left out: who trusts one has it."""
    return list(dict.fromkeys([chain[0], *(each for each in chain[1:] if not _is_root(each))]))


@lru_cache(maxsize=256)
def issuer_and_serial(certificate: bytes) -> bytes:
    """IssuerAndSerialNumber (RFC 5652, 10.2.4), as the certificate encodes both."""
    told = Certificate.load(certificate)["tbs_certificate"]
    return sequence(told["issuer"].dump(), told["serial_number"].dump())


@lru_cache(maxsize=256)
def _is_root(certificate: bytes) -> bool:
    return bool(Certificate.load(certificate).self_signed in {"yes", "maybe"})
