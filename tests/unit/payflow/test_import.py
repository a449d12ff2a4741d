"""Ten thousand instalments at the API's pace: what it costs, and that today's payments do not wait for years."""

from __future__ import annotations

import os
from datetime import date

from payflow.conta_azul.answers import InstalmentPage
from payflow.conta_azul.routes import Search
from payflow.lane import Ended
from payflow.model import InstalmentDetail, InstalmentId
from payflow.state import CompanyStatus
from tests.unit.payflow.test_lane import INTERVAL_MS, Api, World

INSTALMENTS = int(os.environ.get("IMPORT_INSTALMENTS", "2000"))
"""The documents' figures are of 10,000, which takes minutes."""
PACE_S = 1 / 6
"""360 requests a minute: the limiter's default."""


class PacedApi(Api):
    """Each request takes its share of the API's minute."""

    def __init__(self, world: World) -> None:
        super().__init__(world.books)
        self.time = world.time

    async def search(self, search: Search) -> InstalmentPage:
        self.time.now_s += PACE_S
        return await super().search(search)

    async def instalment(self, instalment: InstalmentId) -> InstalmentDetail:
        self.time.now_s += PACE_S
        return await super().instalment(instalment)


async def test_an_import_is_read_once_and_todays_payments_do_not_wait_for_it() -> None:
    """Within an hour, at most 1.1 detail reads each; what is booked meanwhile is mailed within two looks."""
    world = await World().ready()
    world.api = api = PacedApi(world)
    ana = world.books.person("Ana", email="ana@example.org")
    for _ in range(INSTALMENTS):
        world.books.pay(world.books.bill(ana, 1_00, due=date(2026, 1, 10)))
    started_s, looks, booked, waits = world.time.now_s, 0, dict[str, int](), list[int]()
    world.time.now_s += INTERVAL_MS / 1000
    while len(world.work.done) < INSTALMENTS + looks:
        now = world.books.pay(world.books.bill(ana, 1_00, due=date(2026, 1, 10)))
        booked[now.id] = looks
        world.time.now_s += 1  # a look asks to the second
        ended = await world.run()
        looks += 1
        done = booked.keys() & set(world.work.done)
        waits += [looks - booked.pop(each) for each in done]
        await world.book.entries.lower(world.book.lane.company, world.now, CompanyStatus.ACTIVE)
        world.time.now_s += 0 if ended is Ended.TIME else 60
    hours = (world.time.now_s - started_s) / 3600
    reads = api.asked["detail"] / (INSTALMENTS + looks)
    print(f"{INSTALMENTS} in {hours:.2f} h, {looks} looks, {reads:.3f} reads each, {dict(api.asked)}, waits {waits}")  # noqa: T201 -- pytest shows it

    assert reads <= 1.1
    assert max(waits) <= 2
    assert hours <= 1
    assert len(set(world.work.done)) == len(world.work.done)
