"""People at work: they ask, judge the answers, and an admin makes links, which is audited; all is written down."""

import asyncio
import random
import time
from dataclasses import dataclass, field
from typing import Any

import httpx

from benchmarks.cluster.parts import ADMIN, PEOPLE, Cluster

QUESTIONS = [
    "연차 며칠 남았는지 어디서 봐요?",
    "출장비 정산은 언제까지?",
    "VPN 접속이 안 돼요",
    "주차 등록 방법",
    "경조금 얼마?",
]


@dataclass
class Told:
    """What was acknowledged, and every status with its time."""

    opinions: dict[tuple[str, str], bool] = field(default_factory=dict)
    audited: int = 0
    statuses: list[tuple[float, int, str]] = field(default_factory=list)

    def failed(self, windows: list[tuple[float, float]]) -> list[tuple[float, int, str]]:
        """Answers of 500 and above, and broken connections (0), outside the windows."""
        return [
            entry
            for entry in self.statuses
            if (entry[1] >= 500 or entry[1] == 0) and not any(start <= entry[0] <= end for start, end in windows)
        ]


class Load:
    """So many people at once, until stopped."""

    def __init__(self, cluster: Cluster, people: int = 12) -> None:
        self.told = Told()
        self._cluster = cluster
        self._people = people
        self._tasks: list[asyncio.Task[None]] = []
        self._chance = random.Random(11)  # noqa: S311

    async def __aenter__(self) -> "Load":
        self._tasks = [asyncio.create_task(self._employee(number)) for number in range(self._people)]
        self._tasks.append(asyncio.create_task(self._admin()))
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _employee(self, number: int) -> None:
        person = PEOPLE[number % len(PEOPLE)]
        async with self._client() as http:
            headers = await self._sign_in(http, person["employee_id"], person["name"])
            while True:
                answer = await self._call(http, "POST", "/api/ask", {"question": self._question()}, headers)
                if answer is not None and answer.status_code == 401:
                    headers = await self._sign_in(http, person["employee_id"], person["name"])
                elif answer is not None and answer.status_code == 200:
                    await self._rate(http, answer.json()["question_id"], person["employee_id"], headers)
                await asyncio.sleep(0.02)

    async def _rate(self, http: httpx.AsyncClient, question: str, who: str, headers: dict[str, str]) -> None:
        helpful = self._chance.random() < 0.7
        body = {"question_id": question, "is_helpful": helpful, "comment": "도움이 됐어요"}
        said = await self._call(http, "POST", "/api/feedback", body, headers)
        if said is not None and said.status_code == 200:
            self.told.opinions[question, f"user:{who}"] = helpful

    async def _admin(self) -> None:
        async with self._client() as http:
            headers = await self._sign_in(http, ADMIN["employee_id"], ADMIN["name"])
            number = 0
            while True:
                number += 1
                target = PEOPLE[number % len(PEOPLE)]["employee_id"]
                changed = await self._call(http, "POST", f"/api/admin/users/{target}/password-link", {}, headers)
                if changed is not None and changed.status_code in (200, 201):
                    self.told.audited += 1
                elif changed is not None and changed.status_code == 401:
                    headers = await self._sign_in(http, ADMIN["employee_id"], ADMIN["name"])
                await asyncio.sleep(0.03)

    async def _sign_in(self, http: httpx.AsyncClient, number: str, name: str) -> dict[str, str]:
        while True:
            answer = await self._call(http, "POST", "/api/login", {"employee_id": number, "name": name}, {})
            if answer is not None and answer.status_code == 200:
                http.cookies.clear()
                return {"Authorization": f"Bearer {answer.json()['session_token']}"}
            await asyncio.sleep(0.3)

    async def _call(
        self, http: httpx.AsyncClient, method: str, path: str, body: dict[str, Any], headers: dict[str, str]
    ) -> httpx.Response | None:
        began = time.monotonic()
        try:
            answer = await http.request(method, path, json=body, headers=headers)
        except httpx.HTTPError as error:
            self.told.statuses.append((began, 0, f"{path} {type(error).__name__}"))
            return None
        self.told.statuses.append((began, answer.status_code, path))
        return answer

    def _client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(base_url=f"http://127.0.0.1:{self._cluster.port}", timeout=20)

    def _question(self) -> str:
        return f"{self._chance.choice(QUESTIONS)} {self._chance.randrange(50)}"
