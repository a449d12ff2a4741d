"""Each target is sent what is due to it, and one that fails is an alarm at the others."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from foundation.alarms.model import LOG, NOTIFICATIONS_TO, AlarmState, Fact, Message
from foundation.alarms.notifier import Notifier
from foundation.alarms.targets import NotDelivered
from foundation.outgoing.guard import DestinationRefused, Limits, OutgoingGuard, Request
from tests.unit.foundation.test_alarm_register import MINUTE_MS, Inbox, Killed, World


class Targets(World):
    """A world with a log and two more targets."""

    def __init__(self) -> None:
        super().__init__()
        self.slack, self.mail = Inbox(), Inbox()

    def notifier(self, holder: str = "me") -> Notifier:
        targets = {LOG: self.inbox, "slack": self.slack, "mail": self.mail}
        return Notifier(register=self.register, targets=targets, holder=holder)


@pytest.fixture
def world() -> Targets:
    """Nothing holds."""
    return Targets()


async def test_a_target_that_fails_neither_holds_up_nor_repeats_the_others(world: Targets) -> None:
    """It gets what is due to it when it answers again; the others have it once."""
    world.slack.troubles = [NotDelivered("429")] * 3

    await world.look(world.fact(), minutes=8)

    assert world.inbox.words.count(("held", "stands")) == 1
    assert world.mail.words.count(("held", "stands")) == 1
    assert world.slack.words.count(("held", "stands")) == 1
    assert world.slack.first("held").id.endswith(":1:stands")


async def test_a_failing_target_is_an_alarm_at_the_others_until_it_takes_messages(world: Targets) -> None:
    """With its name and what it answered; sent as over once it works."""
    world.slack.troubles = [NotDelivered("the target answered 429")] * 90

    await world.look(world.fact(), minutes=80)
    (failing,) = [
        notification for notification in await world.register.standing() if notification.code == "alarm_target_failing"
    ]
    message = world.mail.first(failing.code)
    assert (message.facts[0].subject, message.facts[0].detail) == (
        "slack",
        "NotDelivered: the target answered 429",
    )
    await world.look(world.fact(), minutes=30)

    words = [word for word in world.mail.all_words if word[0] == "alarm_target_failing"]
    assert words == [("alarm_target_failing", word) for word in ("stands", "stands", "ended")]
    assert ("held", "stands") in world.slack.words


async def test_an_address_the_guard_refuses_is_a_failing_target(world: Targets) -> None:
    """No retry helps, and it stops neither the sweep nor the other targets."""

    class Refused(Inbox):
        async def deliver(self, messages: Sequence[Message]) -> None:
            assert messages
            raise DestinationRefused("hooks.example has an address that is not public")

    world.slack = Refused()

    await world.look(world.fact(), minutes=2)

    assert ("alarm_target_failing", "stands") in world.mail.all_words


async def test_a_fault_in_a_target_is_its_own_alarm(world: Targets, caplog: pytest.LogCaptureFixture) -> None:
    """Also one that nobody foresaw: it ends neither the sweep, which has payouts to wake, nor the other targets."""
    world.slack.troubles = [ValueError("https://hooks.example/secret")] * 2

    await world.look(world.fact(), minutes=2)

    assert ("held", "stands") in world.mail.words
    message = world.mail.first("alarm_target_failing")
    assert (message.facts[0].subject, message.facts[0].detail) == ("slack", "ValueError")
    assert "secret" not in caplog.text


@pytest.mark.parametrize("host", ["hooks..example", f"{'a' * 64}.example"])
async def test_a_host_that_no_name_server_can_be_asked_for_is_refused(host: str) -> None:
    """A mistyped address is a failing target, not a bug."""
    with pytest.raises(DestinationRefused, match="no name that can be looked up"):
        await OutgoingGuard().send(Request(url=f"https://{host}/secret"), Limits(deadline_s=5))


async def test_killed_at_one_target_the_others_have_it_and_it_is_due_again(world: Targets) -> None:
    """The kill comes after its delivery: the same id a second time."""
    world.slack.troubles = [Killed()]
    with pytest.raises(Killed):
        await world.look(world.fact())
    world.clock.advance(MINUTE_MS)

    await world.look(world.fact())

    assert world.mail.words == [("held", "stands")]
    first, second = world.slack.posts
    assert first[0].id == second[0].id


async def test_who_knows_is_known_at_every_target(world: Targets) -> None:
    """Daily from then on, with the name; a new fact of the code begins anew."""
    fact = world.fact()
    await world.look(fact)
    assert await world.register.acknowledge("held", "ana")

    await world.look(fact, minutes=24 * 60)

    assert [message.seen_by for post in world.mail.posts for message in post] == ["", "ana"]
    assert any(key.startswith(f"{NOTIFICATIONS_TO}mail:held") for key in world.rows.dump())


async def test_what_holds_is_listed_the_worst_first(world: Targets) -> None:
    """What ended is not listed."""
    await world.look(world.fact("low"), world.fact("held"), world.fact("stuck"), minutes=1)
    await world.look(world.fact("low"), world.fact("stuck"), minutes=5)

    assert [notification.code for notification in await world.register.standing()] == ["stuck", "low"]


async def test_two_hosts_that_see_opposite_things_make_no_flapping(world: Targets) -> None:
    """One sees the fact, the other does not: one message an hour, and no end."""
    fact = world.fact()
    seen: list[list[Fact]] = [[fact], []]
    for turn in range(120):
        await world.notifier(f"host {turn % 2}").run(seen[turn % 2])
        world.clock.advance(MINUTE_MS // 2)

    assert world.mail.words == [("held", AlarmState.STANDS.value)]


async def test_a_test_goes_the_way_of_every_alarm_each_time_it_is_asked_for(world: Targets) -> None:
    """To each target; whether it arrived is in the target's row; it says nothing of an end."""
    names = [LOG, "slack", "mail"]
    await world.register.test("ana", names)
    world.slack.troubles = [NotDelivered("404")]
    await world.look()
    arrived = {name: (await world.register.notifications(name))["alarm_test"].sent for name in names}
    assert arrived == {LOG: AlarmState.STANDS, "slack": None, "mail": AlarmState.STANDS}

    await world.look(minutes=2)
    await world.register.test("ana", names)
    await world.look(minutes=15)

    assert world.mail.words == [("alarm_test", "stands")] * 2
    assert world.slack.words == [("alarm_test", "stands")] * 2
