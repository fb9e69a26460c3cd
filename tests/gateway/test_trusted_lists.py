"""Trusted lists: what a good one brings, and that any other one changes nothing."""

import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from django.core.management import CommandError, call_command

from gateway.clients import pinning, trusted_lists
from gateway.errors import (
    TrustedListExpiredError,
    TrustedListMalformedError,
    TrustedListNotFetchedError,
    TrustedListOutdatedError,
    TrustedListSignatureError,
    TrustError,
)
from gateway.models import TrustAnchor, TrustedList
from gateway.services.trust import change_anchor, import_trusted_list, list_trust
from tests.support.authority import Authority, Identity
from tests.support.trusted_list import (
    FOR_SIGNATURES,
    FOR_WEBSITES,
    TSA,
    WITHDRAWN,
    Service,
    build_list,
    new_operator,
    sign_list,
)

NOW = datetime.now(UTC)


@pytest.fixture(scope="module")
def operator() -> Identity:
    return new_operator()


@pytest.fixture(scope="module")
def authorities() -> list[bytes]:
    return [Authority(name=f"Listed {number}").certificate for number in range(4)]


def take(xml: bytes, *signers: Identity, source: str = "list.xml") -> TrustedList:
    certificates = [signer.certificate for signer in signers]
    return import_trusted_list(xml=xml, signers=certificates, source=source, operator="Demo Operator")


def anchors() -> set[bytes]:
    return {bytes(der) for der in TrustAnchor.objects.values_list("der", flat=True)}


def test_granted_services_for_signatures_become_anchors(operator: Identity, authorities: list[bytes]) -> None:
    plain, narrowed, website, withdrawn = authorities
    tsa = Authority(name="Listed TSA").certificate
    services = [
        Service(plain, name="Plain CA"),
        Service(narrowed, narrowed_to=FOR_SIGNATURES),
        Service(website, narrowed_to=FOR_WEBSITES),
        Service(withdrawn, status=WITHDRAWN),
        Service(tsa, kind=TSA),
    ]
    imported = take(sign_list(build_list(services, number=7), operator), new_operator(), operator)
    assert (imported.territory, imported.operator, imported.sequence_number) == ("XT", "Test Supervisor", 7)
    assert imported.source == "list.xml"
    found = {(bytes(anchor.der), anchor.purpose) for anchor in imported.anchors.all()}
    assert found == {(plain, "ca"), (narrowed, "ca"), (tsa, "tsa")}
    # A time-stamping service vouches for no signer.
    assert set(list_trust(chain=[b"signer", b"root"]).anchors) == {b"root", plain, narrowed}


def test_anchors_of_a_list_whose_next_update_is_due_hold_no_longer(
    operator: Identity, authorities: list[bytes]
) -> None:
    imported = take(sign_list(build_list([Service(authorities[0])]), operator), operator)
    TrustedList.objects.filter(pk=imported.pk).update(next_update=NOW - timedelta(seconds=1))
    assert list_trust(chain=[b"root"]).anchors == (b"root",)


def test_a_later_list_takes_the_place_of_the_former_one(operator: Identity, authorities: list[bytes]) -> None:
    first, second, third, _ = authorities
    take(sign_list(build_list([Service(first), Service(second)], number=3), operator), operator)
    take(sign_list(build_list([Service(third)], number=1, territory="XU"), operator), operator)
    disabled = TrustAnchor.objects.get(name="CN=Listed 1")
    change_anchor(anchor=disabled, enabled=False, note="Not ours", operator="Demo Operator")
    take(sign_list(build_list([Service(second), Service(third)], number=4), operator), operator)
    assert TrustedList.objects.count() == 2
    kept = TrustAnchor.objects.filter(trusted_list__territory="XT")
    assert {bytes(anchor.der): (anchor.enabled, anchor.note) for anchor in kept} == {
        second: (False, "Not ours"),
        third: (True, ""),
    }


def _wrap(signed: bytes, stranger: bytes) -> bytes:
    """The signed list hidden inside one that adds an authority."""
    inner = signed.decode().split("?>", 1)[1].strip()
    outer = build_list([Service(stranger, name="Stranger")], number=99)
    place = outer.index("</SchemeInformation>")
    return f"{outer[:place]}<Extension>{inner}</Extension>{outer[place:]}".encode()


