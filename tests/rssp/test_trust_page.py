"""The page that says how to trust the authority, and the files that it hands out."""

import html
import re
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from django.test import Client

from rssp.models import Certificate
from tests.rssp.conftest import have_authority
from tests.rssp.timestamps import openssl
from tests.support.softhsm import Token


@pytest.fixture
def authority(token: Token) -> Token:
    have_authority()
    return token


def own(role: str) -> x509.Certificate:
    return x509.load_der_x509_certificate(bytes(Certificate.objects.get(role=role).der))


def get(path: str) -> Any:
    return Client().get(path)


def test_the_page_names_every_certificate_by_its_fingerprint_and_its_files(authority: Token) -> None:
    answer = get("/pki/")
    page = html.unescape(answer.content.decode())
    assert (answer.status_code, answer["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert "max-age" in answer["Cache-Control"]
    for role in ("root", "issuing"):
        digits = own(role).fingerprint(hashes.SHA256()).hex().upper()
        assert " ".join(digits[place : place + 4] for place in range(0, 64, 4)) in page
        for kind in ("pem", "cer"):
            assert f'href="/pki/{role}.{kind}"' in page
    assert 'href="/pki/authorities.p7b"' in page
    for address in ("/pki/root.crl", "/pki/issuing.crl", "/pki/ocsp", "/pki/tsa"):
        assert f"http://localhost:8000{address}" in page
    for program in ("Acrobat Reader", "Windows", "macOS", "Linux", "Firefox"):
        assert program in page


def test_every_file_that_the_page_links_is_there(authority: Token) -> None:
    page = get("/pki/").content.decode()
    linked = set(re.findall(r'href="(/pki/[^"]+)"', page))
    assert len(linked) >= 5
    for path in linked:
        answer = get(path)
        assert answer.status_code == 200, path
        assert "attachment" in answer["Content-Disposition"], path


def test_pem_and_der_are_the_same_certificate(authority: Token) -> None:
    for role in ("root", "issuing"):
        pem, der = get(f"/pki/{role}.pem"), get(f"/pki/{role}.cer")
        assert x509.load_pem_x509_certificate(pem.content) == x509.load_der_x509_certificate(der.content) == own(role)
        assert (pem["Content-Type"], der["Content-Type"]) == ("application/x-pem-file", "application/pkix-cert")
    for name in ("signer", "nothing", "issuing-9", "root-0"):
        assert get(f"/pki/{name}.pem").status_code == 404


def test_openssl_reads_the_bundle(authority: Token, tmp_path: Path) -> None:
    answer = get("/pki/authorities.p7b")
    assert answer["Content-Type"] == "application/x-pkcs7-certificates"
    (tmp_path / "authorities.p7b").write_bytes(answer.content)
    printed = openssl("pkcs7", "-inform", "DER", "-in", tmp_path / "authorities.p7b", "-print_certs")
    found = x509.load_pem_x509_certificates(printed.encode())
    assert {each.public_bytes(Encoding.DER) for each in found} == {
        own(role).public_bytes(Encoding.DER) for role in ("root", "issuing")
    }


@pytest.mark.usefixtures("compiled_messages")
def test_the_page_is_in_the_language_that_was_chosen_and_its_files_are_not(authority: Token) -> None:
    client = Client(headers={"accept-language": "fr"})
    answer = client.get("/pki/")
    assert "<h1>Comment faire confiance à cette autorité</h1>" in answer.content.decode()
    assert {"Cookie", "Accept-Language"} <= set(re.split(r",\s*", answer["Vary"])), "caches keep them apart"
    came_from = "http://testserver/pki/"
    assert client.post("/language", {"language": "en"}, headers={"referer": came_from})["Location"] == came_from
    assert "<h1>How to trust this authority</h1>" in client.get("/pki/").content.decode()
    assert client.get("/pki/root.pem").headers.get("Content-Language", "en") == "en"


def test_without_an_authority_the_page_says_so(token: Token) -> None:
    answer = get("/pki/")
    assert answer.status_code == 503
    assert "There is no authority yet" in answer.content.decode()
    assert get("/pki/authorities.p7b").status_code == 404


def test_nothing_on_the_page_is_refused_by_the_content_security_policy(authority: Token) -> None:
    answer = get("/pki/")
    assert "default-src 'none'" in answer["Content-Security-Policy"]
    page = answer.content.decode()
    assert "<style" not in page
    assert not re.search(r'\sstyle="|\son[a-z]+="', page)
    assert all(source.startswith("/static/") for source in re.findall(r'<script[^>]*src="([^"]+)"', page))


def test_the_page_is_for_reading_alone(authority: Token) -> None:
    for method in ("post", "put", "delete"):
        assert getattr(Client(), method)("/pki/").status_code == 405


def test_the_first_page_links_to_it(authority: Token, settings: Any) -> None:
    settings.TRUST_PAGE_URL = "https://rssp.example.org/pki/"
    page = get("/").content.decode()
    assert page.count('href="https://rssp.example.org/pki/"') == 2
