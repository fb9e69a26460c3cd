"""The contract: each method, its clauses, and the answer to each case. Read it beside the specification.

Sentences are the protocol's constants. Where the texts contradict one another, the row takes what the majority of
implementations reads; where they are silent there is no row.
"""

from tests.conformance.oauth_tables import OAUTH
from tests.conformance.rows import Answer, Row, Version, bad, having, invalid, missing, raw, without

BEARER_1 = (
    "The request is missing a required parameter, includes an invalid parameter value, includes a parameter more than "
    "once, or is otherwise malformed."
)
BEARER_1R = BEARER_1.replace("a required parameter", "a REQUIRED parameter")
BEARER_2 = "Malformed authorization header."
MISSPELLED = "Malformed authroization header."  # as v1, 11.8 has it

CLAUSES: dict[str, dict[int, str]] = {
    "info": {1: "11.1", 2: "11.1"},
    "auth/login": {1: "11.2", 2: "11.2"},
    "auth/revoke": {1: "11.3", 2: "11.3"},
    "credentials/list": {1: "11.4", 2: "11.4"},
    "credentials/info": {1: "11.5", 2: "11.5"},
    "credentials/authorize": {1: "11.6", 2: "11.6"},
    "credentials/authorizeCheck": {2: "11.7"},
    "credentials/getChallenge": {2: "11.8"},
    "credentials/extendTransaction": {1: "11.7", 2: "11.9"},
    "credentials/sendOTP": {1: "11.8", 2: "11.8 (v1)"},
    "credentials/create": {2: "11.4 (v2.2)"},
    "credentials/delete": {2: "11.5 (v2.2)"},
    "signatures/signHash": {1: "11.9", 2: "11.10"},
    "signatures/signDoc": {2: "11.11"},
    "signatures/signPolling": {2: "11.12"},
    "signatures/timestamp": {1: "11.10", 2: "11.13"},
}
METHODS: dict[Version, tuple[str, ...]] = {
    1: tuple(method for method, clauses in CLAUSES.items() if 1 in clauses),
    2: tuple(method for method, clauses in CLAUSES.items() if 2 in clauses),
}

_HEADERS: dict[str, dict[int, str]] = {
    "auth/revoke": {1: BEARER_1R, 2: BEARER_2},
    "credentials/list": {1: BEARER_1, 2: BEARER_2},
    "credentials/info": {1: BEARER_1, 2: BEARER_2},
    "credentials/authorize": {1: BEARER_1, 2: BEARER_2},
    "credentials/authorizeCheck": {2: BEARER_2},
    "credentials/getChallenge": {2: BEARER_2},
    "credentials/extendTransaction": {1: BEARER_1R, 2: BEARER_2},
    "credentials/sendOTP": {1: MISSPELLED, 2: BEARER_2},
    "credentials/create": {2: BEARER_2},
    "credentials/delete": {2: BEARER_2},
    "signatures/signHash": {1: BEARER_1, 2: BEARER_2},
    "signatures/signPolling": {2: BEARER_2},
    "signatures/timestamp": {1: BEARER_1, 2: BEARER_2},
}
_EXPLICIT = frozenset({"explicit"})
_UNSIGNED = having(hashes=["A" * 43 + "="])
_SHA1 = "1.3.14.3.2.26"
_RSA_ENCRYPTION = "1.2.840.113549.1.1.1"
_RSASSA_PSS = "1.2.840.113549.1.1.10"


def _header_rows() -> list[Row]:
    """Every method that wants a token, without one, with something else, and with one that nobody issued."""
    rows = []
    for method, sentences in _HEADERS.items():
        versions: tuple[Version, ...] = tuple(version for version in (1, 2) if version in sentences)
        answer = bad(sentences)
        rows += [
            Row(method, "no Authorization header", answer, authorization=None, versions=versions),
            Row(method, "the header is not Bearer", answer, authorization="Basic dXNlcjpwYXNz", versions=versions),
            Row(method, "the header is Bearer without a token", answer, authorization="Bearer", versions=versions),
            Row(
                method,
                "a token that nobody issued",
                Answer(401, "invalid_token", "The token provided is not a valid OAuth access or refresh token."),
                authorization="Bearer bm9ib2R5LWlzc3VlZC10aGlz",
                versions=versions,
            ),
        ]
    return rows


