"""
The sentences of the commands and the console for translators: ``python -m devstack.messages`` brings them up to date.

Every text inside ``_(…)``, ``N_(…)`` or ``sentence(…)`` is read out of the code, ``_(…)`` also out of the
templates, and every one of argparse that a person can meet. Each
translation (.po) gets what is new and loses what is gone; the form Python reads (.mo) is made from it. A test says
when to run it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

import polib
from jinja2 import Environment
from jinja2.ext import extract_from_ast

from devstack import paths
from distributor.cli.language import DOMAIN, LOCALE

SOURCES = (paths.ROOT / "distributor" / "cli", paths.ROOT / "distributor" / "console")
BELOW = tuple(paths.ROOT / "distributor" / name for name in ("payout", "ledger", "recovery"))
"""What raises sentences that a command shows."""
TEMPLATES = (paths.ROOT / "distributor" / "console", paths.ROOT / "foundation" / "console")
MARKS = frozenset({"_", "N_", "sentence"})
ARGPARSE = (
    *(
        "usage: ",
        "options",
        "positional arguments",
        "show this help message and exit",
        "%(prog)s: error: %(message)s\n",
    ),
    *("the following arguments are required: %s", "unrecognized arguments: %s", "expected one argument"),
    *("argument %(argument_name)s: %(message)s", "invalid choice: %(value)r (choose from %(choices)s)"),
    "ambiguous option: %(option)s could match %(matches)s",
)
"""What Python's own parser says. Source: CPython 3.11 to 3.13, Lib/argparse.py."""
_METADATA = {
    "Project-Id-Version": "BALLX Distributor, command line",
    "MIME-Version": "1.0",
    "Content-Type": "text/plain; charset=UTF-8",
    "Content-Transfer-Encoding": "8bit",
    "Language": "pt_BR",
}


def marked(tree: ast.AST) -> Iterator[str]:
    """Yield every text that is marked for translation. Raises ValueError for one that no extractor can read."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in MARKS:
            (argument,) = node.args
            if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                yield argument.value
            elif node.func.id != "_" or isinstance(argument, ast.JoinedStr):
                raise ValueError(f"line {node.lineno}: only a plain text can be translated")


def messages() -> Mapping[str, list[str]]:
    """Return each text with the modules that have it, in the order of the code."""
    found: dict[str, list[str]] = {}
    for file, text in (*_in_code(), *_in_templates()):
        places = found.setdefault(text, [])
        places.extend([] if file.name in places else [file.name])
    return {**found, **{text: ["argparse.py"] for text in ARGPARSE}}


def _in_code() -> Iterator[tuple[Path, str]]:
    for folder in (*SOURCES, *BELOW):
        for file in sorted(folder.rglob("*.py")):
            yield from ((file, text) for text in marked(ast.parse(file.read_text("utf-8"))))


def _in_templates() -> Iterator[tuple[Path, str]]:
    """Yield what the pages say. Raises ValueError for a text that is put together before it is translated."""
    for folder in TEMPLATES:
        for file in sorted(folder.rglob("*.html")):
            tree = Environment(autoescape=True).parse(file.read_text("utf-8"))
            for _line, _function, text in extract_from_ast(tree, ("_",)):
                if isinstance(text, str):
                    yield file, text


def template() -> polib.POFile:
    """Return every text without a translation."""
    pot = polib.POFile(wrapwidth=100)
    pot.metadata = dict(_METADATA)
    for text, places in messages().items():
        pot.append(polib.POEntry(msgid=text, occurrences=[(place, "") for place in places]))
    return pot


def translations() -> list[Path]:
    """Return the .po file of each language."""
    return sorted(LOCALE.glob(f"*/LC_MESSAGES/{DOMAIN}.po"))


def update() -> None:
    """Bring each language up to date, and compile it."""
    for file in translations():
        po = polib.pofile(str(file), wrapwidth=100)
        po.merge(template())
        for gone in po.obsolete_entries():
            po.remove(gone)
        po.save(str(file), newline="\n")
        po.save_as_mofile(str(file.with_suffix(".mo")))


if __name__ == "__main__":
    update()
