"""RSA keys of too little chance (CVE-2017-15361) get no certificate and are in no chain."""

import math
import random
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from rssp.errors import CertificateKeyError, WrongCertificateError
from rssp.pki.keys import verify_certifiable_key
from rssp.pki.outside import verify_outside_certificate
from rssp.pki.roca import has_roca_fingerprint
from tests.support.outside_authority import OutsideAuthority, openssl

CHANCE = random.Random(15361)  # noqa: S311  (the same keys each time: they guard nothing)
PRIMES = [number for number in range(2, 702) if all(number % divisor for divisor in range(2, math.isqrt(number) + 1))]
PRODUCT = math.prod(PRIMES[:126])  # of the library's primes of 1024 bits


def is_prime(number: int) -> bool:
    """Miller and Rabin's test; a base more each time is wrong once in 4."""
    odd, twos = number - 1, 0
    while odd % 2 == 0:
        odd, twos = odd // 2, twos + 1
    for _ in range(12):
        power = pow(CHANCE.randrange(2, number - 1), odd, number)
        if power not in {1, number - 1} and not any(
            (power := pow(power, 2, number)) == number - 1 for _ in range(twos - 1)
        ):
            return False
    return True


def weak_prime() -> int:
    """k·M + (65537^a mod M), as the library made them."""
    rest = pow(65537, CHANCE.getrandbits(60), PRODUCT)
    while True:
        lowest, highest = (3 << 1022) // PRODUCT + 1, (1 << 1024) // PRODUCT - 1
        prime = CHANCE.randrange(lowest, highest) * PRODUCT + rest
        if math.gcd(prime - 1, 65537) == 1 and is_prime(prime):
            return prime


@pytest.fixture(scope="module")
def weak() -> rsa.RSAPrivateKey:
    p, q = weak_prime(), weak_prime()
    d = pow(65537, -1, (p - 1) * (q - 1))
    numbers = rsa.RSAPrivateNumbers(
        p, q, d, d % (p - 1), d % (q - 1), pow(q, -1, p), rsa.RSAPublicNumbers(65537, p * q)
    )
    return numbers.private_key()


def spki(key: rsa.RSAPrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def test_a_key_as_the_library_made_them_is_known_and_gets_no_certificate(weak: rsa.RSAPrivateKey) -> None:
    assert weak.key_size == 2048
    assert has_roca_fingerprint(weak.public_key().public_numbers().n)
    with pytest.raises(CertificateKeyError, match="CVE-2017-15361"):
        verify_certifiable_key(spki(weak))


@pytest.mark.parametrize("bits", [2048, 3072, 4096])
def test_keys_made_by_chance_are_not_accused(bits: int) -> None:
    key = rsa.generate_private_key(65537, bits)
    assert not has_roca_fingerprint(key.public_key().public_numbers().n)
    verify_certifiable_key(spki(key))


def test_one_weak_prime_alone_is_no_fingerprint(weak: rsa.RSAPrivateKey) -> None:
    other = rsa.generate_private_key(65537, 2048).private_numbers().p
    assert not has_roca_fingerprint(weak.private_numbers().p * other)


def test_an_outside_certificate_of_such_a_key_is_refused(weak: rsa.RSAPrivateKey, tmp_path: Path) -> None:
    outside = OutsideAuthority(tmp_path)
    key = tmp_path / "weak.key"
    key.write_bytes(weak.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    request = openssl("req", "-new", "-key", key, "-subj", "/CN=Alice Example", "-outform", "DER")
    der = outside.certify(request)
    with pytest.raises(WrongCertificateError, match="CVE-2017-15361"):
        verify_outside_certificate(
            der=der,
            beside=[outside.issuing],
            anchors=[outside.root],
            public_key=spki(weak),
            common_name="Alice Example",
            now=datetime.now(UTC),
        )
    assert x509.load_der_x509_certificate(der).public_key().public_bytes(
        Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    ) == spki(weak)
