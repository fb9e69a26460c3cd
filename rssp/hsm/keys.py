"""Keys in the token: how they are made, found and removed."""

from collections.abc import Iterator
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pkcs11 import Attribute, Key, KeyType, MechanismFlag, ObjectClass, PKCS11Error, PublicKey, Session
from pkcs11.util.ec import encode_named_curve_parameters

from rssp.algorithms import KEY_ALGORITHMS, KeyAlgorithm
from rssp.hsm.sessions import HsmSession, KeyHandle

_MAXIMUM_HANDLES = 256
_CURVES: dict[str, type[ec.EllipticCurve]] = {"ec-p256": ec.SECP256R1, "ec-p384": ec.SECP384R1}

# What a signer's key may do is sign, and where it may be is in the token.
_PRIVATE_TEMPLATE = {
    Attribute.TOKEN: True,
    Attribute.PRIVATE: True,
    Attribute.SENSITIVE: True,
    Attribute.EXTRACTABLE: False,
    Attribute.MODIFIABLE: False,
    Attribute.SIGN: True,
    Attribute.SIGN_RECOVER: False,
    Attribute.DECRYPT: False,
    Attribute.UNWRAP: False,
    Attribute.DERIVE: False,
}
_PUBLIC_TEMPLATE = {
    Attribute.TOKEN: True,
    Attribute.MODIFIABLE: False,
    Attribute.VERIFY: True,
    Attribute.ENCRYPT: False,
    Attribute.WRAP: False,
}


def generate_key(session: Session, *, key_id: bytes, label: str, key_algorithm: str) -> bytes:
    """Returns the public key as DER SubjectPublicKeyInfo."""
    algorithm = KEY_ALGORITHMS[key_algorithm]
    templates: dict[str, Any] = {
        "id": key_id,
        "label": label,
        "store": True,
        "capabilities": MechanismFlag.SIGN | MechanismFlag.VERIFY,
        "private_template": _PRIVATE_TEMPLATE,
        "public_template": _PUBLIC_TEMPLATE,
    }
    if algorithm.kind == "rsa":
        public, _private = session.generate_keypair(KeyType.RSA, algorithm.bits, **templates)
    else:
        curve = encode_named_curve_parameters(str(algorithm.curve_oid))
        domain = session.create_domain_parameters(KeyType.EC, {Attribute.EC_PARAMS: curve}, local=True)
        public, _private = domain.generate_keypair(**templates)
    return _encode_public_key(public, algorithm)


def find_key(session: HsmSession, *, key_id: bytes) -> KeyHandle:
    """The key's handle, from the session's own memory if it still is that key's; raises `pkcs11.NoSuchKey`."""
    handle = session.handles.pop(key_id, None)
    if handle is None or not _has_id(handle, key_id):
        found = session.raw.get_key(object_class=ObjectClass.PRIVATE_KEY, id=key_id)
        handle = KeyHandle(found, _curve_bytes(found))
    if len(session.handles) >= _MAXIMUM_HANDLES:
        del session.handles[next(iter(session.handles))]
    session.handles[key_id] = handle  # last in, so that the first is the one longest unused
    return handle


def list_key_ids(session: Session) -> list[bytes]:
    return [key[Attribute.ID] for key in _search(session, {Attribute.CLASS: ObjectClass.PRIVATE_KEY})]


def destroy_key(session: Session, *, key_id: bytes) -> None:
    """The private key first: what an interruption leaves is harmless."""
    for kind in (ObjectClass.PRIVATE_KEY, ObjectClass.PUBLIC_KEY):
        for found in list(_search(session, {Attribute.CLASS: kind, Attribute.ID: key_id})):
            found.destroy()


def _curve_bytes(key: Key) -> int:
    if key.key_type is not KeyType.EC:
        return 0
    parameters = key[Attribute.EC_PARAMS]
    return next(
        KEY_ALGORITHMS[name].bits // 8
        for name in _CURVES
        if parameters == encode_named_curve_parameters(str(KEY_ALGORITHMS[name].curve_oid))
    )


def _search(session: Session, template: dict[Attribute, Any]) -> Iterator[Any]:
    return iter(session.get_objects(template))


def _has_id(handle: KeyHandle, key_id: bytes) -> bool:
    """After a key was destroyed or a token reset, a handle may be nobody's, or another key's."""
    try:
        return bool(handle.raw[Attribute.ID] == key_id)
    except PKCS11Error:
        return False


def _encode_public_key(public: PublicKey, algorithm: KeyAlgorithm) -> bytes:
    key: rsa.RSAPublicKey | ec.EllipticCurvePublicKey
    if algorithm.kind == "rsa":
        modulus = int.from_bytes(public[Attribute.MODULUS], "big")
        key = rsa.RSAPublicNumbers(int.from_bytes(public[Attribute.PUBLIC_EXPONENT], "big"), modulus).public_key()
    else:
        # CKA_EC_POINT is an OCTET STRING around the uncompressed point, whose length the curve gives.
        point = public[Attribute.EC_POINT][-(1 + 2 * (algorithm.bits // 8)) :]
        key = ec.EllipticCurvePublicKey.from_encoded_point(_CURVES[algorithm.name](), point)
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
