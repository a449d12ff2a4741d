"""What can be typed at the command line, and how an answer looks there."""

from __future__ import annotations

import getpass
from typing import NoReturn

import pytest

from distributor.cli.arguments import parser
from distributor.cli.tables import answer_lines
from distributor.model import OrderKey
from tests.factories import ALICE, OPERATOR, a_hash

CHANGES = ["pause", "halt", "resume", "add-operator", "rebuild", "retry A", "cancel loja/A"]


def refused(*arguments: str) -> bool:
    """Tell whether the parser refuses, as it does with exit code 2."""
    with pytest.raises(SystemExit) as ended:
        parser().parse_args(arguments)
    return ended.value.code == 2


@pytest.mark.parametrize("command", CHANGES)
def test_a_change_is_dry_and_signed_until_told_otherwise(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the user of the machine, and never without a reason."""
    monkeypatch.setattr(getpass, "getuser", lambda: "ana")

    options = parser().parse_args([*command.split(), "--why", " a reason "])

    assert (options.apply, options.by, options.why) == (False, "ana", "a reason")
    assert refused(*command.split())
    assert refused(*command.split(), "--why", "  ")


def test_without_a_user_the_change_is_nobodys(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a container whose user has no name."""

    def unnamed() -> NoReturn:
        raise KeyError

    monkeypatch.setattr(getpass, "getuser", unnamed)

    assert parser().parse_args(["pause", "--why", "x"]).by == "unknown"


@pytest.mark.parametrize("command", ["show", "held", "order A", "audit-chain"])
def test_a_look_can_change_nothing(command: str) -> None:
    """So it takes no --apply."""
    assert refused(*command.split(), "--apply")


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("A-1", OrderKey("default", "A-1")),
        ("loja/A-1", OrderKey("loja", "A-1")),
        ("loja:A-1", OrderKey("loja", "A-1")),
        (str(OrderKey("default", "A-1")), OrderKey("default", "A-1")),
    ],
)
def test_an_order_is_named_with_or_without_its_shop(text: str, key: OrderKey) -> None:
    """As it is printed everywhere, with a slash, or alone: then it is the plain shop's."""
    assert parser().parse_args(["order", text]).order == key


def test_what_a_history_begins_with_and_who_is_known_can_be_given() -> None:
    """Operators and explained transfers as often as there are."""
    options = parser().parse_args(
        f"audit-chain --from-block 7 --operator {OPERATOR.lower()} --operator {ALICE} "
        f"--accept-transfer {a_hash('x').upper().replace('0X', '0x')}".split()
    )

    assert (options.from_block, options.operator) == (7, [OPERATOR, ALICE])
    assert options.accept_transfer == [(a_hash("x"), None)]


@pytest.mark.parametrize(
    "wrong", ["--operator 0x12", "--from-block -1", "--from-block ten", "--accept-transfer 0x12", "--operator"]
)
def test_what_is_no_address_hash_or_number_is_refused(wrong: str) -> None:
    """Before anything is asked of anybody."""
    assert refused("audit-chain", *wrong.split())


def test_an_answer_is_names_and_values() -> None:
    """In one column; what is not there is a dash."""
    assert list(answer_lines({"paused": True, "by": "ana", "why": None, "alarms": [], "more": False})) == [
        "paused: yes",
        "by:     ana",
        "why:    -",
        "alarms: -",
        "more:   no",
    ]


def test_things_alike_are_a_table_and_the_rest_is_indented() -> None:
    """With a heading of their names."""
    document = {
        "identity": {"chain_id": 137},
        "operators": [{"operator": "0xA", "next_nonce": 7}, {"operator": "0xBB", "next_nonce": None}],
        "held": ["loja:A", "loja:B"],
        "open": [{"nonce": 7, "orders": ["loja:A", "loja:B"]}],
    }

    assert list(answer_lines(document)) == [
        "identity:",
        "  chain_id: 137",
        "operators:",
        "  operator  next_nonce",
        "  0xA       7",
        "  0xBB      -",
        "held:",
        "  loja:A",
        "  loja:B",
        "open:",
        "  nonce  orders",
        "  7      loja:A, loja:B",
    ]
