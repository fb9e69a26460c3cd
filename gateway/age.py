"""Files of the age format, version 1 (https://age-encryption.org/v1), each for one X25519 recipient, by OpenSSL's
ChaCha20-Poly1305.

A file begins with a header of text: stanzas, each of which wraps the file key for one recipient, and a MAC under that
key. The payload follows: a nonce, and the plaintext in chunks that are authenticated one by one, in their order, the
last marked as such.
"""

import base64
import binascii
import hmac
import io
import os
import re
from collections.abc import Iterable, Iterator
from typing import IO, cast

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_CHUNK, _TAG = 64 * 1024, 16
# Chunks that are read and written at once. From 256 KiB on, a small file's buffers cost more than its cipher.
_AT_ONCE = 2

_VERSION = b"age-encryption.org/v1\n"
_STANZA = re.compile(rb"-> ([!-~]++(?: [!-~]++)*+)\n((?:[A-Za-z0-9+/]{64}\n)*+[A-Za-z0-9+/]{0,63}+\n)")
_HEADER = re.compile(
    _VERSION.replace(b".", rb"\.") + rb"(?P<stanzas>(?:%b)++)--- (?P<mac>[A-Za-z0-9+/]{43})\n" % _STANZA.pattern
)
# One recipient takes 150 bytes, and what other implementations add for nobody a few hundred.
_HEADER_BYTES = 16 * 1024

# Bech32 (BIP 173)
_HRP = "age-secret-key-"
_PREFIX = f"{_HRP}1".upper()
_SYMBOLS = "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L"
_IDENTITY = re.compile(f"{_PREFIX}([{_SYMBOLS}]{{58}})")
_BASE_32 = str.maketrans(_SYMBOLS, "0123456789ABCDEFGHIJKLMNOPQRSTUV")
_REMAINDERS = [0]
for _generator in (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3):
    _REMAINDERS += [remainder ^ _generator for remainder in _REMAINDERS]


class AgeError(Exception):
    """Not this identity's file, or altered, or it ends early, or something follows; or no identity at all."""


def new_identity() -> str:
    """An X25519 identity: ``AGE-SECRET-KEY-1`` and 58 more letters and digits."""
    number = int.from_bytes(os.urandom(32), "big") << 34  # behind it 4 bits of padding and 30 of the checksum
    number |= _checksum(_symbols(number), _AFTER_PREFIX) ^ 1
    return _PREFIX + "".join(_SYMBOLS[symbol] for symbol in _symbols(number))


def encrypt(plaintext: IO[bytes], output: IO[bytes], identity: str) -> None:
    """Writes a file that ``identity`` opens, of ``plaintext`` from where it stands to its end. Raises `AgeError` if
    that is no identity, OSError as the files do."""
    recipient = _private_key(identity).public_key()
    file_key, payload_nonce = os.urandom(16), os.urandom(16)
    header = _VERSION + _wrap(file_key, recipient) + b"---"
    output.write(header + b" " + _encode(_mac(file_key, header)) + b"\n" + payload_nonce)
    cipher = _payload_cipher(file_key, payload_nonce)
    buffer = memoryview(bytearray(_AT_ONCE * (_CHUNK + _TAG)))
    for chunks in _chunks(plaintext, _CHUNK):
        end = 0
        for nonce, chunk in chunks:
            end += cipher.encrypt_into(nonce, chunk, None, buffer[end : end + len(chunk) + _TAG])
        output.write(buffer[:end])


def decrypt(file: IO[bytes], identity: str) -> Iterator[memoryview]:
    """The plaintext in pieces, each authenticated, and there until the next is asked for. Only who comes to the end
    knows that the file was whole. Raises `AgeError`, OSError as the file does."""
    header = _read_header(file)
    file_key = _unwrap(header["stanzas"], _private_key(identity))
    authenticated = header.string[: header.start("mac") - 1]
    if not hmac.compare_digest(_mac(file_key, authenticated), _decode(header["mac"])):
        raise AgeError("the header was altered")
    cipher = _payload_cipher(file_key, file.read(16))  # if that is short, no chunk follows
    buffer = memoryview(bytearray(_AT_ONCE * _CHUNK))
    least = _TAG
    for chunks in _chunks(file, _CHUNK + _TAG):
        end = 0
        for nonce, chunk in chunks:
            if len(chunk) < least:
                raise AgeError("it ends early, or with an empty chunk")
            least = _TAG + 1  # an empty chunk is the only one
            try:
                end += cipher.decrypt_into(nonce, chunk, None, buffer[end : end + len(chunk) - _TAG])
            except InvalidTag:
                raise AgeError("the payload was altered, or ends early, or something follows") from None
        yield buffer[:end]


