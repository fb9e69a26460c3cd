"""What several roles need and may not share is written in each of them, in the same words."""

import pytest

from tests.architecture.sources import ROOT

COPIES = {
    "clients/http.py": ("authz", "rssp", "gateway", "signapp"),
    "clients/client_authentication.py": ("rssp", "gateway", "signapp"),
    "clients/answers.py": ("gateway", "signapp"),
    "clients/pinning.py": ("authz", "rssp", "gateway"),
    "clients/external.py": ("rssp", "gateway", "signapp"),
    "clients/access_tokens.py": ("rssp", "gateway"),
    "clients/id_tokens.py": ("gateway", "signapp"),
}


def _nameless(role: str, text: str) -> str:
    """Without the role's name in imports and in its own settings."""
    return text.replace(f"{role}.", "role.").replace(f".{role.upper()}_", ".ROLE_")


@pytest.mark.parametrize("path", COPIES)
def test_who_mends_one_mends_all(path: str) -> None:
    texts = {_nameless(role, (ROOT / role / path).read_text(encoding="utf-8")) for role in COPIES[path]}
    assert len(texts) == 1
