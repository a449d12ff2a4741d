"""Base64 read strictly: one text for one value, or none."""

from __future__ import annotations

import base64
import binascii


def decoded(text: str) -> bytes | None:
    """
    Return the bytes *text* encodes; None when it is not their one canonical form (RFC 4648).

    Python's own decoder skips what it does not know and ignores the bits left over at the end, so
    that many texts would pass for one signature.
    """
    try:
        value = base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        return None
    return value if base64.b64encode(value).decode() == text else None
