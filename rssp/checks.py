"""Weak settings of this role, as numbered messages of ``manage.py check``."""

import re
import uuid
from datetime import timedelta
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet, MultiFernet
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register  # noqa: A004  (Django's own name)

from rssp.algorithms import KEY_ALGORITHMS


@register(Tags.security)
def check_module(**_kwargs: Any) -> list[CheckMessage]:
    """``rssp.W001``: the PKCS#11 module is not there; whatever needs the HSM answers 503 until it is."""
    if Path(settings.PKCS11_MODULE).is_file():
        return []
    return [Warning("PKCS11_MODULE names no file.", hint="Install SoftHSM2 or set PKCS11_MODULE.", id="rssp.W001")]


@register(Tags.security)
def check_mac_key(**_kwargs: Any) -> list[CheckMessage]:
    """``rssp.E050``: LEDGER_MAC_KEY is no list of different versions with secrets that nobody guesses."""
    named = [item.partition(":") for item in settings.LEDGER_MAC_KEY]
    if len({version for version, _, _ in named}) == len(named) and all(
        re.fullmatch(r"[0-9a-z]{1,16}", version) and len(secret) >= 32 and len(set(secret)) >= 8
        for version, _, secret in named
    ):
        return []
    hint = "version:secret, separated by commas; versions differ, a secret has 32 random characters or more."
    return [Error("LEDGER_MAC_KEY is malformed or too simple.", hint=hint, id="rssp.E050")]


@register(Tags.security)
def check_one_time_issuers(**_kwargs: Any) -> list[CheckMessage]:
    """``rssp.E021``: certificates for one signature are made while the signer waits, by our own authority alone."""
    at_once = ("short-lived", "short-lived-unpublished")
    if all(settings.CERTIFICATE_ISSUERS.get(name, "built-in") == "built-in" for name in at_once):
        return []
    return [Error("CERTIFICATE_ISSUERS names another issuer for certificates for one signature.", id="rssp.E021")]


@register(Tags.security, deploy=True)
def check_hsm(**_kwargs: Any) -> list[CheckMessage]:
    """``rssp.E001`` a PIN anybody guesses; ``rssp.W002`` SoftHSM stands in for an HSM; ``rssp.E002`` a name or region
    that fits no certificate."""
    found: list[CheckMessage] = []
    if len(settings.PKCS11_PIN) < 6 or len(set(settings.PKCS11_PIN)) < 3:
        found.append(Error("PKCS11_PIN is too simple.", id="rssp.E001"))
    if "softhsm" in settings.PKCS11_MODULE.lower():
        found.append(Warning("SoftHSM keeps keys in files: it stands in for an HSM, it is not one.", id="rssp.W002"))
    if not (settings.RSSP_REGION.isascii() and settings.RSSP_REGION.isalpha() and len(settings.RSSP_REGION) == 2):
        found.append(Error("RSSP_REGION must be a country's two letters (ISO 3166-1).", id="rssp.E002"))
    if not 1 <= len(settings.RSSP_NAME.encode()) <= 36:
        found.append(Error("RSSP_NAME must have 1 to 36 bytes, to fit the authority's names.", id="rssp.E003"))
    return found


_MOST_POOLED = 1000
_LONGEST_CACHE_SECONDS = 60


@register(Tags.security)
def check_keys(**_kwargs: Any) -> list[CheckMessage]:
    """``rssp.E040`` keys would be kept nowhere; ``rssp.E041`` a pool of keys that nobody can make; ``rssp.E042`` a
    cache that holds nothing or never ends; ``rssp.W041`` a pool that hardly fills; ``rssp.W042`` unwrapped keys lie
    long in the token."""
    found: list[CheckMessage] = []
    if settings.KEY_STORAGE not in {"wrapped", "resident"}:
        found.append(Error("KEY_STORAGE is neither wrapped nor resident.", id="rssp.E040"))
    if unknown := sorted(set(settings.KEY_POOL) - set(KEY_ALGORITHMS)):
        hint = f"One of {', '.join(KEY_ALGORITHMS)}."
        found.append(Error(f"KEY_POOL holds what is no kind of key: {', '.join(unknown)}.", hint=hint, id="rssp.E041"))
    for name, size in settings.KEY_POOL.items():
        if size > _MOST_POOLED:
            hint = f"Each is a private key that waits for its signer; {_MOST_POOLED} are many."
            found.append(Warning(f"KEY_POOL has {size} keys of kind {name} ready.", hint=hint, id="rssp.W041"))
    if settings.KEY_CACHE_SECONDS < 0 or settings.KEY_CACHE_KEYS < 1:
        found.append(Error("KEY_CACHE_SECONDS is 0 at least, KEY_CACHE_KEYS 1.", id="rssp.E042"))
    if settings.KEY_CACHE_SECONDS > _LONGEST_CACHE_SECONDS:
        hint = f"{_LONGEST_CACHE_SECONDS} are enough for signatures that follow one another."
        seconds = settings.KEY_CACHE_SECONDS
        found.append(Warning(f"Unwrapped keys stay in the token for {seconds} seconds.", hint=hint, id="rssp.W042"))
    return found


