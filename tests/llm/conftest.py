"""A scripted server and a client with little patience."""

from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field

import pytest

from endy.llm.breaker import BreakerRules
from endy.llm.budget import Budget, Caps, MemoryLedger, Prices
from endy.llm.call import Patience
from endy.llm.client import OpenAiModel
from endy.llm.connection import connect
from endy.llm.endpoint import endpoint_of
from endy.llm.slots import Slots
from endy.observability.metrics import Metrics
from tests.llm.scripted import Scripted, scripted_server

KEY = "sk-canary-7f3a9b2c"


@dataclass
class Setup:
    """What a test may want otherwise than the others."""

    url: str
    models: tuple[str, ...] = ("small",)
    patience: Patience = field(
        default_factory=lambda: Patience(first_token=0.6, between_tokens=0.4, total=3.0, retries=2)
    )
    rules: BreakerRules = field(default_factory=lambda: BreakerRules(failures=50))
    slots: int = 100
    wait: float = 1.0
    connect: float = 0.5
    prices: Prices = field(default_factory=lambda: Prices(200.0, 800.0))
    caps: Caps = field(default_factory=Caps)
    api_version: str | None = None
    key: str = KEY
    ledger: MemoryLedger = field(default_factory=MemoryLedger)
    metrics: Metrics = field(default_factory=Metrics)

    def build(self) -> OpenAiModel:
        sdk = connect(endpoint_of(self.url, self.api_version), self.key, self.connect, self.patience.total, self.slots)
        budget = Budget(self.prices, self.caps, self.ledger)
        slots = Slots(self.slots, self.wait)
        return OpenAiModel(sdk, self.models, slots, budget, self.metrics, self.patience, self.rules)


@pytest.fixture(scope="session")
def running_server() -> Iterator[Scripted]:
    with scripted_server() as server:
        yield server


@pytest.fixture
def server(running_server: Scripted) -> Scripted:
    """The same server for every test, with its memory wiped."""
    running_server.scripts.clear()
    running_server.seen.clear()
    running_server.left.clear()
    running_server.most = 0
    return running_server


Build = Callable[[Setup], OpenAiModel]


@pytest.fixture
async def build() -> AsyncIterator[Build]:
    """Builds models and closes them after the test."""
    models: list[OpenAiModel] = []

    def make(setup: Setup) -> OpenAiModel:
        models.append(setup.build())
        return models[-1]

    yield make
    for model in models:
        await model.aclose()


@pytest.fixture
async def model(server: Scripted, build: Build) -> OpenAiModel:
    return build(Setup(server.url))
