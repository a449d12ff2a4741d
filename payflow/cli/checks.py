"""
``doctor``: the guide's checklist of twelve items before production, every one that a program can check.

Nothing is written and no mail is sent. What only a person can check is listed as such.
"""

from __future__ import annotations

import argparse
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

import httpx

from foundation.alarms.configured import targets_of
from foundation.alarms.model import LOG
from foundation.clock import elapsed_ms, system_clock
from foundation.errors import ServiceError
from foundation.version import version
from payflow.adapters.acs import AcsChannel
from payflow.cli.context import Add, Refused, local_time, say
from payflow.errors import ServedElsewhere
from payflow.ledger import backup, control, schema
from payflow.mail.channel import SmtpChannel
from payflow.model import CompanyId
from payflow.settings.groups import AlarmSettings, ContaAzulSettings, Environment, LookSettings, StorageSettings
from payflow.settings.mail import BounceSettings
from payflow.standing import BACKUP_LATE_MS
from payflow.state import CompanyStatus
from payflow.wiring import Container

READY_S: Final = 15.0
Check = Callable[[Container], Awaitable[str]]
"""Returns what is wrong; empty when nothing is. Raises ServiceError, which is wrong too."""


@dataclass(frozen=True, slots=True)
class GuideItem:
    """One item of the checklist, by its number in the guide."""

    name: str
    what: str
    check: Check


BY_HAND: Final[Mapping[str, str]] = {
    "6 tests": "the build of this version is green: pytest",
    "7 lint": "the same build: ruff, mypy",
    "12 lgpd": "who may read ledger and logs and for how long is written down; the record of processing is filled in",
}


def add_to(add: Add) -> None:
    """Add the command to a parser."""
    doctor = add("doctor", "run the checklist before production; ends with 1 if an item fails", _doctor)
    names = [item.name.split()[1] for item in ITEMS]
    doctor.add_argument("--accept", action="append", default=[], choices=names, help="an item that may fail")


async def _doctor(container: Container, chosen: argparse.Namespace) -> None:
    failed = 0
    for item in ITEMS:
        try:
            wrong = await item.check(container)
        except ServiceError as error:
            wrong = str(error) or type(error).__name__
        accepted = item.name.split()[1] in chosen.accept
        failed += bool(wrong) and not accepted
        say(f"{'ok      ' if not wrong else 'accepted' if accepted else 'FAILED  '} {item.name}: {wrong or item.what}")
    for name, what in BY_HAND.items():
        say(f"by hand  {name}: {what}")
    say(f"bounces  {await _doors(container)}")
    if failed:
        raise Refused(f"{failed} items fail.")


async def _doors(container: Container) -> str:
    """Return how it is known that a mail came back; no item, because an office may do without."""
    try:
        settings = await container.settings(BounceSettings)
    except ServiceError as error:
        return str(error)
    doors = {"POST /bounces": settings.secret, "POST /mail-events": settings.events}
    open_ = [name for name, secret in doors.items() if secret.get_secret_value()]
    if open_:
        return f"told at {', '.join(open_)}; whether anything is posted there, only its sender knows"
    return "no door is open: *sent* means that the mail server accepted a mail, and nobody knows more"


async def _key(container: Container) -> str:
    await container.base()  # opens the sealed key of the blind index
    return ""


async def _settings(container: Container) -> str:
    wrong = await container.wrong_settings()
    environment = (await container.settings(StorageSettings)).environment
    if wrong:
        return f"missing or wrong: {', '.join(wrong)}"
    return "" if environment is Environment.PRODUCTION else f"ENVIRONMENT is {environment}"


async def _mail(container: Container) -> str:
    channel = (await container.work(CompanyId("doctor"))).channel()
    outcome = await channel.check() if isinstance(channel, SmtpChannel | AcsChannel) else None
    return f"{outcome.phase.name}: {outcome.words}" if outcome else ""


async def _sign_in(container: Container) -> str:
    base, wrong = await container.base(), list[str]()
    served = [entry for entry in await base.entries.all() if entry.status is not CompanyStatus.DISCONNECTED]
    for entry in served:
        company = await base.lane(entry.company).read_company()
        try:
            found = await (await container.apis(entry.company))(company).account() if company else None
        except ServiceError as error:
            wrong.append(f"{entry.company} ({entry.status}): {str(error) or type(error).__name__}")
            continue
        if found is None or found.company != entry.company:
            wrong.append(f"{entry.company}: the token is another company's")
    return ", ".join(wrong) if served else "no company is connected yet"


