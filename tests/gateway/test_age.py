"""Files of the age format: the library reads ours, we read the library's, and whatever is not exactly a file is refused
with the one error."""

import base64
import errno
import hmac
import io
import os
import random
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, cast

import pyrage
import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from hypothesis import given, settings
from hypothesis import strategies as st
from pyrage import x25519

from gateway import age
from gateway.age import AgeError

ALICE, BOB = age.new_identity(), age.new_identity()
CHUNK, SEALED = 64 * 1024, 64 * 1024 + 16
SIZES = [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 1 << 20, (1 << 20) + 1, 3 << 20]
# As an installation stored it before this module was written.
STORED_IDENTITY = "AGE-SECRET-KEY-1WWXGCJQ3YV25QA96N549NSV9PTENUTTVMD69RQLZW5MM54Q4XYKS8UGH9Y"
STORED = base64.b64decode(
    "YWdlLWVuY3J5cHRpb24ub3JnL3YxCi0+IFgyNTUxOSAybitObThFUnJLclZ3QWsxU0FySS9QbUlKU21RdnFMek5MdTVST2Nnc1JN"
    "CjN4VkY0QStEQjJ5RzJNR0tDNkpPaSs1OGxMMWZSYjdkRU1xemkwSmlGWW8KLT4gKUpFdDMiQEwtZ3JlYXNlIEQtRy8vJmQgKQov"
    "bExQRVVGOEh2b3hQNGRlWmduTXRyOEdVYTNueHIzVm5GcwotLS0gcjlvUi9XTHlKd3c4WDBsYlJYcUU5d0IyNnk5T2tCQzBiNWhl"
    "bXZ5aTBRNAr3WpxHbAjeiBwa45BKpZcQ+Hq/hugQWqPLs7EIvr/R/9hQQ8BzNA=="
)


def written(plaintext: bytes, identity: str = ALICE) -> bytes:
    output = io.BytesIO()
    age.encrypt(io.BytesIO(plaintext), output, identity)
    return output.getvalue()


def read(file: bytes | IO[bytes], identity: str = ALICE) -> bytes:
    opened = io.BytesIO(file) if isinstance(file, bytes) else file
    return b"".join(bytes(piece) for piece in age.decrypt(opened, identity))


def refused(file: bytes | IO[bytes], identity: str = ALICE) -> None:
    with pytest.raises(AgeError):
        read(file, identity)


def library(identity: str = ALICE) -> x25519.Identity:
    return x25519.Identity.from_str(identity)


def written_by_the_library(plaintext: bytes, identity: str = ALICE) -> bytes:
    return bytes(pyrage.encrypt(plaintext, [library(identity).to_public()]))


def payload_of(file: bytes) -> int:
    """Where its chunks begin."""
    return file.index(b"\n", file.index(b"\n--- ") + 1) + 1 + 16


# --- a second writer, which makes whatever it is told to and puts the right MAC on it ---

FILE_KEY, NONCE = bytes(range(16)), bytes(range(16, 32))
VERSION = b"age-encryption.org/v1\n"
OTHER = b"-> example.org/other 1 2\nAAAA\n"


def derive(secret: bytes, salt: bytes, info: bytes) -> bytes:
    """HKDF (RFC 5869), of which one block is enough."""
    return hmac.digest(hmac.digest(salt or bytes(32), secret, "sha256"), info + b"\x01", "sha256")


def encoded(data: bytes) -> bytes:
    return base64.b64encode(data).rstrip(b"=")


def public(identity: str) -> X25519PublicKey:
    return age._private_key(identity).public_key()


def stanza(
    identity: str = ALICE,
    *,
    file_key: bytes = FILE_KEY,
    share: Callable[[bytes], bytes] = encoded,
    body: Callable[[bytes], bytes] = encoded,
) -> bytes:
    """What ``share`` and ``body`` make of the bytes is written."""
    ephemeral, recipient = X25519PrivateKey.generate(), public(identity)
    ours = ephemeral.public_key().public_bytes_raw()
    salt = ours + recipient.public_bytes_raw()
    key = derive(ephemeral.exchange(recipient), salt, b"age-encryption.org/v1/X25519")
    wrapped = ChaCha20Poly1305(key).encrypt(bytes(12), file_key, None)
    return b"-> X25519 " + share(ours) + b"\n" + body(wrapped) + b"\n"


