"""Answers read as strictly as clients in the field read them, and odd bodies answered as an API answers."""

import base64
import re
from typing import Any

import pytest
from cryptography import x509
from hypothesis import HealthCheck, given, seed
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from rssp.urls import NOT_BUILT
from tests.rssp.conftest import Asked, Signer, call, digest
from tests.rssp.explicit import make_explicit

OID = re.compile(r"[0-2](\.(0|[1-9]\d*))+")
INFO_STRINGS = ("specs", "name", "logo", "region", "lang", "description")
METHODS = ("info", "credentials/list", "credentials/info", "signatures/signHash")
_scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
_values = st.recursive(
    _scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3)
)
_names = st.sampled_from(
    [
        *(
            "credentialID",
            "SAD",
            "hash",
            "hashes",
            "signAlgo",
            "signAlgoParams",
            "hashAlgo",
            "hashAlgorithmOID",
            "lang",
        ),
        *("clientData", "certificates", "certInfo", "authInfo", "pageToken", "maxResults", "operationMode", "userID"),
        *("credentialCreationRequest", "onlyValid", "credentialInfo", "numSignatures", "PIN", "OTP", "authData"),
        *("handle", "authObjectID", "description"),
    ]
)


@pytest.mark.parametrize("version", [1, 2])
def test_info_has_every_member_with_its_type(version: int) -> None:
    info = call("info", {}, version=version).json()
    for name in INFO_STRINGS:
        assert isinstance(info[name], str), name
        assert 0 < len(info[name]) <= 255, name
    assert re.fullmatch(r"\d\.\d\.\d\.\d", info["specs"])
    assert re.fullmatch("[A-Z]{2}", info["region"])
    assert info["authType"] == ["basic", "oauth2code", "oauth2client"]
    assert not set(info["methods"]) & set(NOT_BUILT[version])
    if version == 1:
        assert info["oauth2"].endswith("/")
        return
    assert not info["oauth2Issuer"].endswith("/")
    algorithms = info["signAlgorithms"]
    assert all(OID.fullmatch(item) for item in algorithms["algos"])
    assert len(algorithms["algoParams"]) == len(algorithms["algos"])
    formats = info["signature_formats"]
    assert len(formats["formats"]) == len(formats["envelope_properties"])
    assert (info["asynchronousOperationMode"], info["validationInfo"]) == (True, False)
    for name in ("supportedHashTypes", "conformance_levels"):
        assert isinstance(info[name], list)


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("key_algorithm", ["ec-p256", "rsa-2048"])
def test_a_credential_has_every_member_with_its_type(alice: Signer, version: int, key_algorithm: str) -> None:
    own = alice.own_credential(key_algorithm).credential_id
    wanted = {"credentialID": own, "certificates": "chain", "certInfo": True, "authInfo": True}
    found = call("credentials/info", wanted, alice.log_in(), version=version).json()
    key, cert = found["key"], found["cert"]
    assert (type(key["len"]), type(found["multisign"]), found["SCAL"]) == (int, int, "2")
    assert found["multisign"] >= 1
    assert all(OID.fullmatch(item) for item in key["algo"])
    combined = {"ec-p256": "1.2.840.10045.4.3.2", "rsa-2048": "1.2.840.113549.1.1.11"}[key_algorithm]
    assert combined in key["algo"]
    assert ("curve" in key) is (key_algorithm == "ec-p256")
    assert (key["status"], cert["status"]) == ("enabled", "valid")
    leaf = x509.load_der_x509_certificate(base64.b64decode(cert["certificates"][0], validate=True))
    assert len(cert["certificates"]) == 3
    assert x509.Name.from_rfc4514_string(cert["subjectDN"]) == leaf.subject
    assert x509.Name.from_rfc4514_string(cert["issuerDN"]) == leaf.issuer
    assert int(cert["serialNumber"], 16) == leaf.serial_number
    for name, moment in (("validFrom", leaf.not_valid_before_utc), ("validTo", leaf.not_valid_after_utc)):
        assert cert[name] == moment.strftime("%Y%m%d%H%M%SZ")
    if version == 1:
        assert found["authMode"] == "oauth2code"
    else:
        assert found["auth"] == {"mode": "oauth2code", "objects": []}


