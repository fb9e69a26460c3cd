"""The table of the API's methods: what each is for, what it takes, what it answers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from rssp.openapi.schemas import (
    CLIENT_DATA,
    HASH_ALGORITHM,
    LANGUAGE,
    SHOWN,
    Schema,
    array,
    base64,
    boolean,
    closed,
    credential,
    credential_extras,
    hashes,
    integer,
    oid,
    opened,
    string,
)
from rssp.wire import PASSKEY_ACTIONS, REVOCATION_REASONS, Version

Security = Literal["none", "service", "service or credential", "creation", "deletion", "binding", "basic"]
Shape = Callable[[Version], Schema]


def _empty(_version: Version) -> Schema:
    return {}


@dataclass(frozen=True)
class Method:
    """``answers`` maps a success's status to its shape; a shape of ``{}`` is no body at all."""

    name: str
    summary: str
    clauses: Mapping[Version, str]
    request: Shape
    answers: Mapping[int, Shape]
    security: Mapping[Version, Security] = field(default_factory=lambda: {1: "service", 2: "service"})
    description: str = ""


_CREDENTIAL_ID = {"credentialID": string("One of credentials/list.")}


# --- Service ------------------------------------------------------------------------------------------------


def _info_answer(version: Version) -> Schema:
    required = {name: string() for name in ("specs", "name", "logo", "region", "lang", "description")}
    lists = {"authType": array(string()), "methods": array(string())}
    if version == 1:
        return closed(required | lists, {"oauth2": string("Base of the OAuth 2 endpoints.")})
    return closed(
        required
        | lists
        | {
            "signAlgorithms": closed(
                {"algos": array(oid())}, {"algoParams": array({"type": ["string", "null"]}, "By the index of algos.")}
            ),
            "signature_formats": closed(
                {"formats": array(string(enum=["C", "X", "P", "J"]))},
                {"envelope_properties": array(array(string()), "One array for each of formats.")},
            ),
            "conformance_levels": array(string()),
        },
        {
            "oauth2": string(),
            "oauth2Issuer": string("RFC 8414 issuer."),
            "asynchronousOperationMode": boolean(),
            "validationInfo": boolean(),
            "supportsRar": boolean(),
            "supportedHashTypes": array(string()),
            "documentTypes": array(string()),
        },
    )


def _login_answer(_version: Version) -> Schema:
    return closed({"access_token": string()}, {"refresh_token": string(), "expires_in": integer(minimum=1)})


# --- Credentials --------------------------------------------------------------------------------------------


def _list_request(version: Version) -> Schema:
    user = {"userID": string("Whose credentials; only with a token that names no person.")}
    if version == 1:
        return opened({}, user | {"maxResults": integer(minimum=1), "pageToken": string()} | CLIENT_DATA)
    return opened(
        {},
        user | {"credentialInfo": boolean(), "onlyValid": boolean()} | SHOWN | LANGUAGE | CLIENT_DATA,
    )


def _list_answer(version: Version) -> Schema:
    required = {"credentialIDs": array(string())}
    if version == 1:
        return closed(required, {"nextPageToken": string()})
    one = closed({"credentialID": string()} | credential(version), credential_extras(version))
    return closed(required, {"credentialInfos": array(one), "onlyValid": boolean(), "certificateRequests": array(one)})


def _info_request(_version: Version) -> Schema:
    return opened(_CREDENTIAL_ID, SHOWN | LANGUAGE | CLIENT_DATA)


def _credential_answer(version: Version) -> Schema:
    return closed(credential(version), credential_extras(version))


def _create_request(_version: Version) -> Schema:
    wanted = opened({"certificatePolicy": string(), "keyAlgorithm": string(examples=["rsa-2048", "ec-p256"])})
    return opened({"credentialCreationRequest": wanted}, SHOWN | LANGUAGE | CLIENT_DATA)


def _delete_request(_version: Version) -> Schema:
    reason = string("Only where it is to be revoked.", enum=list(REVOCATION_REASONS))
    wanted = opened({"credentialID": string()}, {"revoke": boolean("Absent: false."), "revocationReason": reason})
    return opened({"credentialDeletionRequest": wanted}, CLIENT_DATA)


def _passkeys_request(_version: Version) -> Schema:
    action = string(enum=list(PASSKEY_ACTIONS))
    return opened({"credentialID": string(), "action": action}, CLIENT_DATA)


def _passkeys_answer(_version: Version) -> Schema:
    one = closed({"passkeyID": string("base64url"), "boundAt": string("GeneralizedTime")})
    return closed({"credentialID": string(), "passkeys": array(one)})


