"""What several roles need and may not share is written in each of them, in the same words."""

import pytest

from tests.architecture.sources import ROOT

COPIES = {
    "clients/pinning.py": ("authz", "rssp", "gateway"),
    "clients/external.py": ("rssp", "gateway", "signapp"),
    "clients/access_tokens.py": ("rssp", "gateway"),
    "clients/id_tokens.py": ("gateway", "signapp"),
}


@pytest.mark.parametrize("path", COPIES)
def test_who_mends_one_mends_all(path: str) -> None:
    texts = {(ROOT / role / path).read_text(encoding="utf-8").replace(f"{role}.", "role.") for role in COPIES[path]}
    assert len(texts) == 1
