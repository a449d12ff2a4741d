"""A mail to an office: one transaction, tried once; what was not taken is asked for, or due, again."""

from __future__ import annotations

import logging
import time

from foundation import logs
from payflow.delivery.ports import Channel
from payflow.mail.codes import Verdict

DOT_S_MAX = 30.0

_log = logging.getLogger(__name__)


async def post(channel: Channel, recipient: str, data: bytes) -> bool:
    """Offer *data* to the mail server; say whether it took the mail."""
    try:
        outcome = await channel.offer(recipient, data)
        if outcome is None:
            outcome = await channel.finish(time.monotonic() + DOT_S_MAX)
    finally:
        await channel.close()
    taken = outcome is not None and outcome.verdict is Verdict.ACCEPTED
    if not taken:
        words = outcome.words if outcome else "the connection was gone before the dot"
        logs.warning(_log, "office_mail_not_taken", words=words)
    return taken