def _tampered(operator: Identity, stranger: bytes, listed: bytes) -> Iterator[tuple[str, bytes, type[TrustError]]]:
    import base64

    good = sign_list(build_list([Service(listed)], number=5), operator)
    old, new = (base64.b64encode(der) for der in (listed, stranger))
    yield "another certificate", good.replace(old, new), TrustedListSignatureError
    yield "another number", good.replace(b"Number>5<", b"Number>6<"), TrustedListSignatureError
    yield "a longer life", good.replace(b"<dateTime>2", b"<dateTime>3"), TrustedListSignatureError
    yield "no signature", build_list([Service(stranger)]).encode(), TrustedListSignatureError
    yield "wrapped", _wrap(good, stranger), TrustedListSignatureError
    yield (
        "a stranger's signature",
        sign_list(build_list([Service(stranger)]), new_operator()),
        TrustedListSignatureError,
    )
    yield "SHA-1", good.replace(b"xmlenc#sha256", b"xmldsig#sha1"), TrustedListSignatureError
    yield "not XML", b"%PDF-1.7", TrustedListMalformedError
    yield "nothing", b"", TrustedListMalformedError
    bomb = b'<!DOCTYPE a [<!ENTITY b "xxxxxxxxxx"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]>'
    yield "entities", good.replace(b"<TrustServiceStatusList", bomb + b"<TrustServiceStatusList", 1), TrustError
    past = NOW - timedelta(days=2)
    for what, issued, until in (
        ("expired", past, past + timedelta(days=1)),
        ("of the future", NOW + timedelta(days=1), None),
    ):
        yield (
            what,
            sign_list(build_list([Service(stranger)], issued=issued, next_update=until), operator),
            TrustedListExpiredError,
        )
    for what, wanted, instead in (
        ("no next update", "<NextUpdate>", "<NextUpdate><!-- "),
        ("an empty territory", "<SchemeTerritory>XT<", "<SchemeTerritory> <"),
        ("a number that is none", "Number>1<", "Number>one<"),
        ("a certificate that is none", "<X509Certificate>", "<X509Certificate>AAAA"),
        ("no providers", "TrustServiceProviderList", "SomethingElse"),
    ):
        text = build_list([Service(stranger)]).replace(wanted, instead)
        text = text.replace("</dateTime></NextUpdate>", " --></NextUpdate>") if what == "no next update" else text
        yield what, sign_list(text, operator), TrustedListMalformedError


_NAMES = [
    *("another certificate", "another number", "a longer life", "no signature", "wrapped", "a stranger's signature"),
    *("SHA-1", "not XML", "nothing", "entities", "expired", "of the future", "no next update", "an empty territory"),
    *("a number that is none", "a certificate that is none", "no providers"),
]


@pytest.fixture(scope="module")
def tampered(operator: Identity, authorities: list[bytes]) -> dict[str, tuple[bytes, type[TrustError]]]:
    rows = {name: (xml, error) for name, xml, error in _tampered(operator, authorities[3], authorities[0])}
    assert list(rows) == _NAMES
    return rows


@pytest.mark.parametrize("name", _NAMES)
def test_any_other_list_is_refused_by_name(
    operator: Identity, tampered: dict[str, tuple[bytes, type[TrustError]]], name: str
) -> None:
    xml, error = tampered[name]
    with pytest.raises(error):
        take(xml, operator)
    assert anchors() == set()


def test_what_is_refused_leaves_everything_as_it_was(
    operator: Identity, authorities: list[bytes], tampered: dict[str, tuple[bytes, type[TrustError]]]
) -> None:
    take(sign_list(build_list([Service(authorities[0])], number=2), operator), operator)
    before = TrustedList.objects.values().get()
    for name in ("another certificate", "expired", "a certificate that is none"):
        with pytest.raises(TrustError):
            take(tampered[name][0], operator)
        assert (anchors(), TrustedList.objects.values().get()) == ({authorities[0]}, before)


def test_an_older_list_than_the_last_one_is_refused(operator: Identity, authorities: list[bytes]) -> None:
    take(sign_list(build_list([Service(authorities[0])], number=9), operator), operator)
    with pytest.raises(TrustedListOutdatedError):
        take(sign_list(build_list([Service(authorities[1])], number=8), operator), operator)
    assert anchors() == {authorities[0]}


def test_a_scheme_operator_s_certificate_that_ended_signs_nothing(authorities: list[bytes]) -> None:
    ended = new_operator(days=-1)
    with pytest.raises(TrustedListSignatureError):
        take(sign_list(build_list([Service(authorities[0])]), ended), ended)
    assert anchors() == set()


