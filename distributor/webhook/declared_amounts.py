"""
An amount in a table, read as the person who made it declares; nothing is guessed and nothing is rounded.

``1.000`` is a thousand in Brazil and one elsewhere, and a spreadsheet that writes ``1E+03`` has rounded.
"""

from __future__ import annotations

import re

from distributor.errors import MalformedOrder
from foundation.sentences import Sentence, sentence

_PLAIN = re.compile(r"-?[0-9]+(\.[0-9]+)?")
_AMBIGUOUS = re.compile(r"[0-9]{1,3}(\.[0-9]{3})+")
_GROUPED = {
    ".": re.compile(r"[1-9][0-9]{0,2}(,[0-9]{3})+(\.[0-9]+)?"),
    ",": re.compile(r"[1-9][0-9]{0,2}(\.[0-9]{3})+(,[0-9]+)?"),
}
"""No thousands begin with a zero: ``0.500`` in a file of commas is a half with a point, and not five hundred."""


def amount_text(cell: str, decimal: str) -> str:
    """
    Return the amount in *cell* with a decimal point and nothing between thousands; *decimal* is the sign declared.

    Raises:
        MalformedOrder: It is written otherwise, or could be read in two ways.
    """
    if not decimal:
        if "," in cell:
            raise _bad_amount(
                sentence('amount "{cell}" has a comma: say with --decimal which sign is the decimal one.', cell=cell)
            )
        if _AMBIGUOUS.fullmatch(cell):
            raise _bad_amount(
                sentence(
                    'amount "{cell}" could be a thousand: say with --decimal which sign is the decimal one.', cell=cell
                )
            )
        return _plain(cell, cell)
    grouping = "." if decimal == "," else ","
    if _GROUPED[decimal].fullmatch(cell):
        return cell.replace(grouping, "").replace(decimal, ".")
    if grouping in cell:
        raise _bad_amount(sentence('amount "{cell}" has "{sign}" where no thousand ends.', cell=cell, sign=grouping))
    return _plain(cell.replace(decimal, "."), cell)


def _plain(text: str, cell: str) -> str:
    if not _PLAIN.fullmatch(text):
        raise _bad_amount(
            sentence(
                'amount "{cell}" must be digits with one decimal sign at most; a spreadsheet that writes an exponent '
                "has rounded.",
                cell=cell,
            )
        )
    return text


def _bad_amount(why: Sentence) -> MalformedOrder:
    return MalformedOrder(why, code="bad_amount")
