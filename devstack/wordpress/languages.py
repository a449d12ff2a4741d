"""
The plugin's sentences for translators: ``python -m devstack.wordpress.languages`` brings them up to date.

The template (.pot) is read out of the PHP with PHP's own tokenizer, each translation (.po) gets what is
new and loses what is gone, and the form WordPress reads (.mo) is made from it. A test says when to run it.
"""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import polib

from devstack.wordpress import parts as wordpress_parts
from devstack.wordpress.parts import Parts
from devstack.wordpress.site import PLUGIN

DOMAIN = PLUGIN.name
LANGUAGES = PLUGIN / "languages"
TEMPLATE = LANGUAGES / f"{DOMAIN}.pot"
_FACTS = Path(__file__).parent / "php" / "facts.php"
_METADATA = {
    "Project-Id-Version": "BALLX Distributor",
    "MIME-Version": "1.0",
    "Content-Type": "text/plain; charset=UTF-8",
    "Content-Transfer-Encoding": "8bit",
    "X-Domain": DOMAIN,
}


def facts(parts: Parts) -> dict[str, dict[str, list[Any]]]:
    """Return what PHP's tokenizer finds in each file of the plugin; see ``facts.php``."""
    files = [str(file.relative_to(PLUGIN)) for file in sorted(PLUGIN.rglob("*.php"))]
    command = parts.php(str(_FACTS), *files)
    said = subprocess.run(command, cwd=PLUGIN, env=parts.environment(), capture_output=True, text=True, check=True)
    found: dict[str, dict[str, list[Any]]] = json.loads(said.stdout)
    return found


def template(parts: Parts) -> polib.POFile:
    """Return every sentence of the plugin, and its description in the list of plugins, without translations."""
    pot = polib.POFile(wrapwidth=100)
    pot.metadata = dict(_METADATA)
    texts: dict[str, list[tuple[str, str]]] = {_description(): [(f"{DOMAIN}.php", "")]}
    for file, found in facts(parts).items():
        for sentence in found["translated"]:
            places = texts.setdefault(sentence["text"], [])
            places.extend([] if (file, "") in places else [(file, "")])
    pot.extend(polib.POEntry(msgid=text, occurrences=places) for text, places in texts.items())
    return pot


def translations() -> list[Path]:
    """Return the .po file of each language."""
    return sorted(LANGUAGES.glob(f"{DOMAIN}-*.po"))


def update(parts: Parts) -> None:
    """Write the template, merge it into each language, and compile each language."""
    pot = template(parts)
    pot.save(str(TEMPLATE), newline="\n")
    for file in translations():
        po = polib.pofile(str(file), wrapwidth=100)
        po.merge(pot)
        for gone in po.obsolete_entries():
            po.remove(gone)
        po.save(str(file), newline="\n")
        po.save_as_mofile(str(file.with_suffix(".mo")))


def _description() -> str:
    found = re.search(r"^ \* Description:\s+(.+)$", (PLUGIN / f"{DOMAIN}.php").read_text("utf-8"), re.MULTILINE)
    if found is None:
        raise ValueError(f"{DOMAIN}.php has no Description")
    return found[1]


if __name__ == "__main__":
    update(wordpress_parts.prepare())
