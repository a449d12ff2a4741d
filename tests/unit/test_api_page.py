"""The interface as a page of the local stack: whole, without a script, without anything from elsewhere."""

from __future__ import annotations

import re
import urllib.request
from typing import Any

import yaml

from devstack import api_page
from devstack.api_page import page, prose, served

DOCUMENT: dict[str, Any] = yaml.safe_load(api_page.DOCUMENT.read_text("utf-8"))


def test_every_operation_and_every_answer_is_on_it() -> None:
    """The document's own test compares it with the routes of the app."""
    text = page()

    for path, item in {**DOCUMENT["paths"], **DOCUMENT["webhooks"]}.items():
        for method, about in item.items():
            (section,) = re.findall(rf'<section id="{about["operationId"]}">(.*?)</section>', text, re.DOTALL)
            assert f"{method.upper()} {path}" in section
            assert re.findall(r"<summary><code>(\w+)</code>", section) == [str(each) for each in about["responses"]]
    for kind, parts in DOCUMENT["components"].items():
        assert [name for name in parts if f'id="{kind}-{name}"' not in text] == []


def test_it_loads_nothing_and_runs_nothing() -> None:
    """No script, no address of another place but in its text."""
    text = page()

    assert re.findall(r"<script|<link|<img|\bsrc=|\bon\w+=", text) == []
    assert [each for each in re.findall(r'href="([^"]+)"', text) if not each.startswith("#")] == []


def test_a_text_of_the_document_is_a_text() -> None:
    """Also where it looks like markup."""
    spoilt = {**DOCUMENT, "info": {**DOCUMENT["info"], "summary": "<script>1</script>", "description": "<b> `<i>`"}}

    assert "<script>" not in page(spoilt)
    assert "<code>&lt;i&gt;</code>" in page(spoilt)


def test_prose_is_paragraphs_and_a_table_stays_as_it_is_written() -> None:
    """As far as the document uses Markdown."""
    assert prose("**one** two\n\n| a |\n|---|\n") == "<p><strong>one</strong> two</p><pre>| a |\n|---|</pre>"
    assert prose("") == ""


def test_it_is_served_on_this_machine_until_the_stack_ends() -> None:
    """With a policy that allows no script."""
    with served() as address, urllib.request.urlopen(address, timeout=10) as answer:  # noqa: S310 -- our own loopback URL
        assert address.startswith("http://127.0.0.1:")
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
        assert "Pays signed shop orders" in answer.read().decode()
