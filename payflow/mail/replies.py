"""
What a mail server answered, read strictly.

After the final dot only a well-formed reply is an answer; anything else leaves the outcome unknown. So nothing is
repaired here: a reply with a line too long, two codes, or no end is no reply.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from payflow.mail.formats import without_addresses

LINE_BYTES_MAX = 2_000
"""RFC 5321 allows 512; servers with long explanations exceed it, none exceeds this."""
LINES_MAX = 100
TEXT_MAX = 500
"""Characters of a reply that are stored and shown."""

_LINE = re.compile(rb"([2-5][0-9]{2})(?:([ -])([^\r\n]*))?\r?\n")
_STATUS = re.compile(r"([245])\.(\d{1,3})\.(\d{1,3})(?=\s|$)")


@dataclass(frozen=True, slots=True)
class SmtpReply:
    """A well-formed reply: the three digits, the enhanced status (RFC 3463) if there was one, and the words by line."""

    code: int
    status: str = ""
    lines: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The words, each address in them masked: servers repeat the recipient's."""
        return without_addresses(" ".join(line for line in self.lines if line))[:TEXT_MAX]

    @property
    def accepts(self) -> bool:
        return self.code // 100 == 2  # noqa: PLR2004 -- RFC 5321: 2yz is a positive completion reply

    @property
    def is_temporary(self) -> bool:
        return self.code // 100 == 4  # noqa: PLR2004 -- RFC 5321: 4yz is a transient negative reply

    def __str__(self) -> str:
        return f"{self.code} {self.text}".rstrip()


def parse_reply(lines: Sequence[bytes]) -> SmtpReply | None:
    """Return the reply that *lines* are, each with its line end; None if they are not one well-formed reply."""
    matches = [_LINE.fullmatch(line) for line in lines if len(line) <= LINE_BYTES_MAX]
    found = [match for match in matches if match]
    if not 0 < len(found) == len(lines) <= LINES_MAX or len({match[1] for match in found}) > 1:
        return None
    if any(not _continues(match) for match in found[:-1]) or _continues(found[-1]):
        return None
    return _reply(int(found[0][1]), [_printable(match[3] or b"") for match in found])


def is_last(line: bytes) -> bool:
    """Tell whether a reply ends with *line*; a malformed line ends it too, and :func:`parse` refuses it then."""
    match = _LINE.fullmatch(line)
    return match is None or not _continues(match)


def _continues(match: re.Match[bytes]) -> bool:
    return bool(match[2] == b"-")


def _reply(code: int, lines: Sequence[str]) -> SmtpReply:
    status = _STATUS.match(lines[0])
    found = status[0] if status and status[1] == str(code)[0] else ""
    return SmtpReply(code, found, tuple(lines))


def _printable(raw: bytes) -> str:
    text = raw.decode("utf-8", errors="replace").strip()
    return "".join(sign if sign.isprintable() else " " for sign in text)
