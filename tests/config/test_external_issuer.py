"""What ``manage.py check`` says of another provider in authz's place, and where browsers may then go."""

from typing import Any

import pytest
from django.conf import settings as django_settings

from config.checks import check_external_issuer


@pytest.mark.parametrize(
    ("changes", "ids"),
    [
        ({}, set()),
        ({"EXTERNAL_ISSUER": ""}, set()),
        ({"ROLES": ["authz", "signapp"]}, {"paraph.E003"}),
        ({"EXTERNAL_ISSUER": "", "ROLES": ["authz"]}, set()),
        ({"EXTERNAL_ISSUER": "ftp://login.example"}, {"paraph.E004"}),
        ({"EXTERNAL_ISSUER": "https://login.example/?realm=a"}, {"paraph.E004"}),
        ({"EXTERNAL_ISSUER": "http://login.example", "DEVELOPMENT": False}, {"paraph.E004"}),
        ({"EXTERNAL_INTROSPECTION_URL": "login.example"}, {"paraph.E004"}),
        ({"EXTERNAL_ORIGINS": ["*"]}, {"paraph.E004"}),
        ({"EXTERNAL_TOKENS": "opaque"}, {"paraph.E005"}),
        ({"EXTERNAL_AUDIENCE_PARAMETER": "scope"}, {"paraph.E005"}),
        ({"EXTERNAL_LOGIN_SCOPE": "openid email"}, {"paraph.E005"}),
    ],
)
def test_settings_that_cannot_be_meant_are_said(settings: Any, changes: dict[str, Any], ids: set[str]) -> None:
    settings.ROLES = ["signapp", "gateway", "rssp"]
    settings.EXTERNAL_ISSUER = "https://login.example/realms/paraph"
    for name, value in changes.items():
        setattr(settings, name, value)
    assert {message.id for message in check_external_issuer()} == ids


def test_without_one_forms_lead_to_our_own_roles_alone() -> None:
    assert django_settings.EXTERNAL_ORIGINS == []
