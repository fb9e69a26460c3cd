"""Explicit authorisation: the SAD of this service opens what was authorised, for whom it was, once."""

import secrets
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings

from rssp.clients.introspection import VerifiedToken, checksum_of
from rssp.errors import (
    ActivationRefusedError,
    CredentialDisabledError,
    DigestLengthError,
    HashAlgorithmError,
    MissingParameterError,
    RsspError,
    SignatureCountError,
    TooManyHashesError,
    UnknownCredentialError,
)
from rssp.models import ActivatedDigest, Activation, AuditEvent
from rssp.services.auditing import Origin
from rssp.services.authorising import authorise
from tests.rssp.conftest import Asked, Signer, call, digest

LEASE, ANNEX, OTHER = digest("Lease"), digest("Annex"), digest("Other")
NOT_AUTHORISED = "Hash is not authorized by the SAD."
ORIGIN = Origin(request_id="r", address="127.0.0.1")


def bearer_of(signer: Signer, **changes: str) -> VerifiedToken:
    told = {"issuer": settings.ISSUER, "client_id": settings.GATEWAY_CLIENT_ID, "subject": signer.subject} | changes
    return VerifiedToken(
        scopes=frozenset({"service"}), expires_at=0, checksum=secrets.token_hex(32), details=None, approval=None, **told
    )


def allow(signer: Signer, *digests: bytes, scal: str = "2", **how: Any) -> str:
    """The SAD after factors that were right."""
    signer.change(scal=scal, auth_mode="explicit")
    return authorise_again(signer, digests or None, **how)[1]


def authorise_again(signer: Signer, digests: Sequence[bytes] | None, **how: Any) -> tuple[Activation, str]:
    given: dict[str, Any] = {
        "credential": signer.credential,
        "token": bearer_of(signer),
        "factors": "PIN, OTP",
        "hash_algorithm_oid": None,
        "digests": digests,
        "num_signatures": len(digests or ()),
        "lifetime": timedelta(minutes=5),
        "origin": ORIGIN,
    }
    return authorise(**(given | how))


def refused(answer: Any, asked: Asked, sentence: str, *, before: int = 0) -> None:
    assert (answer.status_code, answer.json()["error_description"]) == (400, sentence)
    assert asked.count == before


@pytest.mark.parametrize("version", [1, 2])
def test_the_sad_signs_each_authorised_digest_once(alice: Signer, asked: Asked, version: int) -> None:
    sad, service = allow(alice, LEASE, ANNEX), alice.log_in()
    assert alice.sign(service, ANNEX, LEASE, SAD=sad, version=version).status_code == 200
    for each in (LEASE, ANNEX):
        refused(alice.sign(service, each, SAD=sad, version=version), asked, NOT_AUTHORISED, before=2)
    assert asked.count == 2


def test_the_audit_names_the_factors_and_nothing_holds_the_sad(alice: Signer, asked: Asked) -> None:
    sad = allow(alice, LEASE)
    assert alice.sign(alice.log_in(), LEASE, SAD=sad).status_code == 200
    events = list(AuditEvent.objects.order_by("sequence").values_list("action", "result", "factors"))
    assert events == [("authorise", "done", "PIN, OTP"), ("sign", "signed", "PIN, OTP")]
    kept = Activation.objects.get()
    assert kept.sad_checksum == checksum_of(sad)
    assert (kept.passkey_id, kept.signature, kept.num_signatures) == (None, None, 1)
    assert not any(sad in str(row) for row in (*Activation.objects.values(), *AuditEvent.objects.values()))


def test_a_sad_is_for_its_user_its_client_and_its_credential(alice: Signer, bob: Signer, asked: Asked) -> None:
    sad = allow(alice, LEASE)
    first = alice.credential
    alice.own_credential()
    allow(alice, ANNEX)
    allow(bob, ANNEX)
    before = asked.count
    invalid = "Invalid parameter SAD"
    refused(alice.sign(alice.log_in(), LEASE, SAD=sad), asked, invalid, before=before)
    refused(bob.sign(bob.log_in(), LEASE, SAD=sad), asked, invalid, before=before)
    alice.credential = first
    refused(alice.sign(alice.log_in(client_id="mallory"), LEASE, SAD=sad), asked, invalid, before=before)
    refused(alice.sign(alice.log_in(), LEASE, SAD=secrets.token_urlsafe(32)), asked, invalid, before=before)
    refused(alice.sign(alice.log_in(), LEASE, SAD=checksum_of(sad)), asked, invalid, before=before)
    assert alice.sign(alice.log_in(), LEASE, SAD=sad).status_code == 200