@register(Tags.security)
def check_organisation(**_kwargs: Any) -> list[CheckMessage]:
    """``rssp.E004``: an organisation that fits no issuer's name (EN 319 412-1, 5.1.4; EN 319 412-2, 4.2.3.1)."""
    identifier, name = settings.RSSP_ORGANIZATION_IDENTIFIER, settings.RSSP_ORGANIZATION
    is_identifier = re.fullmatch(r"(?:VAT|NTR|PSD|LEI|[A-Z]{2}:)[A-Z]{2}-\S{1,57}", identifier)
    if is_identifier and 1 <= len(name) <= 64 and name != identifier:
        return []
    hint = "The name has 1 to 64 characters, the identifier is built like VATFR-1234 or NTRDE-1234."
    return [Error("RSSP_ORGANIZATION or its identifier fits no certificate.", hint=hint, id="rssp.E004")]


@register(Tags.security)
def check_registration(**_kwargs: Any) -> list[CheckMessage]:
    """``rssp.E005`` a word in REGISTRATION, CERTIFICATE_ISSUERS or FOUR_EYES that means nothing here; ``rssp.E006`` an
    outside authority without what it needs."""
    words = (
        ("REGISTRATION", settings.REGISTRATION.values(), {"automatic", "verified-email", "approval", "claims"}),
        ("CERTIFICATE_ISSUERS", settings.CERTIFICATE_ISSUERS.values(), {"built-in", "cmp", "by-hand"}),
        ("FOUR_EYES", settings.FOUR_EYES, {"requests", "lifecycle"}),
    )
    found: list[CheckMessage] = [
        Error(
            f"{name} holds a word that means nothing here.", hint=f"One of {', '.join(sorted(known))}.", id="rssp.E005"
        )
        for name, given, known in words
        if set(given) - known
    ]
    issuers = set(settings.CERTIFICATE_ISSUERS.values())
    if issuers & {"cmp", "by-hand"} and not settings.OUTSIDE_ANCHORS_FILE:
        found.append(Error("An outside authority issues, and OUTSIDE_ANCHORS_FILE names none.", id="rssp.E006"))
    is_protected = settings.CMP_REFERENCE
    if settings.CMP_KEY_FILE:
        is_protected = settings.CMP_CERTIFICATE_FILE and settings.CMP_SERVER_CERTIFICATE_FILE
    if "cmp" in issuers and not (settings.CMP_URL and is_protected):
        hint = "CMP_REFERENCE and CMP_SECRET, or CMP_KEY_FILE, CMP_CERTIFICATE_FILE and CMP_SERVER_CERTIFICATE_FILE."
        found.append(Error("An authority is asked by CMP without CMP_URL or protection.", hint=hint, id="rssp.E006"))
    return found


@register(Tags.security)
def check_identity_provider(**_kwargs: Any) -> list[CheckMessage]:
    """``rssp.E052``: claims decide and nobody tells them; a provider without what it needs, or without TLS."""
    issuer, found = settings.IDENTITY_ISSUER, []
    if not issuer and "claims" in settings.REGISTRATION.values():
        found.append("REGISTRATION leaves it to claims, and IDENTITY_ISSUER names no provider.")
    if issuer and not settings.IDENTITY_CLIENT_ID:
        found.append("IDENTITY_ISSUER is set without IDENTITY_CLIENT_ID.")
    if issuer and issuer in {settings.ISSUER, settings.EXTERNAL_ISSUER}:
        found.append("IDENTITY_ISSUER is the provider that logs people in: it verified nobody.")
    if issuer and not issuer.startswith("https://") and not settings.DEVELOPMENT:
        found.append("IDENTITY_ISSUER is not https.")
    if issuer and "openid" not in settings.IDENTITY_SCOPES:
        found.append("IDENTITY_SCOPES lacks openid.")
    if issuer and not all(name.isidentifier() and claim for name, claim in settings.IDENTITY_CLAIMS.items()):
        found.append("IDENTITY_CLAIMS is not attribute=claim, separated by commas.")
    return [Error(text, id="rssp.E052") for text in found]


