"""Nothing in the administration signs a user's data: no module of it leads to one that does, however long the way."""

import grimp
import pytest

SIGNING = {
    "rssp": (
        "services.signing",
        "services.activating",
        "services.asynchronous",
        "services.authorising",
        "services.ledger",
    ),
    "gateway": ("services.signing", "services.approving", "services.preparing", "services.batches"),
    "signapp": ("services.signing", "services.approvals"),
    "authz": (),
}


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    return grimp.build_graph(*SIGNING, "config")


@pytest.mark.parametrize(("role", "module"), [(role, name) for role, names in SIGNING.items() for name in names])
def test_no_page_of_the_administration_leads_to_signing(graph: grimp.ImportGraph, role: str, module: str) -> None:
    target = f"{role}.{module}"
    assert target in graph.modules
    pages = {f"{each}.admin" for each in SIGNING} & graph.modules
    assert {"rssp.admin", "gateway.admin"} <= pages
    for page in pages | {child for each in pages for child in graph.find_descendants(each)}:
        assert graph.find_shortest_chain(importer=page, imported=target) is None, page


def test_the_search_finds_the_ways_that_there_are(graph: grimp.ImportGraph) -> None:
    assert graph.find_shortest_chain(importer="rssp.views.csc", imported="rssp.services.signing") is not None
    assert graph.find_shortest_chain(importer="rssp.admin.requests", imported="rssp.services.issuing") is not None