def test_a_sad_is_no_bearer_token(alice: Signer, asked: Asked) -> None:
    sad = allow(alice, LEASE)
    assert alice.sign(sad, LEASE).status_code == 401
    assert call("credentials/list", {}, sad).status_code == 401
    assert asked.count == 0


def test_an_expired_sad_is_refused(alice: Signer, asked: Asked) -> None:
    sad = allow(alice, LEASE, lifetime=timedelta(seconds=-1))
    refused(alice.sign(alice.log_in(), LEASE, SAD=sad), asked, "SAD expired")


@pytest.mark.parametrize("sent", [(OTHER,), (LEASE, OTHER), (LEASE, LEASE)])
def test_at_scal_2_nothing_but_the_digests_is_signed(alice: Signer, asked: Asked, sent: tuple[bytes, ...]) -> None:
    sad = allow(alice, LEASE, num_signatures=3)  # two of them are not named yet, and sign nothing
    refused(alice.sign(alice.log_in(), *sent, SAD=sad), asked, NOT_AUTHORISED)
    assert ActivatedDigest.objects.count() == 1


def test_at_scal_1_the_number_counts_and_the_digest_is_free(alice: Signer, asked: Asked) -> None:
    sad, service = allow(alice, scal="1", num_signatures=3), alice.log_in()
    refused(alice.sign(service, LEASE, ANNEX, OTHER, LEASE, SAD=sad), asked, NOT_AUTHORISED)
    assert alice.sign(service, LEASE, LEASE, SAD=sad).status_code == 200
    refused(alice.sign(service, ANNEX, OTHER, SAD=sad), asked, NOT_AUTHORISED, before=2)
    assert alice.sign(service, ANNEX, SAD=sad).status_code == 200
    refused(alice.sign(service, OTHER, SAD=sad), asked, NOT_AUTHORISED, before=3)
    signed = AuditEvent.objects.filter(result="signed").order_by("sequence").values_list("digest", flat=True)
    assert list(signed) == [LEASE.hex(), LEASE.hex(), ANNEX.hex()]


def test_at_scal_1_a_named_digest_keeps_its_place(alice: Signer, asked: Asked) -> None:
    sad, service = allow(alice, LEASE, scal="1", num_signatures=2), alice.log_in()
    assert alice.sign(service, ANNEX, SAD=sad).status_code == 200
    refused(alice.sign(service, OTHER, SAD=sad), asked, NOT_AUTHORISED, before=1)
    assert alice.sign(service, LEASE, SAD=sad).status_code == 200


def test_a_credential_of_passkeys_is_not_authorised_explicitly(alice: Signer) -> None:
    with pytest.raises(ActivationRefusedError):
        authorise_again(alice, [LEASE])
    assert not Activation.objects.exists()


def test_an_explicit_sad_opens_nothing_once_passkeys_are_required(alice: Signer, asked: Asked) -> None:
    sad = allow(alice, LEASE)
    alice.change(auth_mode="oauth2code")
    refused(alice.sign(alice.log_in(), LEASE, SAD=sad), asked, "Invalid parameter SAD")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"num_signatures": 0}, SignatureCountError),
        ({"num_signatures": -1}, SignatureCountError),
        ({"num_signatures": 1001}, TooManyHashesError),
        ({"num_signatures": 1, "digests": [LEASE, ANNEX]}, TooManyHashesError),
        ({"digests": None}, MissingParameterError),
        ({"digests": []}, MissingParameterError),
        ({"digests": [b"short"]}, DigestLengthError),
        ({"digests": [LEASE, bytes(48)], "num_signatures": 2}, DigestLengthError),
        ({"hash_algorithm_oid": "2.16.840.1.101.3.4.2.3"}, DigestLengthError),
        ({"hash_algorithm_oid": "1.3.14.3.2.26", "digests": [bytes(20)]}, HashAlgorithmError),
    ],
)
def test_what_cannot_be_authorised(alice: Signer, given: dict[str, Any], expected: type[RsspError]) -> None:
    allow(alice, LEASE)
    with pytest.raises(expected):
        authorise_again(alice, **({"digests": [LEASE], "num_signatures": 1} | given))
    assert Activation.objects.count() == 1


def test_only_the_owner_authorises_and_only_while_the_credential_is_open(alice: Signer, bob: Signer) -> None:
    allow(alice, LEASE)
    for token in (bearer_of(bob), bearer_of(alice, issuer="https://elsewhere.example")):
        with pytest.raises(UnknownCredentialError):
            authorise_again(alice, [LEASE], token=token)
    alice.credential.status = "disabled"
    with pytest.raises(CredentialDisabledError):
        authorise_again(alice, [LEASE])
    assert Activation.objects.count() == 1
