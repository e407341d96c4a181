"""A charger that answers commands, remembers every CALL it was sent, and comes back whenever its connection fails."""

import asyncio
import json
from collections import Counter
from collections.abc import Sequence
from random import Random
from typing import Any

from tests.support.retrying_charger import LOST, Link


class AnsweringCharger:
    """Answers each CALL after a short while, or (by chance) drops its connection first, or never answers.

    `sent` counts how often each command id came over the wire; `answered` holds what was answered to it.
    """

    def __init__(
        self, urls: Sequence[str], identity: str, *, seed: int, lose: float = 0.0, ignore: float = 0.0
    ) -> None:
        self.urls, self.identity = list(urls), identity
        self.random = Random(seed)
        self.lose, self.ignore = lose, ignore
        self.sent: Counter[str] = Counter()
        self.answered: dict[str, str] = {}
        self.most_outstanding = 0
        self.connections = 0
        self._outstanding: set[str] = set()
        self._is_stopping = False
        self._link: Link | None = None

    async def run(self) -> None:
        """Stay connected to one of the servers until stopped."""
        while not self._is_stopping:
            try:
                self._link = await Link.open(self.random.choice(self.urls), self.identity)
                self.connections += 1
                if self._is_stopping:
                    await self._link.close()
                    return
                await self._serve(self._link)
            except LOST:
                await asyncio.sleep(self.random.uniform(0.02, 0.2))

    async def stop(self) -> None:
        self._is_stopping = True
        if self._link is not None:
            await self._link.close()

    async def _serve(self, link: Link) -> None:
        self._outstanding.clear()
        tasks = set()
        try:
            while True:
                frame = json.loads(await link.socket.recv())
                if frame[0] != 2:
                    continue
                self.sent[frame[1]] += 1
                self._outstanding.add(frame[1])
                self.most_outstanding = max(self.most_outstanding, len(self._outstanding))
                task = asyncio.create_task(self._answer(link, frame[1]))
                tasks.add(task)
                task.add_done_callback(tasks.discard)
        finally:
            for task in tasks:
                task.cancel()

    async def _answer(self, link: Link, unique_id: str) -> None:
        await asyncio.sleep(self.random.uniform(0, 0.05))
        chance = self.random.random()
        if chance < self.lose:
            link.abort()
            return
        self._outstanding.discard(unique_id)
        if chance < self.lose + self.ignore:
            return
        status = self.random.choice(("Accepted", "Rejected"))
        self.answered[unique_id] = status
        payload: dict[str, Any] = {"status": status}
        try:
            await link.send(json.dumps([3, unique_id, payload]))
        except LOST:
            return