@register(Tags.security, deploy=True)
def check_operators(**_kwargs: Any) -> list[CheckMessage]:
    """``rssp.W003`` one operator decides alone; ``rssp.W036`` a provider's claims count
    however it looked; ``rssp.W004`` messages to the outside authority go without TLS."""
    found: list[CheckMessage] = []
    if set(settings.FOUR_EYES) != {"requests", "lifecycle"}:
        found.append(Warning("One operator alone approves requests or ends keys: see FOUR_EYES.", id="rssp.W003"))
    if settings.IDENTITY_ISSUER and not settings.IDENTITY_ACR_VALUES:
        hint = "IDENTITY_ACR_VALUES names the authentication contexts that are close enough a look."
        found.append(Warning("Whatever way the provider looks at people is good enough.", hint=hint, id="rssp.W036"))
    if settings.CMP_URL and not settings.CMP_URL.startswith("https://"):
        found.append(Warning("CMP_URL is not https: messages are protected, not secret.", id="rssp.W004"))
    return found


@register(Tags.security)
def check_operator_clients(**_kwargs: Any) -> list[CheckMessage]:
    """``rssp.E070``: OPERATOR_API_CLIENTS names what is no client, or one of the product's own, which sign or log
    people in; or it lets somebody answer for a client whom no token names so, and who would be two people to
    FOUR_EYES."""
    own = {
        *(settings.SIGNAPP_CLIENT_ID, settings.GATEWAY_CLIENT_ID, settings.RSSP_CLIENT_ID),
        *(settings.OPERATORS_CLIENT_ID, settings.COMMAND_LINE_CLIENT_ID, settings.CSC_LOGIN_CLIENT_ID),
        settings.CHOOSING_CLIENT_ID,
    }
    hint = "client or client=sub, separated by commas; the sub as tokens have it: of authz a UUID in small letters."
    found = []
    for client, person in settings.OPERATOR_API_CLIENTS.items():
        if not _is_identifier(client):
            found.append(f"OPERATOR_API_CLIENTS names {client!r}, which is no client.")
        elif client in own:
            found.append(f"OPERATOR_API_CLIENTS names {client}, which is for something else.")
        if person and (person in settings.OPERATOR_API_CLIENTS or not _is_subject(person)):
            found.append(f"OPERATOR_API_CLIENTS has {client!r} answered for by {person!r}, who is nobody.")
    return [Error(text, hint=hint, id="rssp.E070") for text in found]


def _is_identifier(text: str) -> bool:
    """RFC 6749, A.1; without blanks at the ends, which nobody means."""
    return text.isascii() and text.isprintable() and text == text.strip() and 0 < len(text) <= 255


def _is_subject(text: str) -> bool:
    """As authz writes it, or any other provider may (OpenID Connect Core 1.0, section 2)."""
    if settings.EXTERNAL_ISSUER:
        return _is_identifier(text)
    try:
        return str(uuid.UUID(text)) == text
    except ValueError:
        return False


@register(Tags.security)
def check_explicit_mode(**_kwargs: Any) -> list[CheckMessage]:
    """``rssp.E010`` a factor may be guessed at; ``rssp.E011`` keys that seal nothing; ``rssp.W010`` calls that wait may
    take too many threads."""
    found: list[CheckMessage] = []
    if not 1 <= settings.RSSP_FACTOR_TRIES <= 10 or settings.RSSP_FACTOR_LOCK_SECONDS < 60:
        found.append(Error("RSSP_FACTOR_TRIES is 1 to 10, RSSP_FACTOR_LOCK_SECONDS 60 at least.", id="rssp.E010"))
    try:
        MultiFernet([Fernet(key) for key in settings.RSSP_FACTOR_KEYS])
    except ValueError:
        found.append(Error("RSSP_FACTOR_KEYS must be Fernet keys, separated by commas.", id="rssp.E011"))
    if settings.RSSP_APPROVAL_WAITS > 8:
        found.append(Warning("RSSP_APPROVAL_WAITS is more than half of a process's threads.", id="rssp.W010"))
    return found


@register(Tags.security)
def check_time_stamping(**_kwargs: Any) -> list[CheckMessage]:
    """``rssp.E020``: time-stamping that cannot work as it is set."""
    hint = "See the variables TSA_… in .env.example."
    wrong = {
        "TSA_TIME_SOURCE is neither kernel nor none.": settings.TSA_TIME_SOURCE not in {"kernel", "none"},
        "TSA_POLICY_OID is no object identifier.": bool(
            settings.TSA_POLICY_OID and not re.fullmatch(r"[012](?:\.(?:0|[1-9]\d*))+", settings.TSA_POLICY_OID)
        ),
        "TSA_ACCURACY_MILLISECONDS must be above 1.": timedelta(milliseconds=1) >= settings.TSA_ACCURACY,
        "TSA_RETENTION_DAYS must be above 0.": timedelta(0) >= settings.TSA_RETENTION,
    }
    return [Error(sentence, hint=hint, id="rssp.E020") for sentence, is_wrong in wrong.items() if is_wrong]


