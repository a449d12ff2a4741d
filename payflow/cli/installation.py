"""Commands about the installation: make its tables, migrate them; back a company up, and put it back."""

from __future__ import annotations

import argparse
from pathlib import Path

from foundation.backup import manifest
from foundation.clock import system_clock
from payflow import backups
from payflow.cli.context import Add, Refused, company_of, say
from payflow.ledger import backup, identity, migrating, schema, verifying
from payflow.model import CompanyId
from payflow.settings.groups import ContaAzulSettings, StorageSettings
from payflow.wiring import Container


def add_to(add: Add) -> None:
    """Add the commands to a parser."""
    add("init", "make the tables and the ledger's identity, once", _init)
    migrate = add("migrate", "bring the rows to this version's schema, or down to an older one's", _migrate)
    migrate.add_argument("--to", type=int, default=schema.LEVEL, help=f"the level (this version's: {schema.LEVEL})")
    migrate.add_argument("--apply", action="store_true", help="do it; without it nothing is written")
    backing = add("backup", "write a company's rows to a file; what is sealed stays sealed", _backup)
    restore = add("restore", "put a company's rows back; mails that the send log knows are kept", _restore)
    add("verify", "read every row of a company and say what does not fit together", _verify).add_argument("company")
    for command in (backing, restore):
        command.add_argument("company")
        command.add_argument("file", type=Path, nargs="?", help="without it, the second account")
    backing.add_argument("--list", action="store_true", help="list the copies in the second account, the oldest first")
    restore.add_argument("--from", dest="name", metavar="NAME", default="", help="a copy, as `backup --list` names it")


async def _init(container: Container, _: argparse.Namespace) -> None:
    tables, second = await container.ledger_tables(), await container.second_tables()
    await tables.ensure()
    await second.ensure()
    environment = (await container.settings(StorageSettings)).environment
    uri = (await container.settings(ContaAzulSettings)).redirect_uri
    made = await identity.create(tables.rows, await container.sealer(), environment=environment, redirect_uri=uri)
    say(f"The ledger {made.ledger_id} of {environment} is ready.")


async def _migrate(container: Container, chosen: argparse.Namespace) -> None:
    base = await container.base()
    found, lanes = (
        await schema.level_of(base.ledger.rows),
        [base.lane(each.company) for each in await base.entries.all()],
    )
    done = await migrating.migrate(base.ledger.rows, lanes, to=chosen.to, apply=chosen.apply)
    say(f"The schema is level {found}; {len(lanes)} companies.")
    for each in done:
        say(f"step {each.step.level} ({each.step.what}): {each.rows} rows {'written' if chosen.apply else 'to write'}")
    say(f"The schema is level {chosen.to}." if chosen.apply else "Nothing was changed: repeat it with --apply.")


async def _backup(container: Container, chosen: argparse.Namespace) -> None:
    if chosen.list:
        prefix = f"{backups.APP}/"
        names = await manifest.backup_names(await container.backup_store(), prefix)
        for name in names:
            if f"/{chosen.company}/" in name:
                say(name)
        return
    lane, company = await company_of(container, chosen)
    if chosen.file is None:
        kept = await (await container.backups()).run(company.id)
        say(f"{kept.rows} rows of company {company.id} are in {kept.name}.")
        return
    base = await container.base()
    whose = await base.ledger.rows.get(identity.ROW)
    ledger_id, now = base.identity.ledger_id, system_clock()
    taken = await backup.take_backup(lane.rows, ledger_id=ledger_id, company=company.id, now=now, identity=whose)
    part = chosen.file.with_name(f"{chosen.file.name}.part")  # an older backup there is whole until this one is
    part.write_text(backup.as_json_lines(taken), encoding="utf-8", newline="\n")
    part.replace(chosen.file)
    await backup.note(lane.rows, now)
    say(f"{len(taken.rows)} rows of company {company.id} are in {chosen.file}.")


async def _restore(container: Container, chosen: argparse.Namespace) -> None:
    found, tables = await _found(container, chosen), await container.ledger_tables()
    if found.company != chosen.company:
        raise Refused(f"This backup is of company {found.company}.")
    await tables.ensure()
    environment = (await container.settings(StorageSettings)).environment
    uri, sealer = (await container.settings(ContaAzulSettings)).redirect_uri, await container.sealer()
    await identity.put_back(tables.rows, sealer, found.identity, environment=environment, redirect_uri=uri)
    base = await container.base()
    if found.ledger_id != base.identity.ledger_id:
        raise Refused(f"This backup is of the ledger {found.ledger_id}; this one is {base.identity.ledger_id}.")
    report = await (await container.restoring(CompanyId(chosen.company))).run(found)
    mails = ", ".join(f"{count} {state}" for state, count in sorted(report.mails.items())) or "none"
    say(f"{report.rows} rows of company {chosen.company} are back. Mails by the send log: {mails}.")
    for said in report.not_put_back:
        say(f"Decided since the backup, decide it once more: {said.what} {said.subject}, by {said.by}.")
    say(f"The company is paused; look at `receipts {chosen.company}`, then run `resume {chosen.company}`.")


async def _found(container: Container, chosen: argparse.Namespace) -> backup.CompanyBackup:
    if bool(chosen.name) == (chosen.file is not None):
        raise Refused("Give a file, or --from NAME of the second account; not both.")
    if chosen.file is not None:
        return backup.from_json_lines(chosen.file.read_text(encoding="utf-8"))
    return await backups.load_backup(await container.backup_store(), chosen.name)


async def _verify(container: Container, chosen: argparse.Namespace) -> None:
    lane, company = await company_of(container, chosen)
    level = await schema.level_of((await container.base()).ledger.rows)
    say(f"schema level {level}")
    found = await verifying.verify_company(lane)
    say(", ".join(f"{count} {kind}" for kind, count in sorted(found.counts.items())))
    for fault in found.faults:
        say(fault)
    if found.faults:
        raise Refused(f"{len(found.faults)} rows of company {company.id} do not fit together.")
    if level != schema.LEVEL:
        raise Refused(f"The schema is level {level}, this version's is {schema.LEVEL}: run `migrate --apply`.")
    say(f"Every row of company {company.id} is readable and fits.")
