"""The command line speaks English and Portuguese, and nothing it says is left out."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import polib
import pytest

from devstack import messages, paths
from devstack.messages import Catalogue
from distributor.cli import main
from distributor.cli.arguments import parser
from distributor.cli.headline import State, headline
from distributor.cli.language import _, choose, current, speaking, spoken
from distributor.errors import NotYet
from foundation.sentences import sentence
from tests.unit.test_headline import PAYING

PLACEHOLDER = re.compile(r"\{\w+\}|%\(\w+\)[rs]|%s|`[^`]+`|--[a-z-]+|\b[A-Z]{3,}(?:_[A-Z]+)+\b")
SAYS = {"say", "applies", "CommandRefused", "ArgumentTypeError", "ConfigurationError"}
WORDS = {"help", "summary", "description", "what"}


@pytest.fixture(params=messages.CATALOGUES, ids=lambda catalogue: catalogue.domain)
def catalogue(request: pytest.FixtureRequest) -> Catalogue:
    """One app after the other."""
    found = request.param
    assert isinstance(found, Catalogue)
    return found


@pytest.fixture
def po(catalogue: Catalogue) -> polib.POFile:
    """What a translator edits: there is one language beside English."""
    (file,) = catalogue.translations()
    found = polib.pofile(str(file))
    assert isinstance(found, polib.POFile)
    return found


@pytest.fixture(autouse=True)
def english(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What a test chooses ends with it."""
    for name in ("LANGUAGE", "LC_ALL", "LC_MESSAGES"):
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("LANG", "C")
    yield
    choose([], {})


def test_every_sentence_is_translated(catalogue: Catalogue, po: polib.POFile) -> None:
    """None missing, none that is gone, none in doubt; `python -m devstack.messages` brings them up to date."""
    assert {entry.msgid for entry in po} == set(messages.messages(catalogue))
    assert [entry.msgid for entry in po if not entry.translated() or entry.fuzzy] == []


def test_a_translation_keeps_names_commands_and_settings(po: polib.POFile) -> None:
    """A placeholder that is lost would hide a number, one too many would end the command."""
    changed = [
        entry.msgid
        for entry in po
        if sorted(PLACEHOLDER.findall(entry.msgid)) != sorted(PLACEHOLDER.findall(entry.msgstr))
    ]

    assert changed == []


def test_what_python_reads_is_what_the_translator_wrote(po: polib.POFile) -> None:
    """The compiled file is made of the other one."""
    compiled = polib.mofile(str(Path(po.fpath).with_suffix(".mo")))

    assert {entry.msgid: entry.msgstr for entry in compiled} == {entry.msgid: entry.msgstr for entry in po}


def unmarked(tree: ast.AST) -> Iterator[int]:
    """Yield the lines that say something to a person that no translator sees."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        said = list(node.args[:1]) if name in SAYS else []
        said += [word.value for word in node.keywords if word.arg in WORDS]
        yield from (each.lineno for each in said if isinstance(each, ast.Constant | ast.JoinedStr) and _speaks(each))


def _speaks(text: ast.expr) -> bool:
    """Say whether a text holds words of its own, beside what is filled in."""
    parts = text.values if isinstance(text, ast.JoinedStr) else [text]
    return any(isinstance(part, ast.Constant) and re.search(r"[A-Za-z]{3}", str(part.value)) for part in parts)


def test_nothing_is_said_around_the_catalogue() -> None:
    """Every help text and every sentence of the command line is marked for translation."""
    files = sorted(file for folder in messages.SPOKEN for file in folder.rglob("*.py"))
    trees = {file.relative_to(paths.ROOT): ast.parse(file.read_text("utf-8")) for file in files}

    assert {name: lines for name, tree in trees.items() if (lines := list(unmarked(tree)))} == {}


def test_what_is_raised_below_the_command_line_is_said_in_portuguese_too() -> None:
    """Its values are filled into the translation; a text that nobody marked stays as it is."""
    raised = NotYet(sentence("{order} is held: `retry`, `approve`, `settle` or `cancel` it first.", order="loja:7"))

    with speaking("pt"):
        assert spoken(raised) == "loja:7 está retido: faça antes `retry`, `approve`, `settle` ou `cancel`."
        assert spoken(NotYet("so it is")) == "so it is"
    assert spoken(raised) == str(raised) == "loja:7 is held: `retry`, `approve`, `settle` or `cancel` it first."


@pytest.mark.parametrize(
    ("arguments", "environ", "code"),
    [
        ([], {"LANG": "pt_BR.UTF-8"}, "pt"),
        ([], {"LANG": "pt_PT.UTF-8"}, "pt"),
        ([], {"LANG": "pt_BR.UTF-8", "LC_ALL": "C"}, "en"),
        ([], {"LANG": "de_DE.UTF-8"}, "en"),
        ([], {}, "en"),
        (["show", "--language", "pt"], {"LANG": "C"}, "pt"),
        (["show", "--language=en"], {"LANG": "pt_BR.UTF-8"}, "en"),
        (["show", "--language"], {"LANG": "pt_BR.UTF-8"}, "pt"),
    ],
)
def test_the_language_is_asked_for(arguments: list[str], environ: dict[str, str], code: str) -> None:
    """By the option, else by the first variable that is set, as every program that uses gettext."""
    choose(arguments, environ)

    assert current() == code


def test_help_and_errors_are_portuguese_too(capsys: pytest.CaptureFixture[str]) -> None:
    """Also what Python's own parser says."""
    with pytest.raises(SystemExit):
        main(["retry", "--language", "pt", "--help"])
    said = capsys.readouterr().out
    assert said.startswith("uso: ")
    assert {"Devolve um pedido retido à espera.", "códigos de saída:", "opções:"} <= set(re.split(r"(?<=\.) |\n", said))

    with pytest.raises(SystemExit):
        main(["retry", "A-1", "--language=pt"])
    assert "faltam os argumentos obrigatórios: --why" in capsys.readouterr().err


def test_the_headline_and_its_action_are_portuguese() -> None:
    """The reasons come from the catalogue of alarms, which has both languages."""
    choose(["--language=pt"], {})

    said = headline(PAYING)
    assert (said.state, said.line) == (State.PAYING, "PAGANDO")
    assert _("") == ""
    assert parser().description == "A linha de comando do operador do BALLX Backend Distributor."
