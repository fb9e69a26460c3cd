"""Work beside the requests: housekeeping, and messages."""

from celery import shared_task

from authz.services import ended_logins, events, passwords, sign_up_links
from authz.services.clearing import clear_accounts
from authz.services.throttling import clear_throttles
from authz.services.tokens import clear_expired as clear_expired_rows


@shared_task(name="authz.clear_expired")  # type: ignore[untyped-decorator]  # celery carries no types
def clear_expired() -> None:
    """Removes what nothing can be done with any more; answered consents stay, they are evidence."""
    clear_expired_rows()
    clear_throttles()
    clear_accounts()


@shared_task(name="authz.tell_of_events")  # type: ignore[untyped-decorator]  # Celery has no types
def tell_of_events() -> None:
    """Mails what happened to accounts."""
    events.tell_of_events()


@shared_task(name="authz.tell_of_logouts")  # type: ignore[untyped-decorator]  # Celery has no types
def tell_of_logouts() -> None:
    """Tells clients that logins ended."""
    ended_logins.tell_of_logouts()


@shared_task(name="authz.send_password_link")  # type: ignore[untyped-decorator]  # Celery has no types
def send_password_link(email: str) -> None:
    """Mails a link if the address is an account's: here, where nobody can see how long it takes."""
    passwords.send_link(email=email)


@shared_task(name="authz.send_sign_up_link")  # type: ignore[untyped-decorator]  # Celery has no types
def send_sign_up_link(email: str, next_path: str, browser: str, language: str) -> None:
    """Mails a link to a sign-up, or to the login: here, where nobody can see how long it takes."""
    sign_up_links.send_link(email=email, next_path=next_path, browser=browser, language=language)
