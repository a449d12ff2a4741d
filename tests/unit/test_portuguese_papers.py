"""The runbook and the security paper in Portuguese are kept in step: the same pages, commands, settings and blocks."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import polib
import pytest

from devstack.messages import CATALOGUES
from distributor.cli.language import _, choose
from distributor.cli.outcomes import OUTCOMES
from tests.runbook import FENCED, NAMES, PROGRAM
from tests.unit.test_outcomes import ROW

DOCS = Path(__file__).parents[2] / "docs"
PAPERS = ["runbook.md", "security.md"]
HEADING = re.compile(r"^(#+) (.*)$", re.MULTILINE)
LINK = re.compile(r"\]\(([^)\s]+)\)")
A_GUARDA = re.compile(
    r"\b(?:[ao]s?|[dn][ao]s?|pel[ao]s?|uma?|sem|com|nenhuma?|contrato|nem|há|à)\s+guardas?\b", re.IGNORECASE
)
"""The contract under another name than the commands have; without a word like these before it, it is the verb."""


def texts(name: str) -> tuple[str, str]:
    """Return a paper in English and in Portuguese."""
    return (DOCS / name).read_text("utf-8"), (DOCS / "pt-BR" / name).read_text("utf-8")


def sections(text: str) -> list[tuple[str, str]]:
    """Return each heading's level, with its code where it is one, and the text under it."""
    outside = FENCED.sub(lambda block: block[0].replace("#", " "), text)
    heads = list(HEADING.finditer(outside))
    ends = [head.start() for head in heads[1:]] + [len(text)]
    return [
        (f"{head[1]} {head[2] if '_' in head[2] else ''}".strip(), text[head.end() : end])
        for head, end in zip(heads, ends, strict=True)
    ]


def commands(text: str) -> Counter[str]:
    """Count the commands that a section names, each with its arguments."""
    spans = (" ".join(span.split()).removeprefix(PROGRAM) for span in re.findall(r"`([^`]+)`", FENCED.sub("", text)))
    return Counter(span for span in spans if span.partition(" ")[0] in NAMES)


def settings(text: str) -> set[str]:
    """Return the settings that a section names."""
    return set(re.findall(r"\b[A-Z][A-Z0-9]*(?:_+[A-Z0-9]+)+\b", text))


@pytest.mark.parametrize("name", PAPERS)
def test_both_languages_have_the_same_pages(name: str) -> None:
    """In the same order, with the same codes; blocks, tables and lists are as long."""
    english, portuguese = map(sections, texts(name))

    assert [head for head, _text in english] == [head for head, _text in portuguese]
    for (head, one), (_head, other) in zip(english, portuguese, strict=True):
        assert FENCED.findall(one) == FENCED.findall(other), head
        assert len(re.findall(r"^\|", one, re.MULTILINE)) == len(re.findall(r"^\|", other, re.MULTILINE)), head
        assert re.findall(r"^(?:- \*\*\w+\*\*|\d+\.|-) ", one, re.MULTILINE) == re.findall(
            r"^(?:- \*\*\w+\*\*|\d+\.|-) ", other, re.MULTILINE
        ), head


@pytest.mark.parametrize("name", PAPERS)
def test_both_languages_name_the_same_commands_and_settings(name: str) -> None:
    """Page by page: who reads one does what the other says."""
    english, portuguese = map(sections, texts(name))

    for (head, one), (_head, other) in zip(english, portuguese, strict=True):
        if not ROW.search(one):
            assert set(commands(one)) == set(commands(other)), head
        assert settings(one) == settings(other), head


def test_the_guard_has_one_name() -> None:
    """The one of its commands, `GUARD_ADDRESS` and `PayoutGuard`: a search for it finds all of it."""
    papers = [DOCS.parent / "README.pt-BR.md", *sorted((DOCS / "pt-BR").rglob("*.md"))]
    texts = {paper.name: paper.read_text("utf-8") for paper in papers}
    for catalogue in CATALOGUES:
        for file in catalogue.translations():
            texts[file.name] = "\n".join(entry.msgstr for entry in polib.pofile(str(file)))

    found = [(name, match[0]) for name, text in texts.items() for match in A_GUARDA.finditer(text)]

    assert not found
    assert A_GUARDA.findall("Defina a guarda; o contrato guarda a referência.") == ["a guarda", "contrato guarda"]


def test_the_table_of_outcomes_is_what_the_program_says_in_portuguese() -> None:
    """Command, outcome, exit code and next step."""
    choose(["--language", "pt"], {})
    said = [
        (command, str(outcome), str(each.code), _(each.following))
        for command, outcomes in OUTCOMES.items()
        for outcome, each in outcomes.items()
    ]
    choose([], {})

    assert ROW.findall(texts("runbook.md")[1]) == said


def anchors(text: str) -> set[str]:
    """Return what a link may name in a paper, as GitHub makes it of a heading."""
    heads = (heading for _level, heading in HEADING.findall(FENCED.sub("", text)))
    return {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in heads}


def broken(name: str) -> Iterator[str]:
    """Yield the links of a Portuguese paper that lead nowhere."""
    folder, text = DOCS / "pt-BR", texts(name)[1]
    for link in (each for each in LINK.findall(text) if "://" not in each):
        page, _hash, anchor = link.partition("#")
        target = folder / page if page else folder / name
        if not target.exists() or (anchor and anchor not in anchors(target.read_text("utf-8"))):
            yield link


@pytest.mark.parametrize("name", PAPERS)
def test_every_link_leads_somewhere(name: str) -> None:
    """Files, and headings in them."""
    assert list(broken(name)) == []
