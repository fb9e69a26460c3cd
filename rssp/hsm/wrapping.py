"""Private keys that live outside the token, wrapped by a key that never leaves it.

A key-encryption key is two objects under one CKA_ID: AES-256, which wraps and unwraps and nothing else, and a generic
secret whose HMAC binds a wrapped key to what it is said to be. AES-KWP (RFC 5649, CKM_AES_KEY_WRAP_PAD) keeps a
wrapped key whole, but not in its place: without the HMAC one row's key could be put into another row.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pkcs11 import Attribute, KeyType, Mechanism, MechanismFlag, ObjectClass, PKCS11Error, Session
from pkcs11.constants import DEFAULT

from rssp.algorithms import KEY_ALGORITHMS, WrappedKey
from rssp.errors import KeyBindingError
from rssp.hsm.keys import PRIVATE_TEMPLATE, PUBLIC_TEMPLATE, encode_public_key, find_object, make_key_pair
from rssp.hsm.sessions import HsmSession, KeyHandle

# The two objects of a key-encryption key: what binds, and what wraps.
_SECRETS = (KeyType.GENERIC_SECRET, KeyType.AES)
_CONTEXT = b"paraph signing key 1"

# Of both secret keys; what each may do is added to it.
_SECRET_TEMPLATE = {
    Attribute.PRIVATE: True,
    Attribute.SENSITIVE: True,
    Attribute.EXTRACTABLE: False,
    Attribute.MODIFIABLE: False,
    Attribute.DERIVE: False,
}
# In the token for as long as a signature or a wrapping takes. SoftHSM unwraps nothing that it could not modify.
_SESSION_TEMPLATE = {name: value for name, value in PRIVATE_TEMPLATE.items() if name is not Attribute.MODIFIABLE} | {
    Attribute.TOKEN: False
}
# What python-pkcs11 adds to a template, and SoftHSM does not take for a private key.
_NOT_OF_PRIVATE_KEYS = {Attribute.ENCRYPT: DEFAULT, Attribute.VERIFY: DEFAULT, Attribute.WRAP: DEFAULT}


def generate_kek(session: Session, *, key_id: bytes, label: str) -> None:
    common: dict[str, Any] = {"id": key_id, "label": label, "store": True, "template": _SECRET_TEMPLATE}
    session.generate_key(KeyType.AES, 256, capabilities=MechanismFlag.WRAP | MechanismFlag.UNWRAP, **common)
    session.generate_key(
        KeyType.GENERIC_SECRET,
        256,
        mechanism=Mechanism.GENERIC_SECRET_KEY_GEN,
        capabilities=MechanismFlag.SIGN | MechanismFlag.VERIFY,
        **common,
    )


def generate_wrapped_key(session: HsmSession, *, kek_id: bytes, key_id: bytes, key_algorithm: str) -> WrappedKey:
    """Made in the token, wrapped there, and gone from it when this returns."""
    with temporary_key(session.raw, key_algorithm=key_algorithm, extractable=True) as (public_key, private):
        return _wrap(session, private, kek_id=kek_id, key_id=key_id, key_algorithm=key_algorithm, public_key=public_key)


@contextmanager
def temporary_key(session: Session, *, key_algorithm: str, extractable: bool = False) -> Iterator[tuple[bytes, Any]]:
    """A key pair of the session's own: its public key as DER SubjectPublicKeyInfo, and the private one's handle."""
    algorithm = KEY_ALGORITHMS[key_algorithm]
    public, private = make_key_pair(
        session,
        algorithm,
        store=False,
        capabilities=MechanismFlag.SIGN | MechanismFlag.VERIFY,
        private_template=_SESSION_TEMPLATE | {Attribute.EXTRACTABLE: extractable},
        public_template=PUBLIC_TEMPLATE | {Attribute.TOKEN: False},
    )
    try:
        yield encode_public_key(public, algorithm), private
    finally:
        private.destroy()
        public.destroy()


def verify_wrapped_key(session: HsmSession, *, key: WrappedKey) -> None:
    """Raises `KeyBindingError` unless all of it is what was once wrapped, and `pkcs11.NoSuchKey` without its KEK."""
    _verify_binding(_find_secret(session, KeyType.GENERIC_SECRET, key.kek_id), key)


def unwrap_key(session: HsmSession, *, key: WrappedKey) -> KeyHandle:
    """A session object that signs and nothing else; who asks for it destroys it. Raises `KeyBindingError`.

    Remembered handles are not looked at first, which costs as much as a signature each: no other key makes the right
    HMAC, and no other key unwraps. Whatever fails with them is tried once more with handles that are.
    """
    if all((key_type.name, key.kek_id) in session.handles for key_type in _SECRETS):
        try:
            return _verify_and_unwrap(session, key, verify=False)
        except (KeyBindingError, PKCS11Error):
            pass
    return _verify_and_unwrap(session, key, verify=True)


def rewrap_key(session: HsmSession, *, key: WrappedKey, kek_id: bytes) -> WrappedKey:
    """The same key under another KEK. Raises `KeyBindingError`."""
    verify_wrapped_key(session, key=key)
    private = _unwrap(_find_secret(session, KeyType.AES, key.kek_id), key, extractable=True)
    try:
        return _wrap(
            session,
            private,
            kek_id=kek_id,
            key_id=key.key_id,
            key_algorithm=key.key_algorithm,
            public_key=key.public_key,
        )
    finally:
        private.destroy()


def _wrap(
    session: HsmSession, private: Any, *, kek_id: bytes, key_id: bytes, key_algorithm: str, public_key: bytes
) -> WrappedKey:
    kek = _find_secret(session, KeyType.AES, kek_id)
    wrapped = kek.wrap_key(private, mechanism=Mechanism.AES_KEY_WRAP_PAD)
    unbound = WrappedKey(key_id, key_algorithm, public_key, kek_id, wrapped, b"")
    secret = _find_secret(session, KeyType.GENERIC_SECRET, kek_id)
    binding = secret.sign(_describe(unbound), mechanism=Mechanism.SHA256_HMAC)
    return WrappedKey(key_id, key_algorithm, public_key, kek_id, wrapped, binding)


def _verify_and_unwrap(session: HsmSession, key: WrappedKey, *, verify: bool) -> KeyHandle:
    secret, kek = (_find_secret(session, key_type, key.kek_id, verify=verify) for key_type in _SECRETS)
    _verify_binding(secret, key)
    algorithm = KEY_ALGORITHMS[key.key_algorithm]
    return KeyHandle(_unwrap(kek, key, extractable=False), 0 if algorithm.kind == "rsa" else algorithm.bits // 8)


def _verify_binding(secret: Any, key: WrappedKey) -> None:
    if not secret.verify(_describe(key), key.binding, mechanism=Mechanism.SHA256_HMAC):
        raise KeyBindingError("the wrapped key is not the one that was wrapped for this place")


def _unwrap(kek: Any, key: WrappedKey, *, extractable: bool) -> Any:
    return kek.unwrap_key(
        ObjectClass.PRIVATE_KEY,
        KeyType.RSA if KEY_ALGORITHMS[key.key_algorithm].kind == "rsa" else KeyType.EC,
        key.wrapped_key,
        mechanism=Mechanism.AES_KEY_WRAP_PAD,
        capabilities=MechanismFlag.SIGN,
        store=False,
        template=_SESSION_TEMPLATE | _NOT_OF_PRIVATE_KEYS | {Attribute.EXTRACTABLE: extractable},
    )


def _find_secret(session: HsmSession, key_type: KeyType, kek_id: bytes, *, verify: bool = True) -> Any:
    template = {Attribute.CLASS: ObjectClass.SECRET_KEY, Attribute.KEY_TYPE: key_type, Attribute.ID: kek_id}
    return find_object(session, name=(key_type.name, kek_id), template=template, verify=verify).raw


def _describe(key: WrappedKey) -> bytes:
    """Everything but the HMAC, each part after its length: no two keys are described alike."""
    parts = (_CONTEXT, key.key_id, key.key_algorithm.encode(), key.kek_id, key.public_key, key.wrapped_key)
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)
