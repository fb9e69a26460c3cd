"""``manage.py seed_demo``: demonstration data of a development installation, as one JSON object on standard output.

Made at the first call and only told at later ones. People and client are made by authz's services. Each credential is
made as any other one: the person's passkey signs an approval, and rssp verifies it before a key is made in the HSM.
"""

import fcntl
import json
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from authz.approval import build_creation_approval, compute_challenge
from authz.authorization_details import CredentialCreation, write_authorization_details
from authz.errors import AddressTakenError
from authz.models import Application, Passkey
from authz.services.accounts import create_user
from authz.services.addresses import trust_address
from authz.services.oauth_clients import create_client
from authz.services.passkeys import create_challenge, import_passkey
from authz.wire import write_approval
from config.demo import PEOPLE, DemoPerson, DemoSecrets, SoftwarePasskey, read_demo_pin, read_demo_secrets
from config.env import kept_secret, random_secret
from rssp.clients.introspection import VerifiedToken, checksum_of
from rssp.models import Credential
from rssp.services.auditing import SYSTEM
from rssp.services.creating import create_credential
from rssp.services.creating_explicit import create_explicit_credential
from rssp.services.explicit import NewObject
from rssp.services.operating import CONSOLE
from rssp.wire import CreateRequest, Members

CLIENT_ID = "demo-client"
REDIRECT_URI = "http://localhost:8765/callback"
_POLICY = "demonstration"
_SECONDS = 300


class Command(BaseCommand):
    help = "Makes demonstration users, credentials and an OAuth client (development only), and prints them as JSON."

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.DEVELOPMENT:
            raise CommandError("Demo data has no place outside development: its passkeys lie in files.")
        if not {"authz", "rssp"} <= set(settings.ROLES):
            raise CommandError("Demo data is made where authz and rssp are served together.")
        with _alone():
            self.stdout.write(json.dumps(_seed(), indent=2))


