"""A finished signature of level B-B is accepted by us, by the library that reads PDF, and altered in no way.

A mutant is signed again wherever its bytes are covered, so that one check alone is left to refuse it.
"""

import hashlib
import io
import logging
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from asn1crypto import cms, core
from asn1crypto.x509 import Certificate, GeneralName
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from gateway.errors import DamagedPdfError, InvalidSignatureError
from gateway.pades import anchoring, covering
from gateway.pades.algorithms import HASHES, parse_algorithm
from gateway.pades.attributes import build_signed_attributes
from gateway.pades.cms import build_signed_data
from gateway.pades.complete import complete_document
from gateway.pades.levels import Trust
from gateway.pades.options import Appearance, SignatureOptions
from gateway.pades.placing import verify_place
from gateway.pades.reading import read_document
from gateway.pades.values import PreparedSignature, SignatureRequest, VerifiedSignedDocument
from gateway.pades.verify import Expected, verify_document
from tests.support import pdfs
from tests.support.authority import Authority, Identity
from tests.support.whole_files import prepare_whole, verify_whole

AUTHORITY = Authority()
TRUST = Trust((AUTHORITY.certificate,), ())
RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
KEYS: dict[str, Any] = {
    "rsa": RSA,
    "p256": ec.generate_private_key(ec.SECP256R1()),
    "p384": ec.generate_private_key(ec.SECP384R1()),
    "p521": ec.generate_private_key(ec.SECP521R1()),
}
SIGNERS = {kind: AUTHORITY.issue("Alice", key) for kind, key in KEYS.items()}
PSS, ECDSA = "1.2.840.113549.1.1.10", "1.2.840.10045.4.3.2"
ALGORITHMS = [
    *[("rsa", f"1.2.840.113549.1.1.{last}") for last in (1, 11, 12, 13)],
    ("rsa", PSS),
    *[(curve, f"1.2.840.10045.4.3.{last}") for curve in ("p256", "p384", "p521") for last in (2, 3, 4)],
]
PASSWORD = "secret"
PLAIN = pdfs.make_pdf(pages=2)


@dataclass(frozen=True)
class Finished:
    """A signed file and all that it is held to."""

    data: bytes
    original: bytes
    prepared: PreparedSignature
    identity: Identity
    sign_algo: str
    password: str = ""

    @property
    def start(self) -> int:
        return self.prepared.reserved_start

    @property
    def end(self) -> int:
        return self.prepared.reserved_end

    def verify(self, **other: Any) -> VerifiedSignedDocument:
        expected: dict[str, Any] = {
            "chain": self.identity.chain,
            "sign_algo": self.sign_algo,
            "prepared": self.prepared,
            "trust": TRUST,
            "size": len(self.original),
            "sha256": hashlib.sha256(self.original).hexdigest(),
        }
        return verify_whole(self.data, **(expected | other))

    def refuse(self, **other: Any) -> None:
        with pytest.raises(InvalidSignatureError):
            self.verify(**other)

    def verify_by_library(self, trust: Trust = TRUST) -> VerifiedSignedDocument:
        sha256 = hashlib.sha256(self.original).hexdigest()
        expected = Expected(self.identity.chain, "Alice", "B-B", len(self.original), sha256, self.password)
        return verify_document(io.BytesIO(self.data), expected=expected, trust=trust)

    def verify_by_poppler(self, folder: Path) -> None:
        path = folder / "signed.pdf"
        path.write_bytes(self.data)
        command = ["pdfsig", "-nocert", *(["-upw", self.password] if self.password else []), path]
        said = subprocess.run(command, capture_output=True, text=True, check=False).stdout
        ours = said[said.index("Signature Field Name: Alice") :]
        assert "Signature is Valid." in ours
        assert "Total document signed" in ours
        assert "Not total document signed" not in ours

    def with_cms(self, encoded: bytes, rest: bytes = b"") -> "Finished":
        """Another CMS object in the place."""
        digits = (encoded + rest).hex().upper().encode().ljust(self.end - self.start - 2, b"0")
        assert len(digits) == self.end - self.start - 2
        return replace(self, data=self.data[: self.start + 1] + digits + self.data[self.end - 1 :])

    def cms(self) -> cms.ContentInfo:
        return cms.ContentInfo.load(bytes.fromhex(self.data[self.start + 1 : self.end - 1].decode()))

    def digest(self) -> bytes:
        name = parse_algorithm(certificate=self.identity.certificate, sign_algo=self.sign_algo).hash_name
        return hashlib.new(name, self.data[: self.start] + self.data[self.end :]).digest()

    def signed_over(self, attributes: bytes) -> "Finished":
        """Other attributes, approved and signed."""
        algorithm = parse_algorithm(certificate=self.identity.certificate, sign_algo=self.sign_algo)
        value = sign(self.identity, self.sign_algo, attributes)
        encoded = build_signed_data(chain=self.identity.chain, algorithm=algorithm, attributes=attributes, value=value)
        return replace(self, prepared=replace(self.prepared, signed_attributes=attributes)).with_cms(encoded)

    def signed_again(self) -> "Finished":
        """Over the bytes as they are now."""
        return self.signed_over(
            build_signed_attributes(
                document_digest=self.digest(), certificate=self.identity.certificate, options=SignatureOptions()
            )
        )

    def with_bytes(self, data: bytes) -> "Finished":
        return replace(self, data=data).signed_again()

    def with_update(self, before: bytes = b"", after: bytes = b"") -> "Finished":
        """More in the update, in front of the signature's object and at the end, and numbers that are right then."""
        place = self.data.rindex(b"\n", 0, self.data.rindex(b" obj", 0, self.start)) + 1
        data = self.data[:place] + before + self.data[place:] + after
        start, end = self.start + len(before), self.end + len(before)
        numbers = b"[0 %d %d %d]" % (start, end, len(data) - end)
        begin = end + len(b"\n/ByteRange ")
        data = data[:begin] + numbers.ljust(62) + data[begin + 62 :]
        moved = replace(self.prepared, reserved_start=start, reserved_end=end)
        return replace(self, prepared=moved).with_bytes(data)


