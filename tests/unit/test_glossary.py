"""The glossary: every word is explained once, and is in the code where it says."""

from __future__ import annotations

import re
from functools import reduce
from importlib import import_module

from devstack import paths

ROW = re.compile(
    r"^\| \*\*(?P<words>.*?)\*\* \|(?P<meaning>[^|]*)\|(?P<other>[^|]*)\| `(?P<where>[\w.]+)` \|$", re.MULTILINE
)
GLOSSARY = (paths.ROOT / "docs" / "glossary.md").read_text("utf-8")


def found(where: str) -> object:
    """Return what the code has under *where*; raises ImportError or AttributeError if there is no such thing."""
    names = where.split(".") if where.startswith("foundation.") else ["distributor", *where.split(".")]
    module = next(end for end, name in enumerate(names) if not name.islower()) if where != where.lower() else -1
    return reduce(getattr, names[module:], import_module(".".join(names[:module])))


def test_every_word_is_in_the_code_where_the_glossary_says() -> None:
    """A renamed class or function takes its row with it."""
    rows = list(ROW.finditer(GLOSSARY))

    assert len(rows) == len(re.findall(r"^\| \*\*", GLOSSARY, re.MULTILINE))
    for row in rows:
        assert found(row["where"]), row["words"]


def test_every_word_is_explained_once() -> None:
    """Also where a row explains two of them."""
    words = [word for row in ROW.finditer(GLOSSARY) for word in row["words"].split("**, **")]

    assert len(words) == len(set(words)) > 50
