"""The way to a first signature."""

from collections.abc import Iterable
from dataclasses import dataclass

from signapp.models import Document
from signapp.services.logins import Account
from signapp.wire import Certificate


@dataclass(frozen=True)
class FirstRun:
    """Which steps are done. Who is logged in has an account and a passkey: there is no login without both."""

    account: bool
    passkey: bool
    certificate: bool
    signature: bool


def first_run(
    *, account: Account | None, certificates: Iterable[Certificate], documents: Iterable[Document]
) -> FirstRun:
    return FirstRun(
        account=account is not None,
        passkey=account is not None,
        certificate=any(item.is_usable for item in certificates),
        signature=any(item.state == Document.State.SIGNED for item in documents),
    )
