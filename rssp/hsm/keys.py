"""Keys in the token: how they are made, found and removed."""

from collections.abc import Iterator
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pkcs11 import (
    Attribute,
    Key,
    KeyType,
    MechanismFlag,
    MultipleObjectsReturned,
    NoSuchKey,
    ObjectClass,
    PKCS11Error,
    PrivateKey,
    PublicKey,
    Session,
)
from pkcs11.util.ec import encode_named_curve_parameters

from rssp.algorithms import KEY_ALGORITHMS, KeyAlgorithm
from rssp.hsm.sessions import HsmSession, KeyHandle

_MAXIMUM_HANDLES = 256
_CURVES: dict[str, type[ec.EllipticCurve]] = {"ec-p256": ec.SECP256R1, "ec-p384": ec.SECP384R1}

# What a signer's key may do is sign, and where it may be is in the token.
PRIVATE_TEMPLATE = {
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
PUBLIC_TEMPLATE = {
    Attribute.TOKEN: True,
    Attribute.MODIFIABLE: False,
    Attribute.VERIFY: True,
    Attribute.ENCRYPT: False,
    Attribute.WRAP: False,
}


def generate_key(session: Session, *, key_id: bytes, label: str, key_algorithm: str) -> bytes:
    """Returns the public key as DER SubjectPublicKeyInfo."""
    algorithm = KEY_ALGORITHMS[key_algorithm]
    public, _private = make_key_pair(
        session,
        algorithm,
        id=key_id,
        label=label,
        store=True,
        capabilities=MechanismFlag.SIGN | MechanismFlag.VERIFY,
        private_template=PRIVATE_TEMPLATE,
        public_template=PUBLIC_TEMPLATE,
    )
    return encode_public_key(public, algorithm)


def make_key_pair(session: Session, algorithm: KeyAlgorithm, **templates: Any) -> tuple[PublicKey, PrivateKey]:
    if algorithm.kind == "rsa":
        return session.generate_keypair(KeyType.RSA, algorithm.bits, **templates)
    curve = encode_named_curve_parameters(str(algorithm.curve_oid))
    domain = session.create_domain_parameters(KeyType.EC, {Attribute.EC_PARAMS: curve}, local=True)
    return domain.generate_keypair(**templates)


def find_key(session: HsmSession, *, key_id: bytes) -> KeyHandle:
    """The private key's handle; raises `pkcs11.NoSuchKey`."""
    template = {Attribute.CLASS: ObjectClass.PRIVATE_KEY, Attribute.ID: key_id}
    return find_object(session, name=("private", key_id), template=template)


def find_object(
    session: HsmSession, *, name: tuple[str, bytes], template: dict[Attribute, Any], verify: bool = True
) -> KeyHandle:
    """A handle from the session's own memory, if it still is that key's, or searched for, which takes the longer the
    more objects the token has. Without ``verify`` a remembered one is taken at its word: for what shows by itself that
    the key was another. Raises `pkcs11.NoSuchKey`."""
    handle = session.handles.pop(name, None)
    if handle is None or (verify and not _has_id(handle, template[Attribute.ID])):
        found = list(search(session.raw, template))
        if not found:
            raise NoSuchKey
        if len(found) > 1:
            raise MultipleObjectsReturned
        handle = KeyHandle(found[0], _curve_bytes(found[0]))
    if len(session.handles) >= _MAXIMUM_HANDLES:
        del session.handles[next(iter(session.handles))]
    session.handles[name] = handle  # last in, so that the first is the one longest unused
    return handle


def read_public_key(session: Session, *, key_id: bytes, key_algorithm: str) -> bytes:
    """The token's own, as DER SubjectPublicKeyInfo; raises `pkcs11.NoSuchKey`."""
    public = session.get_key(object_class=ObjectClass.PUBLIC_KEY, id=key_id)
    return encode_public_key(public, KEY_ALGORITHMS[key_algorithm])


def list_key_ids(session: Session) -> list[bytes]:
    kinds = (ObjectClass.PRIVATE_KEY, ObjectClass.SECRET_KEY)
    found = (key[Attribute.ID] for kind in kinds for key in search(session, {Attribute.CLASS: kind}))
    return list(dict.fromkeys(found))


def destroy_key(session: Session, *, key_id: bytes) -> None:
    """The public key last: what an interruption leaves is harmless."""
    for kind in (ObjectClass.PRIVATE_KEY, ObjectClass.SECRET_KEY, ObjectClass.PUBLIC_KEY):
        for found in list(search(session, {Attribute.CLASS: kind, Attribute.ID: key_id})):
            found.destroy()


def look_again(session: Session) -> None:
    """Has the module take note of what other processes made and destroyed."""
    list(search(session, {Attribute.ID: b""}))


def _curve_bytes(key: Key) -> int:
    if key.key_type is not KeyType.EC:
        return 0
    parameters = key[Attribute.EC_PARAMS]
    return next(
        KEY_ALGORITHMS[name].bits // 8
        for name in _CURVES
        if parameters == encode_named_curve_parameters(str(KEY_ALGORITHMS[name].curve_oid))
    )


def search(session: Session, template: dict[Attribute, Any]) -> Iterator[Any]:
    """Every object that matches; each is the session's."""
    return iter(session.get_objects(template))


def _has_id(handle: KeyHandle, key_id: bytes) -> bool:
    """After a key was destroyed or a token reset, a handle may be nobody's, or another key's."""
    try:
        return bool(handle.raw[Attribute.ID] == key_id)
    except PKCS11Error:
        return False


def encode_public_key(public: Key, algorithm: KeyAlgorithm) -> bytes:
    key: rsa.RSAPublicKey | ec.EllipticCurvePublicKey
    if algorithm.kind == "rsa":
        modulus = int.from_bytes(public[Attribute.MODULUS], "big")
        key = rsa.RSAPublicNumbers(int.from_bytes(public[Attribute.PUBLIC_EXPONENT], "big"), modulus).public_key()
    else:
        # CKA_EC_POINT is an OCTET STRING around the uncompressed point, whose length the curve gives.
        point = public[Attribute.EC_POINT][-(1 + 2 * (algorithm.bits // 8)) :]
        key = ec.EllipticCurvePublicKey.from_encoded_point(_CURVES[algorithm.name](), point)
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