async def _https(container: Container) -> str:
    parts = urlsplit((await container.settings(ContaAzulSettings)).redirect_uri)
    if parts.scheme != "https":
        return f"the redirect URI is {parts.scheme}"
    try:
        async with httpx.AsyncClient(timeout=READY_S) as http:
            answer = await http.get(f"https://{parts.netloc}/ready")
    except httpx.HTTPError as error:
        return f"https://{parts.netloc}/ready: {type(error).__name__}"
    return "" if answer.status_code == HTTPStatus.OK else f"/ready answers {answer.status_code}: {answer.text[:300]}"


async def _package(container: Container) -> str:
    """Whether what is deployed is this version, and the rows are its own. There is no image of PayFlow."""
    level = await schema.level_of((await container.base()).ledger.rows)
    if level != schema.LEVEL:
        return f"the schema is level {level}, this version's is {schema.LEVEL}: run `migrate --apply`"
    parts = urlsplit((await container.settings(ContaAzulSettings)).redirect_uri)
    try:
        async with httpx.AsyncClient(timeout=READY_S) as http:
            answer = await http.get(f"{parts.scheme}://{parts.netloc}/healthz")
    except httpx.HTTPError as error:
        return f"{parts.scheme}://{parts.netloc}/healthz: {type(error).__name__}"
    deployed = answer.headers.get("X-Version", "an unknown version")
    return "" if deployed == version() else f"{deployed} is deployed, and this is {version()}"


async def _backup(container: Container) -> str:
    base, wrong, now = await container.base(), list[str](), system_clock()
    await base.second.rows.get("ready")
    for entry in await base.entries.all():
        backed_up_ms = await backup.noted(base.lane(entry.company).rows)
        if elapsed_ms(backed_up_ms, now) > BACKUP_LATE_MS:
            wrong.append(entry.company)
        try:
            await base.send_log(system_clock, entry.company, 1).belongs_here()
        except ServedElsewhere as other:
            wrong.append(f"{entry.company} (the send log is that of {other.where})")
    return f"no backup of the last 26 hours: {', '.join(wrong)}" if wrong else ""


async def _alarms(container: Container) -> str:
    targets = targets_of(await container.settings(AlarmSettings), "PayFlow")
    return "" if set(targets) - {LOG} else "alarms go to the log alone: set ALARM_EMAIL_TO or another target"


async def _scale(container: Container) -> str:
    """Whether what there is keeps up now; what is to come only a person knows."""
    base, now = await container.base(), system_clock()
    if (held := await control.read_control(base.ledger.rows)).held_ms:
        return f"every company is held since {local_time(held.held_ms)} by {held.by}: `resume --all`"
    late_ms = 3000 * (await container.settings(LookSettings)).interval_s
    active = [entry for entry in await base.entries.all() if entry.status is CompanyStatus.ACTIVE]
    late = [entry.company for entry in active if now - entry.looked_ms > late_ms]
    account = await (await container.desk()).account()
    stopped = f"the mail account has stopped: {account.why}" if account.stopped_ms else ""
    return f"not looked at for three intervals: {', '.join(late)}" if late else stopped


ITEMS: Final = (
    GuideItem("1 key", "MASTER_KEY opens this ledger", _key),
    GuideItem("2 settings", "every setting is right, and this is production", _settings),
    GuideItem("3 mail", "the mail server, or the service, takes our login over verified TLS", _mail),
    GuideItem("4 oauth", "every connected company's token is taken", _sign_in),
    GuideItem("5 https", "the public address answers /ready over https", _https),
    GuideItem("8 image", "the deployed package and the rows are of this version; there is no image", _package),
    GuideItem("9 backup", "second account, its send log ours, and a backup of the last 26 hours", _backup),
    GuideItem("10 logging", "alarms reach a person", _alarms),
    GuideItem("11 scaling", "every company is looked at in time, and mail goes out", _scale),
)
