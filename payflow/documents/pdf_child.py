"""The child process: reads a document from its input, says one word. Never imported by the app."""

from __future__ import annotations

import io
import sys

from pypdf import PdfReader
from pypdf.errors import PyPdfError

from payflow.documents.pdf import CPU_S_MAX, MEMORY_MAX, Checked


def limit() -> None:  # pragma: no cover -- in the child alone
    """Give this process its limits, where the system has them."""
    try:
        import resource  # noqa: PLC0415 -- not on Windows
    except ImportError:  # Windows: the parent's clock is the limit
        return
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S_MAX, CPU_S_MAX))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_MAX, MEMORY_MAX))


def look(document: bytes) -> Checked:
    """Return what *document* is: parsed down to the text of its pages' dictionaries."""
    try:
        reader = PdfReader(io.BytesIO(document))
        if reader.is_encrypted:
            return Checked.ENCRYPTED
        pages = len(reader.pages)
        for page in reader.pages:
            page.get_contents()
    except (PyPdfError, ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError, OSError):
        return Checked.UNREADABLE
    return Checked.FINE if pages else Checked.EMPTY


if __name__ == "__main__":  # pragma: no cover -- in the child alone
    limit()
    sys.stdout.write(look(sys.stdin.buffer.read()))
