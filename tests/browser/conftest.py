"""One whole instance for what people do with their accounts and approvals, whichever module asks first."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from scripts.instance import Instance
from tests.support.instance import start_instance

# Of every module here, whether it walks or not: five seconds, as it comes, are not enough for a busy machine.
expect.set_options(timeout=60_000)


@pytest.fixture(scope="session")
def people_instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    with start_instance(tmp_path_factory.mktemp("people")) as started:
        yield started