def _body_rows() -> list[Row]:
    """What is not one JSON object (10.1)."""
    cases = {
        "no JSON": b"PIN=1",
        "an array": b"[]",
        "a string": b'"credentialID"',
        "cut off": b'{"lang": "en"',
        "a member twice": b'{"lang": "en", "lang": "fr"}',
        "NaN": b'{"lang": NaN}',
        "a number of 5,000 digits": b'{"lang": ' + b"9" * 5000 + b"}",
        "100,000 levels deep": b'{"lang": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        "UTF-16": '{"lang": "en"}'.encode("utf-16"),
        "half a surrogate pair": b'{"lang": "\\ud800"}',
    }
    return [
        Row("info", f"the body is {case}", Answer(400, "invalid_request"), raw(content), authorization=None)
        for case, content in cases.items()
    ]


INFO = (
    Row("info", "no parameter", Answer(200, shape="info"), authorization=None),
    Row("info", "a language", Answer(200, shape="info"), having(lang="fr-CA"), authorization=None),
    Row("info", "a language that nobody speaks", Answer(200, shape="info"), having(lang="xx"), authorization=None),
    Row("info", "a long language", Answer(200, shape="info"), having(lang="fr" * 2000), authorization=None),
    Row("info", "an unknown member", Answer(200, shape="info"), having(surprise=[1]), authorization=None),
)

LOGIN = (
    Row("auth/login", "user and password", Answer(200, shape="login"), authorization="basic"),
    Row("auth/login", "rememberMe", Answer(200, shape="login"), having(rememberMe=True), authorization="basic"),
    Row(
        "auth/login",
        "no header and no refresh_token",
        Answer(401, "invalid_request", "Malformed authentication parameter."),
        authorization=None,
    ),
    Row(
        "auth/login",
        "the header is Bearer",
        Answer(401, "invalid_request", "Malformed authentication parameter."),
        authorization="Bearer dXNlcjpwYXNz",
    ),
    Row("auth/login", "no colon in the header", bad("Malformed username-password."), authorization="Basic dXNlcg=="),
    Row(
        "auth/login",
        "refresh_token is a number",
        bad("Invalid string parameter: refresh_token"),
        having(refresh_token=1),
        authorization=None,
    ),
    Row(
        "auth/login",
        "refresh_token is unknown",
        bad("Invalid refresh_token"),
        having(refresh_token="bm9ib2R5LWlzc3VlZC10aGlz"),
        authorization=None,
    ),
    Row(
        "auth/login",
        "a wrong password",
        bad("An error occurred during authentication process", error="authentication_error"),
        authorization="wrong basic",
        needs=frozenset({"basic"}),
    ),
    Row(
        "auth/login",
        "an unknown user",
        bad("An error occurred during authentication process", error="authentication_error"),
        authorization="Basic bm9ib2R5QGV4YW1wbGUub3JnOndyb25n",
    ),
)

REVOKE = (
    Row("auth/revoke", "the token itself", Answer(204), good="own token", authorization="fresh token"),
    Row("auth/revoke", "no token", missing("token"), without("token")),
    Row("auth/revoke", "the token is a number", missing("token"), having(token=1)),
    Row(
        "auth/revoke",
        "an unknown hint",
        bad("Invalid string parameter token_type_hint"),
        having(token_type_hint="id_token"),
    ),
    Row("auth/revoke", "an unknown token", bad("Invalid string parameter token"), having(token="bm9ib2R5LWlz")),
)

