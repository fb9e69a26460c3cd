"""What ``info`` tells of this service: what is built, and nothing else."""

import base64

from django.conf import settings
from django.utils.translation import gettext as _

from rssp.algorithms import KEY_ALGORITHMS, RSASSA_PSS, sign_algos
from rssp.services.languages import current_language
from rssp.wire import ServiceDescription, Version

_BOTH = (
    *("info", "credentials/list", "credentials/info", "credentials/authorize", "credentials/extendTransaction"),
    *("credentials/sendOTP", "signatures/signHash", "signatures/timestamp"),
)
METHODS: dict[Version, tuple[str, ...]] = {
    1: _BOTH,
    2: (
        *_BOTH,
        "credentials/create",
        "credentials/delete",
        "credentials/changePasskeys",
        "credentials/prepareCertificate",
        "credentials/authorizeCheck",
        "credentials/getChallenge",
        "signatures/signPolling",
    ),
}
# Of the algorithms offered only RSASSA-PSS has parameters; these are SHA-256, MGF1 with SHA-256 and a salt of 32 bytes.
_PARAMETERS = {
    RSASSA_PSS: base64.b64decode("MDSgDzANBglghkgBZQMEAgEFAKEcMBoGCSqGSIb3DQEBCDANBglghkgBZQMEAgEFAKIDAgEg"),
}


def list_methods(version: Version) -> tuple[str, ...]:
    """With those that the authorization server answers below our addresses (`settings.CSC_AUTH`)."""
    built = METHODS[version]
    if settings.CSC_AUTH:
        built += ("auth/login", "auth/revoke") if settings.CSC_LOGIN else ("auth/revoke",)
    return built


def list_auth_types() -> tuple[str, ...]:
    """How a service token is to be had (CSC API, 11.1)."""
    basic = ("basic",) if settings.CSC_AUTH and settings.CSC_LOGIN else ()
    return (*basic, "oauth2code", "oauth2client")


def describe_service(*, version: Version) -> ServiceDescription:
    offered = dict.fromkeys(oid for name in KEY_ALGORITHMS for oid in sign_algos(name))
    return ServiceDescription(
        name=settings.RSSP_NAME,
        logo=settings.RSSP_LOGO,
        region=settings.RSSP_REGION,
        description=settings.RSSP_DESCRIPTION or _("Signs digests that their signers approved with a passkey"),
        issuer=settings.ISSUER,
        oauth2=f"{settings.CSC_BASE_URL}/v1/" if settings.CSC_AUTH else f"{settings.ISSUER}/",
        auth_types=list_auth_types(),
        methods=list_methods(version),
        # An operator's own words are in the service's own language.
        language=settings.LANGUAGE_CODE if settings.RSSP_DESCRIPTION else current_language(),
        sign_algos=tuple((oid, _PARAMETERS.get(oid)) for oid in offered),
    )
