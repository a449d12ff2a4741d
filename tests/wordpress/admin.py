"""An administrator at the browser: real pages, real cookies, forms filled in and sent with their nonces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import mechanicalsoup  # type: ignore[import-untyped]  # it comes without types

from devstack.wordpress.site import ADMIN


@dataclass(frozen=True, kw_only=True)
class Page:
    """What came back."""

    url: str
    status: int
    html: str
    text: str
    """What a reader sees, blanks folded."""


class Administrator:
    """Logged in through WordPress's own login page."""

    def __init__(self, url: str, password: str, user: str = ADMIN) -> None:
        self._url = url
        self._credentials = {"log": user, "pwd": password}
        self._browser = mechanicalsoup.StatefulBrowser(soup_config={"features": "html.parser"})

    def __enter__(self) -> Self:
        self.open("/wp-login.php")
        page = self.send("#loginform", self._credentials)
        assert "/wp-admin/" in page.url, page.text
        return self

    def __exit__(self, *_: object) -> None:
        self._browser.close()

    def open(self, path: str) -> Page:
        """Look at the page at *path* of the site."""
        return _page(self._browser.open(self._url + path, timeout=30))

    def send(self, form: str, filled: Mapping[str, str | bool], *, button: str | None = None) -> Page:
        """Fill in the *form* (a CSS selector) of the page looked at last, and press its *button* or its only one."""
        self._browser.select_form(form)
        for name, value in filled.items():
            self._browser.form.set(name, value)
        return _page(self._browser.submit_selected(btnName=button, timeout=30))

    def send_many(self, form: str, fields: Sequence[tuple[str, str]]) -> Page:
        """Send the *form* of the page looked at last with its hidden inputs and *fields*; a name may be there twice."""
        self._browser.select_form(form)
        element = self._browser.form.form
        hidden = [(one["name"], one["value"]) for one in element.select("input[type=hidden][name]")]
        return _page(self._browser.post(element["action"], data=[*hidden, *fields], timeout=30))

    def post(self, path: str, fields: Mapping[str, str]) -> Page:
        """Send *fields* without a form."""
        return _page(self._browser.post(self._url + path, data=dict(fields), timeout=30))

    def press(self, path: str, action: str, number: str | None = None) -> Page:
        """Press the plugin's button for *action* on the page at *path*; *number* says of which delivery."""
        self.open(path)
        of = f":has(input[name=id][value='{number}'])" if number else ""
        return self.send(f"form:has(input[name=action][value={action}]){of}", {})


def _page(reply: Any) -> Page:
    text = " ".join(reply.soup.get_text(" ").split()) if reply.soup else ""  # a file has none
    return Page(url=reply.url, status=reply.status_code, html=reply.text, text=text)