def mac(header: bytes, file_key: bytes = FILE_KEY) -> bytes:
    return hmac.digest(derive(file_key, b"", b"header"), header, "sha256")


def header(*stanzas: bytes, version: bytes = VERSION, file_key: bytes = FILE_KEY) -> bytes:
    before = version + b"".join(stanzas) + b"---"
    return before + b" " + encoded(mac(before, file_key)) + b"\n"


def sealed(*chunks: tuple[bytes, int, int], file_key: bytes = FILE_KEY) -> bytes:
    """A payload of these: plaintext, number, 1 for the last."""
    cipher = ChaCha20Poly1305(derive(file_key, NONCE, b"payload"))
    each = [cipher.encrypt(number.to_bytes(11, "big") + bytes([last]), text, None) for text, number, last in chunks]
    return NONCE + b"".join(each)


AGREED = sealed((b"agreed", 0, 1))


def non_canonical(data: bytes) -> bytes:
    """Decodes to the same to whoever does not look at the bits that are left over."""
    text = encoded(data)
    alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    assert len(text) % 4
    return text[:-1] + bytes([alphabet[alphabet.index(text[-1]) + 1]])


# --- what is read ---


@pytest.mark.parametrize("size", SIZES)
def test_the_library_reads_what_we_write_and_we_what_it_writes(size: int) -> None:
    plaintext = os.urandom(size)
    file = written(plaintext)
    assert pyrage.decrypt(file, [library()]) == plaintext
    assert read(file) == plaintext
    assert read(written_by_the_library(plaintext)) == plaintext
    assert len(file) == payload_of(file) + size + 16 * max(1, -(-size // CHUNK))


@settings(max_examples=60, deadline=None)
@given(st.one_of(st.integers(0, 300), st.integers(0, 4 * CHUNK + 2)), st.integers(0, 2**32))
def test_any_plaintext_goes_both_ways(size: int, seed: int) -> None:
    plaintext = random.Random(seed).randbytes(size)  # noqa: S311  (the same in each run)
    assert bytes(pyrage.decrypt(written(plaintext), [library()])) == plaintext
    assert read(written_by_the_library(plaintext)) == plaintext


def test_what_the_library_adds_for_nobody_is_passed_over() -> None:
    for number in range(300):
        plaintext = str(number).encode()
        file = written_by_the_library(plaintext)
        assert b"-grease" in file
        assert read(file) == plaintext


def test_a_file_that_was_stored_before_is_read() -> None:
    assert read(STORED, STORED_IDENTITY) == b"agreed"


def test_no_two_files_have_a_secret_in_common() -> None:
    first, second = written(b"agreed"), written(b"agreed")
    assert first[len(VERSION) + len("-> X25519 ") :].split(b"\n")[0] not in second
    assert first[-22 - 16 : -22] != second[-22 - 16 : -22]
    assert first[-22:] != second[-22:]
    keys = [
        age._unwrap(age._read_header(io.BytesIO(file))["stanzas"], age._private_key(ALICE)) for file in (first, second)
    ]
    assert keys[0] != keys[1]


def test_what_is_written_is_the_plain_form_and_nothing_else() -> None:
    version, recipient, body, end, _rest = written(b"").split(b"\n", 4)
    assert version + b"\n" == VERSION
    assert recipient.startswith(b"-> X25519 ")
    assert [len(recipient), len(body), len(end)] == [10 + 43, 43, 4 + 43]


def test_it_begins_where_the_files_stand(tmp_path: Path) -> None:
    plaintext = io.BytesIO(b"before agreed")
    plaintext.seek(7)
    with (tmp_path / "file").open("w+b", buffering=0) as file:
        file.write(b"before")
        age.encrypt(plaintext, file, ALICE)
        file.seek(6)
        assert read(file) == b"agreed"


class Slow(io.RawIOBase):
    """Never gives more than 1,000 bytes at once."""

    def __init__(self, data: bytes) -> None:
        super().__init__()
        self._data = io.BytesIO(data)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return self._data.readinto(memoryview(buffer)[:1000])


def test_a_file_that_gives_little_at_once_is_read_and_written_whole() -> None:
    plaintext = os.urandom(3 * CHUNK + 5)
    output = io.BytesIO()
    age.encrypt(cast(IO[bytes], Slow(plaintext)), output, ALICE)
    assert read(output.getvalue()) == plaintext
    assert read(cast(IO[bytes], Slow(output.getvalue()))) == plaintext


@pytest.mark.parametrize(
    "stanzas",
    {
        "ours alone": [stanza()],
        "ours after one for Bob": [stanza(BOB), stanza()],
        "ours before one for Bob": [stanza(), stanza(BOB)],
        "an unknown one first": [OTHER, stanza()],
        "an unknown one last": [stanza(), OTHER],
        "an empty body": [b"-> other\n\n", stanza()],
        "a body of one full line": [b"-> other\n" + encoded(bytes(48)) + b"\n\n", stanza()],
        "a body of two lines and a half": [
            b"-> other\n" + encoded(bytes(48)) + b"\n" + encoded(bytes(48)) + b"\nAAA\n",
            stanza(),
        ],
        "arguments of any signs": [b'-> ! --- -> ~ = "\\ X25519\nAA\n', stanza()],
        "another's type in small letters": [b"-> x25519 A\nAA\n", stanza()],
    }.items(),
    ids=lambda case: case[0],
)
def test_a_file_with_further_stanzas_is_read(stanzas: tuple[str, list[bytes]]) -> None:
    file = header(*stanzas[1]) + AGREED
    assert read(file) == b"agreed"
    assert pyrage.decrypt(file, [library()]) == b"agreed"


def test_a_last_chunk_may_be_full() -> None:
    full = sealed((bytes(CHUNK), 0, 0), (bytes(CHUNK), 1, 1))
    assert read(header(stanza()) + full) == bytes(2 * CHUNK)


def test_what_is_handed_out_was_authenticated_though_the_file_ends_badly() -> None:
    plaintext = os.urandom(20 * CHUNK)
    file = bytearray(written(plaintext))
    file[-1] ^= 1
    pieces: list[bytes] = []
    with pytest.raises(AgeError):
        pieces.extend(bytes(piece) for piece in age.decrypt(io.BytesIO(file), ALICE))
    got = b"".join(pieces)
    assert len(got) >= 16 * CHUNK
    assert got == plaintext[: len(got)] != plaintext


# --- identities ---


def test_the_library_knows_our_identities_and_we_know_its() -> None:
    for _ in range(50):
        ours = age.new_identity()
        assert str(x25519.Identity.from_str(ours)) == ours
        theirs = str(x25519.Identity.generate())
        assert len(theirs) == len(ours)
        assert read(written_by_the_library(b"agreed", theirs), theirs) == b"agreed"
        assert read(written(b"agreed", theirs), theirs) == b"agreed"
    assert len({age.new_identity() for _ in range(50)}) == 50


def identities_that_are_none() -> Iterator[tuple[str, str]]:
    yield "empty", ""
    yield "its prefix alone", "AGE-SECRET-KEY-1"
    yield "no prefix", ALICE.removeprefix("AGE-SECRET-KEY-1")
    yield "small letters", ALICE.lower()
    yield "mixed letters", ALICE[:30] + ALICE[30:].lower()
    yield "a small prefix", "age-secret-key-1" + ALICE[16:]
    yield "another prefix", "AGE-SECRET-KEY-PQ-1" + ALICE[16:]
    yield "a recipient", str(library().to_public())
    yield "cut", ALICE[:-1]
    yield "longer", ALICE + "Q"
    yield "twice", ALICE + ALICE
    yield "a line", ALICE + "\n"
    yield "a space before", " " + ALICE
    yield "letters that Bech32 has not", ALICE[:16] + "B" + ALICE[17:]
    yield "a sign beyond ASCII", ALICE[:20] + "\u212a" + ALICE[21:]
    yield "a digit beyond ASCII", ALICE[:20] + "\u0662" + ALICE[21:]
    padded = int.from_bytes(bytes(32), "big") << 34 | 1 << 30
    padded |= age._checksum(age._symbols(padded), age._AFTER_PREFIX) ^ 1
    yield "bits in its padding", "AGE-SECRET-KEY-1" + "".join(age._SYMBOLS[each] for each in age._symbols(padded))
    later = int.from_bytes(bytes(32), "big") << 34
    later |= age._checksum(age._symbols(later), age._AFTER_PREFIX) ^ 0x2BC830A3
    yield "the checksum of Bech32m", "AGE-SECRET-KEY-1" + "".join(age._SYMBOLS[each] for each in age._symbols(later))


@pytest.mark.parametrize("identity", list(identities_that_are_none()), ids=lambda case: case[0])
def test_what_is_no_identity_is_refused(identity: tuple[str, str]) -> None:
    assert identity[1] != ALICE
    refused(written(b"agreed"), identity[1])
    output = io.BytesIO()
    with pytest.raises(AgeError):
        age.encrypt(io.BytesIO(b"agreed"), output, identity[1])
    assert output.getvalue() == b""


def test_a_mistyped_letter_or_two_letters_in_each_others_place_make_no_identity() -> None:
    for place in range(16, len(ALICE)):
        other = "Q" if ALICE[place] != "Q" else "P"
        with pytest.raises(AgeError):
            age._private_key(ALICE[:place] + other + ALICE[place + 1 :])
        swapped = ALICE[:place] + ALICE[place + 1 : place + 2] + ALICE[place] + ALICE[place + 2 :]
        if swapped != ALICE:
            with pytest.raises(AgeError):
                age._private_key(swapped)


def test_no_error_tells_the_identity() -> None:
    for identity in (ALICE, ALICE[:-1], BOB):
        with pytest.raises(AgeError) as caught:
            read(written(b"agreed", BOB)[:-1], identity)
        assert identity[20:40] not in str(caught.value)


# --- what is refused of a file ---


def test_another_identitys_file_is_refused() -> None:
    refused(written(b"agreed"), BOB)
    refused(written_by_the_library(b"agreed"), BOB)
    refused(header(stanza(BOB), OTHER) + AGREED)


@pytest.mark.parametrize("write", [written, written_by_the_library])
@pytest.mark.parametrize("size", [0, 100])
def test_a_file_with_any_byte_altered_is_refused(write: Callable[[bytes], bytes], size: int) -> None:
    file = bytearray(write(bytes(size)))
    for place in range(len(file)):
        for bits in (0x01, 0x20, 0x80, 0xFF):
            file[place] ^= bits
            refused(bytes(file))
            file[place] ^= bits


@pytest.mark.parametrize("write", [written, written_by_the_library])
@pytest.mark.parametrize("size", [0, 100])
def test_a_file_that_is_cut_anywhere_is_refused(write: Callable[[bytes], bytes], size: int) -> None:
    file = write(bytes(size))
    for length in range(len(file)):
        refused(file[:length])


@pytest.mark.parametrize("chunks", [1, 2, 3, 4, 5, 16, 17])
def test_a_large_file_that_is_cut_about_the_border_of_a_chunk_is_refused(chunks: int) -> None:
    file = written(bytes(18 * CHUNK))
    for beside in (-17, -16, -1, 0, 1, 15, 16, 17):
        refused(file[: payload_of(file) + chunks * SEALED + beside])


@pytest.mark.parametrize("size", [0, 5, CHUNK - 1, CHUNK, 2 * CHUNK - 1, 2 * CHUNK, 3 * CHUNK])
def test_a_file_that_something_follows_is_refused(size: int) -> None:
    file = written(bytes(size))
    for more in (b"\0", b"\n", bytes(16), bytes(17), bytes(SEALED), file, file[payload_of(file) :]):
        refused(file + more)


@pytest.mark.parametrize("place", ["header", "nonce", "first chunk", "last chunk"])
def test_a_byte_that_was_put_in_or_taken_out_is_noticed(place: str) -> None:
    file = written(bytes(3 * CHUNK + 9))
    begin = payload_of(file)
    at = {"header": 30, "nonce": begin - 8, "first chunk": begin + 100, "last chunk": len(file) - 20}[place]
    refused(file[:at] + b"A" + file[at:])
    refused(file[:at] + file[at + 1 :])


def rearranged(chunks: list[bytes], others: list[bytes]) -> Iterator[tuple[str, list[bytes]]]:
    first, second, third, fourth = chunks
    yield "two in each other's place", [second, first, third, fourth]
    yield "the last one earlier", [first, second, fourth, third]
    yield "one missing", [first, third, fourth]
    yield "the first missing", [second, third, fourth]
    yield "the last missing", [first, second, third]
    yield "one twice", [first, second, second, third, fourth]
    yield "the last twice", [first, second, third, fourth, fourth]
    yield "the last alone", [fourth]
    yield "none", []
    yield "one of another file", [first, others[1], third, fourth]
    yield "another file's from there on", [first, second, *others[2:]]
    yield "another file's last", [first, second, third, others[3]]
    yield "all of another file", others


@pytest.mark.parametrize("case", range(13))
def test_chunks_in_another_order_or_of_another_file_are_refused(case: int) -> None:
    def parts(file: bytes) -> tuple[bytes, list[bytes]]:
        begin = payload_of(file)
        return file[:begin], [file[at : at + SEALED] for at in range(begin, len(file), SEALED)]

    begin, chunks = parts(written(os.urandom(4 * CHUNK)))
    _other, others = parts(written(os.urandom(4 * CHUNK)))
    assert read(begin + b"".join(chunks))
    cases = list(rearranged(chunks, others))
    assert len(cases) == 13
    refused(begin + b"".join(cases[case][1]))


def payloads() -> Iterator[tuple[str, bytes]]:
    full = bytes(CHUNK)
    yield "no last one", sealed((full, 0, 0))
    yield "no last one, and that not full", sealed((b"agreed", 0, 0))
    yield "no last one of two", sealed((full, 0, 0), (b"agreed", 1, 0))
    yield "two last ones", sealed((full, 0, 1), (b"agreed", 1, 1))
    yield "a last one before others", sealed((full, 0, 1), (full, 1, 0), (b"agreed", 2, 1))
    yield "an empty one after a full one", sealed((full, 0, 0), (b"", 1, 1))
    yield "an empty one after two full ones", sealed((full, 0, 0), (full, 1, 0), (b"", 2, 1))
    yield "an empty one that is not the last", sealed((b"", 0, 0))
    yield "two empty ones", sealed((b"", 0, 0), (b"", 1, 1))
    yield "a short one before others", sealed((b"agreed", 0, 0), (full, 1, 1))
    yield "one that is too long", sealed((full + b"\0", 0, 1))
    yield "numbers from one", sealed((b"agreed", 1, 1))
    yield "a number left out", sealed((full, 0, 0), (b"agreed", 2, 1))
    yield "a number twice", sealed((full, 0, 0), (b"agreed", 0, 1))
    yield "another mark", sealed((b"agreed", 0, 2))
    yield "another mark on one that is not the last", sealed((full, 0, 2), (b"agreed", 1, 1))
    yield "no chunk", sealed()
    yield "half a nonce", NONCE[:8]
    yield "nothing", b""
    yield "a tag cut", sealed((b"", 0, 1))[:-1]


@pytest.mark.parametrize("payload", list(payloads()), ids=lambda case: case[0])
def test_a_payload_that_its_own_writer_made_wrong_is_refused(payload: tuple[str, bytes]) -> None:
    refused(header(stanza()) + payload[1])


def headers() -> Iterator[tuple[str, bytes]]:
    """Each with the right MAC, but for those that are about it."""
    ours, line = stanza(), encoded(bytes(48))
    right = header(ours)
    end = right[right.index(b"---") :]
    yield "carriage returns", header(ours.replace(b"\n", b"\r\n"), version=VERSION.replace(b"\n", b"\r\n"))
    yield "carriage returns at every end", right.replace(b"\n", b"\r\n")
    yield "no version", header(ours, version=b"")
    yield "an empty line before", header(ours, version=b"\n" + VERSION)
    yield "a byte order mark", header(ours, version=b"\xef\xbb\xbf" + VERSION)
    yield "version 2", header(ours, version=b"age-encryption.org/v2\n")
    yield "version 11", header(ours, version=b"age-encryption.org/v11\n")
    yield "another sign for the dot", header(ours, version=b"age-encryption_org/v1\n")
    yield "a space behind the version", header(ours, version=b"age-encryption.org/v1 \n")
    yield "a version in capitals", header(ours, version=VERSION.upper())
    yield "the version twice", header(ours, version=VERSION * 2)
    yield "no stanza", header()
    yield "no stanza of ours", header(OTHER)
    yield "a line between stanzas", header(OTHER, b"\n", ours)
    yield "a line behind the stanzas", header(ours, b"\n")
    yield "text behind the stanzas", header(ours, b"AAAA\n")
    yield "no end", VERSION + ours
    yield (
        "armour",
        (b"-----BEGIN AGE ENCRYPTED FILE-----\n" + base64.encodebytes(right) + b"-----END AGE ENCRYPTED FILE-----\n"),
    )

    yield "no arguments", header(b"->\nAA\n", ours)
    yield "an empty argument", header(b"-> \nAA\n", ours)
    yield "two spaces between arguments", header(b"-> other  1\nAA\n", ours)
    yield "a space behind the arguments", header(b"-> other \nAA\n", ours)
    yield "no space before the arguments", header(b"->other\nAA\n", ours)
    yield "a tab in an argument", header(b"-> other\t1\nAA\n", ours)
    yield "a sign beyond ASCII in an argument", header("-> othér\nAA\n".encode(), ours)
    yield "a zero byte in an argument", header(b"-> oth\0er\nAA\n", ours)
    yield "a body that never was", header(b"-> other\n", ours)
    yield "a full line and no end of it", header(b"-> other\n" + line + b"\n", ours)
    yield "a line of 65 columns", header(b"-> other\n" + line + b"A\n", ours)
    yield "a line of 68 columns", header(b"-> other\n" + line + b"AAAA\n", ours)
    yield "a short line before another", header(b"-> other\nAAAA\nAAAA\n", ours)
    yield "an empty line too many", header(b"-> other\nAAAA\n\n", ours)
    yield "a body of five signs", header(b"-> other\nAAAAA\n", ours)
    yield "a padded body", header(b"-> other\nAA==\n", ours)
    yield "a body that is not canonical", header(b"-> other\nAB\n", ours)
    yield "a body in the alphabet of addresses", header(b"-> other\n-_-_\n", ours)
    yield "a space in a body", header(b"-> other\nAA AA\n", ours)

    yield "no share", header(b"-> X25519\n" + ours.split(b"\n")[1] + b"\n")
    yield "two shares", header(stanza(share=lambda data: encoded(data) + b" " + encoded(data)))
    yield "a further argument", header(stanza(share=lambda data: encoded(data) + b" 1"))
    yield "a share of 31 bytes", header(stanza(share=lambda data: encoded(data[:31])))
    yield "a share of 33 bytes", header(stanza(share=lambda data: encoded(data + b"\0")))
    yield "a padded share", header(stanza(share=base64.b64encode))
    yield "a share that is not canonical", header(stanza(share=non_canonical))
    yield "a share that is no Base64", header(stanza(share=lambda data: b"*" + encoded(data)[1:]))
    yield "signs that some leave out in a share", header(stanza(share=lambda data: b"*" + encoded(data)))
    yield "our body with 31 bytes", header(stanza(body=lambda data: encoded(data[:31])))
    yield "our body with 33 bytes", header(stanza(body=lambda data: encoded(data + b"\0")))
    yield "our body padded", header(stanza(body=base64.b64encode))
    yield "our body not canonical", header(stanza(body=non_canonical))
    yield "our body in two lines", header(stanza(body=lambda data: encoded(data)[:32] + b"\n" + encoded(data)[32:]))
    yield "our body empty", header(stanza(body=lambda _data: b""))
    yield "another file key", header(stanza(file_key=bytes(16)))
    yield "a malformed stanza behind ours", header(ours, b"-> X25519 AAAA\nAAAA\n")
    yield "one with a share of 31 bytes behind ours", header(ours, stanza(BOB, share=lambda data: encoded(data[:31])))
    yield "one with a body of 33 bytes behind ours", header(ours, stanza(BOB, body=lambda data: encoded(data + b"\0")))
    yield "a stanza for a passphrase before ours", header(b"-> scrypt AAAAAAAAAAAAAAAAAAAAAA 10\nAAAA\n", ours)
    yield "a stanza for a passphrase behind ours", header(ours, b"-> scrypt AAAAAAAAAAAAAAAAAAAAAA 10\nAAAA\n")

    yield "another MAC", VERSION + ours + b"--- " + encoded(bytes(32)) + b"\n"
    yield "a MAC over a space more", VERSION + ours + b"--- " + encoded(mac(VERSION + ours + b"--- ")) + b"\n"
    yield "a MAC over a mark less", VERSION + ours + b"--- " + encoded(mac(VERSION + ours)) + b"\n"
    yield "a stanza more than the MAC knows", VERSION + OTHER + ours + end
    yield "no MAC", VERSION + ours + b"---\n"
    yield "an empty MAC", VERSION + ours + b"--- \n"
    yield "a padded MAC", right[:-1] + b"=\n"
    yield "a MAC that is not canonical", VERSION + ours + b"--- " + non_canonical(mac(VERSION + ours + b"---")) + b"\n"
    yield "a short MAC", VERSION + ours + b"--- " + encoded(mac(VERSION + ours + b"---")[:16]) + b"\n"
    yield "a longer MAC", right[:-1] + b"AAAA\n"
    yield "two spaces before the MAC", right.replace(b"--- ", b"---  ")
    yield "no space before the MAC", right.replace(b"--- ", b"---")
    yield "four dashes", right.replace(b"--- ", b"---- ")
    yield "a space behind the MAC", right[:-1] + b" \n"
    yield "a header twice", right + right


@pytest.mark.parametrize("wrong", list(headers()), ids=lambda case: case[0])
def test_a_header_that_is_not_as_it_must_be_is_refused(wrong: tuple[str, bytes]) -> None:
    refused(wrong[1] + AGREED)


@pytest.mark.parametrize("length", [0, 1, 15, 17, 32])
def test_a_file_key_of_another_length_is_refused_though_the_whole_file_is_made_with_it(length: int) -> None:
    key = bytes(length)
    refused(header(stanza(file_key=key), file_key=key) + sealed((b"agreed", 0, 1), file_key=key))


@pytest.mark.parametrize("point", [0, 1, 2**255 - 20, 2**255 - 19, 2**255 - 18], ids=str)
def test_a_share_that_makes_the_secret_zero_is_refused(point: int) -> None:
    """Whoever sends one knows the secret without knowing anybody's key."""
    share = point.to_bytes(32, "little")
    key = derive(bytes(32), share + public(ALICE).public_bytes_raw(), b"age-encryption.org/v1/X25519")
    wrapped = ChaCha20Poly1305(key).encrypt(bytes(12), FILE_KEY, None)
    forged = b"-> X25519 " + encoded(share) + b"\n" + encoded(wrapped) + b"\n"
    refused(header(forged) + AGREED)
    refused(header(stanza(BOB), forged) + AGREED)


class Endless(io.RawIOBase):
    """A beginning, and then the same for ever."""

    def __init__(self, begin: bytes, again: bytes) -> None:
        super().__init__()
        self._next, self._again, self.given = begin, again, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while len(self._next) < len(buffer):
            self._next += self._again * (1 + len(buffer) // len(self._again))
        buffer[:] = self._next[: len(buffer)]
        self._next = self._next[len(buffer) :]
        self.given += len(buffer)
        return len(buffer)


@pytest.mark.parametrize(
    ("begin", "again"),
    [
        (b"", b"\0"),
        (b"", b"A"),
        (b"", b"\n"),
        (VERSION, b"A"),
        (VERSION, b"\n"),
        (VERSION, b"-> X25519 "),
        (VERSION + b"-> other\n", encoded(bytes(48)) + b"\n"),
        (VERSION, OTHER),
        (VERSION, stanza(BOB)),
        (VERSION + stanza() + b"--- ", b"A"),
    ],
    ids=range(10),  # each process that runs tests makes other stanzas
)
def test_an_endless_header_is_refused_soon(begin: bytes, again: bytes) -> None:
    raw = Endless(begin, again)
    refused(io.BufferedReader(raw))
    assert raw.given <= 64 * 1024


def test_a_header_of_many_stanzas_is_refused_though_it_ends() -> None:
    refused(header(*[OTHER] * 1000, stanza()) + AGREED)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=400))
def test_random_bytes_raise_no_other_error(data: bytes) -> None:
    for begin in (
        b"",
        VERSION,
        VERSION + b"-> X25519 ",
        VERSION + stanza(),
        header(stanza()),
        header(stanza()) + NONCE,
    ):
        refused(begin + data)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_pieces_of_a_file_in_any_order_raise_no_other_error(data: st.DataObject) -> None:
    file = written(bytes(30))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(file)), min_size=1, max_size=4)))
    pieces = [file[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(file)], strict=True)]
    mixed = b"".join(data.draw(st.lists(st.sampled_from(pieces), max_size=6)))
    if mixed != file:
        refused(mixed)


