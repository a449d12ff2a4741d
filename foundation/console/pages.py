"""
Pages made on the server: every value is escaped, nothing runs in the browser, nothing is loaded from elsewhere.

The policy allows our own style sheet and forms to us. There is no script at all, so a script that somebody writes
into a reason, a wallet or a shop's name has nowhere to run even where escaping were forgotten.
"""

from __future__ import annotations

import gettext
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from foundation.console import charts
from foundation.http.html import HtmlPage

TEMPLATES: Final = Path(__file__).with_name("templates")
STYLE: Final = TEMPLATES / "style.css"
_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    ),
    "Content-Type": "text/html; charset=utf-8",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    # Not no-referrer: with it a browser sends "Origin: null" with a form.
    # Source: https://fetch.spec.whatwg.org/#append-a-request-origin-header
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}


@dataclass(frozen=True, kw_only=True)
class Pages:
    """
    The templates of an app, found before those of the frame.

    Args:
        templates: The app's own.
        messages: The app's translations for a language code.
        filters: The app's own filters, by name.
    """

    templates: Path
    messages: Callable[[str], gettext.NullTranslations]
    filters: Mapping[str, Callable[..., Any]] = field(default_factory=dict)

    def page(self, template: str, language: str, *, status: int = 200, cookie: str = "", **values: Any) -> HtmlPage:
        """Return *template* filled with *values*, which are escaped, in *language*."""
        catalogue = self.messages(language)
        # A text is translated where it is shown, so two languages share one environment.
        body = self._environment.get_template(template).render(
            values, language=language, _=lambda text: catalogue.gettext(text) if text else ""
        )
        return HtmlPage(status=status, body=body, headers={**_HEADERS, **_cookie(cookie)})

    def redirect(self, location: str, *, cookie: str = "") -> HtmlPage:
        """Send the browser on with a GET, whatever it came with."""
        return HtmlPage(status=303, body="", headers={**_HEADERS, "Location": location, **_cookie(cookie)})

    def style(self) -> HtmlPage:
        """Return the style sheet, which a browser may keep for an hour."""
        headers = {"Content-Type": "text/css; charset=utf-8", "Cache-Control": "max-age=3600"}
        return HtmlPage(
            status=200,
            body=STYLE.read_text("utf-8"),
            headers=headers | {"X-Content-Type-Options": _HEADERS["X-Content-Type-Options"]},
        )

    @cached_property
    def _environment(self) -> Environment:
        environment = Environment(
            autoescape=True,
            loader=FileSystemLoader([self.templates, TEMPLATES]),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        environment.filters.update({**charts.FILTERS, **self.filters})
        return environment


def _cookie(cookie: str) -> Mapping[str, str]:
    return {"Set-Cookie": cookie} if cookie else {}