@register(Tags.security, deploy=True)
def check_time_source(**_kwargs: Any) -> list[CheckMessage]:
    """``rssp.W020`` nobody vouches for the clock; ``rssp.W021`` anybody may keep the HSM busy."""
    found: list[CheckMessage] = []
    if settings.TSA_TIME_SOURCE == "none":
        hint = "Discipline the clock and set TSA_TIME_SOURCE=kernel."
        found.append(Warning("Time-stamps state a time that nobody vouches for.", hint=hint, id="rssp.W020"))
    if not settings.TSA_TOKENS_PER_MINUTE and not settings.TSA_REQUIRES_BEARER:
        found.append(Warning("Anybody gets as many time-stamps as they like.", id="rssp.W021"))
    return found


@register(Tags.security)
def check_revocation(**_kwargs: Any) -> list[CheckMessage]:
    """``rssp.E030`` lists or answers that end before anybody has them, or lists of nothing; ``rssp.W030`` a
    list that is renewed less often than once a day (EN 319 411-1, 6.3.9)."""
    found: list[CheckMessage] = []
    if timedelta(hours=1) > settings.CRL_LIFETIME or timedelta(minutes=2) > settings.OCSP_LIFETIME:
        found.append(Error("CRL_LIFETIME_HOURS is 1 at least, OCSP_LIFETIME_MINUTES 2.", id="rssp.E030"))
    if settings.CRL_PARTITION_SIZE < 1:
        found.append(Error("CRL_PARTITION_SIZE is 1 at least.", id="rssp.E030"))
    if timedelta(hours=48) < settings.CRL_LIFETIME:
        found.append(Warning("With this CRL_LIFETIME_HOURS a list is not renewed every day.", id="rssp.W030"))
    return found


_LIMITS = (
    *("CSC_CALLS_PER_CLIENT", "CSC_CALLS_PER_ADDRESS", "OCSP_SIGNATURES_PER_ADDRESS", "OCSP_SIGNATURES"),
    "TSA_TOKENS_PER_MINUTE",
)


@register(Tags.security)
def check_qualifiers(**_kwargs: Any) -> list[CheckMessage]:
    """``rssp.E036``: SIGNATURE_QUALIFIERS names profiles that are not offered, or nothing that a client could ask
    for."""
    named, offered = settings.SIGNATURE_QUALIFIERS, settings.RSSP_CERTIFICATE_POLICIES
    # The demonstration's own stands there by default, offered or not.
    if all(
        (profile in offered or profile == "demonstration") and re.fullmatch(r"[A-Za-z0-9_.-]{1,255}", qualifier)
        for profile, qualifier in named.items()
    ):
        return []
    hint = "profile=qualifier, separated by commas, of profiles in RSSP_CERTIFICATE_POLICIES."
    return [Error("SIGNATURE_QUALIFIERS is malformed or names no such profile.", hint=hint, id="rssp.E036")]


@register(Tags.security)
def check_limits(**_kwargs: Any) -> list[CheckMessage]:
    """``rssp.E035``: limits that are no number a minute."""
    wrong = [name for name in _LIMITS if getattr(settings, name) < 0]
    return [Error(f"{name} must be 0 (no limit) or above.", id="rssp.E035") for name in wrong]


@register(Tags.security, deploy=True)
def check_open_limits(**_kwargs: Any) -> list[CheckMessage]:
    """``rssp.W035``: callers that may keep the service busy. Time-stamps are ``rssp.W021``'s."""
    open_ = [name for name in _LIMITS[:-1] if not getattr(settings, name)]
    return [Warning(f"{name} is 0: nothing bounds what one caller may ask.", id="rssp.W035") for name in open_]


_APPROVAL_SECONDS = (30, 900)


@register(Tags.security)
def check_external_issuer(**_kwargs: Any) -> list[CheckMessage]:
    """``rssp.E060`` another provider's tokens would sign for too long, or hardly at all; ``rssp.W060`` its tokens open
    keys without a passkey."""
    if not settings.EXTERNAL_ISSUER:
        return []
    found: list[CheckMessage] = []
    shortest, longest = _APPROVAL_SECONDS
    if not shortest <= settings.EXTERNAL_APPROVAL_SECONDS <= longest:
        found.append(Error(f"EXTERNAL_APPROVAL_SECONDS is {shortest} to {longest}.", id="rssp.E060"))
    hint = "One signature a token, SCAL 1, for credentials of the mode external alone."
    found.append(Warning("EXTERNAL_ISSUER's tokens sign without a passkey's approval.", hint=hint, id="rssp.W060"))
    return found
