"""Message authentication codes over what opens keys, so that who can write to the database opens none.

HMAC with SHA-256 (RFC 2104) over typed, length-prefixed facts. `LEDGER_MAC_KEY` lists ``version:secret``: the first
one makes, all verify. What changes in normal use (a row's state, a credential's status) is not covered; whatever a
change of could open a key is.
"""

import hashlib
import hmac
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache

from django.conf import settings

from rssp.errors import TamperingError
from rssp.models import (
    ActivatedDigest,
    Activation,
    AuditEvent,
    CertificateRequest,
    Credential,
    Extension,
    PasskeyBinding,
    SealGrant,
)

Part = str | bytes | int | datetime | None
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def make_mac(kind: str, parts: Iterable[Part]) -> str:
    """``version:hexadecimal`` over ``parts``, which mean something else under another ``kind``."""
    version, key = next(iter(_keys(tuple(settings.LEDGER_MAC_KEY)).items()))
    return f"{version}:{_hmac(key, kind, parts)}"


def is_mac(mac: str, kind: str, parts: Iterable[Part]) -> bool:
    """Whether one of the keys made ``mac`` over exactly this."""
    version, _, found = mac.partition(":")
    key = _keys(tuple(settings.LEDGER_MAC_KEY)).get(version)
    return key is not None and hmac.compare_digest(found.encode(), _hmac(key, kind, parts).encode())


@cache
def _keys(listed: tuple[str, ...]) -> dict[str, bytes]:
    return {version: secret.encode() for version, _, secret in (item.partition(":") for item in listed)}


def _hmac(key: bytes, kind: str, parts: Iterable[Part]) -> str:
    return hmac.digest(key, b"".join(map(_encode, (f"paraph/1 {kind}", *parts))), hashlib.sha256).hex()


