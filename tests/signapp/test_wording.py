"""How pages say what programs count."""

import pytest
from django.utils import translation

from signapp.views.wording import write_size


@pytest.mark.parametrize(
    ("size", "english", "french"),
    [
        (5, "5 bytes", "5 octets"),
        (43_000, "43 kB", "43 ko"),
        (1_200_000, "1.2 MB", "1,2 Mo"),
        (104_857_600, "104.9 MB", "104,9 Mo"),
        (500_000_000, "500 MB", "500 Mo"),
    ],
)
def test_a_size_is_written_as_a_reader_writes_it(size: int, english: str, french: str) -> None:
    with translation.override("en"):
        assert write_size(size) == english
    with translation.override("fr"):
        assert write_size(size) == french