STANZAS = [stanza(), stanza(BOB), OTHER, b"-> other\n\n", b"-> other\n" + encoded(bytes(48)) + b"\n\n"]
MISPLACED = [
    b"",
    b"\n",
    b"\n\n",
    b"\r\n",
    b" ",
    b"\t",
    b"=",
    b"-",
    b"-> ",
    b"---",
    b"A",
    b"A" * 64,
    b"X25519",
    b"\x7f",
    b"\x80",
]


@settings(max_examples=500, deadline=None)
@given(
    st.lists(st.sampled_from(STANZAS), min_size=1, max_size=4),
    st.lists(st.tuples(st.integers(0, 400), st.integers(0, 3), st.sampled_from(MISPLACED)), max_size=3),
)
def test_we_read_no_header_that_the_library_refuses(stanzas: list[bytes], edits: list[tuple[int, int, bytes]]) -> None:
    text = b"".join(stanzas)
    for place, length, instead in edits:
        text = text[:place] + instead + text[place + length :]
    file = header(text) + AGREED
    try:
        plaintext = read(file)
    except AgeError:
        return
    assert plaintext == pyrage.decrypt(file, [library()]) == b"agreed"


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=80))
def test_random_text_is_no_identity(text: str) -> None:
    for identity in (text, "AGE-SECRET-KEY-1" + text):
        with pytest.raises(AgeError):
            age._private_key(identity)


