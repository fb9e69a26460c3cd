"""One of several processes that draw on one short-lived credential, over one database and one token: what
test_key_races starts.

``stand`` makes what stands. ``race`` waits for a line and prepares as many credentials as it is let, prints the keys
and credentials that it got as JSON, waits for a line with everybody's credentials, has each approved by an approval of
its own, and prints for which it was the first.
"""

import json
import secrets
import sys
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, cast

import django

django.setup()

from django.utils import timezone  # noqa: E402

from rssp.clients.introspection import VerifiedToken  # noqa: E402
from rssp.errors import ActivationReplayedError, TooManyPreparedError  # noqa: E402
from rssp.models import Activation, CertificateRequest, Credential, RequestAttribute  # noqa: E402
from rssp.services import activating, one_time  # noqa: E402
from rssp.services.auditing import SYSTEM  # noqa: E402
from rssp.services.ledger import SIGNABLE_HASH_TYPE  # noqa: E402
from rssp.services.macs import authenticate_activation, authenticate_request  # noqa: E402

OWNER = {"issuer": "https://authz.example", "subject": "alice", "client_id": "paraph-gateway"}
NAMES = {
    "common_name": "Alice Example",
    "given_name": "Alice",
    "surname": "Example",
    "country": "FR",
    "identifier": "7",
}
SHA256_OID = "2.16.840.1.101.3.4.2.1"
TRIES = 6


def new_activation(kind: str, **more: Any) -> Activation:
    ends = timezone.now() + timedelta(minutes=5)
    nonce, checksum = secrets.token_hex(32), secrets.token_hex(32)
    return Activation(nonce=nonce, sad_checksum=checksum, kind=kind, factors="passkey", expires=ends, **OWNER, **more)


def stand() -> str:
    activation = new_activation(Activation.Kind.CREDENTIAL_CREATION)
    authenticate_activation(activation, [])
    activation.save(force_insert=True)
    request = CertificateRequest(
        credential_id=secrets.token_hex(16),
        certificate_policy="short-lived",
        key_algorithm="ec-p256",
        passkey_id=b"passkey",
        passkey_public_key=b"its key",
        activation=activation,
        state=CertificateRequest.State.STANDING,
        expires=timezone.now() + timedelta(days=1),
        **OWNER,
    )
    authenticate_request(request)
    request.save(force_insert=True)
    for name, value in NAMES.items():
        RequestAttribute.objects.create(request=request, name=name, value=value, source="operator")
    return request.credential_id


def prepare(credential_id: str) -> list[tuple[str, int]]:
    """The keys and credentials that this process got, and (at the end) nothing for what was refused."""
    token = VerifiedToken(
        OWNER["issuer"], OWNER["client_id"], OWNER["subject"], frozenset({"service"}), 0, "c", None, None
    )
    found = []
    for _ in range(TRIES):
        try:
            made = one_time.prepare_credential(token=token, credential_id=credential_id, origin=SYSTEM)
        except TooManyPreparedError:
            continue
        found.append((bytes(made.key.key_id).hex(), int(made.pk)))
    return found


def approve(credentials: list[int]) -> list[int]:
    """Those for which this process's approval was the first."""
    verified = SimpleNamespace(hash_algorithm_oid=SHA256_OID, digests=[(SIGNABLE_HASH_TYPE, secrets.token_bytes(32))])
    mine = []
    for pk in credentials:
        row = new_activation(Activation.Kind.CREDENTIAL, credential=Credential.objects.get(pk=pk), num_signatures=1)
        try:
            activating._insert_signing(row, cast(Any, verified))
        except ActivationReplayedError:
            continue
        mine.append(pk)
    return mine


def say(what: Any) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def main(what: str, credential_id: str = "") -> None:
    if what == "stand":
        say(stand())
        return
    say("ready")
    sys.stdin.readline()
    say(prepare(credential_id))
    say(approve(json.loads(sys.stdin.readline())))


if __name__ == "__main__":
    main(*sys.argv[1:])