def sign(identity: Identity, sign_algo: str, attributes: bytes) -> bytes:
    algorithm = parse_algorithm(certificate=identity.certificate, sign_algo=sign_algo)
    digest = hashlib.new(algorithm.hash_name, attributes).digest()
    return identity.sign_digest(digest, HASHES[algorithm.hash_name][1], pss=algorithm.cms_name == "rsassa_pss")


def finish(
    pdf: bytes,
    kind: str = "p256",
    sign_algo: str = ECDSA,
    *,
    password: str = "",
    level: str = "B-B",
    identity: Identity | None = None,
    **options: Any,
) -> Finished:
    identity = identity or SIGNERS[kind]
    request = SignatureRequest(
        chain=tuple(identity.chain),
        sign_algo=sign_algo,
        field_name="Alice",
        pages=2,
        level=level,
        options=SignatureOptions(**options),
    )
    output = io.BytesIO(pdf)
    prepared, _ = prepare_whole(output, request, password=password)
    value = sign(identity, sign_algo, prepared.signed_attributes)
    complete_document(output, chain=identity.chain, sign_algo=sign_algo, prepared=prepared, value=value)
    return Finished(output.getvalue(), pdf, prepared, identity, sign_algo, password)


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    """As in a process that has read no document yet."""
    anchoring.forget()
    yield
    anchoring.forget()
    logging.getLogger("pyhanko").handlers.clear()


@pytest.fixture(scope="module")
def finished() -> Finished:
    """With room for more than its CMS object."""
    return finish(PLAIN, level="B-T")


# --- What is right ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "sign_algo"), ALGORITHMS)
def test_it_is_accepted_here_as_by_others_whatever_signs(kind: str, sign_algo: str, tmp_path: Path) -> None:
    done = finish(PLAIN, kind, sign_algo, reason="I agree to [0 1 2 3] in /ByteRange", location="Lyon")
    found = done.verify()
    assert found == done.verify_by_library()
    assert (found.size, found.sha256) == (len(done.data), hashlib.sha256(done.data).hexdigest())
    assert found.level == "B-B"
    done.verify_by_poppler(tmp_path)


DOCUMENTS: dict[str, tuple[Callable[[], bytes], str]] = {
    "cross-reference stream": (lambda: pdfs.make_xref_stream_pdf(pages=2), ""),
    "hybrid": (lambda: pdfs.make_hybrid_pdf(pages=2), ""),
    "signed before": (pdfs.make_signed_pdf, ""),
    "certified": (lambda: pdfs.make_certified_pdf(allow_changes=True), ""),
    **{
        cipher: (lambda cipher=cipher: pdfs.encrypt_pdf(PLAIN, cipher), PASSWORD)  # type: ignore[misc]
        for cipher in ("RC4-128", "AES-128", "AES-256", "AES-256-R5")
    },
}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_it_is_accepted_here_as_by_others_whatever_is_signed(name: str, tmp_path: Path) -> None:
    make, password = DOCUMENTS[name]
    done = finish(make(), "rsa", PSS, password=password, reason="I agree", contact="Ä")
    assert done.verify() == done.verify_by_library()
    done.verify_by_poppler(tmp_path)


