"""What is sealed opens in its own column only, with a key we still have."""

from __future__ import annotations

import pytest

from foundation.errors import ConfigurationError, InvariantBroken
from payflow.model import BaixaId, CompanyId, PaymentKey
from payflow.sealing import BlindIndex, Sealer, key_id, new_key


def test_what_is_sealed_opens_again() -> None:
    """And shows nothing of itself."""
    sealer = Sealer.of(new_key())

    sealed = sealer.seal("c1", "address", "ana@example.org")

    assert sealer.open("c1", "address", sealed) == "ana@example.org"
    assert "ana" not in sealed
    assert sealer.is_current(sealed)


def test_an_old_key_still_opens_and_no_longer_seals() -> None:
    """Keys rotate without a day on which tokens are lost."""
    old, new = new_key(), new_key()
    sealed = Sealer.of(old).seal("c1", "refresh", "r")

    rotated = Sealer.of(new, [old])

    assert rotated.open("c1", "refresh", sealed) == "r"
    assert rotated.needs(sealed) == key_id(old)
    assert not rotated.is_current(sealed)
    assert rotated.is_current(rotated.seal("c1", "refresh", "r"))


def test_a_key_that_is_gone_is_named() -> None:
    """The operator learns which key must come back."""
    old = new_key()
    sealed = Sealer.of(old).seal("c1", "refresh", "r")

    with pytest.raises(ConfigurationError, match=key_id(old)):
        Sealer.of(new_key()).open("c1", "refresh", sealed)


@pytest.mark.parametrize(("company", "column"), [("c2", "address"), ("c1", "name")])
def test_a_sealed_text_copied_elsewhere_does_not_open(company: str, column: str) -> None:
    """Nobody who can write the table moves one clinic's token to another."""
    sealer = Sealer.of(new_key())

    with pytest.raises(InvariantBroken):
        sealer.open(company, column, sealer.seal("c1", "address", "x"))


def test_a_changed_text_does_not_open() -> None:
    """Fernet authenticates."""
    sealer = Sealer.of(new_key())
    sealed = sealer.seal("c1", "address", "x")

    with pytest.raises(InvariantBroken):
        sealer.open("c1", "address", sealed[:-2] + "AA")


@pytest.mark.parametrize("key", ["", "short", "x" * 44, "ã" * 44])
def test_what_is_no_key_is_refused(key: str) -> None:
    """At the start, by the settings' names, without the value."""
    with pytest.raises(ConfigurationError, match="MASTER_KEY") as caught:
        Sealer.of(key)

    assert key not in str(caught.value) or not key


def test_nothing_shows_a_key() -> None:
    """Neither the sealer nor the index does in a log."""
    key = new_key()

    assert key not in repr(Sealer.of(key))
    assert "secret" not in repr(BlindIndex(b"secret"))


def test_the_blind_index_finds_without_reading() -> None:
    """Same text, same name, whatever the capitals of an address; another key, another name."""
    index = BlindIndex(b"k1")

    assert index.address(" Ana@Example.org") == index.address("ana@example.org")
    assert index.of("a") != BlindIndex(b"k2").of("a")
    assert index.payment(PaymentKey(CompanyId("c"), BaixaId("b"))) == index.of("c|b")


def test_the_keys_that_only_open_are_named() -> None:
    """By their ids: what they sealed is sealed again before they are retired."""
    old, new = new_key(), new_key()

    assert list(Sealer.of(new, [old]).old) == [key_id(old)]
    assert list(Sealer.of(new).old) == []
