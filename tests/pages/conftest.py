import pytest
from pytest_django import Settings


@pytest.fixture(autouse=True)
def _living_page_alone(settings: Settings) -> None:
    """The living page needs no role: no session, its own addresses."""
    settings.ROOT_URLCONF = "config.design"
    settings.SESSION_REALMS = [("/", None, None)]
