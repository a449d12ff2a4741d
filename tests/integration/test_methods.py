"""The methods of docs/openapi.yaml are those of the running app."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import yaml

from devstack import paths
from devstack.servers import Azurite
from tests.integration.hosted import Hosted
from tests.integration.shop_front import front

PATHS = yaml.safe_load((paths.ROOT / "docs/openapi.yaml").read_text(encoding="utf-8"))["paths"]
KEY = {"x-functions-key": "the-key"}


@pytest.fixture(scope="module")
def host(azurite: Azurite, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosted]:
    """The app in the real host."""
    with front(azurite, "topenapi", tmp_path_factory.mktemp("openapi"), {}) as running:
        yield running


@pytest.mark.parametrize("path", PATHS)
def test_a_path_has_the_methods_of_the_document(host: Hosted, path: str) -> None:
    """The host itself would answer 404 and leave a shop owner to doubt the address; the app names what there is."""
    documented = {method.upper() for method in PATHS[path]}
    asked = path.format(source="default", order_id="1001")

    replies = [host.ask(asked, method=method, headers=KEY) for method in ("OPTIONS", "DELETE", "PATCH")]

    assert [(reply.status, reply.headers["X-Error-Code"]) for reply in replies] == [(405, "wrong_method")] * 3
    allowed = [set(reply.headers["Allow"].split(", ")) for reply in replies]
    assert allowed == [documented | ({"HEAD"} if "GET" in documented else set())] * 3


@pytest.mark.parametrize("path", ["/healthz", "/ready", "/orders/1001"])
def test_the_header_of_an_answer_may_be_asked_for_alone(host: Hosted, path: str) -> None:
    """HEAD is a GET without its body."""
    whole, header = (host.ask(path, method=method, headers=KEY) for method in ("GET", "HEAD"))

    assert header.status == whole.status
    assert header.body == b""
    assert "X-Request-Id" in header.headers


def test_a_path_that_is_not_in_the_document_is_not_there(host: Hosted) -> None:
    """The host's own 404, which says nothing."""
    assert {host.ask(path).status for path in ("/webhooks", "/order", "/docs")} == {404}
