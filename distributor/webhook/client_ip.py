"""
Who is asking: the client's address, as far as it can be believed.

Azure's front end appends the address it really talks to as the last element of ``X-Forwarded-For``,
as ``ip:port``, with brackets around an IPv6 address. What the client itself wrote there stays in
front of it and proves nothing. Each further trusted proxy (Front Door, Cloudflare) appends one
element in the same way, so the client is the last element that no trusted proxy appended.

Sources: https://www.rfc-editor.org/rfc/rfc7239#section-8.1 (only the trusted end can be used),
https://learn.microsoft.com/aspnet/core/host-and-deploy/proxy-load-balancer (read from right to left).
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

UNKNOWN_CLIENT = "unknown"
"""Everyone whose address cannot be read shares this name, and so one limit."""

_IPV6_PREFIX_BITS = 64
"""One household or server owns a whole /64. Source: https://www.rfc-editor.org/rfc/rfc6177."""
_WITH_PORT = re.compile(r"\[([^\]]*)\](?::[0-9]{1,5})?|([0-9.]+):[0-9]{1,5}")


def rate_limit_key(forwarded_for: str, *, trusted_proxies: int) -> str:
    """
    Return the name a client's requests are counted under: its IPv4 address, or its IPv6 /64.

    Total: whatever the header holds, it returns; what cannot be read is NOBODY.

    Args:
        forwarded_for: The value of X-Forwarded-For; repeated headers joined by commas.
        trusted_proxies: Trusted proxies in front of Azure's front end, which is not counted.
    """
    hops = forwarded_for.split(",")
    if len(hops) <= trusted_proxies:
        return UNKNOWN_CLIENT
    hop = hops[-1 - trusted_proxies].strip()
    found = _WITH_PORT.fullmatch(hop)
    address = _address((found[1] or found[2] or "") if found else hop)
    if isinstance(address, IPv6Address):
        return str(IPv6Network((int(address), _IPV6_PREFIX_BITS), strict=False))
    return str(address or UNKNOWN_CLIENT)


def _address(text: str) -> IPv4Address | IPv6Address | None:
    """Read an address; an IPv4 one that travels inside IPv6 is the IPv4 one."""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address