def _chunks(file: IO[bytes], size: int) -> Iterator[list[tuple[bytes, memoryview]]]:
    """What follows in ``file``, in chunks of ``size`` bytes, several at once, each with its nonce: its number and
    whether it is the last. The last may be shorter, and is empty if nothing follows."""
    buffer = memoryview(bytearray(_AT_ONCE * size + 1))  # the last byte tells that something follows
    filled = number = 0
    last = False
    while not last:
        while filled < len(buffer) and (count := cast(io.BufferedIOBase, file).readinto(buffer[filled:])):
            filled += count
        last = filled < len(buffer)
        end = filled if last else filled - 1
        chunks = []
        for begin in range(0, end or 1, size):
            flag = last and begin + size >= end
            chunks.append((number.to_bytes(11, "big") + bytes([flag]), buffer[begin : min(begin + size, end)]))
            number += 1
        yield chunks
        buffer[0], filled = buffer[-1], 1


def _read_header(file: IO[bytes]) -> re.Match[bytes]:
    header, line = bytearray(), b""
    while not line.startswith(b"---"):  # no line but the last can
        line = file.readline(_HEADER_BYTES - len(header))
        if not line.endswith(b"\n"):
            raise AgeError("the header ends early, or not at all")
        header += line
    match = _HEADER.fullmatch(bytes(header))
    if match is None:
        raise AgeError("no header of version 1")
    return match


def _wrap(file_key: bytes, recipient: X25519PublicKey) -> bytes:
    """The stanza."""
    ephemeral = X25519PrivateKey.generate()
    share = ephemeral.public_key().public_bytes_raw()
    wrapped = _wrap_cipher(ephemeral.exchange(recipient), share, recipient).encrypt(bytes(12), file_key, None)
    return b"-> X25519 " + _encode(share) + b"\n" + _encode(wrapped) + b"\n"


def _unwrap(stanzas: bytes, key: X25519PrivateKey) -> bytes:
    """The file key. What stanzas of unknown types say is left to others; those of a known type are all well-formed."""
    file_key = None
    for arguments, lines in _STANZA.findall(stanzas):
        kind, *values = arguments.split(b" ")
        body = _decode(lines.replace(b"\n", b""))
        if kind == b"scrypt":
            raise AgeError("a file for a passphrase, which has no other recipient")
        if kind != b"X25519":
            continue
        share = _decode(values[0]) if len(values) == 1 else b""
        if len(share) != 32 or len(body) != 32:
            raise AgeError("a malformed stanza")
        file_key = file_key or _unwrap_one(share, body, key)
    if file_key is None:
        raise AgeError("not this identity's file")
    return file_key


def _unwrap_one(share: bytes, body: bytes, key: X25519PrivateKey) -> bytes | None:
    """None if the stanza is another recipient's."""
    try:
        shared_secret = key.exchange(X25519PublicKey.from_public_bytes(share))
    except ValueError:
        raise AgeError("a shared secret of zeros") from None
    try:
        return _wrap_cipher(shared_secret, share, key.public_key()).decrypt(bytes(12), body, None)
    except InvalidTag:
        return None


def _wrap_cipher(shared_secret: bytes, share: bytes, recipient: X25519PublicKey) -> ChaCha20Poly1305:
    salt = share + recipient.public_bytes_raw()
    return ChaCha20Poly1305(_derive(shared_secret, salt, b"age-encryption.org/v1/X25519"))


def _payload_cipher(file_key: bytes, nonce: bytes) -> ChaCha20Poly1305:
    return ChaCha20Poly1305(_derive(file_key, nonce, b"payload"))


def _mac(file_key: bytes, header: bytes) -> bytes:
    return hmac.digest(_derive(file_key, b"", b"header"), header, "sha256")


def _derive(secret: bytes, salt: bytes, info: bytes) -> bytes:
    return HKDF(SHA256(), 32, salt, info).derive(secret)


def _encode(data: bytes) -> bytes:
    return base64.b64encode(data).rstrip(b"=")


def _decode(text: bytes) -> bytes:
    """Base64 without padding, in its one canonical form."""
    try:
        data = base64.b64decode(text + b"=" * (-len(text) % 4))
    except binascii.Error:
        data = b""
    if _encode(data) != text:
        raise AgeError("malformed Base64")
    return data


def _private_key(identity: str) -> X25519PrivateKey:
    match = _IDENTITY.fullmatch(identity)
    if match is None:
        raise AgeError("no identity")
    number = int(match[1].translate(_BASE_32), 32)
    if _checksum(_symbols(number), _AFTER_PREFIX) != 1 or number >> 30 & 0b1111:
        raise AgeError("a mistyped identity")
    return X25519PrivateKey.from_private_bytes((number >> 34).to_bytes(32, "big"))


def _symbols(number: int) -> list[int]:
    """Of 5 bits each, with those of the checksum."""
    return [number >> 5 * place & 31 for place in reversed(range(58))]


def _checksum(symbols: Iterable[int], before: int = 1) -> int:
    """That of ``symbols`` behind others, whose own was ``before``; 1 if they end with the right checksum."""
    for symbol in symbols:
        before = (before & 0x1FFFFFF) << 5 ^ symbol ^ _REMAINDERS[before >> 25]
    return before


_AFTER_PREFIX = _checksum([*(ord(letter) >> 5 for letter in _HRP), 0, *(ord(letter) & 31 for letter in _HRP)])
