"""Where a request for a certificate stands: what the signing service writes, the gateway reads and writes on, and
signapp reads."""

from datetime import UTC, datetime
from typing import Any

import pytest

from gateway import wire as gateway_wire
from rssp import wire as rssp_wire
from signapp import wire as signapp_wire

MOMENT = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


def described(**changes: Any) -> rssp_wire.RequestDescription:
    given: dict[str, Any] = {
        "credential_id": "c1",
        "description": "Zoë Example, EC P256, signer",
        "certificate_policy": "signer",
        "sign_algos": ("1.2.840.10045.4.3.2",),
        "bits": 256,
        "curve_oid": "1.2.840.10045.3.1.7",
        "state": "waiting",
        "reason": "",
        "requested": MOMENT,
        "expires": MOMENT,
    }
    return rssp_wire.RequestDescription(**(given | changes))


def test_who_says_who_asks_is_read_as_it_was_written() -> None:
    answer = {"credentialID": "c1"} | rssp_wire.write_request(
        described(identity_provider="https://id.example.org", identified_by="https://other.example.org"), 2
    )
    passed_on = gateway_wire.certificate_request_to_json(gateway_wire.parse_certificate_request(answer))
    read = signapp_wire.parse_certificate_request(passed_on)
    assert (read.identity_provider, read.identified_by) == ("https://id.example.org", "https://other.example.org")


@pytest.mark.parametrize(
    ("state", "reason", "told"),
    [("waiting", "", ""), ("approved", "not yet", ""), ("refused", "A false passport", "A false passport")],
)
def test_a_request_is_read_as_it_was_written(state: str, reason: str, told: str) -> None:
    answer = {"credentialID": "c1"} | rssp_wire.write_request(described(state=state, reason=reason), 2)
    passed_on = gateway_wire.certificate_request_to_json(gateway_wire.parse_certificate_request(answer))
    assert passed_on["key_algorithm"] == "ec-p256"
    read = signapp_wire.parse_certificate_request(passed_on)
    assert (read.credential_id, read.description) == ("c1", "Zoë Example, EC P256, signer")
    assert (read.state, read.reason, read.requested_at, read.expires_at) == (state, told, MOMENT, MOMENT)


@pytest.mark.parametrize("change", ["certificateRequest", "credentialID", "key", "state", "expiresAt"])
def test_an_answer_without_a_member_is_no_request(change: str) -> None:
    answer = {"credentialID": "c1"} | rssp_wire.write_request(described(), 2)
    answer.pop(change, None)
    if "certificateRequest" in answer:
        answer["certificateRequest"].pop(change, None)
    with pytest.raises(gateway_wire.AnswerError):
        gateway_wire.parse_certificate_request(answer)
    passed_on = {"credential_id": "c1", "state": 7, "requested_at": "x"}
    with pytest.raises(signapp_wire.AnswerError):
        signapp_wire.parse_certificate_request(passed_on)
