"""What a browser sent, as a visit."""

from __future__ import annotations

from urllib.parse import parse_qsl

import azure.functions as func

from foundation.console.entra import HEADER
from foundation.console.visit import Visit

FORM_BYTES_MAX = 16_384
_FIELDS_MAX = 16


def visit_of(req: func.HttpRequest, *, platform_signs_in: bool) -> Visit:
    """Return a request to ``console/{*page}``; the platform's word about who signed in is read only where it is its."""
    return Visit(
        method=req.method or "",
        path=req.route_params.get("page", "").strip("/"),
        query=dict(req.params),
        form=_form(req),
        cookies=req.headers.get("Cookie", ""),
        origin=req.headers.get("Origin", ""),
        forwarded_for=req.headers.get("X-Forwarded-For", ""),
        languages=req.headers.get("Accept-Language", ""),
        principal=req.headers.get(HEADER, "") if platform_signs_in else None,
    )


def _form(req: func.HttpRequest) -> dict[str, str] | None:
    """Return the fields of a form, the first of two of one name; None for what no form of the console is."""
    body = req.get_body() if req.method == "POST" else b""
    if len(body) > FORM_BYTES_MAX:
        return None
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=_FIELDS_MAX)
    except ValueError:
        return None
    return dict(reversed(pairs))