# --- faults of the files, and memory ---


class Failing(io.BytesIO):
    """Fails once so much was read or written."""

    def __init__(self, data: bytes = b"", *, after: int) -> None:
        super().__init__(data)
        self._after = after

    def readinto(self, buffer: Any) -> int:
        if self.tell() >= self._after:
            raise OSError(errno.EIO, "the disk is broken")
        return super().readinto(buffer)

    def readline(self, size: int | None = -1, /) -> bytes:
        if self.tell() >= self._after:
            raise OSError(errno.EIO, "the disk is broken")
        return super().readline(size)

    def write(self, data: Any) -> int:
        if self.tell() >= self._after:
            raise OSError(errno.ENOSPC, "no room")
        return super().write(data)


@pytest.mark.parametrize("after", [0, 30, 500, 10 * CHUNK])
def test_a_fault_of_a_file_comes_through_as_it_is(after: int) -> None:
    plaintext = bytes(20 * CHUNK)
    file = written(plaintext)
    with pytest.raises(OSError, match="broken"):
        read(Failing(file, after=after))
    with pytest.raises(OSError, match="broken"):
        age.encrypt(Failing(plaintext, after=after), io.BytesIO(), ALICE)
    with pytest.raises(OSError, match="no room"):
        age.encrypt(io.BytesIO(plaintext), Failing(after=after), ALICE)


def test_a_large_file_takes_little_memory(tmp_path: Path) -> None:
    size = 50_000_000
    with (tmp_path / "plaintext").open("w+b") as plaintext, (tmp_path / "file").open("w+b") as file:
        plaintext.truncate(size)
        tracemalloc.start()
        try:
            age.encrypt(plaintext, file, ALICE)
            file.seek(0)
            assert sum(len(piece) for piece in age.decrypt(file, ALICE)) == size
            _now, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert peak < 2 * 1024 * 1024
