"""Public addresses may be asked, inside ones only where they are listed, the platform's own never."""

from __future__ import annotations

import pytest

from foundation.outgoing.addresses import is_loopback, may_be_asked, parse_networks

EVERYTHING = parse_networks("0.0.0.0/0, ::/0")


@pytest.mark.parametrize(
    "address",
    [
        "8.8.8.8",
        "191.232.0.1",
        "2606:4700::1111",
        "2804:14d::1",
        "::ffff:8.8.8.8",
        "64:ff9b::808:808",
        "2002:808:808::1",
    ],
)
def test_a_public_address_may_be_asked(address: str) -> None:
    """Also where an IPv6 address represents a public IPv4 one."""
    assert may_be_asked(address)


INSIDE = [
    *("127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "100.64.0.1", "198.18.0.1", "192.0.2.1", "240.0.0.1"),
    *("::1", "fd00::1", "fec0::1", "::ffff:10.0.0.1", "::ffff:127.0.0.1", "::7f00:1", "64:ff9b::a00:1"),
    *("2002:7f00:1::1", "2002:a00:1::", "2001:0:4136:e378:8000:63bf:f5ff:fffe", "64:ff9b:1::1", "2001:db8::1"),
    "192.88.99.1",
]
FORBIDDEN = [
    *("169.254.169.254", "168.63.129.16", "fe80::1", "fe80::1%eth0", "::ffff:169.254.169.254", "0.0.0.0", "::"),  # noqa: S104 -- refused
    *("2002:a9fe:a9fe::1", "64:ff9b::a83f:8110", "::ffff:168.63.129.16", "224.0.0.1", "ff02::1", "fd00:ec2::254"),
]


@pytest.mark.parametrize("address", [*INSIDE, *FORBIDDEN, "", "localhost", "127.1", "1.2.3.4.5"])
def test_an_inside_address_is_refused(address: str) -> None:
    """In each of its clothes; and so is what is no address."""
    assert not may_be_asked(address)


@pytest.mark.parametrize("address", FORBIDDEN)
def test_no_list_opens_the_platforms_own_addresses(address: str) -> None:
    """They hand out credentials."""
    assert not may_be_asked(address, EVERYTHING)


@pytest.mark.parametrize("address", ["10.1.2.3", "::ffff:10.1.2.3", "fd12::1"])
def test_an_inside_address_may_be_listed(address: str) -> None:
    """By its network, whatever it is dressed as."""
    assert may_be_asked(address, parse_networks("10.1.2.0/24,fd12::/16"))
    assert not may_be_asked(address, parse_networks("10.1.3.0/24, fd13::/16"))


def test_a_list_with_what_is_no_network_is_refused() -> None:
    """Host bits included: somebody meant another network."""
    with pytest.raises(ValueError, match=r"10\.1\.2\.3/24"):
        parse_networks("10.1.2.3/24")


def test_this_machine_is_known_by_its_addresses() -> None:
    """Both of them."""
    assert [is_loopback(address) for address in ("127.0.0.9", "::1", "10.0.0.1")] == [True, True, False]
