"""pkilint before the authority's key: what it refuses is never signed, and what it still says stands in the docs."""

import re
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from django.conf import settings as django_settings

from rssp.errors import CertificateLintError
from rssp.models import Certificate
from rssp.pki import profiles
from rssp.pki.linting import lint_certificate, list_refused
from rssp.services import authority
from tests.rssp.test_profiles import EVERY_PROFILE, SUBJECTS, issue, new_key

DOCS = Path(django_settings.BASE_DIR) / "docs" / "certificates.md"
ROW = re.compile(r"\| `([\w-]+)` \| (\w+) \| `([\w.-]+)` \| .+ \|")


@pytest.fixture
def issued(settings, token):
    """A certificate of each profile, from an authority with addresses of the world outside."""
    settings.DEVELOPMENT = False
    settings.RSSP_PKI_URL = "http://rssp.example.org/pki"
    settings.RSSP_CERTIFICATE_POLICIES = list(profiles.SUBSCRIBER_PROFILES)
    root, issuing = authority.prepare_authority()
    own = {role: authority.prepare_service_certificate(role=role) for role in ("tsa", "ocsp")}
    return {
        "root": root,
        "issuing": issuing,
        **own,
        **{name: issue(name) for name in SUBJECTS},
    }


def documented():
    return set(ROW.findall(DOCS.read_text()))


def test_what_pkilint_still_says_is_in_the_docs_and_nothing_else(issued):
    said = {
        (name, finding.severity, finding.code)
        for name, certificate in issued.items()
        for finding in lint_certificate(der=bytes(certificate.der), profile=EVERY_PROFILE[name])
        if finding.severity not in {"info", "debug"}
    }
    assert said == documented()


def test_the_command_line_linters_say_no_more_than_the_docs(issued, tmp_path):
    for name, certificate in issued.items():
        path = tmp_path / f"{name}.pem"
        path.write_bytes(x509.load_der_x509_certificate(bytes(certificate.der)).public_bytes(Encoding.PEM))
        runs = [["lint_pkix_cert", "lint"]]
        if name in {"signer", "short-lived", "short-lived-unpublished", "seal"}:
            runs.append(["lint_etsi_cert", "lint", "--detect"])
        for command, *words in runs:
            program = str(Path(sys.executable).parent / command)
            out = subprocess.run(
                [program, *words, "-s", "error", str(path)], capture_output=True, text=True, check=False
            )
            found = set(re.findall(r"([\w.-]+) \((?:ERROR|FATAL)\)", out.stdout))
            errors = {code for profile, severity, code in documented() if (profile, severity) == (name, "error")}
            assert found <= errors, out.stdout
            assert out.returncode == len(found), out.stderr


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"policy": None}, "etsi.en_319_412_2"),
        ({"pointers": frozenset()}, "etsi.en_319_412_2"),
        ({"pointers": frozenset({"issuer"})}, "crldp_extension_missing"),
        ({"pointers": frozenset({"crl", "ocsp"})}, "ca_issuers_aia_access_method_absent"),
        ({"key_usage": frozenset({"content_commitment", "key_agreement"})}, "key_usage"),
        ({"path_length": 0}, "cannot be built"),
        ({"validity": timedelta(seconds=-1)}, ""),
        ({"extended_key_usage": "1.3.6.1.5.5.7.3.36"}, "eku_extension_is_critical"),
    ],
)
def test_what_the_linter_refuses_is_never_signed(changes, code, settings, token, asked, monkeypatch):
    settings.DEVELOPMENT = False
    settings.RSSP_PKI_URL = "http://rssp.example.org/pki"
    settings.RSSP_CERTIFICATE_POLICIES = ["signer"]
    authority.prepare_authority()
    before = asked.count
    monkeypatch.setitem(profiles.SUBSCRIBER_PROFILES, "signer", replace(profiles.SIGNER, **changes))
    with pytest.raises(CertificateLintError) as caught:
        authority.issue_certificate(certificate_policy="signer", subject=SUBJECTS["signer"], public_key=new_key())
    assert code in str(caught.value)
    assert asked.count == before
    row = Certificate.objects.get(role="signer")
    assert (row.state, bytes(row.der)) == ("intended", b"")


@pytest.mark.parametrize(
    "url", ["http://localhost:8000/pki", "http://rssp.local/pki", "https://rssp.example.org/pki", "http://rssp/pki"]
)
def test_addresses_that_nobody_outside_can_follow_are_refused(url, settings, token, asked):
    settings.DEVELOPMENT = False
    settings.RSSP_CERTIFICATE_POLICIES = ["signer"]
    settings.RSSP_PKI_URL = "http://rssp.example.org/pki"
    authority.prepare_authority()
    before = asked.count
    settings.RSSP_PKI_URL = url
    with pytest.raises(CertificateLintError):
        authority.issue_certificate(certificate_policy="signer", subject=SUBJECTS["signer"], public_key=new_key())
    assert asked.count == before


def test_garbage_is_no_certificate():
    findings = lint_certificate(der=b"\x30\x03\x02\x01\x01", profile=profiles.SIGNER)
    assert list_refused(findings=findings, profile=profiles.SIGNER) != []


def test_the_linter_is_not_loaded_before_a_certificate_is_issued():
    code = "import django; django.setup(); import rssp.urls, rssp.admin, sys; sys.exit('pkilint' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=django_settings.BASE_DIR, check=False)
    assert done.returncode == 0