LIST = (
    Row("credentials/list", "no parameter", Answer(200, shape="list")),
    Row("credentials/list", "maxResults", Answer(200, shape="list of one"), having(maxResults=1), versions=(1,)),
    Row(
        "credentials/list",
        "maxResults is too large",
        Answer(200, shape="list"),
        having(maxResults=10**9),
        versions=(1,),
    ),
    Row("credentials/list", "a bad pageToken", invalid("pageToken"), having(pageToken="nobody"), versions=(1,)),
    Row(
        "credentials/list",
        "userID with a user's own token",
        bad("userID parameter MUST be null"),
        having(userID="alice"),
        authorization="user token",
    ),
    Row(
        "credentials/list",
        "userID of a number, no person's token",
        invalid("userID"),
        having(userID=7),
        authorization="seal token",
    ),
    Row(
        "credentials/list",
        "userID, no person's token",
        Answer(200, shape="list"),
        good="user",
        authorization="seal token",
    ),
    Row(
        "credentials/list",
        "credentialInfo",
        Answer(200, shape="list with infos"),
        having(credentialInfo=True, certificates="chain", certInfo=True, authInfo=True),
        versions=(2,),
    ),
    Row(
        "credentials/list",
        "certificates is none of three",
        invalid("certificates"),
        having(credentialInfo=True, certificates="all"),
        versions=(2,),
    ),
    Row("credentials/list", "onlyValid", Answer(200, shape="list"), having(onlyValid=True), versions=(2,)),
)

CREDENTIAL = (
    Row(
        "credentials/info",
        "everything",
        Answer(200, shape="credential"),
        having(certificates="chain", certInfo=True, authInfo=True),
    ),
    Row("credentials/info", "certificates none", Answer(200, shape="credential"), having(certificates="none")),
    Row("credentials/info", "no credentialID", missing("credentialID"), without("credentialID")),
    Row("credentials/info", "credentialID is a number", missing("credentialID"), having(credentialID=1)),
    Row("credentials/info", "credentialID is unknown", invalid("credentialID"), having(credentialID="nobody")),
    Row("credentials/info", "certificates is none of three", invalid("certificates"), having(certificates="all")),
)

AUTHORIZE = (
    Row("credentials/authorize", "the right PIN", Answer(200, shape="sad"), needs=_EXPLICIT),
    Row("credentials/authorize", "no credentialID", missing("credentialID"), without("credentialID"), needs=_EXPLICIT),
    Row(
        "credentials/authorize",
        "credentialID is a list",
        missing("credentialID"),
        having(credentialID=[]),
        needs=_EXPLICIT,
    ),
    Row(
        "credentials/authorize",
        "credentialID is unknown",
        invalid("credentialID"),
        having(credentialID="x"),
        needs=_EXPLICIT,
    ),
    Row(
        "credentials/authorize",
        "the credential is disabled",
        bad("The credential identified by credentialID is disabled"),
        good="disabled",
    ),
    *(
        Row(
            "credentials/authorize",
            f"numSignatures is {case}",
            missing("numSignatures", "integer"),
            change,
            needs=_EXPLICIT,
        )
        for case, change in (
            ("missing", without("numSignatures")),
            ("a string", having(numSignatures="1")),
            ("true", having(numSignatures=True)),
            ("1.5", having(numSignatures=1.5)),
            ("null", having(numSignatures=None)),
        )
    ),
    *(
        Row(
            "credentials/authorize",
            f"numSignatures is {number}",
            bad("Invalid value for parameter numSignatures"),
            having(numSignatures=number),
            needs=_EXPLICIT,
        )
        for number in (0, -1)
    ),
    *(
        Row(
            "credentials/authorize",
            f"numSignatures is {number}",
            bad("Numbers of signatures is too high"),
            having(numSignatures=number),
            needs=_EXPLICIT,
        )
        for number in (10**6, 2**63)
    ),
    Row(
        "credentials/authorize",
        "a wrong PIN",
        bad("The PIN is invalid", error="invalid_pin"),
        having(PIN="000000wrong"),
        versions=(1,),
        needs=_EXPLICIT,
    ),
    Row(
        "credentials/authorize",
        "a wrong PIN",
        bad("The authentication data is invalid", error="invalid_authentication_data"),
        good="wrong PIN",
        versions=(2,),
        needs=_EXPLICIT,
    ),
    Row(
        "credentials/authorize",
        "a wrong OTP",
        bad("The OTP is invalid", error="invalid_otp"),
        good="wrong OTP",
        versions=(1,),
    ),
    Row("credentials/authorize", "the PIN is locked", bad("PIN locked"), good="locked", versions=(1,)),
    Row("credentials/authorize", "the credential is locked", bad("Credential locked"), good="locked", versions=(2,)),
    Row(
        "credentials/authorize", "clientData is a number", invalid("clientData"), having(clientData=1), needs=_EXPLICIT
    ),
    Row(
        "credentials/authorize",
        "a hash in base64url",
        bad("Invalid Base64 hash string parameter"),
        having(hashes=["_" * 43 + "="], hashAlgorithmOID="2.16.840.1.101.3.4.2.1"),
        versions=(2,),
        needs=_EXPLICIT,
    ),
    Row(
        "credentials/authorize",
        "authorised elsewhere",
        Answer(202, shape="handle"),
        good="implicit",
        versions=(2,),
    ),
)

