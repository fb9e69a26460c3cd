"""From the words of CSC to one operation, and what is refused on the way (CSC API v2, 11.10; RFC 4055)."""

import base64
import hashlib

import pytest
from asn1crypto import algos
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from rssp.algorithms import (
    HASH_NAMES,
    KEY_ALGORITHMS,
    RSA_ENCRYPTION,
    RSASSA_PSS,
    SigningOperation,
    choose_operation,
    sign_algos,
    verify_digest_length,
    verify_signature,
)
from rssp.errors import (
    AlgorithmError,
    DigestLengthError,
    HashAlgorithmError,
    HashAlgorithmMissingError,
    InvalidSignatureError,
    SignAlgoError,
    SignAlgoParamsError,
    SignAlgoParamsMissingError,
)

SHA1 = "1.3.14.3.2.26"
MD5 = "1.2.840.113549.2.5"
SHA256, SHA384 = list(HASH_NAMES)[:2]


def pss(hash_name="sha256", mgf_hash=None, salt=32, *, trailer=None, null=True) -> bytes:
    def algorithm(name):
        value = {"algorithm": name}
        if null:
            value["parameters"] = None
        return algos.DigestAlgorithm(value)

    value = {
        "hash_algorithm": algorithm(hash_name),
        "mask_gen_algorithm": {"algorithm": "mgf1", "parameters": algorithm(mgf_hash or hash_name)},
        "salt_length": salt,
    }
    if trailer is not None:
        value["trailer_field"] = trailer
    return algos.RSASSAPSSParams(value).dump()


def choose(sign_algo, params=None, hash_oid=None, key="rsa-2048"):
    return choose_operation(
        key_algorithm=key, sign_algo=sign_algo, sign_algo_params=params, hash_algorithm_oid=hash_oid
    )


@pytest.mark.parametrize("key", KEY_ALGORITHMS)
def test_every_key_offers_the_combined_identifiers_first(key):
    first = sign_algos(key)[0]
    assert choose(first, key=key).hash_name == "sha256"


@pytest.mark.parametrize("hash_oid", [None, SHA384, SHA1, "nonsense"])
def test_a_hash_beside_a_combined_identifier_is_ignored(hash_oid):
    assert choose("1.2.840.113549.1.1.11", hash_oid=hash_oid) == SigningOperation("rsa", "pkcs1", "sha256")


def test_plain_rsa_takes_its_hash_from_the_request():
    assert choose(RSA_ENCRYPTION, hash_oid=SHA384) == SigningOperation("rsa", "pkcs1", "sha384")
    with pytest.raises(HashAlgorithmMissingError):
        choose(RSA_ENCRYPTION)


@pytest.mark.parametrize("hash_oid", [SHA1, MD5, "", "sha256", "2.16.840.1.101.3.4.2.4"])
def test_a_weak_or_unknown_hash_is_refused(hash_oid):
    with pytest.raises(HashAlgorithmError):
        choose(RSA_ENCRYPTION, hash_oid=hash_oid)


@pytest.mark.parametrize(
    ("key", "sign_algo"),
    [
        ("rsa-2048", "1.2.840.10045.4.3.2"),
        ("ec-p256", "1.2.840.113549.1.1.11"),
        ("ec-p256", RSA_ENCRYPTION),
        ("ec-p256", "1.2.840.10045.2.1"),
        ("ec-p384", "1.2.840.10045.4.1"),
        ("rsa-2048", "1.2.840.113549.1.1.5"),
        ("rsa-2048", "1.2.840.113549.1.1.4"),
        ("rsa-2048", "sha256WithRSAEncryption"),
        ("rsa-2048", ""),
    ],
)
def test_an_algorithm_that_does_not_fit_the_key_is_refused(key, sign_algo):
    with pytest.raises(SignAlgoError):
        choose(sign_algo, key=key)


@pytest.mark.parametrize(
    ("encoded", "hash_name", "salt"),
    [
        ("MDSgDzANBglghkgBZQMEAgEFAKEcMBoGCSqGSIb3DQEBCDANBglghkgBZQMEAgEFAKIDAgEg", "sha256", 32),
        ("MDSgDzANBglghkgBZQMEAgIFAKEcMBoGCSqGSIb3DQEBCDANBglghkgBZQMEAgIFAKIDAgEw", "sha384", 48),
        ("MDSgDzANBglghkgBZQMEAgMFAKEcMBoGCSqGSIb3DQEBCDANBglghkgBZQMEAgMFAKIDAgFA", "sha512", 64),
    ],
)
def test_pss_parameters_as_clients_write_them_are_understood(encoded, hash_name, salt):
    assert choose(RSASSA_PSS, base64.b64decode(encoded)) == SigningOperation("rsa", "pss", hash_name, salt)


