from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distributor.webhook.client_ip import UNKNOWN_CLIENT, rate_limit_key


@pytest.mark.parametrize(
    ("forwarded_for", "client"),
    [
        ("203.0.113.7:50301", "203.0.113.7"),
        ("203.0.113.7", "203.0.113.7"),
        ("[2001:db8:1:2:3:4:5:6]:50301", "2001:db8:1:2::/64"),
        ("[2001:db8:1:2::9]", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("[::ffff:203.0.113.7]:50301", "203.0.113.7"),
        ("fe80::1%eth0", "fe80::/64"),
    ],
)
def test_a_client_is_its_address_without_its_port(forwarded_for: str, client: str) -> None:
    """A port is new for each connection; an IPv6 client may take any address of its /64."""
    assert rate_limit_key(forwarded_for, trusted_proxies=0) == client


@pytest.mark.parametrize("claimed", ["198.51.100.1", "10.0.0.1, 198.51.100.1:80", "garbage", ",,,", "[::1]:1"])
def test_what_a_client_says_of_itself_is_not_believed(claimed: str) -> None:
    """The front end appends what it saw; everything before that is the client's own writing."""
    assert rate_limit_key(f"{claimed}, 203.0.113.7:50301", trusted_proxies=0) == "203.0.113.7"


def test_behind_a_trusted_proxy_the_client_is_one_further_in_front() -> None:
    """The last element is then the proxy, which all clients share."""
    header = "198.51.100.1, 203.0.113.7, 192.0.2.1:443"

    assert rate_limit_key(header, trusted_proxies=1) == "203.0.113.7"
    assert rate_limit_key(header, trusted_proxies=2) == "198.51.100.1"


@pytest.mark.parametrize(
    ("forwarded_for", "proxies"),
    [
        ("", 0),
        ("unknown", 0),
        ("203.0.113.7:50301", 1),
        ("203.0.113.7, ", 0),
        ("300.1.1.1:80", 0),
        ("[]:80", 0),
        ("[203.0.113.7", 0),
        ("1.2.3.4:999999", 0),
        ("203.0.113.7;203.0.113.8", 0),
    ],
)
def test_who_cannot_be_told_is_nobody(forwarded_for: str, proxies: int) -> None:
    """One shared name: a header that is garbage, or a request that came round the proxy, buys no fresh limit."""
    assert rate_limit_key(forwarded_for, trusted_proxies=proxies) == UNKNOWN_CLIENT


@given(forwarded_for=st.text(max_size=200), proxies=st.integers(0, 3))
def test_any_header_names_somebody(forwarded_for: str, proxies: int) -> None:
    """No header is an exception; and none makes a name that is long enough to fill a store."""
    assert 0 < len(rate_limit_key(forwarded_for, trusted_proxies=proxies)) <= 43