CHECK = (
    Row("credentials/authorizeCheck", "no handle", Answer(400, "invalid_request"), without("handle"), versions=(2,)),
    Row("credentials/authorizeCheck", "a bad handle", invalid("handle"), having(handle="nobody"), versions=(2,)),
    Row("credentials/authorizeCheck", "still waiting", Answer(202, shape="handle"), good="waiting", versions=(2,)),
)

CHALLENGE = (
    Row(
        "credentials/getChallenge",
        "a bad credentialID",
        invalid("credentialID"),
        having(credentialID="x"),
        versions=(2,),
        good="challenge",
    ),
    Row(
        "credentials/getChallenge",
        "a bad authObjectID",
        invalid("authObjectID"),
        having(authObjectID="x"),
        versions=(2,),
        good="challenge",
    ),
    Row("credentials/getChallenge", "sent", Answer(204), versions=(2,), good="challenge"),
)

SEND_OTP = (
    Row("credentials/sendOTP", "sent", Answer(204), good="online OTP"),
    Row("credentials/sendOTP", "no credentialID", missing("credentialID"), without("credentialID")),
    Row("credentials/sendOTP", "credentialID is a number", missing("credentialID"), having(credentialID=1)),
    Row("credentials/sendOTP", "credentialID is unknown", invalid("credentialID"), having(credentialID="nobody")),
)

EXTEND = (
    Row("credentials/extendTransaction", "the current SAD", Answer(200, shape="sad"), needs=_EXPLICIT),
    Row("credentials/extendTransaction", "no SAD", missing("SAD"), without("SAD"), needs=_EXPLICIT),
    Row("credentials/extendTransaction", "an unknown SAD", invalid("SAD"), having(SAD="bm9ib2R5"), needs=_EXPLICIT),
    Row(
        "credentials/extendTransaction",
        "no credentialID",
        missing("credentialID"),
        without("credentialID"),
        needs=_EXPLICIT,
    ),
    Row("credentials/extendTransaction", "the SAD has expired", bad("SAD expired"), good="expired SAD"),
    Row(
        "credentials/extendTransaction",
        "the SAD was extended before",
        invalid("SAD"),
        good="extended SAD",
        needs=_EXPLICIT,
    ),
)

