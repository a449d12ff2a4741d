"""
Which addresses may be asked: public ones, and inside ones only where the operator lists them.

An IPv4 address is also reachable in the clothes of an IPv6 address (mapped, 6to4, Teredo, NAT64), so it
is unwrapped before it is judged. The platform's own addresses (instance metadata, 169.254.0.0/16, and
the wire server, 168.63.129.16) hand out credentials to any process on this machine: no list opens them.
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_WIRE_SERVER = ip_address("168.63.129.16")
_METADATA_V6 = ip_address("fd00:ec2::254")
_GLOBAL_UNICAST_V6 = ip_network("2000::/3")
_RELAYS_V4 = ip_network("192.88.99.0/24")
_NAT64 = ip_network("64:ff9b::/96")
_IPV4_BITS = 0xFFFFFFFF


def parse_networks(text: str) -> tuple[Network, ...]:
    """Return the networks of a list with commas. Raises ValueError if one is not a network."""
    return tuple(ip_network(part.strip()) for part in text.split(",") if part.strip())


def may_be_asked(text: str, inside: Sequence[Network] = ()) -> bool:
    """Say whether a resolved address is public, or *inside* by the operator's list."""
    try:
        faces = _faces(ip_address(text.partition("%")[0]))
    except ValueError:
        return False
    return all(not _is_forbidden(face) and (_is_public(face) or _is_in(face, inside)) for face in faces)


def is_loopback(text: str) -> bool:
    """Say whether an address is this machine itself."""
    return ip_address(text.partition("%")[0]).is_loopback


def _faces(address: Address) -> Sequence[Address]:
    """Return the addresses that packets to *address* may really reach."""
    if isinstance(address, IPv4Address):
        return [address]
    if address.ipv4_mapped is not None:
        return [address.ipv4_mapped]
    if address in _NAT64:
        return [IPv4Address(int(address) & _IPV4_BITS)]
    return [address, *(address.teredo or ()), *([address.sixtofour] if address.sixtofour else ())]


def _is_forbidden(address: Address) -> bool:
    platform = address in (_WIRE_SERVER, _METADATA_V6) or address.is_link_local
    return platform or address.is_multicast or address.is_unspecified


def _is_public(address: Address) -> bool:
    if isinstance(address, IPv4Address):
        return address.is_global and address not in _RELAYS_V4
    return address.is_global and address in _GLOBAL_UNICAST_V6


def _is_in(address: Address, inside: Sequence[Network]) -> bool:
    return any(address.version == network.version and address in network for network in inside)