def test_the_command_imports_a_file_or_says_why_not(
    operator: Identity, authorities: list[bytes], tmp_path: Path
) -> None:
    pem = x509.load_der_x509_certificate(operator.certificate).public_bytes(Encoding.PEM)
    (tmp_path / "operator.pem").write_bytes(pem)
    (tmp_path / "list.xml").write_bytes(sign_list(build_list([Service(authorities[0])]), operator))
    said = StringIO()
    arguments = ["import_trusted_list", str(tmp_path / "list.xml"), "--signer-cert", str(tmp_path / "operator.pem")]
    call_command(*arguments, stdout=said)
    assert "1 anchors until" in said.getvalue()
    assert anchors() == {authorities[0]}
    (tmp_path / "list.xml").write_bytes(b"<nothing/>")
    with pytest.raises(CommandError, match="Nothing was imported: The list's signature"):
        call_command(*arguments)
    with pytest.raises(CommandError, match="Nothing was imported"):
        call_command("import_trusted_list", str(tmp_path / "missing"), "--signer-cert", str(tmp_path / "operator.pem"))
    with pytest.raises(CommandError, match=r"holds no PEM certificate"):
        call_command("import_trusted_list", str(tmp_path / "list.xml"), "--signer-cert", str(tmp_path / "list.xml"))
    assert anchors() == {authorities[0]}


# --- Fetching -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org/list.xml",
        "ftp://example.org/list.xml",
        "file:///etc/passwd",
        "https://",
        "https://user:word@example.org/",
        "https://[bad/",
        "https://example.org:port/",
        *(f"https://{host}/list.xml" for host in ("127.0.0.1", "localhost", "[::1]", "0", "10.1.2.3", "192.168.0.1")),
        *(f"https://{host}/" for host in ("169.254.169.254", "[::ffff:127.0.0.1]", "[::ffff:10.0.0.1]", "[fe80::1]")),
        *(f"https://{host}/" for host in ("[fc00::1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "2130706433", "0x7f.1")),
    ],
)
def test_what_is_no_public_https_address_is_not_asked(url: str) -> None:
    with pytest.raises(TrustedListNotFetchedError):
        trusted_lists.fetch_trusted_list(url=url)


class Server:
    """An HTTPS server on this machine that counts its requests."""

    def __init__(self, folder: Path) -> None:
        self.body, self.status, self.hits = b"", 200, 0
        key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name.from_rfc4514_string("CN=lists.example")
        certificate = (
            x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
            .not_valid_before(NOW - timedelta(days=1))
            .not_valid_after(NOW + timedelta(days=1))
            .add_extension(x509.SubjectAlternativeName([x509.DNSName("lists.example")]), critical=False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(key, hashes.SHA256())
        )
        secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        (folder / "server.pem").write_bytes(secret + certificate.public_bytes(Encoding.PEM))
        self.trust = ssl.create_default_context(cadata=certificate.public_bytes(Encoding.PEM).decode())
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "server.pem")
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.hits += 1
                self.send_response(outer.status)
                self.send_header("Location", "https://127.0.0.1/")
                self.end_headers()
                self.wfile.write(outer.body)

            def log_message(self, *args: Any) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.socket = context.wrap_socket(self.http.socket, server_side=True)
        self.url = f"https://lists.example:{self.http.server_port}/list.xml"


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """Its name resolves to this machine, as a name that somebody else owns may."""
    running = Server(tmp_path)
    thread = threading.Thread(target=running.http.serve_forever, daemon=True)
    thread.start()
    found = [(2, 1, 6, "", ("127.0.0.1", running.http.server_port))]
    monkeypatch.setattr(pinning.socket, "getaddrinfo", lambda *_args, **_options: found)
    yield running
    running.http.shutdown()
    running.http.server_close()


def test_a_name_that_leads_to_this_machine_is_not_asked(server: Server) -> None:
    with pytest.raises(TrustedListNotFetchedError, match="not public"):
        trusted_lists.fetch_trusted_list(url=server.url, verify=server.trust)
    assert server.hits == 0


def test_a_list_is_fetched_by_name_and_certificate(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pinning, "is_public", lambda _address: True)
    server.body = b"<list/>"
    assert trusted_lists.fetch_trusted_list(url=server.url, verify=server.trust) == b"<list/>"
    assert server.hits == 1
    for change, said in (({"status": 302}, "answered 302"), ({"status": 500}, "answered 500")):
        vars(server).update(change)
        with pytest.raises(TrustedListNotFetchedError, match=said):
            trusted_lists.fetch_trusted_list(url=server.url, verify=server.trust)
    server.status = 200
    monkeypatch.setattr(trusted_lists, "LONGEST_LIST", 4)
    with pytest.raises(TrustedListNotFetchedError, match="longer"):
        trusted_lists.fetch_trusted_list(url=server.url, verify=server.trust)
    with pytest.raises(TrustedListNotFetchedError, match="ConnectError"):
        trusted_lists.fetch_trusted_list(url=server.url)  # the system's authorities know no such server
