"""Built once, at first use; a failed build is tried again."""

import asyncio

import pytest

from foundation.lazy import Lazy, built_once
from foundation.per_loop import PerLoop


async def test_it_is_built_once_for_many_who_ask_at_once() -> None:
    """The second caller waits for the first one's build."""
    builds: list[int] = []

    async def build() -> int:
        builds.append(len(builds))
        await asyncio.sleep(0)
        return 7

    lazy = Lazy(build)

    assert list(await asyncio.gather(lazy.get(), lazy.get())) == [7, 7]
    assert builds == [0]


async def test_a_failure_is_not_kept() -> None:
    """Once the setting is right, the next call works."""
    answers: list[Exception | int] = [ValueError("not yet"), 7]

    async def build() -> int:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    lazy = Lazy(build)

    with pytest.raises(ValueError, match="not yet"):
        await lazy.get()
    assert await lazy.get() == 7


class House:
    """Two parts, one of which needs the other."""

    def __init__(self) -> None:
        self.builds: list[str] = []
        self.closed = False

    @built_once
    async def door(self) -> str:
        await asyncio.sleep(0)
        self.builds.append("door")
        return "door"

    @built_once
    async def room(self) -> list[str]:
        self.builds.append("room")
        return [await self.door()]

    async def aclose(self) -> None:
        self.closed = True


async def test_a_method_is_the_part_it_builds_for_each_owner() -> None:
    """Asked for at once and by one another, each part is built once; another owner has its own."""
    house, other = House(), House()

    rooms = await asyncio.gather(house.room(), house.room(), house.door())

    assert rooms[0] is rooms[1]
    assert house.builds == ["room", "door"]
    assert await other.room() is not rooms[0]


def test_each_loop_has_its_own_and_closed_loops_are_forgotten() -> None:
    """Closing twice is no error."""
    houses = PerLoop(House)

    async def one() -> House:
        assert houses.get() is houses.get()
        return houses.get()

    async def one_closed() -> House:
        own = await one()
        await houses.aclose()
        await houses.aclose()
        return own

    first, second = asyncio.run(one()), asyncio.run(one_closed())

    assert first is not second
    assert (first.closed, second.closed, len(houses)) == (False, True, 0)
