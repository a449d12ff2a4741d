"""What was stored in English is said in Portuguese: a detail is taken apart into the sentences that are known."""

from __future__ import annotations

import json
import re

import pytest

from devstack import messages, paths, stored_sentences
from distributor.cli.language import speaking, spoken
from distributor.errors import ChainUnavailable
from distributor.translation import LOCALE, translated

DISAGREE = (
    "The nodes disagree about transaction 0x1 (nonce 3 of 0x2). Node a: in no block, at head 9. "
    "Node b: in no block, at head 4. It stays open, and its orders bound: a:1."
)
DISCORDAM = (
    "Os nós discordam sobre a transação 0x1 (nonce 3 de 0x2). Nó a: em nenhum bloco, na ponta 9. "
    "Nó b: em nenhum bloco, na ponta 4. Ela continua aberta, e os pedidos dela vinculados: a:1."
)


@pytest.mark.parametrize(
    ("english", "portuguese"),
    [
        ("", ""),
        ("By ana: a look", "Por ana: a look"),
        ("paused: By ana: a look", "paused: Por ana: a look"),
        (
            "The network asks 90 gwei of 60. 3 orders wait for a reason of their own.",
            "A rede pede 90 gwei de 60. 3 pedidos esperam por um motivo próprio.",
        ),
        (
            "Open transactions: 3. The oldest is nonce 0 of order default:ORD1.",
            "Transações abertas: 3. A mais antiga é nonce 0 do pedido default:ORD1.",
        ),
        (
            "transaction 0xab in block 7; today it would refuse with: paused",
            "transação 0xab no bloco 7; hoje ele recusaria com: paused",
        ),
        (
            DISAGREE,
            DISCORDAM,
        ),
        ("wallet is blocked", "wallet is blocked"),
        ("Nobody wrote this. No node says anything of it.", "Nobody wrote this. Nenhum nó diz nada sobre ela."),
        (
            "`settle a/b --tx 0x1` once: it is final {not a value}",
            "`settle a/b --tx 0x1` once: it is final {not a value}",
        ),
    ],
)
def test_a_detail_is_said_in_portuguese(english: str, portuguese: str) -> None:
    """Each sentence that is known, also one inside another; what others said stays."""
    assert translated(english, "pt") == portuguese
    assert translated(english, "en") == english


@pytest.mark.parametrize(
    ("text", "translation"), json.loads((LOCALE / "pt_BR" / "details.json").read_text("utf-8")).items()
)
def test_each_sentence_is_found_again_with_its_values(text: str, translation: str) -> None:
    """As a row would have it, after another sentence too; a value that is left over would end the message instead."""
    names = re.findall(r"\{(\w+)\}", text)
    values = {name: f"value{at}" for at, name in enumerate(names)}
    if text.startswith("{"):
        values[names[0]] = "Value."

    said = translated(text.format(**values), "pt")

    assert all(value in said for value in values.values())
    assert (said != text.format(**values)) == (text != translation)


def test_a_text_that_is_too_long_for_a_detail_stays_as_it_is() -> None:
    """A node may answer with a page."""
    page = "By ana: " + "x" * 2_000

    assert translated(page, "pt") == page


def test_a_text_that_could_end_at_too_many_places_stays_as_it_is() -> None:
    """Each of them would be tried for each sentence that is known: a node's list would keep the process busy."""
    few, many = "By ana: " + "a; " * 20 + "b", "By ana: " + "a; " * 40 + "b"

    assert translated(few, "pt") != few
    assert translated(many, "pt") == many


def test_an_error_without_words_of_its_own_is_said_in_portuguese() -> None:
    """Its default is in the catalogue."""
    with speaking("pt"):
        assert spoken(ChainUnavailable()) == "Nenhum nó respondeu."


@pytest.mark.parametrize("file", messages.DISTRIBUTOR.translations(), ids=lambda file: file.parts[-3])
def test_the_sentences_that_are_stored_are_all_there(file: object) -> None:
    """`python -m devstack.messages` makes the file; the app reads nothing else of the catalogue for them."""
    import polib

    po = polib.pofile(str(file))
    assert isinstance(po, polib.POFile)
    kept = (LOCALE / "pt_BR" / "details.json").read_text("utf-8")

    assert kept == messages.details_in(po)
    assert {text for _, text in stored_sentences.details()} <= set(json.loads(kept))
    assert paths.ROOT in LOCALE.parents
