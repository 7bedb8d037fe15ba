"""One answer to one request, over all the attempts that it takes."""

import asyncio
from dataclasses import dataclass

from endy.llm.budget import Budget
from endy.llm.models import LlmRequest, Writing


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait, in seconds, and how often to try a model again before its first token."""

    first_token: float = 10.0
    between_tokens: float = 5.0
    total: float = 30.0
    retries: int = 2


@dataclass(frozen=True, slots=True)
class Call:
    """A request under way; times are those of the running loop."""

    request: LlmRequest
    writing: Writing
    patience: Patience
    budget: Budget
    started: float

    @property
    def deadline(self) -> float:
        return self.started + self.patience.total

    def seconds(self) -> float:
        return now() - self.started

    def limit(self, seconds: float) -> float:
        """The time in so many seconds, or the end of the whole call if that comes first."""
        return min(now() + seconds, self.deadline)

    def charge(self, written: str = "", reported: tuple[int, int] | None = None) -> None:
        """Add what one attempt cost; the server has read the request even if nobody stayed for the answer."""
        self.writing.usage += self.budget.usage(self.request, written, reported)


def now() -> float:
    return asyncio.get_running_loop().time()
