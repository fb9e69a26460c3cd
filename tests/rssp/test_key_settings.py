"""Settings of the keys that cannot work, or that are unwise, have a numbered message; what is sensible has none."""

from typing import Any

import pytest
from django.core.checks import run_checks

from rssp.algorithms import KEY_ALGORITHMS


def said() -> set[str | None]:
    ids = {message.id for message in run_checks()}
    return ids & {f"rssp.{kind}{number}" for kind in "EW" for number in ("036", "040", "041", "042")}


def test_the_default_settings_are_sensible() -> None:
    assert said() == set()


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("KEY_STORAGE", "resident", set()),
        ("KEY_STORAGE", "Wrapped", {"rssp.E040"}),
        ("KEY_STORAGE", "", {"rssp.E040"}),
        ("KEY_POOL", {}, set()),
        ("KEY_POOL", dict.fromkeys(KEY_ALGORITHMS, 1000), set()),
        ("KEY_POOL", {"rsa-2048": 4, "rsa-1024": 4}, {"rssp.E041"}),
        ("KEY_POOL", {"RSA-2048": 0}, {"rssp.E041"}),
        ("KEY_POOL", {"ec-p256": 1001}, {"rssp.W041"}),
        ("KEY_POOL", {"ed25519": 1001}, {"rssp.E041", "rssp.W041"}),
        ("KEY_CACHE_SECONDS", 60, set()),
        ("KEY_CACHE_SECONDS", 61, {"rssp.W042"}),
        ("KEY_CACHE_SECONDS", -1, {"rssp.E042"}),
        ("SIGNATURE_QUALIFIERS", {}, set()),
        ("SIGNATURE_QUALIFIERS", {"demonstration": "za_ecta_oes"}, set()),
        ("SIGNATURE_QUALIFIERS", {"unknown": "eu_eidas_aes"}, {"rssp.E036"}),
        ("SIGNATURE_QUALIFIERS", {"demonstration": ""}, {"rssp.E036"}),
        ("SIGNATURE_QUALIFIERS", {"demonstration": "a b"}, {"rssp.E036"}),
        ("KEY_CACHE_KEYS", 1, set()),
        ("KEY_CACHE_KEYS", 0, {"rssp.E042"}),
    ],
)
def test_a_setting_and_what_is_said_of_it(settings: Any, name: str, value: Any, expected: set[str]) -> None:
    setattr(settings, name, value)
    assert said() == expected
