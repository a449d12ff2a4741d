"""URLs in settings: read without repeating them in an error, since many carry a key."""

from __future__ import annotations

from urllib.parse import SplitResult, urlsplit

_PORTS = {"https": 443, "http": 80}
_LOOPBACK = {"127.0.0.1", "localhost", "::1"}


def split_url(text: str) -> SplitResult | None:
    """Return the parts of *text*; None when it is no URL with a host, or its port is no port."""
    try:
        url = urlsplit(text)
        _ = url.port  # read here, where a wrong one can still be refused
    except ValueError:
        return None
    return url if url.hostname else None


def is_private(url: SplitResult | None) -> bool:
    """Tell whether what is sent to *url* stays unread on its way: https, or this machine."""
    return url is not None and (url.scheme == "https" or (url.scheme == "http" and url.hostname in _LOOPBACK))


def origin_of(url: SplitResult) -> str:
    """
    Return where *url* is, as a browser says it: the scheme's own port is left out.

    Source: https://www.rfc-editor.org/rfc/rfc6454#section-6.1
    """
    host = f"[{url.hostname}]" if ":" in (url.hostname or "") else url.hostname
    port = "" if url.port in (None, _PORTS[url.scheme]) else f":{url.port}"
    return f"{url.scheme}://{host}{port}"