def _identify_request(_version: Version) -> Schema:
    return opened({"credentialID": string(), "state": string()}, CLIENT_DATA)


def _identify_answer(_version: Version) -> Schema:
    return closed({"authorizationURL": string()})


def _identified_request(_version: Version) -> Schema:
    return opened({"credentialID": string(), "code": string(), "state": string()}, {"iss": string()} | CLIENT_DATA)


def _create_answer(version: Version) -> Schema:
    return closed({"credentialID": string()} | credential(version), credential_extras(version))


def _authorize_request(version: Version) -> Schema:
    required = _CREDENTIAL_ID | {"numSignatures": integer("At most multisign.", minimum=1)}
    optional = hashes(version, "What may be signed; required where SCAL is 2.") | {
        "description": string("Shown to the signer.", maxLength=500)
    }
    if version == 1:
        return opened(required, optional | {"PIN": string(), "OTP": string()} | CLIENT_DATA)
    value = opened({"id": string()}, {"value": string()})
    return opened(required, optional | {"hashAlgorithmOID": oid(), "authData": array(value)} | CLIENT_DATA)


def _sad_answer(_version: Version) -> Schema:
    return closed({"SAD": string("Authorises the signatures.")}, {"expiresIn": integer("Seconds.", minimum=1)})


def _handle_answer(_version: Version) -> Schema:
    return closed({"handle": string("For credentials/authorizeCheck.")})


def _check_request(_version: Version) -> Schema:
    return opened({"handle": string()}, CLIENT_DATA)


def _challenge_request(_version: Version) -> Schema:
    return opened(_CREDENTIAL_ID | {"authObjectID": string()}, LANGUAGE | CLIENT_DATA)


def _challenge_answer(_version: Version) -> Schema:
    return closed({"challenge": string()})


def _extend_request(version: Version) -> Schema:
    optional = hashes(version, "The next ones, where they have to be bound.")
    if version == 2:
        optional |= {"hashAlgorithmOID": oid()}
    return opened(_CREDENTIAL_ID | {"SAD": string("The current one; it ends.")}, optional | CLIENT_DATA)


def _otp_request(_version: Version) -> Schema:
    return opened(_CREDENTIAL_ID, LANGUAGE | CLIENT_DATA)


# --- Signatures ---------------------------------------------------------------------------------------------


def _sign_request(version: Version) -> Schema:
    required = _CREDENTIAL_ID | hashes(version, "Digests, base64.") | {"signAlgo": oid("One of key.algo.")}
    optional = {
        "signAlgoParams": base64("DER parameters of RSASSA-PSS."),
        HASH_ALGORITHM[version]: oid("Where signAlgo does not imply it."),
    }
    sad = {"SAD": string("Of credentials/authorize, or a token of scope credential.")}
    if version == 1:
        return opened(required | sad, optional | CLIENT_DATA)
    return opened(
        required,
        sad
        | optional
        | {
            "operationMode": string("S answers at once, A with a responseID.", enum=["S", "A"], default="S"),
            "validity_period": integer("Milliseconds that the result is kept; mode A.", minimum=1),
            "response_uri": string("Is told when the result is there; mode A.", format="uri"),
        }
        | CLIENT_DATA,
    )


def _sign_answer(version: Version) -> Schema:
    told = closed({"signatures": array(base64(), "In the order of the hashes.", minItems=1)})
    if version == 1:
        return told
    return {"oneOf": [told, closed({"responseID": string("For signatures/signPolling.")})]}


def _polling_request(_version: Version) -> Schema:
    user = {"userID": string("Whose call it was; only with a token that names no person.")}
    return opened({"requestID": string("A responseID.")}, user | CLIENT_DATA)


def _polling_answer(_version: Version) -> Schema:
    return closed({"signatures": array(base64(), minItems=1)})


def _accepted_answer(_version: Version) -> Schema:
    return closed({"error": string(), "error_description": string()}, {"request_id": string()})


def _timestamp_request(_version: Version) -> Schema:
    return opened(
        {"hash": base64("One digest."), "hashAlgo": oid()},
        {"nonce": string("Hexadecimal.", pattern="^[0-9A-Fa-f]{1,128}$")} | CLIENT_DATA,
    )


