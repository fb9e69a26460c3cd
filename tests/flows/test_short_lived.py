"""A short-lived certificate in a running instance: one is made for each signature, and the signature outlives it."""

import asyncio
import io
import secrets
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from asn1crypto import x509
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.ades.report import AdESIndeterminate, AdESPassed
from pyhanko.sign.validation import validate_pdf_signature
from pyhanko.sign.validation.ades import ades_with_time_validation
from pyhanko.sign.validation.dss import DocumentSecurityStore
from pyhanko.sign.validation.policy_decl import (
    RevinfoOnlineFetchingRule,
    RevocationInfoGatheringSpec,
    SignatureValidationSpec,
)
from pyhanko_certvalidator import ValidationContext
from pyhanko_certvalidator.context import CertValidationPolicySpec
from pyhanko_certvalidator.ltv.types import ValidationTimingInfo
from pyhanko_certvalidator.policy_decl import CertRevTrustPolicy, RevocationCheckingPolicy
from pyhanko_certvalidator.registry import SimpleTrustManager

from scripts.instance import free_port
from tests.flows.chain import Chain, spied
from tests.flows.verdicts import read_root, verify
from tests.support.authority import Authority
from tests.support.gateway_caller import GatewayCaller
from tests.support.instance import start_instance
from tests.support.pdfs import make_pdf
from tests.support.provider import Provider, start_provider
from tests.support.walk import Walker, _hidden, digest_of

pytestmark = [pytest.mark.instance, pytest.mark.xdist_group("short-lived")]

YEARS = timedelta(days=2 * 365)
PEOPLE = {"alice": {"given_name": "Alice", "family_name": "Example", "address": {"country": "FR"}}}


@pytest.fixture(scope="module")
def identified(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Chain, Provider]]:
    """An installation where an OpenID provider that is not ours says who people are."""
    folder, port, secret = tmp_path_factory.mktemp("short-lived"), free_port(), secrets.token_urlsafe(32)
    callback = f"http://localhost:{port}/account/identified"
    with ExitStack() as stack:
        provider = stack.enter_context(start_provider(resource="-", secret=secret, callback=callback, people=PEOPLE))
        settings = spied(
            folder,
            IDENTITY_ISSUER=provider.issuer,
            IDENTITY_CLIENT_ID="identity",
            IDENTITY_CLIENT_SECRET=secret,
            IDENTITY_ACR_VALUES="looked-closely",
            REGISTRATION="short-lived=claims",
            JOB_SWEEP_SECONDS="1",
            RSSP_CERTIFICATE_POLICIES="demonstration,short-lived",
            CERTIFICATE_POLICY="short-lived",
            PREPARED_CREDENTIALS="3",
            SIGNATURE_QUALIFIERS="short-lived=paraph_short_lived",
        )
        instance = stack.enter_context(start_instance(folder / "var", settings=settings, port=port))
        yield Chain(instance, folder), provider


@pytest.fixture(scope="module")
def short_lived(identified: tuple[Chain, Provider]) -> Chain:
    return identified[0]


def show(walker: Walker, provider: Provider, **who: Any) -> str:
    """From the button on the account page to the provider's pages: the address that it sends the browser back to."""
    page = walker.open("/account")
    assert "Show who you are at localhost" in page.text
    form = {name: _hidden(page, name) for name in ("csrfmiddlewaretoken", "credential_id")}
    origin = str(page.url.copy_with(path="/", query=None)).rstrip("/")
    answer = walker.http.post(
        f"{origin}/account/identify", data=form, headers={"Origin": origin}, follow_redirects=False
    )
    address = answer.headers["location"]
    assert address.startswith(f"{provider.issuer}/auth?")
    assert provider.issuer in answer.headers["content-security-policy"] + page.headers["content-security-policy"]
    return f"/account/identified?{urlencode(provider.identify(address, **who))}"


@pytest.fixture(scope="module")
def alice(identified: tuple[Chain, Provider]) -> Iterator[Walker]:
    short_lived, provider = identified
    with short_lived.walker("Alice") as walker:
        walker.sign_up()
        page = walker.open("/certificates/new?next=/documents")
        assert "demonstration" not in page.text
        walker.approve(walker.send(page, key_algorithm="ec-p256", next="/documents"))
        assert "Waiting for approval" in walker.open("/account").text
        refused = walker.open(show(walker, provider, subject="alice", acr="barely-looked"))
        assert "did not look closely enough" in refused.text
        with short_lived.walker("Bob") as bob:
            bob.sign_up()
            way_back = show(walker, provider, subject="alice")
            assert "It began in another browser" in bob.open(way_back).text  # and it says nothing about Bob
        assert "Your request is approved." in walker.open(way_back).text
        assert "It began in another browser" in walker.open(way_back).text
        assert "Can sign" in walker.open("/account").text
        yield walker