@pytest.mark.parametrize("version", [1, 2])
def test_an_explicit_credential_has_every_member_with_its_type(alice: Signer, version: int) -> None:
    """A string where the tables say so, though ``true`` would be nicer; no member that is null."""
    make_explicit(alice, "PIN", "MAIL", "KEY", expression="PIN AND (MAIL XOR KEY)")
    wanted = {"credentialID": alice.credential.credential_id, "authInfo": True}
    found = call("credentials/info", wanted, alice.log_in(), version=version).json()
    assert (type(found["multisign"]), found["SCAL"]) == (int, "2")
    if version == 2:
        auth = found["auth"]
        assert (auth["mode"], auth["expression"]) == ("explicit", "PIN AND (MAIL XOR KEY)")
        for each in auth["objects"]:
            assert each["type"] in {"Password", "PasswordOOB", "ChallengeResponse"}
            assert (
                {"type", "id", "label"} <= set(each) <= {*("type", "id", "label", "description"), "format", "generator"}
            )
            assert all(isinstance(value, str) and value for value in each.values())
            assert each.get("format", "N") in {"A", "N"}
        return
    assert found["authMode"] == "explicit"
    for name, members in (("PIN", set()), ("OTP", {"type", "ID"})):
        assert found[name]["presence"] in {"true", "false", "optional"}
        assert {"presence", "format", "label", *members} <= set(found[name])
        assert all(isinstance(value, str) and 0 < len(value) <= 255 for value in found[name].values())


@pytest.mark.parametrize("version", [1, 2])
def test_no_body_of_explicit_mode_makes_anything_but_a_json_answer(alice: Signer, version: int, settings: Any) -> None:
    settings.RSSP_APPROVAL_WAIT_SECONDS = 0
    make_explicit(alice, "PIN", "MAIL", "OCRA", "KEY", expression="PIN OR MAIL OR OCRA OR KEY")
    asked, service = Asked(), alice.log_in()
    whole = {"credentialID": alice.credential.credential_id, "numSignatures": 1, "authObjectID": "OCRA"}
    both = ("credentials/authorize", "credentials/sendOTP")
    methods = both if version == 1 else (*both, "credentials/authorizeCheck", "credentials/getChallenge")

    @seed(20261126)
    @hypothesis_settings(max_examples=20, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(st.dictionaries(_names | st.text(max_size=5), _values, max_size=5), st.booleans())
    def try_body(body: dict[str, Any], completed: bool) -> None:
        for method in methods:
            answer = call(method, whole | body if completed else body, service, version=version)
            assert answer.status_code < 500, (method, body)
            assert answer.status_code == 204 or answer["Content-Type"] == "application/json"
            assert "SAD" not in str(answer.content)

    try_body()
    assert asked.count == 0


@pytest.mark.parametrize("version", [1, 2])
def test_no_body_makes_anything_but_a_json_answer(alice: Signer, asked: Asked, version: int) -> None:
    service, sad = alice.log_in(), alice.approve(digest("Lease"))
    whole = {"credentialID": alice.credential.credential_id, "signAlgo": "1.2.840.10045.4.3.2", "SAD": sad}

    @seed(20261125)
    @hypothesis_settings(max_examples=15, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(st.dictionaries(_names | st.text(max_size=5), _values, max_size=5), st.booleans())
    def try_body(body: dict[str, Any], completed: bool) -> None:
        for method in (*METHODS, "credentials/create", "credentials/delete") if version == 2 else METHODS:
            for bearer in (service, sad):
                answer = call(method, whole | body if completed else body, bearer, version=version)
                assert answer.status_code < 500, (method, body)
                assert answer["Content-Type"] == "application/json"
                assert answer.status_code < 300 or isinstance(answer.json()["error"], str)

    try_body()
    assert asked.count == 0


@pytest.mark.parametrize(
    ("is_routed", "is_on", "listed", "basic"),
    [
        (True, True, {"auth/login", "auth/revoke"}, True),
        (True, False, {"auth/revoke"}, False),
        (False, True, set(), False),
        (False, False, set(), False),
    ],
)
def test_info_offers_what_the_authorization_server_answers_at_our_addresses(
    settings: Any, is_routed: bool, is_on: bool, listed: set[str], basic: bool
) -> None:
    settings.CSC_AUTH, settings.CSC_LOGIN = is_routed, is_on
    for version in (1, 2):
        info = call("info", {}, version=version).json()
        assert {name for name in info["methods"] if name.startswith("auth/")} == listed
        assert ("basic" in info["authType"]) is basic
