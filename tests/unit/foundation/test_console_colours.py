"""
The colours of the pages can be told apart, by everybody: contrast as WCAG 2.2 counts it, in light and in dark.

A checker in a browser does not judge text in a drawing, text that a wide table hides, or a single digit. Here each
colour of text is compared with each ground it may stand on, so no text is left out.
"""

from __future__ import annotations

import re

import pytest

from foundation.console.pages import STYLE

TEXT_MIN = 4.5
"""Source: WCAG 2.2, success criterion 1.4.3."""
EDGE_MIN = 3.0
"""Of what shows where a field, a button, the focus or a line of a chart is. Source: 1.4.11."""
CSS = STYLE.read_text("utf-8")
TEXTS = ("ink", "soft", "link", "good", "wait", "stop")
GROUNDS = ("paper", "card")


def _colours(css: str) -> dict[str, str]:
    return dict(re.findall(r"--([a-z]+):(#[0-9a-f]{3,6})\b", css))


LIGHT = _colours(CSS[: CSS.index("@media")])
DARK = _colours(CSS[CSS.index("@media") : CSS.index("*{")])


def _luminance(colour: str) -> float:
    digits = colour[1:] if len(colour) == len("#rrggbb") else "".join(each * 2 for each in colour[1:])
    parts = [int(digits[place : place + 2], 16) / 255 for place in (0, 2, 4)]
    red, green, blue = (each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio of two colours, 1 to 21."""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def test_the_ratio_is_counted_as_the_rule_says() -> None:
    """Its own ends, and the grey that is just enough on white."""
    assert contrast("#000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#fff") < TEXT_MIN < contrast("#767676", "#fff")


@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
def test_every_text_can_be_read_on_every_ground(colours: dict[str, str]) -> None:
    """On the page and on a card; and the words of a button that is filled."""
    ratios = {(text, ground): contrast(colours[text], colours[ground]) for text in TEXTS for ground in GROUNDS}
    ratios |= {("on", fill): contrast(colours["on"], colours[fill]) for fill in ("link", "stop")}

    assert {pair: round(ratio, 2) for pair, ratio in ratios.items() if ratio < TEXT_MIN} == {}


@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
def test_every_edge_that_says_something_can_be_seen(colours: dict[str, str]) -> None:
    """Of fields, buttons, the focus, the state of the service, and the lines of a chart."""
    ratios = {edge: contrast(colours[edge], colours["card"]) for edge in ("soft", "link", "stop", "wait", "good")}

    assert {edge: round(ratio, 2) for edge, ratio in ratios.items() if ratio < EDGE_MIN} == {}


def test_no_colour_is_used_that_is_not_compared() -> None:
    """Every rule takes its colours from the names above; ``--line`` only parts what is told apart without it."""
    rules = re.sub(r"--[a-z]+:#[0-9a-f]{3,6}", "", CSS)
    texts = set(re.findall(r"(?:(?<![a-z-])color|fill):var\(--([a-z]+)\)", rules))
    grounds = set(re.findall(r"background:var\(--([a-z]+)\)", rules))
    lines = set(re.findall(r"[;{]([a-z-]+):[^;}]*var\(--line\)", rules))

    assert re.findall(r"#[0-9a-f]{3,6}\b|\brgba?\(|\bhsla?\(|opacity", rules) == []
    assert texts == {*TEXTS, "on"}
    assert grounds == {*GROUNDS, "link", "stop"}
    assert lines <= {"border", "border-top", "stroke"}


def test_every_colour_has_its_twin_in_the_dark() -> None:
    """A colour that is forgotten there would stay as it is in the light."""
    assert set(LIGHT) == set(DARK) == {*TEXTS, *GROUNDS, "line", "on"}
