"""One whole instance for what people do with their accounts and approvals, whichever module asks first."""

from collections.abc import Iterator

import pytest

from scripts.instance import Instance
from tests.support.instance import start_instance


@pytest.fixture(scope="session")
def people_instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    with start_instance(tmp_path_factory.mktemp("people")) as started:
        yield started
