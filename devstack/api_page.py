"""
The interface as a page of the local stack: docs/openapi.yaml, made readable, without a script and without the network.

It is served beside the app and not by it: the app in Azure shows nobody its own description.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

import yaml
from jinja2 import Environment, StrictUndefined
from markupsafe import Markup, escape

from devstack import paths

DOCUMENT: Final = paths.ROOT / "docs" / "openapi.yaml"
_CODE: Final = re.compile(r"`([^`]+)`")
_STRONG: Final = re.compile(r"\*\*([^*]+)\*\*")
_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'"
_PAGE: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{{ info.title }}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 0 auto; padding: 1rem; color: #1b1b1b; }
pre { background: #f4f4f4; padding: .6rem; overflow-x: auto; } code { background: #f4f4f4; }
table { border-collapse: collapse; } th, td { text-align: left; vertical-align: top; padding: .2rem .8rem .2rem 0; }
section { border-top: 1px solid #888; } a { color: #0b4f9e; }
</style></head><body><main>
<h1>{{ info.title }}</h1><p>{{ info.summary }}</p>{{ info.description | prose }}
<nav aria-label="Operations"><ul>
{% for one in operations %}<li><a href="#{{ one.id }}"><code>{{ one.method }} {{ one.path }}</code></a>
 {{ one.about.summary }}</li>
{% endfor %}</ul></nav>
{% for one in operations %}
<section id="{{ one.id }}"><h2><code>{{ one.method }} {{ one.path }}</code></h2>
<p>{{ one.about.summary }}</p>{{ one.about.description | default("") | prose }}
<p>Who may: {% for way in one.about.security | default([]) %}{{ way | join(" + ") or "everybody" }}{{ ", or " if not
 loop.last }}{% else %}everybody{% endfor %}.</p>
{% if "parameters" in one.about %}<table><caption>Parameters</caption>
<thead><tr><th scope="col">Name</th><th scope="col">In</th><th scope="col">What it is</th></tr></thead><tbody>
{% for each in one.about.parameters | map("found") %}<tr><th scope="row"><code>{{ each.name }}</code></th>
<td>{{ each.in }}</td><td>{{ each.description | default("") | prose }}</td></tr>
{% endfor %}</tbody></table>{% endif %}
{% if "requestBody" in one.about %}<h3>Body</h3>{{ one.about.requestBody.description | default("") | prose }}
<pre>{{ one.about.requestBody.content | shown }}</pre>{% endif %}
<h3>Answers</h3>{% for status, each in one.about.responses.items() %}
<details><summary><code>{{ status }}</code> {{ (each | found).description }}</summary>
<pre>{{ each | found | shown }}</pre></details>{% endfor %}
</section>
{% endfor %}
<h2>Named parts</h2>
{% for kind, parts in components.items() %}{% for name, part in parts.items() %}
<details id="{{ kind }}-{{ name }}"><summary><code>{{ kind }}/{{ name }}</code></summary>
<pre>{{ part | shown }}</pre></details>
{% endfor %}{% endfor %}
</main></body></html>
"""


def page(document: Mapping[str, Any] | None = None) -> str:
    """Return the page about *document*, or about the one in docs/: every text of it is escaped."""
    told: Mapping[str, Any] = document or yaml.safe_load(DOCUMENT.read_text("utf-8"))
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    environment.filters |= {"prose": prose, "shown": _shown, "found": partial(_found, told)}
    template = environment.from_string(_PAGE)
    return template.render(info=told["info"], operations=list(_operations(told)), components=told["components"])


def prose(text: str) -> Markup:
    """Return Markdown as far as the document uses it: paragraphs, code, words that matter; a table as it is written."""
    return Markup("").join(_block(block) for block in text.strip().split("\n\n") if block)


def _block(block: str) -> Markup:
    if block.startswith("|"):
        return Markup("<pre>{}</pre>").format(block)
    marked = _STRONG.sub(r"<strong>\1</strong>", _CODE.sub(r"<code>\1</code>", str(escape(block))))
    return Markup(f"<p>{marked}</p>")  # noqa: S704 -- escaped in the line above


def _operations(told: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield every operation, the call-backs that the service sends among them."""
    for path, item in {**told["paths"], **told.get("webhooks", {})}.items():
        for method, about in item.items():
            yield {"path": path, "method": method.upper(), "about": about, "id": about["operationId"]}


def _found(told: Mapping[str, Any], part: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a part, or the one that it refers to."""
    place: Any = told
    for step in part["$ref"].removeprefix("#/").split("/") if "$ref" in part else ():
        place = place[step]
    return part if place is told else dict(place)


def _shown(part: Any) -> str:
    return str(yaml.safe_dump(part, sort_keys=False, allow_unicode=True, width=100))


@contextmanager
def served() -> Iterator[str]:
    """Serve the page on this machine alone until the block ends; give its address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, page().encode()))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    """Answers with the page, whatever is asked for."""

    def __init__(self, body: bytes, *given: Any) -> None:
        self._body = body
        super().__init__(*given)

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(self._body)))
        self.send_header("Content-Security-Policy", _POLICY)
        self.end_headers()
        self.wfile.write(self._body)

    def log_message(self, *_said: Any) -> None:
        """Say nothing: the terminal is the stack's."""