def validate_with_time(pdf: bytes, root: x509.Certificate, moment: datetime) -> tuple[Any, datetime]:
    """What a verifier of that moment finds, and when, as far as it can tell, the signature was there."""
    [signature] = PdfFileReader(io.BytesIO(pdf)).embedded_regular_signatures
    policy = CertValidationPolicySpec(
        trust_manager=SimpleTrustManager.build([root]),
        revinfo_policy=CertRevTrustPolicy(RevocationCheckingPolicy.from_legacy("soft-fail")),
    )
    spec = SignatureValidationSpec(
        cert_validation_policy=policy,
        revinfo_gathering_policy=RevocationInfoGatheringSpec(online_fetching_rule=RevinfoOnlineFetchingRule.LOCAL_ONLY),
    )
    found = asyncio.run(
        ades_with_time_validation(
            signature.signed_data,
            spec,
            timing_info=ValidationTimingInfo(moment, moment, point_in_time_validation=False),
            raw_digest=signature.compute_digest(),
        )
    )
    return found.ades_subindic, found.best_signature_time


def left(chain: Chain) -> list[str]:
    """The signers' keys that are there."""
    return [state for (state,) in chain.rows("rssp", "SELECT state FROM rssp_signingkey WHERE state = 'assigned'")]


def test_a_certificate_is_made_for_this_signature(short_lived: Chain, alice: Walker, tmp_path: Path) -> None:
    account = alice.open("/account")
    assert "One is made for each signature, with a key that is destroyed after it." in account.text
    original = make_pdf(pages=2)
    path = alice.upload(original)
    assert "A certificate is made for this signature" in alice.open(path).text
    assert left(short_lived) == []
    alice.prepare(path, reason="As tenant")
    assert left(short_lived) == ["assigned"]
    before = short_lived.signatures_made()
    alice.approve(alice.begin_approval(path))
    assert alice.wait(path) == "signed"
    assert short_lived.signatures_made() == before + 1
    assert left(short_lived) == []
    signed = alice.download(path)
    reader = verify(signed, original=original, root=read_root(short_lived.base_url), folder=tmp_path)
    certificate = reader.embedded_signatures[0].signer_cert
    assert certificate.subject.native["common_name"] == "Alice Example"
    assert certificate.not_valid_after - certificate.not_valid_before == timedelta(hours=1)
    again = alice.sign(make_pdf())
    other = verify(again, original=make_pdf(), root=read_root(short_lived.base_url), folder=tmp_path)
    assert other.embedded_signatures[0].signer_cert.public_key.dump() != certificate.public_key.dump()


def test_what_is_declined_signs_nothing_and_may_be_approved_later(short_lived: Chain, alice: Walker) -> None:
    path = alice.upload(make_pdf())
    alice.prepare(path)
    before = short_lived.sign_calls()
    alice.send(alice.begin_approval(path), answer="decline")
    assert (alice.state(path), short_lived.sign_calls()) == ("prepared", before)
    alice.approve(alice.begin_approval(path))
    assert alice.wait(path) == "signed"


def test_the_signature_outlives_its_certificate_by_a_time_stamp(
    short_lived: Chain, alice: Walker, tmp_path: Path
) -> None:
    """Of level B-T it is good years after the hour (EN 319 102-1, 5.5); without a time-stamp nobody can tell."""
    root = x509.Certificate.load(read_root(short_lived.base_url))
    now = datetime.now(UTC)
    signed = alice.sign(make_pdf())
    stamped, job = GatewayCaller(alice, short_lived.instance).sign(make_pdf(), level="B-T")
    assert datetime.fromisoformat(job["signed"]["lasts_until"]) - now > YEARS
    verify(stamped, original=make_pdf(), root=root.dump(), folder=tmp_path)
    for moment in (now + timedelta(minutes=5), now + YEARS):
        indication, trusted_time = validate_with_time(stamped, root, moment)
        assert indication == AdESPassed.OK
        assert timedelta(0) < trusted_time - now < timedelta(minutes=5)
        assert validate_with_time(signed, root, moment)[0] != AdESPassed.OK
    [bare] = PdfFileReader(io.BytesIO(signed)).embedded_regular_signatures
    for moment, expected in ((now + timedelta(minutes=5), True), (now + YEARS, False)):
        status = validate_pdf_signature(
            bare, ValidationContext(trust_roots=[root], moment=moment, allow_fetching=False)
        )
        assert (status.intact, status.valid, status.trusted, status.bottom_line) == (True, True, expected, expected)
    assert status.trust_problem_indic == AdESIndeterminate.OUT_OF_BOUNDS_NO_POE
    # A stamp that nobody trusts proves no time.
    stranger = x509.Certificate.load(Authority().certificate)
    assert validate_with_time(stamped, stranger, now + YEARS)[0] != AdESPassed.OK


