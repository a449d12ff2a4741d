"""A sentence for a person that keeps its template, so that the command line can say it in another language."""

from __future__ import annotations

from collections.abc import Mapping


class Sentence(str):
    """English text, and the template and values that it was made of."""

    __slots__ = ("template", "values")

    template: str
    values: Mapping[str, object]


def sentence(template: str, **values: object) -> Sentence:
    """Return *template* with *values* filled in; the command line translates the template."""
    made = Sentence(template.format(**values))
    made.template, made.values = template, values
    return made


def N_(message: str) -> str:  # noqa: N802 -- the name that every extractor of messages knows
    """Mark *message* as one to translate where it is shown."""
    return message