@pytest.mark.parametrize("params", [pss(trailer=1), pss(null=False), pss(trailer=1, null=False), pss(salt=222)])
def test_pss_parameters_may_be_written_in_several_ways(params):
    assert choose(RSASSA_PSS, params, SHA256).hash_name == "sha256"


@pytest.mark.parametrize(
    "params",
    [
        b"",
        b"\x30\x00",  # all defaults: SHA-1
        pss("sha1", salt=20),
        pss("md5", salt=32),
        pss("sha256", mgf_hash="sha1"),
        pss("sha256", mgf_hash="sha512"),
        pss(salt=0),
        pss(salt=20),
        pss(salt=-1),
        pss(salt=223),  # longer than the modulus has room for
        pss(salt=2**64),
        pss() + b"\x00",
        pss()[:-1],
        b"\x05\x00",
        b"\x31" + pss()[1:],
        b"\x30\x80" + b"\x30\x80" * 500,
    ],
    ids=lambda params: params[:8].hex() or "empty",
)
def test_wrong_pss_parameters_are_refused(params):
    with pytest.raises(SignAlgoParamsError):
        choose(RSASSA_PSS, params)


def test_pss_parameters_must_be_there_and_agree_with_the_request():
    with pytest.raises(SignAlgoParamsMissingError):
        choose(RSASSA_PSS)
    with pytest.raises(SignAlgoParamsError):
        choose(RSASSA_PSS, pss("sha256"), SHA384)
    with pytest.raises(HashAlgorithmError):
        choose(RSASSA_PSS, pss("sha256"), SHA1)


@given(st.binary(max_size=80), st.integers(0, 60), st.integers(0, 255))
def test_no_parameters_do_anything_but_choose_or_be_refused(noise, position, value):
    flipped = bytearray(pss())
    flipped[position % len(flipped)] = value
    for params in (noise, bytes(flipped)):
        try:
            operation = choose(RSASSA_PSS, params)
        except AlgorithmError:
            continue
        assert operation.hash_name in {"sha256", "sha384", "sha512"}
        assert operation.salt_length >= 32


@pytest.mark.parametrize("length", [0, 31, 33, 48, 64])
def test_a_digest_of_another_length_is_refused(length):
    with pytest.raises(DigestLengthError):
        verify_digest_length(operation=SigningOperation("ec", "ecdsa", "sha256"), digest=bytes(length))


def _spki(key) -> bytes:
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def test_only_the_right_key_digest_and_scheme_verify():
    alice, mallory = (rsa.generate_private_key(65537, 2048) for _ in range(2))
    curve = ec.generate_private_key(ec.SECP256R1())
    digest = hashlib.sha256(b"a").digest()
    pkcs1, with_salt = SigningOperation("rsa", "pkcs1", "sha256"), SigningOperation("rsa", "pss", "sha256", 32)
    signature = alice.sign(b"a", padding.PKCS1v15(), hashes.SHA256())
    verify_signature(public_key=_spki(alice), operation=pkcs1, digest=digest, signature=signature)
    ecdsa = SigningOperation("ec", "ecdsa", "sha256")
    for public_key, operation, other_digest, other in [
        (_spki(mallory), pkcs1, digest, signature),
        (_spki(alice), with_salt, digest, signature),
        (_spki(alice), ecdsa, digest, signature),
        (_spki(curve), pkcs1, digest, signature),
        (_spki(curve), ecdsa, digest, signature),
        (_spki(alice), pkcs1, hashlib.sha256(b"b").digest(), signature),
        (_spki(alice), pkcs1, digest, signature[:-1]),
        (_spki(alice), pkcs1, digest, b""),
        (b"no key", pkcs1, digest, signature),
    ]:
        with pytest.raises(InvalidSignatureError):
            verify_signature(public_key=public_key, operation=operation, digest=other_digest, signature=other)