@contextmanager
def _alone() -> Iterator[None]:
    with (settings.VAR_DIR / "seed.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _seed() -> dict[str, Any]:
    users, credentials, accounts = [], [], []
    for person in PEOPLE:
        kept = read_demo_secrets(person=person, folder=settings.VAR_DIR / "secrets")
        pin = read_demo_pin(person=person, folder=settings.VAR_DIR / "secrets")
        passkey = _ensure_account(person, kept)
        user = passkey.user
        trust_address(user=user)
        exported = kept.passkey.export(
            rp_id=settings.WEBAUTHN_RP_ID, user_handle=user.sub.bytes, sign_count=passkey.sign_count
        )
        told = {"email": person.email, "password": kept.password}
        users.append({**told, "pin": pin, "user_id": str(user.sub), "passkeys": [exported]})
        credentials += [_describe(_ensure_credential(passkey, kept.passkey, key), person) for key in person.keys]
        credentials += [_describe(_ensure_explicit(passkey, pin or "", key), person) for key in person.pin_keys]
        accounts.append({"name": person.name, **told})
    return {
        "base_url": settings.BASE_URL,
        "users": users,
        "clients": [_ensure_client()],
        "credentials": credentials,
        "root_url": f"{settings.RSSP_URL}/pki/root.pem",
        "tsa_url": f"{settings.RSSP_URL}/pki/tsa",
        "crl_url": f"{settings.RSSP_PKI_URL}/issuing.crl",
        "ocsp_url": f"{settings.RSSP_PKI_URL}/ocsp",
        "accounts": accounts,
    }


def _ensure_account(person: DemoPerson, kept: DemoSecrets) -> Passkey:
    """The person's passkey, with the account around it."""
    found = Passkey.objects.filter(user__email=person.email, credential_id=kept.passkey.credential_id).first()
    if found is not None:
        return found
    try:
        with transaction.atomic():
            user = create_user(
                email=person.email, name=person.name, password=kept.password, is_operator=person.is_operator
            )
            return import_passkey(
                user=user,
                credential_id=kept.passkey.credential_id,
                public_key=kept.passkey.private_key.public_key(),
                name="Demo passkey",
            )
    except AddressTakenError:
        # Nobody else's account is given a passkey whose private key lies in a file.
        raise CommandError(f"{person.email} is an account without its demo passkey.") from None


def _ensure_client() -> dict[str, Any]:
    """A foreign client, as an operator registers one."""
    secret = kept_secret(settings.VAR_DIR / "secrets" / "demo_client_secret", random_secret)
    if not Application.objects.filter(client_id=CLIENT_ID).exists():
        create_client(
            name="Demo client", redirect_uris=[REDIRECT_URI], is_public=False, client_id=CLIENT_ID, client_secret=secret
        )
    return {
        "client_id": CLIENT_ID,
        "client_secret": secret,
        "redirect_uris": [REDIRECT_URI],
        "type": "confidential",
        "pkce_required": True,
    }


def _ensure_credential(passkey: Passkey, key: SoftwarePasskey, key_algorithm: str) -> Credential:
    subject = str(passkey.user.sub)
    mine = Credential.objects.filter(issuer=settings.ISSUER, subject=subject, key__key_algorithm=key_algorithm)
    found = mine.filter(bindings__passkey_id=key.credential_id, bindings__unbound=None).order_by("created").first()
    if found is not None:
        return found
    request = create_credential(
        token=_approve_creation(passkey, key, key_algorithm),
        request=CreateRequest(_POLICY, key_algorithm, Members()),
        origin=SYSTEM,
    )
    if request.made is None:
        raise CommandError(f"The policy {_POLICY} needs an operator's approval here: see REGISTRATION.")
    return request.made


def _ensure_explicit(passkey: Passkey, pin: str, key_algorithm: str) -> Credential:
    """One that the person's PIN opens, as an operator makes it."""
    user = passkey.user
    mine = Credential.objects.filter(issuer=settings.ISSUER, subject=str(user.sub), key__key_algorithm=key_algorithm)
    found = mine.filter(auth_mode=Credential.AuthMode.EXPLICIT).order_by("created").first()
    return found or create_explicit_credential(
        subject=str(user.sub),
        common_name=user.name,
        certificate_policy=_POLICY,
        key_algorithm=key_algorithm,
        objects=[NewObject("PIN", "pin", pin)],
        reason="demonstration",
        operator=CONSOLE,
    )


def _approve_creation(passkey: Passkey, key: SoftwarePasskey, key_algorithm: str) -> VerifiedToken:
    """What rssp would be told of a token that this approval led to (docs/protocols.md, sections 3 to 5)."""
    user = passkey.user
    place = {"rp_id": settings.WEBAUTHN_RP_ID, "origin": settings.WEBAUTHN_ORIGIN}
    nonce, expires_at = create_challenge(), int(time.time()) + _SECONDS
    public_key = bytes(passkey.public_key)
    details = CredentialCreation(_POLICY, key_algorithm).with_subject(
        common_name=user.name, email=user.email, email_verified=user.is_email_verified
    )
    approval = build_creation_approval(
        nonce=nonce,
        client_id=settings.GATEWAY_CLIENT_ID,
        sub=str(user.sub),
        certificate_policy=_POLICY,
        key_algorithm=key_algorithm,
        common_name=user.name,
        email=user.email,
        passkey_public_key=public_key,
        expires_at=expires_at,
        **place,
    )
    authenticator_data, client_data_json, signature = key.sign(challenge=compute_challenge(approval), **place)
    return VerifiedToken(
        issuer=settings.ISSUER,
        client_id=settings.GATEWAY_CLIENT_ID,
        subject=str(user.sub),
        scopes=frozenset({"credential-creation"}),
        expires_at=expires_at,
        checksum=checksum_of(secrets.token_urlsafe(32)),
        details=write_authorization_details(details),
        approval=write_approval(
            kind="credential-creation",
            nonce=nonce,
            expires_at=expires_at,
            passkey_id=key.credential_id,
            passkey_public_key=public_key,
            authenticator_data=authenticator_data,
            client_data_json=client_data_json,
            signature=signature,
            **place,
        ),
    )


def _describe(credential: Credential, person: DemoPerson) -> dict[str, Any]:
    return {
        "credential_id": credential.credential_id,
        "email": person.email,
        "auth_mode": credential.auth_mode,
        "scal": credential.scal,
        "key": credential.key.key_algorithm,
    }
