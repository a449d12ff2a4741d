"""
Is it a PDF that a person can open? Asked in a child process, because parsers hang and burst on hostile files.

The child gets five seconds of processor time and 256 MB; what it says is one word. A machine that is too busy to let it
speak says nothing about the document.
"""

from __future__ import annotations

import asyncio
import sys
from enum import StrEnum
from typing import Final

from foundation.errors import ServiceError

BYTES_MAX: Final = 7_000_000
"""So that the mail, with base64, stays under 10 MB."""
BYTES_MIN: Final = 100
WALL_S_MAX: Final = 45.0
"""The child's processor time is limited by itself; this is for a busy machine, within what a lane keeps for a step."""
CPU_S_MAX: Final = 5
MEMORY_MAX: Final = 256 * 1024 * 1024


class Checked(StrEnum):
    """What the child found."""

    FINE = "fine"
    TOO_LARGE = "too_large"
    NOT_A_PDF = "not_a_pdf"
    ENCRYPTED = "encrypted"
    EMPTY = "empty"
    UNREADABLE = "unreadable"
    """Broken, or the child came to its limits."""


class NotChecked(ServiceError):
    """The document could not be checked in time: the machine is too busy. It is checked again."""


async def check_document(document: bytes) -> Checked:
    """
    Return whether *document* may be mailed. Never raises on what the document holds.

    Raises NotChecked if the child did not end within WALL_S_MAX: that is the machine's doing, not the document's.
    """
    if len(document) > BYTES_MAX:
        return Checked.TOO_LARGE
    if len(document) < BYTES_MIN or document.lstrip()[:5] != b"%PDF-":
        return Checked.NOT_A_PDF
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "payflow.documents.pdf_child",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        said, _ = await asyncio.wait_for(child.communicate(document), WALL_S_MAX)
    except TimeoutError:
        child.kill()
        await child.wait()
        raise NotChecked from None
    word = said.decode("ascii", errors="replace").strip()
    return Checked(word) if child.returncode == 0 and word in set(Checked) else Checked.UNREADABLE
