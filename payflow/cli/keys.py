"""`keys`: make a MASTER_KEY, seal the rows with it, and let an old one go when nothing needs it."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from foundation.errors import Rejected
from payflow import sealing
from payflow.installation import sealed_parts
from payflow.ledger import backup, resealing
from payflow.wiring import Container


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the commands to a parser."""
    keys = commands.add_parser("keys", help="keys that seal tokens and personal data").add_subparsers(required=True)
    new = keys.add_parser("new", help="show a new MASTER_KEY and its id; stores nothing")
    new.set_defaults(run=None)
    rotate = keys.add_parser("rotate", help="seal every row with MASTER_KEY; begin it again if it was cut")
    rotate.set_defaults(run=_rotate)
    retire = keys.add_parser("retire", help="say whether an old key may leave OLD_MASTER_KEYS")
    retire.add_argument("key", help="the key's id: 8 hex digits, in front of what it sealed")
    retire.add_argument("backups", type=Path, nargs="*", help="backups that must still open afterwards")
    retire.set_defaults(run=_retire)


def show_new() -> None:
    """Show a new key. Its id is no secret."""
    key = sealing.new_key()
    sys.stdout.write(f"{key}\n")
    sys.stderr.write(f"Its id is {sealing.key_id(key)}.\n")


async def _rotate(container: Container, _: argparse.Namespace) -> None:
    base = await container.base()
    done = await resealing.rotate(await sealed_parts(base), base.sealer)
    _say(f"{done.anew} rows are sealed anew with the key {base.sealer.current}, {done.already} were already.")
    for old in base.sealer.old:
        _say(f"The key {old} still opens: `keys retire {old}` says whether it may go.")


async def _retire(container: Container, chosen: argparse.Namespace) -> None:
    base = await container.base()
    if chosen.key == base.sealer.current:
        raise Rejected(f"The key {chosen.key} is MASTER_KEY itself.")
    if needed := (await resealing.users(await sealed_parts(base)))[chosen.key]:
        raise Rejected(f"{needed} rows need the key {chosen.key}: run `keys rotate` first.")
    for file in chosen.backups:
        found = backup.from_json_lines(file.read_text(encoding="utf-8"))
        if chosen.key in resealing.keys_of([found.identity, *found.rows.values()]):
            raise Rejected(f"The backup {file} needs the key {chosen.key}: keep the key as long as the backup.")
    _say(f"No row and none of {len(chosen.backups)} backups needs the key {chosen.key}.")
    _say("Remove it from OLD_MASTER_KEYS. A backup that was not named here may still need it: keep it with that one.")


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