SIGN_HASH = (
    Row("signatures/signHash", "a hash that was authorised", Answer(200, shape="signatures"), needs=_EXPLICIT),
    Row(
        "signatures/signHash",
        "the implied hash algorithm is said twice",
        Answer(200, shape="signatures"),
        having(hash_algorithm="2.16.840.1.101.3.4.2.1"),
        needs=_EXPLICIT,
    ),
    Row("signatures/signHash", "no SAD", missing("SAD"), without("SAD"), needs=_EXPLICIT),
    Row("signatures/signHash", "the SAD is a number", missing("SAD"), having(SAD=1), needs=_EXPLICIT),
    Row("signatures/signHash", "an unknown SAD", invalid("SAD"), having(SAD="bm9ib2R5"), needs=_EXPLICIT),
    Row(
        "signatures/signHash",
        "the SAD is spent",
        Answer(
            400, "invalid_request", lambda told: told in {"Invalid parameter SAD", "Hash is not authorized by the SAD."}
        ),
        good="spent SAD",
        needs=_EXPLICIT,
    ),
    Row("signatures/signHash", "the SAD was extended", invalid("SAD"), good="extended SAD", needs=_EXPLICIT),
    Row("signatures/signHash", "the SAD has expired", bad("SAD expired"), good="expired SAD"),
    Row("signatures/signHash", "no credentialID", missing("credentialID"), without("credentialID"), needs=_EXPLICIT),
    Row(
        "signatures/signHash",
        "credentialID is a number",
        missing("credentialID"),
        having(credentialID=1),
        needs=_EXPLICIT,
    ),
    Row(
        "signatures/signHash",
        "credentialID is unknown",
        invalid("credentialID"),
        having(credentialID="x"),
        needs=_EXPLICIT,
    ),
    Row("signatures/signHash", "no hashes", missing("hash", "array"), without("hashes"), needs=_EXPLICIT),
    Row("signatures/signHash", "hashes is a string", missing("hash", "array"), having(hashes="QUJD"), needs=_EXPLICIT),
    Row("signatures/signHash", "hashes is empty", bad("Empty hash array"), having(hashes=[]), needs=_EXPLICIT),
    *(
        Row(
            "signatures/signHash",
            f"a hash is {case}",
            bad("Invalid Base64 hash string parameter"),
            having(hashes=[value]),
            needs=_EXPLICIT,
        )
        for case, value in (
            ("no base64", "@"),
            ("base64url", "_" * 43 + "="),
            ("unpadded", "A" * 43),
            ("broken by a line", "A" * 20 + "\n" + "A" * 23 + "="),
            ("empty", ""),
            ("a number", 1),
            ("null", None),
            ("a list", ["A" * 43 + "="]),
        )
    ),
    Row(
        "signatures/signHash",
        "another hash than authorised",
        bad("Hash is not authorized by the SAD."),
        _UNSIGNED,
        needs=_EXPLICIT,
    ),
    Row(
        "signatures/signHash",
        "an authorised hash and another",
        bad("Hash is not authorized by the SAD."),
        lambda body, version: (
            body | {("hash", "hashes")[version - 1]: [*body[("hash", "hashes")[version - 1]], "A" * 43 + "="]}
        ),
        needs=_EXPLICIT,
    ),
    Row(
        "signatures/signHash",
        "an authorised hash twice",
        bad("Hash is not authorized by the SAD."),
        lambda body, version: body | {("hash", "hashes")[version - 1]: body[("hash", "hashes")[version - 1]] * 2},
        needs=_EXPLICIT,
    ),
    Row(
        "signatures/signHash",
        "a hash of 31 bytes",
        bad("Invalid digest value length"),
        having(hashes=["QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZQ=="]),
        needs=_EXPLICIT,
    ),
    Row(
        "signatures/signHash",
        "a hash of 64 bytes",
        bad("Invalid digest value length"),
        having(hashes=["A" * 86 + "=="]),
        needs=_EXPLICIT,
    ),
    Row("signatures/signHash", "no signAlgo", missing("signAlgo"), without("signAlgo"), needs=_EXPLICIT),
    Row("signatures/signHash", "signAlgo is a number", missing("signAlgo"), having(signAlgo=1), needs=_EXPLICIT),
    Row("signatures/signHash", "signAlgo is unknown", invalid("signAlgo"), having(signAlgo="1.2.3"), needs=_EXPLICIT),
    Row(
        "signatures/signHash",
        "signAlgo is SHA-1 with RSA",
        invalid("signAlgo"),
        having(signAlgo="1.2.840.113549.1.1.5"),
        needs=_EXPLICIT,
    ),
    Row(
        "signatures/signHash",
        "PSS without parameters",
        missing("signAlgoParams"),
        having(signAlgo=_RSASSA_PSS),
        good="RSA",
    ),
    Row(
        "signatures/signHash",
        "PSS with parameters of a number",
        missing("signAlgoParams"),
        having(signAlgo=_RSASSA_PSS, signAlgoParams=1),
        good="RSA",
    ),
    Row(
        "signatures/signHash",
        "rsaEncryption without a hash algorithm",
        bad(
            {
                1: "Missing (or invalid type) string parameter hashAlgo",
                2: "Missing (or invalid type) string parameter hashAlgorithmOID",
            }
        ),
        having(signAlgo=_RSA_ENCRYPTION),
        good="RSA",
    ),
    Row(
        "signatures/signHash",
        "rsaEncryption with SHA-1",
        bad({1: "Invalid parameter hashAlgo", 2: "Invalid parameter hashAlgorithmOID"}),
        having(signAlgo=_RSA_ENCRYPTION, hash_algorithm=_SHA1),
        good="RSA",
    ),
    Row("signatures/signHash", "clientData is a number", invalid("clientData"), having(clientData=1), needs=_EXPLICIT),
    Row(
        "signatures/signHash",
        "a bad operationMode",
        invalid("operationMode"),
        having(operationMode="X"),
        versions=(2,),
        needs=_EXPLICIT,
    ),
    Row(
        "signatures/signHash",
        "a bad validity_period",
        invalid("validity_period"),
        having(operationMode="A", validity_period="soon"),
        versions=(2,),
        needs=_EXPLICIT,
    ),
    Row(
        "signatures/signHash",
        "a validity_period beyond the policy",
        bad("Out of bounds parameter validity_period"),
        having(operationMode="A", validity_period=10**12),
        versions=(2,),
        needs=_EXPLICIT,
    ),
    Row(
        "signatures/signHash",
        "a bad response_uri",
        invalid("response_uri"),
        having(operationMode="A", response_uri="file:///etc/passwd"),
        versions=(2,),
        needs=_EXPLICIT,
    ),
    Row(
        "signatures/signHash",
        "asynchronously",
        Answer(200, shape="response id"),
        having(operationMode="A"),
        versions=(2,),
        needs=_EXPLICIT,
    ),
    Row(
        "signatures/signHash",
        "the certificate has expired",
        bad(lambda told: told.startswith("Signing certificate '") and told.endswith("' is expired.")),
        good="expired certificate",
    ),
    Row(
        "signatures/signHash",
        "the credential is disabled",
        bad("The credential identified by credentialID is disabled"),
        good="disabled",
    ),
)