METHODS: tuple[Method, ...] = (
    Method(
        "info",
        "What this service offers",
        {1: "11.1", 2: "11.1"},
        lambda _version: opened({}, LANGUAGE),
        {200: _info_answer},
        {1: "none", 2: "none"},
    ),
    Method(
        "auth/login",
        "A service token for a user name and a password",
        {1: "11.2", 2: "11.2"},
        lambda _version: opened({}, {"refresh_token": string(), "rememberMe": boolean()} | CLIENT_DATA),
        {200: _login_answer},
        {1: "basic", 2: "basic"},
        "A password alone, so its token opens no credential that a passkey guards.",
    ),
    Method(
        "auth/revoke",
        "Ends a token",
        {1: "11.3", 2: "11.3"},
        lambda _version: opened(
            {"token": string()},
            {"token_type_hint": string(enum=["access_token", "refresh_token"])} | CLIENT_DATA,
        ),
        {204: _empty},
    ),
    Method(
        "credentials/list",
        "The user's credentials",
        {1: "11.4", 2: "11.4"},
        _list_request,
        {200: _list_answer},
    ),
    Method(
        "credentials/info",
        "One credential: its key, its certificate, how it is authorised",
        {1: "11.5", 2: "11.5"},
        _info_request,
        {200: _credential_answer},
        {1: "service", 2: "service or credential"},
    ),
    Method(
        "credentials/create",
        "A new key with its certificate, bound to the passkey that approved it",
        {2: "11.4 of 2.2"},
        _create_request,
        {201: _create_answer, 202: _create_answer},
        {2: "creation"},
    ),
    Method(
        "credentials/delete",
        "Ends a credential for good: its key is destroyed",
        {2: "11.5 of 2.2"},
        _delete_request,
        {204: _empty},
        {2: "deletion"},
        "The certificate is revoked only where that is asked for.",
    ),
    Method(
        "credentials/changePasskeys",
        "Lets a further passkey sign with a credential, or stops one",
        {2: "our own"},
        _passkeys_request,
        {200: _passkeys_answer},
        {2: "binding"},
        "Approved with a passkey that is bound to the credential already. Which one is meant stands in the approval.",
    ),
    Method(
        "credentials/identify",
        "Where the owner of a request shows who they are",
        {2: "our own"},
        _identify_request,
        {201: _identify_answer},
        description="Of a request with the member identityProvider. The address is another OpenID provider's.",
    ),
    Method(
        "credentials/identified",
        "What came back from there",
        {2: "our own"},
        _identified_request,
        {200: _create_answer},
        description="Each state is good once. The request is decided, or waits for an operator, as its policy says.",
    ),
    Method(
        "credentials/prepareCertificate",
        "A key and a certificate for one signature",
        {2: "our own"},
        _info_request,
        {201: _create_answer},
        description="Of a credential with the member shortLived. One approval of what is answered opens it, once.",
    ),
    Method(
        "credentials/authorize",
        "Authorises signatures with factors that the application collects",
        {1: "11.6", 2: "11.6"},
        _authorize_request,
        {200: _sad_answer, 202: _handle_answer},
        description="For mode explicit. Mode oauth2code is authorised at the authorization server.",
    ),
    Method(
        "credentials/authorizeCheck",
        "Whether the signer has answered elsewhere",
        {2: "11.7"},
        _check_request,
        {200: _sad_answer, 202: _handle_answer},
    ),
    Method(
        "credentials/getChallenge",
        "A challenge, told or sent",
        {2: "11.8"},
        _challenge_request,
        {200: _challenge_answer, 204: _empty},
    ),
    Method(
        "credentials/extendTransaction",
        "A new SAD for what is left of an authorisation",
        {1: "11.7", 2: "11.9"},
        _extend_request,
        {200: _sad_answer},
    ),
    Method(
        "credentials/sendOTP",
        "Sends a one-time password",
        {1: "11.8", 2: "11.8 of version 1"},
        _otp_request,
        {204: _empty},
    ),
    Method(
        "signatures/signHash",
        "Signs digests that were authorised",
        {1: "11.9", 2: "11.10"},
        _sign_request,
        {200: _sign_answer},
        {1: "service", 2: "service or credential"},
        "All of them or none. Each authorised occurrence of a digest is signed once.",
    ),
    Method(
        "signatures/signPolling",
        "The result of a call of mode A",
        {2: "11.12"},
        _polling_request,
        {200: _polling_answer, 202: _accepted_answer},
        {2: "service or credential"},
    ),
    Method(
        "signatures/timestamp",
        "A time-stamp token over a digest (RFC 3161)",
        {1: "11.10", 2: "11.13"},
        _timestamp_request,
        {200: lambda _version: closed({"timestamp": base64("A time-stamp token, DER.")})},
    ),
)
