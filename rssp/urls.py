"""The addresses of the CSC API (docs/protocols.md, section 7) and of what the authority publishes."""

from django.conf import settings
from django.urls import path, re_path

from rssp.views import (
    csc,
    explicit,
    identity,
    keeping,
    openapi,
    operators,
    operators_openapi,
    pki,
    revocation,
    timestamping,
    trust,
)
from rssp.views.endpoint import not_implemented

app_name = "rssp"

# The authorization server's, and asked of it wherever the composition or a proxy sends them there.
AUTH: tuple[str, ...] = () if settings.CSC_AUTH else ("auth/login", "auth/revoke")
# The rest of the specifications' methods: known, and not built.
NOT_BUILT = {
    1: AUTH,
    2: (*AUTH, "signatures/signDoc"),
}
_BUILT = {
    "info": csc.info,
    "credentials/list": csc.credentials_list,
    "credentials/info": csc.credentials_info,
    "credentials/extendTransaction": csc.credentials_extend_transaction,
    "credentials/authorize": explicit.credentials_authorize,
    "credentials/sendOTP": explicit.credentials_send_otp,
    "signatures/signHash": csc.sign_hash,
    "signatures/timestamp": timestamping.timestamp,
}
_BUILT_IN_VERSION_2 = {
    "credentials/create": csc.credentials_create,
    "credentials/delete": csc.credentials_delete,
    "credentials/changePasskeys": csc.credentials_change_passkeys,
    "credentials/identified": identity.credentials_identified,
    "credentials/identify": identity.credentials_identify,
    "credentials/prepareCertificate": csc.credentials_prepare_certificate,
    "credentials/authorizeCheck": explicit.credentials_authorize_check,
    "credentials/getChallenge": explicit.credentials_get_challenge,
    "signatures/signPolling": csc.sign_polling,
}

urlpatterns = [
    *(
        path(f"csc/v{version}/{method}", view, {"version": version}, name=f"v{version}/{method}")
        for version in (1, 2)
        for method, view in _BUILT.items()
    ),
    *(
        path(f"csc/v2/{method}", view, {"version": 2}, name=f"v2/{method}")
        for method, view in _BUILT_IN_VERSION_2.items()
    ),
    *(
        path(f"csc/v{version}/{method}", not_implemented, {"version": version}, name=f"v{version}/{method}")
        for version, methods in NOT_BUILT.items()
        for method in methods
    ),
    *(
        path(f"csc/v{version}{address}", view, {"version": version}, name=f"v{version}_{name}")
        for version in (1, 2)
        for address, view, name in (
            ("", openapi.page, "api"),
            ("/openapi.json", openapi.description, "openapi"),
            ("/postman.json", openapi.collection, "postman"),
        )
    ),
    path("rssp/operators/v1", operators_openapi.page, name="operators_api"),
    path("rssp/operators/v1/openapi.json", operators_openapi.description, name="operators_openapi"),
    path("rssp/operators/v1/postman.json", operators_openapi.collection, name="operators_postman"),
    path("rssp/operators/v1/credentials", operators.credentials, name="operators_credentials"),
    path("rssp/operators/v1/credentials/<str:credential_id>", operators.credential, name="operators_credential"),
    *(
        path(f"rssp/operators/v1/credentials/<str:credential_id>/{act}", view, name=f"operators_credential_{act}")
        for act, view in operators.CREDENTIAL_ACTS.items()
    ),
    path("rssp/operators/v1/requests", operators.certificate_requests, name="operators_requests"),
    path("rssp/operators/v1/requests/<str:number>", operators.certificate_request, name="operators_request"),
    *(
        path(f"rssp/operators/v1/requests/<str:number>/{act}", view, name=f"operators_request_{act}")
        for act, view in operators.REQUEST_ACTS.items()
    ),
    path("rssp/operators/v1/counts", operators.counts, name="operators_counts"),
    path("csc/healthz", keeping.health, name="health"),
    path("rssp/tend-keys", keeping.tend, name="tend_keys"),
    path("pki/", trust.page, name="trust"),
    path("pki/authorities.p7b", trust.chain, name="chain"),
    path("pki/<slug:name>.pem", pki.certificate_pem, name="certificate_pem"),
    path("pki/<slug:name>.cer", pki.certificate_der, name="certificate_der"),
    path("pki/<slug:name>.crl", revocation.revocation_list, name="revocation_list"),
    path("pki/<slug:name>/<int:partition>.crl", revocation.revocation_list, name="partitioned_revocation_list"),
    path("pki/ocsp", revocation.ocsp, name="ocsp"),
    # Base64 in the address has slashes, and lines where somebody broke it.
    re_path(r"^pki/ocsp/(?P<encoded>[\s\S]*)$", revocation.ocsp, name="ocsp_get"),
    path("pki/tsa", timestamping.tsa, name="tsa"),
]