POLLING = (
    Row("signatures/signPolling", "no requestID", missing("requestID"), without("requestID"), versions=(2,)),
    Row("signatures/signPolling", "requestID is a number", missing("requestID"), having(requestID=1), versions=(2,)),
    Row("signatures/signPolling", "requestID is unknown", invalid("requestID"), versions=(2,)),
    Row(
        "signatures/signPolling",
        "userID with a user's own token",
        bad("userID parameter SHALL be null"),
        having(userID="alice"),
        authorization="user token",
        versions=(2,),
    ),
    Row("signatures/signPolling", "clientData is a number", invalid("clientData"), having(clientData=1), versions=(2,)),
    Row(
        "signatures/signPolling",
        "what was asked for",
        Answer(200, shape="signatures"),
        good="asked",
        versions=(2,),
        needs=_EXPLICIT,
    ),
)

TIMESTAMP = (
    Row("signatures/timestamp", "a digest", Answer(200, shape="timestamp")),
    Row(
        "signatures/timestamp",
        "a digest and a nonce",
        Answer(200, shape="timestamp"),
        having(nonce="00c0ffee1234567890"),
    ),
    Row("signatures/timestamp", "no hash", missing("hash"), without("hash")),
    Row("signatures/timestamp", "hash is an array", missing("hash"), having(hash=["QUJD"])),
    Row("signatures/timestamp", "hash is empty", bad("Empty hash parameter"), having(hash="")),
    Row("signatures/timestamp", "hash is of another length", bad("Invalid digest value length"), having(hash="QUJD")),
    Row("signatures/timestamp", "hash is no base64", bad("Invalid Base64 hash string parameter"), having(hash="@@@")),
    Row("signatures/timestamp", "SHA-1", invalid("hashAlgo"), having(hashAlgo=_SHA1)),
    Row("signatures/timestamp", "the nonce is no hexadecimal", invalid("nonce"), having(nonce="xyz")),
)

ROWS: tuple[Row, ...] = (
    *INFO,
    *_body_rows(),
    *_header_rows(),
    *LOGIN,
    *REVOKE,
    *LIST,
    *CREDENTIAL,
    *AUTHORIZE,
    *CHECK,
    *CHALLENGE,
    *SEND_OTP,
    *EXTEND,
    *SIGN_HASH,
    *POLLING,
    *TIMESTAMP,
    *OAUTH,
)


def not_built(method: str, version: Version) -> Row:
    """The one row of a method that ``info`` does not list (10.1)."""
    return Row(method, "not implemented", Answer(501), authorization=None, versions=(version,))
