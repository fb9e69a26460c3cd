"""A short-lived credential: what the signing service writes, the gateway reads and writes on, and signapp shows."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gateway import wire as gateway_wire
from rssp import wire as rssp_wire
from signapp import wire as signapp_wire
from signapp.views.wording import describe_certificate

SINCE = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
UNTIL = SINCE + timedelta(days=365)


def written() -> dict[str, Any]:
    standing = rssp_wire.StandingDescription(
        credential_id="c1",
        description="Zoë Example, EC P256, short-lived",
        certificate_policy="short-lived",
        sign_algos=("1.2.840.10045.4.3.2",),
        bits=256,
        curve_oid="1.2.840.10045.3.1.7",
        subject="CN=Zoë Example,C=FR",
        validity=timedelta(hours=1),
        since=SINCE,
        expires=UNTIL,
        language="en",
    )
    return {"credentialID": "c1"} | rssp_wire.write_standing(standing)


def test_it_is_read_as_it_was_written() -> None:
    read = gateway_wire.parse_credential(written())
    assert (read.chain, read.short_lived, read.common_name) == ((), True, "Zoë Example")
    shown = signapp_wire.parse_certificate(gateway_wire.credential_to_json(read))
    assert (shown.short_lived, shown.is_usable, shown.valid_from, shown.valid_to) == (True, True, SINCE, UNTIL)
    words = describe_certificate(shown)
    assert "a certificate is made for this signature" in words["choice"]
    assert "A certificate is made for this signature" in words["note"]
    assert (words["can_sign"], words["is_short_lived"], words["serial_number"]) == (True, True, "")


@pytest.mark.parametrize("change", [None, True, "yes", []])
def test_without_its_mark_it_is_a_credential_without_a_certificate(change: object) -> None:
    answer = written() | {"shortLived": change}
    with pytest.raises(gateway_wire.AnswerError):
        gateway_wire.parse_credential(answer)
