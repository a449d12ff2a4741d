"""
The sentences of commands and pages for translators: ``python -m devstack.messages`` brings each catalogue up to date.

Every text inside ``_(…)``, ``N_(…)`` or ``sentence(…)`` is read out of the code, ``_(…)`` also out of the
templates, and every one of argparse that a person can meet; of the distributor also what is stored in English
(``devstack.stored_sentences``). Each
translation (.po) gets what is new and loses what is gone; the form Python reads (.mo) is made from it, and
``details.json``, by which a sentence that was stored is said in that language. A test says when to run it.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import polib
from jinja2 import Environment
from jinja2.ext import extract_from_ast

from devstack import paths, stored_sentences
from distributor.cli.language import DOMAIN
from distributor.translation import LOCALE
from payflow.office import language as office

FRAME = paths.ROOT / "foundation" / "console"
"""The pages of both apps: each catalogue has their texts."""
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
    "MIME-Version": "1.0",
    "Content-Type": "text/plain; charset=UTF-8",
    "Content-Transfer-Encoding": "8bit",
    "Language": "pt_BR",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Catalogue:
    """The texts of one app."""

    project: str
    domain: str
    locale: Path
    sources: tuple[Path, ...]
    """Where texts are marked in the code."""
    templates: tuple[Path, ...]
    others: tuple[str, ...] = ()
    """Texts that a person meets and that are marked nowhere."""
    stored: Callable[[], Iterator[tuple[Path, str]]] | None = None
    """Reads the sentences that are kept in English."""

    def translations(self) -> list[Path]:
        """Return the .po file of each language."""
        return sorted(self.locale.glob(f"*/LC_MESSAGES/{self.domain}.po"))


_DISTRIBUTOR = paths.ROOT / "distributor"
SPOKEN = (_DISTRIBUTOR / "cli", _DISTRIBUTOR / "console", FRAME)
"""Where nothing may be said to a person without a mark."""
DISTRIBUTOR = Catalogue(
    project="BALLX Distributor, command line",
    domain=DOMAIN,
    locale=LOCALE,
    # Behind those: what raises sentences that a command shows.
    sources=(*SPOKEN, *(_DISTRIBUTOR / name for name in ("payout", "ledger", "recovery", "webhook", "call_backs"))),
    templates=(_DISTRIBUTOR / "console", FRAME),
    others=ARGPARSE,
    stored=stored_sentences.details,
)
_OFFICE = paths.ROOT / "payflow" / "office"
_CONSOLE = paths.ROOT / "payflow" / "console"
PAYFLOW = Catalogue(
    project="PayFlow, the pages of offices and of the operator",
    domain=office.DOMAIN,
    locale=office.LOCALE,
    sources=(_OFFICE, _CONSOLE, FRAME),
    templates=(_OFFICE, _CONSOLE, FRAME),
)
CATALOGUES = (DISTRIBUTOR, PAYFLOW)


def marked(tree: ast.AST) -> Iterator[str]:
    """Yield every text that is marked for translation. Raises ValueError for one that no extractor can read."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in MARKS:
            (argument,) = node.args
            if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                yield argument.value
            elif node.func.id != "_" or isinstance(argument, ast.JoinedStr):
                raise ValueError(f"line {node.lineno}: only a plain text can be translated")


def messages(of: Catalogue = DISTRIBUTOR) -> Mapping[str, list[str]]:
    """Return each text with the modules that have it, in the order of the code."""
    found: dict[str, list[str]] = {}
    for file, text in (*_in_code(of), *_in_templates(of), *(of.stored() if of.stored else ())):
        places = found.setdefault(text, [])
        places.extend([] if file.name in places else [file.name])
    return {**found, **{text: ["argparse.py"] for text in of.others}}


def _in_code(of: Catalogue) -> Iterator[tuple[Path, str]]:
    for folder in of.sources:
        for file in sorted(folder.rglob("*.py")):
            yield from ((file, text) for text in marked(ast.parse(file.read_text("utf-8"))))


def _in_templates(of: Catalogue) -> Iterator[tuple[Path, str]]:
    """Yield what the pages say. Raises ValueError for a text that is put together before it is translated."""
    for folder in of.templates:
        for file in sorted(folder.rglob("*.html")):
            tree = Environment(autoescape=True).parse(file.read_text("utf-8"))
            for _line, _function, text in extract_from_ast(tree, ("_",)):
                if isinstance(text, str):
                    yield file, text


def template(of: Catalogue = DISTRIBUTOR) -> polib.POFile:
    """Return every text without a translation."""
    pot = polib.POFile(wrapwidth=100)
    pot.metadata = {"Project-Id-Version": of.project, **_METADATA}
    for text, places in messages(of).items():
        pot.append(polib.POEntry(msgid=text, occurrences=[(place, "") for place in places]))
    return pot


def update(of: Catalogue) -> None:
    """Bring each language of a catalogue up to date, and compile it."""
    for file in of.translations():
        po = polib.pofile(str(file), wrapwidth=100)
        po.merge(template(of))
        for gone in po.obsolete_entries():
            po.remove(gone)
        po.save(str(file), newline="\n")
        po.save_as_mofile(str(file.with_suffix(".mo")))
        if of.stored:
            file.parents[1].joinpath("details.json").write_text(details_in(po), "utf-8", newline="\n")


def details_in(po: polib.POFile) -> str:
    """Return the distributor's sentences that are stored in English, each with its translation, as JSON."""
    raised = (text for file, text in _in_code(DISTRIBUTOR) if not set(SPOKEN) & set(file.parents))
    return stored_sentences.as_json({entry.msgid: entry.msgstr for entry in po}, raised)


if __name__ == "__main__":
    for each in CATALOGUES:
        update(each)
