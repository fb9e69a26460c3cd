"""Smaller duties at a passkey's enrolment (Web Authentication, 7.1), which the table of requirements names."""

import json

import cbor2
from django.conf import settings

from authz.models import User
from tests.authz.conftest import PASSWORD, Person, block
from tests.support.authenticator import Authenticator


def refuse(carol: Person) -> None:
    """A sign-up with Carol's key makes no account."""
    form = {"name": carol.name, "email": carol.email, "password": PASSWORD}
    location = carol.browser.post("/authz/signup", form)["Location"]
    made = carol.key.create(block(carol.browser.get(location))[0]["options"])
    assert carol.browser.post(location, {"response": json.dumps(made)}).status_code == 422
    assert not User.objects.exists()


def test_a_passkey_of_another_relying_party_makes_no_account() -> None:
    carol = Person("Carol")
    carol.key = Authenticator(rp_id="evil.example", origin=settings.WEBAUTHN_ORIGIN)
    refuse(carol)


class ForeignKey(Authenticator):
    """Its key is of an algorithm that nobody asked for: ES256K on secp256k1 (RFC 8812)."""

    @property
    def public_key(self) -> bytes:
        return cbor2.dumps({1: 2, 3: -47, -1: 8, -2: bytes(32), -3: bytes(32)})


def test_a_key_of_an_algorithm_that_was_not_offered_makes_no_account() -> None:
    carol = Person("Carol")
    carol.key = ForeignKey(rp_id=settings.WEBAUTHN_RP_ID, origin=settings.WEBAUTHN_ORIGIN)
    refuse(carol)
