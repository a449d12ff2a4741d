from __future__ import annotations

import pytest

from distributor.addresses import ZERO_ADDRESS, keccak256, parse_address

# The examples of EIP-55 itself.
EIP55 = [
    "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
    "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
    "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
    "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
    "0x52908400098527886E0F7030069857D2E4169EE7",
    "0xde709f2102306220921060314715629080e2fb77",
]


@pytest.mark.parametrize("address", EIP55)
def test_every_spelling_of_an_address_becomes_its_checksummed_one(address: str) -> None:
    """Lower case, upper case and the checksum itself are one address."""
    spellings = [address, address.lower(), "0x" + address[2:].upper()]

    assert [parse_address(text) for text in spellings] == [address] * 3


@pytest.mark.parametrize("address", EIP55[:4])
def test_one_digit_in_the_wrong_case_is_refused(address: str) -> None:
    """Mixed case is a promise: it must be the checksum."""
    index = next(i for i, character in enumerate(address) if i > 1 and character.isalpha())
    wrong = address[:index] + address[index].swapcase() + address[index + 1 :]

    with pytest.raises(ValueError, match="checksum"):
        parse_address(wrong)


@pytest.mark.parametrize(
    "text",
    ["", "0x", EIP55[0][2:], EIP55[0] + "0", EIP55[0][:-1], "0X" + EIP55[0][2:], EIP55[0] + "\n", "0x" + "g" * 40],
)
def test_what_is_not_0x_and_40_hex_digits_is_no_address(text: str) -> None:
    """The shape is checked whole: no prefix, no newline, no other length."""
    with pytest.raises(ValueError, match="40 hex digits"):
        parse_address(text)


def test_digits_of_other_scripts_are_no_hex_digits() -> None:
    """Full-width and Arabic digits are digits to Python and none to the chain."""
    with pytest.raises(ValueError, match="40 hex digits"):
        parse_address("0x" + "\uff11" * 40)


def test_the_zero_address_is_an_address() -> None:
    """Whether it may be paid is not asked here."""
    assert parse_address("0x" + "0" * 40) == ZERO_ADDRESS


def test_keccak_is_that_of_ethereum() -> None:
    """The hash of nothing, as every Ethereum empty account shows it."""
    assert keccak256(b"").hex() == "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"
