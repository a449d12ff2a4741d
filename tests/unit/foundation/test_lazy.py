"""Built once, at first use; a failed build is tried again."""

import asyncio

import pytest

from foundation.lazy import Lazy


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