@pytest.mark.parametrize(
    "options",
    [{"certify": 2}, {"commitment": "approval", "roles": ("Tenant",)}, {"appearance": Appearance(text="Alice")}],
    ids=["certified", "attributes", "visible"],
)
def test_it_is_accepted_here_as_by_the_library_whatever_was_asked_for(options: dict[str, Any]) -> None:
    done = finish(PLAIN, **options)
    assert done.verify() == done.verify_by_library()


@pytest.mark.parametrize("chunk", [1, 7, 4096])
def test_where_a_reading_is_broken_does_not_matter(
    finished: Finished, monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    monkeypatch.setattr(covering, "_CHUNK", chunk)
    assert finished.verify() == finished.verify_by_library()
    finished.with_update(before=b"%/ByteRange\n").refuse()
    finished.with_update(after=b"%/ByteRange").refuse()


def test_what_is_made_for_these_tests_is_as_good_as_what_signing_makes(finished: Finished) -> None:
    """Signed again, with a comment more in the update, with another CMS object: each of it alone is no reason."""
    for same in (finished.signed_again(), finished.with_update(b"%1\n", b"%2\n"), with_edit(finished, lambda _: None)):
        assert same.verify().size == len(same.data)


# --- The bytes ----------------------------------------------------------------------------------------------------


def flip(data: bytes, offset: int) -> bytes:
    return data[:offset] + bytes([data[offset] ^ 1]) + data[offset + 1 :]


def test_another_original_is_refused(finished: Finished) -> None:
    finished.refuse(sha256=hashlib.sha256(b"another").hexdigest())
    finished.refuse(size=len(PLAIN) - 1)
    finished.refuse(size=len(PLAIN) + 1)
    for offset in (0, len(PLAIN) // 2, len(PLAIN) - 1):
        replace(finished, data=flip(finished.data, offset)).refuse()
        finished.with_bytes(flip(finished.data, offset)).refuse()


@pytest.mark.parametrize("sha256", [True, False])
def test_a_byte_of_the_update_that_is_another_is_refused(finished: Finished, sha256: bool) -> None:
    done = finished if sha256 else finish(PLAIN, "p384", "1.2.840.10045.4.3.3")
    size = len(PLAIN)
    last = len(done.data) - 1
    for offset in (size, size + 30, done.start - 80, done.end + 130, (done.end + last) // 2, last):
        replace(done, data=flip(done.data, offset)).refuse()


@pytest.mark.parametrize(
    "change", [(1, 0, 0, 0), (0, 1, 0, 0), (0, -1, 0, 0), (0, 0, 1, 0), (0, 0, 0, -1), (0, 0, 0, 1)]
)
def test_other_numbers_are_refused(finished: Finished, change: tuple[int, ...]) -> None:
    right = [0, finished.start, finished.end, len(finished.data) - finished.end]
    numbers = b"[%d %d %d %d]" % tuple(number + more for number, more in zip(right, change, strict=True))
    begin = finished.end + len(b"\n/ByteRange ")
    finished.with_bytes(finished.data[:begin] + numbers.ljust(62) + finished.data[begin + 62 :]).refuse()


@pytest.mark.parametrize("number", [b"%d.0", b"+%d", b"0%d", b"%d 0"])
def test_numbers_that_are_written_in_another_way_are_refused(finished: Finished, number: bytes) -> None:
    numbers = b"[0 %d %d %s]" % (finished.start, finished.end, number % (len(finished.data) - finished.end))
    begin = finished.end + len(b"\n/ByteRange ")
    finished.with_bytes(finished.data[:begin] + numbers.ljust(62) + finished.data[begin + 62 :]).refuse()


def test_a_second_range_is_refused(finished: Finished) -> None:
    range_ = finished.data[finished.end + 1 : finished.end + 12 + 62]
    assert range_.startswith(b"/ByteRange [0 ")
    finished.with_update(before=b"99 0 obj\n<< %s >>\nendobj\n" % range_).refuse()
    finished.with_update(after=range_).refuse()
    place = finished.data.index(b"\n/M ", finished.end)
    doubled = finished.data[:place] + b"\n/ByteRange [0 1 2 3]" + finished.data[place:]
    numbers = b"[0 %d %d %d]" % (finished.start, finished.end, len(doubled) - finished.end)
    begin = finished.end + len(b"\n/ByteRange ")
    finished.with_bytes(doubled[:begin] + numbers.ljust(62) + doubled[begin + 62 :]).refuse()


def test_a_longer_and_a_shorter_file_are_refused(finished: Finished) -> None:
    for data in (
        finished.data + b"\n",
        finished.data[:-1],
        finished.data + finished.data,
        finished.data[: finished.end],
    ):
        replace(finished, data=data).refuse()
        finished.with_bytes(data).refuse()
    for data in (PLAIN, b"", finished.data[: finished.start], finished.data[: finished.end - 1]):
        replace(finished, data=data).refuse()


@pytest.mark.parametrize(
    ("former", "other"),
    [
        (b"/Contents <", b"/Contentz <"),
        (b"<<\n/Contents <", b"<</A/Contents <"),
        (b" obj\n<<\n/Contents <", b" 0bj\n<<\n/Contents <"),
        (b">\n/ByteRange [", b">\n/ByteRangE ["),
        (b"/Type /Sig\n/Filter", b"/Type /Sog\n/Filter"),
        (b"/Filter /Adobe.PPKLite\n", b"/Filter /Adobe.PPKLiTe\n"),
        (b"/SubFilter /ETSI.CAdES.detached\n", b"/SubFilter /adbe.pkcs7.detached\n"),
        (b"/SubFilter /ETSI.CAdES.detached\n", b"/SubFilter /ETSI.CAdES.detacheD\n"),
    ],
)
def test_another_signature_dictionary_is_refused(finished: Finished, former: bytes, other: bytes) -> None:
    assert len(former) <= len(other)
    begin = finished.data.rindex(former, 0, len(finished.data))
    data = finished.data[:begin] + other[: len(former)] + finished.data[begin + len(former) :]
    finished.with_bytes(data).refuse()


@pytest.mark.parametrize("digit", [b" ", b"g", b"\n", b">", b"\x00"])
def test_a_place_that_holds_more_than_digits_is_refused(finished: Finished, digit: bytes) -> None:
    for offset in (finished.start + 1, finished.end - 2):
        replace(finished, data=finished.data[:offset] + digit + finished.data[offset + 1 :]).refuse()


def test_a_place_without_its_brackets_is_refused(finished: Finished) -> None:
    for offset in (finished.start, finished.end - 1):
        replace(finished, data=flip(finished.data, offset)).refuse()


@pytest.mark.parametrize(
    ("start", "end"), [(-1, 0), (1, 0), (0, -1), (0, 1), (-2, -2), (2, 2), (-(10**9), 0), (0, 10**9)]
)
def test_another_place_is_refused(finished: Finished, start: int, end: int) -> None:
    moved = replace(finished.prepared, reserved_start=finished.start + start, reserved_end=finished.end + end)
    finished.refuse(prepared=moved)


def test_a_file_without_an_original_is_refused(finished: Finished) -> None:
    finished.refuse(size=0, sha256=hashlib.sha256().hexdigest())


# --- The CMS object -----------------------------------------------------------------------------------------------


def with_edit(finished: Finished, edit: Callable[[cms.SignedData], None]) -> Finished:
    """The CMS object taken apart, changed, and put together again."""
    info = finished.cms()
    former: cms.SignedData = info["content"]
    values = {name: former[name].copy() for name in former if former[name] is not core.VOID}
    signed = cms.SignedData(values)
    edit(signed)
    return finished.with_cms(cms.ContentInfo({"content_type": "signed_data", "content": signed}).dump())


def _encapsulate(signed: cms.SignedData) -> None:
    signed["encap_content_info"] = {"content_type": "data", "content": b"agreed"}


def _rename_content(signed: cms.SignedData) -> None:
    signed["encap_content_info"] = {"content_type": "digested_data"}


def _sign_twice(signed: cms.SignedData) -> None:
    signer = signed["signer_infos"][0]
    signed["signer_infos"] = [signer.copy(), signer.copy()]


def _sign_never(signed: cms.SignedData) -> None:
    signed["signer_infos"] = []


def _add_certificate(signed: cms.SignedData) -> None:
    signed["certificates"].append(Certificate.load(SIGNERS["p384"].certificate))


def _double_certificate(signed: cms.SignedData) -> None:
    signed["certificates"].append(Certificate.load(SIGNERS["p256"].certificate))


def _change_certificate(signed: cms.SignedData) -> None:
    signed["certificates"] = [Certificate.load(SIGNERS["p384"].certificate)]


def _remove_certificate(signed: cms.SignedData) -> None:
    signed["certificates"] = []


def _add_crl(signed: cms.SignedData) -> None:
    builder = x509.CertificateRevocationListBuilder(
        issuer_name=x509.Name([]), last_update=datetime.now(UTC), next_update=datetime.now(UTC) + timedelta(days=1)
    )
    crl = builder.sign(AUTHORITY.key, hashes.SHA256()).public_bytes(Encoding.DER)
    signed["crls"] = [cms.RevocationInfoChoice("crl", cms.CertificateList.load(crl))]


def _add_digest_algorithm(signed: cms.SignedData) -> None:
    signed["digest_algorithms"].append({"algorithm": "sha512"})


def _change_digest_algorithms(signed: cms.SignedData) -> None:
    signed["digest_algorithms"] = [{"algorithm": "sha512"}]


def _change_signer(**values: Any) -> Callable[[cms.SignedData], None]:
    def edit(signed: cms.SignedData) -> None:
        for name, value in values.items():
            signed["signer_infos"][0][name] = value

    return edit


def _add_unsigned(signed: cms.SignedData) -> None:
    unsigned = cms.CMSAttribute({"type": "1.2.3.4", "values": [core.Integer(1)]})
    signed["signer_infos"][0]["unsigned_attrs"] = cms.CMSAttributes([unsigned])


def _sid_of(identity: Identity) -> cms.SignerIdentifier:
    told = Certificate.load(identity.certificate)
    value = {"issuer": told.issuer, "serial_number": told.serial_number}
    return cms.SignerIdentifier("issuer_and_serial_number", cms.IssuerAndSerialNumber(value))


@pytest.mark.parametrize(
    "edit",
    [
        _encapsulate,
        _rename_content,
        _sign_twice,
        _sign_never,
        _add_certificate,
        _double_certificate,
        _change_certificate,
        _remove_certificate,
        _add_crl,
        _add_digest_algorithm,
        _change_digest_algorithms,
        _add_unsigned,
        _change_signer(digest_algorithm={"algorithm": "sha512"}),
        _change_signer(signature_algorithm={"algorithm": "sha512_ecdsa"}),
        _change_signer(signature_algorithm={"algorithm": "ecdsa"}),
        _change_signer(sid=_sid_of(SIGNERS["p384"])),
        _change_signer(sid=cms.SignerIdentifier("subject_key_identifier", core.OctetString(bytes(20)))),
        _change_signer(signature=b""),
        _change_signer(signature=bytes(71)),
    ],
)
def test_another_cms_object_is_refused(finished: Finished, edit: Callable[[cms.SignedData], None]) -> None:
    with_edit(finished, edit).refuse()


def test_the_value_of_another_key_is_refused(finished: Finished) -> None:
    other = AUTHORITY.issue("Alice")
    value = sign(other, ECDSA, finished.prepared.signed_attributes)
    with_edit(finished, _change_signer(signature=value)).refuse()


@pytest.mark.parametrize(
    ("kind", "sign_algo"), [("rsa", "1.2.840.113549.1.1.11"), ("rsa", PSS), ("p521", "1.2.840.10045.4.3.4")]
)
def test_a_value_with_one_bit_wrong_is_refused(kind: str, sign_algo: str) -> None:
    done = finish(PLAIN, kind, sign_algo)
    value = bytearray(done.cms()["content"]["signer_infos"][0]["signature"].native)
    value[-1] ^= 1
    with_edit(done, _change_signer(signature=bytes(value))).refuse()


def test_what_stands_behind_the_object_is_refused(finished: Finished) -> None:
    encoded = finished.cms().dump()
    assert finished.with_cms(encoded).verify()
    for rest in (b"\x01", b"\x00" * 100 + b"\x01", encoded, b"\x05\x00"):
        finished.with_cms(encoded, rest).refuse()
    room = (finished.end - finished.start - 2) // 2 - len(encoded)
    finished.with_cms(encoded, bytes(room - 1) + b"\x01").refuse()


def test_what_is_no_signed_data_is_refused(finished: Finished) -> None:
    encoded = finished.cms().dump()
    content = encoded[4:]
    of_unknown_length = b"\x30\x80" + content + b"\x00\x00"
    data = cms.ContentInfo({"content_type": "data", "content": b"agreed"}).dump()
    of_two = encoded.replace(bytes.fromhex("06092a864886f70d010702"), bytes.fromhex("06092a864886f70d010703"), 1)
    for other in (b"", b"\x00", b"\x30\x00", of_unknown_length, data, of_two, encoded[:-1], encoded[1:], b"\xff" * 9):
        finished.with_cms(other).refuse()


def attributes_of(finished: Finished, **other: Any) -> list[cms.CMSAttribute]:
    """As approved, but for those that are named."""
    known = {each["type"].native: each for each in cms.CMSAttributes.load(finished.prepared.signed_attributes)}
    changed = {
        name: cms.CMSAttribute({"type": name, "values": values}) for name, values in other.items() if values is not None
    }
    kept = {name: each for name, each in known.items() if name not in other}
    return [*kept.values(), *changed.values()]


def dump(attributes: list[cms.CMSAttribute]) -> bytes:
    encoded: bytes = cms.CMSAttributes(attributes).dump()
    return encoded


def _certificate_id(identity: Identity, **other: Any) -> dict[str, Any]:
    told = Certificate.load(identity.certificate)
    issuer = [GeneralName("directory_name", told.issuer)]
    named = {"issuer": issuer, "serial_number": told.serial_number}
    return {"cert_hash": hashlib.sha256(identity.certificate).digest(), "issuer_serial": named, **other}


ALICE, BOB = SIGNERS["p256"], AUTHORITY.issue("Bob")
ALGORITHM_512 = {"algorithm": "sha512"}
SHA512 = hashlib.sha512(ALICE.certificate).digest()


def test_attributes_that_are_made_for_these_tests_are_as_good(finished: Finished) -> None:
    same = finished.signed_over(
        dump(attributes_of(finished, signing_certificate_v2=[{"certs": [_certificate_id(ALICE)]}]))
    )
    assert same.verify()


@pytest.mark.parametrize(
    "other",
    [
        {"message_digest": [bytes(32)]},
        {"message_digest": None},
        {"message_digest": []},
        {"message_digest": [bytes(32), bytes(32)]},
        {"content_type": ["signed_data"]},
        {"content_type": None},
        {"signing_certificate_v2": None},
        {"signing_certificate_v2": [{"certs": []}]},
        {"signing_certificate_v2": [{"certs": [_certificate_id(BOB)]}]},
        {"signing_certificate_v2": [{"certs": [_certificate_id(ALICE), _certificate_id(BOB)]}]},
        {"signing_certificate_v2": [{"certs": [_certificate_id(ALICE, cert_hash=bytes(32))]}]},
        {"signing_certificate_v2": [{"certs": [_certificate_id(ALICE, hash_algorithm=ALGORITHM_512)]}]},
        {
            "signing_certificate_v2": [
                {"certs": [_certificate_id(ALICE, hash_algorithm=ALGORITHM_512, cert_hash=SHA512)]}
            ]
        },
        {
            "signing_certificate_v2": [
                {"certs": [_certificate_id(ALICE, issuer_serial=_certificate_id(BOB)["issuer_serial"])]}
            ]
        },
    ],
)
def test_attributes_that_do_not_bind_file_and_certificate_are_refused(
    finished: Finished, other: dict[str, Any]
) -> None:
    """Although they are what was approved and signed."""
    finished.signed_over(dump(attributes_of(finished, **other))).refuse()


def test_an_attribute_that_is_there_twice_is_refused(finished: Finished) -> None:
    for name in ("content_type", "message_digest", "signing_certificate_v2"):
        doubled = [*attributes_of(finished), *(each for each in attributes_of(finished) if each["type"].native == name)]
        finished.signed_over(dump(doubled)).refuse()


def test_an_attribute_of_two_values_is_refused(finished: Finished) -> None:
    """Of which the first, in the order of DER, is right."""
    doubled = attributes_of(finished, message_digest=[finished.digest(), b"\xff" * 32])
    finished.signed_over(dump(doubled)).refuse()


def test_attributes_other_than_those_approved_are_refused(finished: Finished) -> None:
    more = finished.signed_over(
        dump([*attributes_of(finished), cms.CMSAttribute({"type": "1.2.3.4", "values": [core.Null()]})])
    )
    assert more.verify()
    more.refuse(prepared=finished.prepared)
    finished.refuse(prepared=more.prepared)
    # The value is over what was approved, and something else is embedded.
    with_edit(finished, _change_signer(signed_attrs=cms.CMSAttributes(attributes_of(more)))).refuse()
    for attributes in (b"", b"\x31", finished.prepared.signed_attributes[:-1]):
        finished.refuse(prepared=replace(finished.prepared, signed_attributes=attributes))


def test_another_certificate_or_algorithm_than_the_one_wanted_is_refused(finished: Finished) -> None:
    finished.refuse(chain=BOB.chain)
    finished.refuse(sign_algo="1.2.840.10045.4.3.4")
    finished.refuse(sign_algo="1.2.840.113549.1.1.11")
    finish(PLAIN, "rsa", PSS).refuse(sign_algo="1.2.840.113549.1.1.11")
    # The same key, in another certificate.
    again = AUTHORITY.issue("Alice", KEYS["p256"])
    finished.refuse(chain=again.chain)
    replace(finished, identity=again).signed_again().refuse(chain=finished.identity.chain)


# --- Where the certificate leads ----------------------------------------------------------------------------------


def issue(
    key: Any = KEYS["p256"], *, issuer: Authority = AUTHORITY, usage: str = "content_commitment", **other: Any
) -> Identity:
    """By an authority that issues whatever one asks for."""
    names = (
        *("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement"),
        *("key_cert_sign", "crl_sign", "encipher_only", "decipher_only"),
    )
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Alice")]))
        .issuer_name(x509.load_der_x509_certificate(issuer.certificate).subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(other.get("start", now - timedelta(days=2)))
        .not_valid_after(other.get("end", now + timedelta(days=2)))
        .add_extension(x509.BasicConstraints(ca=other.get("authority", False), path_length=None), critical=True)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key()), critical=False)
    )
    if usage:
        builder = builder.add_extension(x509.KeyUsage(**{name: name == usage for name in names}), critical=True)
    certificate = builder.sign(issuer.key, hashes.SHA256()).public_bytes(Encoding.DER)
    return Identity(key, certificate, [certificate, issuer.certificate])


@pytest.mark.parametrize("usage", ["content_commitment", "digital_signature"])
def test_a_certificate_for_signing_is_accepted(usage: str) -> None:
    done = finish(PLAIN, identity=issue(usage=usage))
    assert done.verify() == done.verify_by_library()


@pytest.mark.parametrize(
    "other",
    [
        {"usage": "key_encipherment"},
        {"usage": "key_cert_sign"},
        {"usage": ""},
        {"end": datetime.now(UTC) - timedelta(seconds=1)},
        {"start": datetime.now(UTC) + timedelta(days=1)},
        {"key": rsa.generate_private_key(public_exponent=65537, key_size=1024)},  # noqa: S505  (too weak)
    ],
    ids=lambda other: next(iter(other)),
)
def test_a_certificate_that_may_not_sign_now_is_refused(other: dict[str, Any]) -> None:
    identity = issue(**other)
    done = finish(PLAIN, identity=identity, sign_algo="1.2.840.113549.1.1.11" if "key" in other else ECDSA)
    done.refuse()
    with pytest.raises(InvalidSignatureError):
        done.verify_by_library()


def test_a_chain_that_leads_to_no_anchor_is_refused(finished: Finished) -> None:
    other = Authority()
    finished.refuse(trust=Trust((), ()))
    finished.refuse(trust=Trust((other.certificate,), (AUTHORITY.certificate,)))
    # Of the same name, with another key.
    assert (
        x509.load_der_x509_certificate(other.certificate).subject
        == x509.load_der_x509_certificate(AUTHORITY.certificate).subject
    )
    replace(finished, identity=Identity(ALICE.key, ALICE.certificate, [ALICE.certificate, other.certificate])).refuse(
        trust=Trust((other.certificate,), ())
    )


def test_an_anchor_that_signs_itself_may_do_so_for_whatever_it_is() -> None:
    identity = issue(usage="key_encipherment")
    done = finish(PLAIN, identity=identity)
    trust = Trust((identity.certificate,), ())
    assert done.verify(trust=trust) == done.verify_by_library(trust)
    done.refuse()


def test_an_issuer_that_is_no_authority_is_refused() -> None:
    mallory = issue(KEYS["p384"])
    middle = Authority(key=KEYS["p384"])
    middle.certificate = mallory.certificate
    leaf = issue(issuer=middle)
    done = finish(PLAIN, identity=Identity(leaf.key, leaf.certificate, [*leaf.chain, AUTHORITY.certificate]))
    done.refuse()
    middle.certificate = issue(KEYS["p384"], usage="key_cert_sign", authority=True).certificate
    leaf = issue(issuer=middle)
    done = finish(PLAIN, identity=Identity(leaf.key, leaf.certificate, [*leaf.chain, AUTHORITY.certificate]))
    assert done.verify() == done.verify_by_library()
    with_edit(done, lambda signed: signed["certificates"].__delitem__(1)).refuse()


class Clock(datetime):
    """Shows another time than it is."""

    ahead = timedelta()

    @classmethod
    def now(cls, tz: Any = None) -> datetime:
        return datetime.now(tz) + cls.ahead


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The certificates that paths were looked for from."""
    found: list[bytes] = []
    real = anchoring._find

    def find(chain: Any, *others: Any) -> Any:
        found.append(chain[0])
        return real(chain, *others)

    monkeypatch.setattr(anchoring, "_find", find)
    monkeypatch.setattr(anchoring, "datetime", Clock)
    monkeypatch.setattr(Clock, "ahead", timedelta())
    return found


def test_an_answer_is_remembered_for_a_minute_at_most(
    finished: Finished, asked: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = finished.verify()
    assert finished.verify() == first
    assert len(asked) == 1
    for ahead, times in ((-60, 2), (0, 3), (61, 4)):
        monkeypatch.setattr(Clock, "ahead", timedelta(seconds=ahead))
        assert finished.verify() == first
        assert len(asked) == times


def test_an_answer_is_remembered_for_its_own_question_alone(finished: Finished, asked: list[bytes]) -> None:
    finished.verify()
    finished.refuse(trust=Trust((Authority().certificate,), ()))
    finished.refuse(trust=Trust((), (AUTHORITY.certificate,)))
    again = replace(finished, identity=AUTHORITY.issue("Alice", KEYS["p256"])).signed_again()
    assert again.verify()
    assert len(asked) == 4
    finished.refuse(trust=Trust((), (AUTHORITY.certificate,)))
    assert len(asked) == 5


def test_an_answer_is_for_one_algorithm(asked: list[bytes]) -> None:
    for times, sign_algo in enumerate([PSS, "1.2.840.113549.1.1.11", "1.2.840.113549.1.1.13"], start=1):
        assert finish(PLAIN, "rsa", sign_algo).verify()
        assert len(asked) == times


def test_no_answer_outlives_a_certificate(asked: list[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    end = datetime.now(UTC) + timedelta(days=1)
    done = finish(PLAIN, identity=issue(end=end))
    monkeypatch.setattr(Clock, "ahead", timedelta(days=1) - timedelta(seconds=30))
    assert done.verify()
    monkeypatch.setattr(Clock, "ahead", timedelta(days=1) + timedelta(seconds=1))
    done.verify()
    assert len(asked) == 2


def test_so_many_answers_are_remembered_and_no_more(
    finished: Finished, asked: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(anchoring, "_MOST_REMEMBERED", 2)
    others = [replace(finished, identity=AUTHORITY.issue("Alice", KEYS["p256"])).signed_again() for _ in range(2)]
    for done in (finished, *others):
        done.verify()
    assert len(anchoring._answers) == 2
    others[-1].verify()
    assert len(asked) == 3
    finished.verify()
    assert len(asked) == 4


# --- What a reader finds, before anybody approves -----------------------------------------------------------------


def place_of(data: bytes, finished: Finished, name: str = "Alice") -> None:
    verify_place(read_document(io.BytesIO(data)), name, start=finished.start)


def test_a_reader_finds_the_signature_in_its_place(finished: Finished) -> None:
    place_of(finished.data, finished)
    pattern = b"/T (Alice)"
    value = finished.data.index(b"/V ", finished.data.index(pattern)) + 3
    number = finished.data[value : finished.data.index(b" ", value)]
    elsewhere = finished.data[:value] + b"%d" % (int(number) - 1) + finished.data[value + len(number) :]
    nameless = finished.data.replace(pattern, b"/T (Alicf)")
    for data, name in ((elsewhere, "Alice"), (nameless, "Alice"), (finished.data, "Alic")):
        with pytest.raises(DamagedPdfError):
            place_of(data, finished, name)
    with pytest.raises(DamagedPdfError):
        place_of(
            finished.data, replace(finished, prepared=replace(finished.prepared, reserved_start=finished.start + 2))
        )


def test_a_document_whose_update_would_name_another_range_is_not_prepared() -> None:
    """A signature that stands in its page itself would be written once more with the page."""
    value = b"<< /Type /Sig /Filter /X /SubFilter /adbe.pkcs7.detached /ByteRange [0 1 2 3] /Contents <00> >>"
    widget = b"<< /Type /Annot /Subtype /Widget /FT /Sig /T (Old) /Rect [0 0 0 0] /V %s >>" % value
    objects = pdfs.document_objects()
    (page,) = (number for number, each in objects.items() if b"/Type /Page " in each)
    objects[page] = objects[page].replace(b"/Type /Page ", b"/Type /Page /Annots [ %s ] " % widget)
    with pytest.raises(DamagedPdfError):
        finish(pdfs.assemble(objects))