def test_what_it_promises_is_in_the_document(short_lived: Chain, alice: Walker) -> None:
    """Level B-LT: a verifier that knows no short-lived certificates, and takes none that it cannot see to be good,
    finds the responder's word in the document; and years later still."""
    root = x509.Certificate.load(read_root(short_lived.base_url))
    signed, job = GatewayCaller(alice, short_lived.instance).sign(make_pdf(), level="B-LT")
    assert (job["signed"]["level"], job["signed"]["shortfall"]) == ("B-LT", None)
    reader = PdfFileReader(io.BytesIO(signed))
    [signature] = reader.embedded_regular_signatures
    asked = {"trust_roots": [root], "allow_fetching": False, "revocation_mode": "hard-fail"}
    held = DocumentSecurityStore.read_dss(reader).as_validation_context(asked)
    assert validate_pdf_signature(signature, held).bottom_line
    assert not validate_pdf_signature(signature, ValidationContext(**asked, crls=[], ocsps=[])).bottom_line
    about = [
        single["cert_id"]["serial_number"].native
        for answer in held.ocsps
        for single in answer.response_data["responses"]
    ]
    assert signature.signer_cert.serial_number in about
    ends = datetime.fromisoformat(job["signed"]["lasts_until"])
    assert ends - datetime.now(UTC) > YEARS
    assert validate_with_time(signed, root, datetime.now(UTC) + YEARS)[0] == AdESPassed.OK


def test_a_client_that_asks_for_the_kind_alone_gets_a_certificate_of_its_own(short_lived: Chain, alice: Walker) -> None:
    """The signer chooses what stands; what is made of it is approved, told to the client, and signs once."""
    client, digest = short_lived.client("Elsewhere"), digest_of(secrets.token_hex(8))
    service = client.log_in(alice)
    [standing] = client.list_credentials(service)
    [detail] = client.details("", digest)["authorization_details"]
    detail = {"signatureQualifier": "paraph_short_lived"} | detail
    del detail["credentialID"]
    told = client.redeem(client.authorize(alice, choose=standing, authorization_details=[detail])).json()
    made = told["credentialID"]
    assert made not in {standing, ""}
    assert client.list_credentials(service) == [standing]
    described = client.call("credentials/info", {"credentialID": made, "certInfo": True}, told["access_token"]).json()
    assert described["signatureQualifier"] == "paraph_short_lived"
    before = short_lived.signatures_made()
    assert client.sign(told["access_token"], standing, [digest]).status_code == httpx.codes.BAD_REQUEST
    assert client.sign(told["access_token"], made, [digest]).status_code == httpx.codes.OK
    assert client.sign(told["access_token"], made, [digest]).status_code == httpx.codes.BAD_REQUEST
    assert short_lived.signatures_made() == before + 1
    assert left(short_lived) == []


def test_no_more_wait_than_may(short_lived: Chain, alice: Walker) -> None:
    """The fourth is refused in words, and nothing of it is left."""
    for _ in range(3):
        alice.prepare(alice.upload(make_pdf()))
    path = alice.upload(make_pdf())
    page = alice.open(path)
    answer = alice.http.post(
        f"{short_lived.base_url}{path}/prepare",
        data={name: _hidden(page, name) for name in ("csrfmiddlewaretoken", "credential_id")},
        headers={"Origin": short_lived.base_url},
    )
    assert answer.status_code == httpx.codes.TOO_MANY_REQUESTS
    assert "Too many signatures wait for your approval" in answer.text
    assert alice.state(path) == "ready"
    assert len(left(short_lived)) == 3
