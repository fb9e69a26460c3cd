"""What this role writes, as settings.LETTERS sends it: HTML and text with the same words, under the product's name."""

from django.conf import settings
from django.utils.module_loading import import_string


def send(
    *,
    to: str,
    subject: str,
    before: str,
    action: str,
    page: str,
    name: str = "",
    quote: str = "",
    ask: str = "",
    after: str = "",
) -> bool:
    """Whether it was taken. What cannot be sent is logged, without whom it was for.

    One paragraph each, in this order: ``before``, what is reported (``quote``), ``ask``, a link as ``action`` to
    ``page`` (a path below the issuer's), ``after``.
    """
    return bool(
        import_string(settings.LETTERS)(
            to=to,
            subject=subject,
            name=name,
            before=[before],
            quotes=[quote] if quote else [],
            ask=[ask] if ask else [],
            action=action,
            link=f"{settings.ISSUER}/{page}",
            after=[after] if after else [],
        )
    )
