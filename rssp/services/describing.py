"""What ``info`` tells of this service: what is built, and nothing else."""

import base64

from django.conf import settings

from rssp.algorithms import KEY_ALGORITHMS, RSASSA_PSS, sign_algos
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
        "credentials/authorizeCheck",
        "credentials/getChallenge",
        "signatures/signPolling",
    ),
}
# Of the algorithms offered only RSASSA-PSS has parameters; these are SHA-256, MGF1 with SHA-256 and a salt of 32 bytes.
_PARAMETERS = {
    RSASSA_PSS: base64.b64decode("MDSgDzANBglghkgBZQMEAgEFAKEcMBoGCSqGSIb3DQEBCDANBglghkgBZQMEAgEFAKIDAgEg"),
}


def describe_service(*, version: Version) -> ServiceDescription:
    offered = dict.fromkeys(oid for name in KEY_ALGORITHMS for oid in sign_algos(name))
    return ServiceDescription(
        name=settings.RSSP_NAME,
        logo=settings.RSSP_LOGO,
        region=settings.RSSP_REGION,
        description=settings.RSSP_DESCRIPTION,
        issuer=settings.ISSUER,
        methods=METHODS[version],
        sign_algos=tuple((oid, _PARAMETERS.get(oid)) for oid in offered),
    )
