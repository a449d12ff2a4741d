"""What the nodes of RPC_URL are called."""

from __future__ import annotations

import pytest

from distributor.chain.nodes import labels_of
from foundation.errors import ConfigurationError


def test_a_node_is_called_by_its_host_and_never_by_its_url() -> None:
    """User, path and query may be a key."""
    urls = ["https://user:pass@Polygon.Example.com/v2/s3cr3t?key=s3cr3t#s3cr3t", "http://[::1]:8545/s3cr3t"]

    assert labels_of(urls) == ["polygon.example.com", "[::1]:8545"]


def test_two_keys_at_one_host_have_two_names() -> None:
    """A named node is exactly one."""
    urls = [
        "https://a.example/1",
        "https://b.example",
        "https://a.example/2",
        "https://a.example:444",
        "https://a.example/3",
    ]

    assert labels_of(urls) == ["a.example", "b.example", "a.example#2", "a.example:444", "a.example#3"]


@pytest.mark.parametrize(
    "urls",
    [
        [],
        [""],
        ["s3cr3t"],
        ["ftp://a.example/s3cr3t"],
        ["http:///s3cr3t"],
        ["https://a.example:port/s3cr3t"],
        ["https://[a.example/s3cr3t"],
    ],
)
def test_what_is_no_url_names_the_setting_and_is_not_repeated(urls: list[str]) -> None:
    """A URL with a typing error still holds the key."""
    with pytest.raises(ConfigurationError) as raised:
        labels_of(urls)

    assert "RPC_URL" in str(raised.value)
    assert "s3cr3t" not in str(raised.value)
    assert raised.value.__cause__ is None