# Most facts of a call's rows are the same; ``typed``, because 1 and True are not.
@lru_cache(maxsize=4096, typed=True)
def _encode(part: Part) -> bytes:
    """A letter for the type, the length in four bytes, the value: no two lists of parts have one encoding."""
    if part is None:
        letter, value = b"n", b""
    elif isinstance(part, str):
        letter, value = b"s", part.encode()
    elif isinstance(part, int):
        letter, value = b"i", str(part).encode()
    elif isinstance(part, datetime):
        letter, value = b"t", str((part - _EPOCH) // _MICROSECOND).encode()
    else:
        letter, value = b"b", bytes(part)
    return letter + len(value).to_bytes(4, "big") + value


# --- Credentials and bindings -----------------------------------------------------------------------------------------


def authenticate_credential(credential: Credential) -> None:
    """Sets the code; to be called before saving whenever one of the facts is set."""
    credential.mac = make_mac("credential", _credential_facts(credential))


def verify_credential(credential: Credential) -> None:
    """Raises `TamperingError` unless owner, key and way of activation are as this service wrote them."""
    if not is_mac(credential.mac, "credential", _credential_facts(credential)):
        raise TamperingError("the credential's row was changed")


def _credential_facts(credential: Credential) -> Iterable[Part]:
    yield from (credential.credential_id, credential.issuer, credential.subject)
    key = credential.key
    yield from (key.key_algorithm, bytes(key.key_id), bytes(key.public_key))
    yield from (credential.scal, credential.auth_mode, credential.auth_expression, credential.multisign)
    yield int(credential.is_seal)


def authenticate_grant(grant: SealGrant) -> None:
    """Sets the code; to be called before saving whenever one of the facts is set."""
    grant.mac = make_mac("seal grant", _grant_facts(grant))


def verify_grant(grant: SealGrant) -> None:
    """Raises `TamperingError` unless client, owner, bound and whether it holds are as an operator set them."""
    if not is_mac(grant.mac, "seal grant", _grant_facts(grant)):
        raise TamperingError("the seal grant's row was changed")


def _grant_facts(grant: SealGrant) -> Iterable[Part]:
    yield from (grant.client_id, grant.issuer, grant.subject, grant.max_signatures, int(grant.active))


def bind_passkey(*, credential: Credential, passkey_id: bytes, public_key: bytes) -> PasskeyBinding:
    """The binding, saved in the caller's transaction."""
    binding = PasskeyBinding(credential=credential, passkey_id=passkey_id, public_key=public_key)
    authenticate_binding(binding)
    binding.save(force_insert=True)
    return binding


def authenticate_request(request: CertificateRequest) -> None:
    """Sets the code over what the credential will be made of."""
    request.mac = make_mac("certificate request", _request_facts(request))


def verify_request(request: CertificateRequest) -> None:
    """Raises `TamperingError` unless owner, key and passkey are those of the approval."""
    if not is_mac(request.mac, "certificate request", _request_facts(request)):
        raise TamperingError("the certificate request's row was changed")


def _request_facts(request: CertificateRequest) -> Iterable[Part]:
    yield from (request.credential_id, request.issuer, request.subject, request.client_id, request.certificate_policy)
    if request.key is None:
        yield request.key_algorithm
    else:
        yield from (bytes(request.key.key_id), bytes(request.key.public_key))
    yield None if request.activation is None else request.activation.nonce  # a renewal has no approval
    yield from (bytes(request.passkey_id), bytes(request.passkey_public_key))


def authenticate_binding(binding: PasskeyBinding) -> None:
    """Sets the code; ``binding.credential`` is set already."""
    binding.mac = make_mac("passkey binding", _binding_facts(binding))


def verify_binding(binding: PasskeyBinding) -> None:
    """Raises `TamperingError` for a passkey that this service did not bind to this credential, or has unbound."""
    if not is_mac(binding.mac, "passkey binding", _binding_facts(binding)):
        raise TamperingError("the passkey was not bound by this service")


def _binding_facts(binding: PasskeyBinding) -> Iterable[Part]:
    yield from (binding.credential.credential_id, bytes(binding.passkey_id), bytes(binding.public_key))
    yield from (binding.bound, binding.unbound)


# --- Authorisations ---------------------------------------------------------------------------------------------------


def authenticate_activation(activation: Activation, slots: Sequence[ActivatedDigest]) -> None:
    """Sets the code over the authorisation and the ledger rows that are made with it, in order."""
    activation.mac = make_mac("activation", (*_activation_facts(activation), *_slot_facts(slots)))


def authenticate_extension(extension: Extension, slots: Sequence[ActivatedDigest], *, previous: str) -> None:
    """The same for an extension and its rows; ``previous`` is the code of what it extends."""
    extension.mac = make_mac("extension", (*_extension_facts(extension, previous), *_slot_facts(slots)))


def verify_activation_mac(
    activation: Activation, extensions: Sequence[Extension], slots: Sequence[ActivatedDigest]
) -> None:
    """Raises `TamperingError` unless the authorisation, each extension and every row are as this service wrote them.

    ``extensions`` and ``slots`` are all there are, in order. ``state`` and what goes with it are free.
    """
    ends = [*(extension.first_position for extension in extensions), len(slots)]
    facts = (*_activation_facts(activation), *_slot_facts(slots[: ends[0]]))
    is_genuine = is_mac(activation.mac, "activation", facts)
    previous = activation.mac
    for extension, end in zip(extensions, ends[1:], strict=True):
        facts = (*_extension_facts(extension, previous), *_slot_facts(slots[extension.first_position : end]))
        is_genuine &= is_mac(extension.mac, "extension", facts)
        previous = extension.mac
    if not is_genuine:
        raise TamperingError("the authorisation's rows were changed")


def _activation_facts(activation: Activation) -> Iterable[Part]:
    credential = activation.credential
    yield from (activation.kind, activation.nonce, activation.sad_checksum)
    yield from (activation.issuer, activation.client_id, activation.subject, activation.factors)
    yield from (credential.credential_id if credential else None, activation.num_signatures)
    yield from (activation.created, activation.expires, activation.epoch)
    evidence = (activation.passkey_id, activation.authenticator_data, activation.client_data_json, activation.signature)
    yield from (None if part is None else bytes(part) for part in evidence)


def _extension_facts(extension: Extension, previous: str) -> Iterable[Part]:
    yield from (previous, extension.number, extension.sad_checksum)
    yield from (extension.first_position, extension.created, extension.expires)


def _slot_facts(slots: Sequence[ActivatedDigest]) -> Iterable[Part]:
    yield len(slots)
    for slot in slots:
        yield from (slot.position, slot.hash_type, slot.hash_algorithm_oid, slot.digest)


# --- The audit --------------------------------------------------------------------------------------------------------


def event_facts(event: AuditEvent) -> Iterable[Part]:
    """Everything but the sequence, which the database gives, and the code before it."""
    yield from (event.chain.hex if event.chain else None, event.number, event.happened, event.action, event.result)
    yield from (event.issuer, event.subject, event.factors, event.client_id, event.credential_id, event.activation)
    yield from (event.call.hex if event.call else None, event.hash_algorithm_oid, event.digest, event.reason)
    yield from (event.address, event.request_id)
