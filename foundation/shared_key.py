"""
The signature of a storage account's key over one request to its Blob or Queue service.

Source: https://learn.microsoft.com/rest/api/storageservices/authorize-with-shared-key
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from urllib.parse import unquote, urlsplit


def shared_key(account: str, key: str, method: str, url: str, headers: Mapping[str, str], *, length: int = 0) -> str:
    """
    Return the value of the Authorization header.

    Args:
        account: The account's name.
        key: Its key, base64.
        method: GET, PUT, POST.
        url: As it is sent, with its query; its values are signed decoded.
        headers: As they are sent; those that begin with ``x-ms-`` are signed, and the three named below.
        length: Of the body, in bytes.
    """
    parts = urlsplit(url)
    named = sorted((name.lower(), value) for name, value in headers.items() if name.startswith("x-ms-"))
    resource = [
        f"/{account}{parts.path}",
        *sorted(unquote(each.replace("=", ":", 1)) for each in parts.query.split("&") if each),
    ]
    lines = [method, "", "", str(length or ""), "", headers.get("Content-Type", ""), "", "", "", ""]
    lines[8], lines[9] = headers.get("If-Match", ""), headers.get("If-None-Match", "")
    signed = "\n".join([*lines, "", "", *(f"{name}:{value}" for name, value in named), "\n".join(resource)])
    digest = hmac.digest(base64.b64decode(key), signed.encode(), hashlib.sha256)
    return f"SharedKey {account}:{base64.b64encode(digest).decode()}"
