"""Against llama.cpp's own server in its own process: the protocol as somebody else wrote it."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from endy.llm.call import Patience
from endy.llm.client import OpenAiModel
from endy.llm.models import LlmRequest, LlmUnavailable
from tests.llm.conftest import KEY, Build, Setup

REQUEST = LlmRequest.of("규칙", "연차 135", max_tokens=1000, temperature=0.0)
"""A question to which the random model happens to say some 150 words, and no more."""
PATIENT = Patience(first_token=10, between_tokens=10, total=30)


@pytest.fixture(scope="session")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    program = Path(__file__).parent / "tiny_server.py"
    command = [sys.executable, str(program), str(tmp_path_factory.mktemp("tiny")), KEY]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as server:
        assert server.stdout is not None
        yield server.stdout.readline().strip()
        server.kill()


@pytest.fixture
def tiny(address: str, build: Build) -> OpenAiModel:
    return build(Setup(address, models=("tiny",), patience=PATIENT, connect=5))


async def ended(model: OpenAiModel, request: LlmRequest) -> str:
    try:
        await model.write(request)
    except LlmUnavailable as error:
        return f"{error.reason} {error.detail}"
    return "success"


async def test_answer_ends_by_itself(tiny: OpenAiModel) -> None:
    """Pieces, finish reason and the server's own count of tokens arrive."""
    async with tiny.stream(REQUEST) as writing:
        pieces = [piece async for piece in writing]
    assert writing.finish_reason == "stop"
    assert len(pieces) > 1
    assert not writing.usage.estimated
    assert writing.usage.tokens_in > 10
    assert len(pieces) <= writing.usage.tokens_out <= 1000


async def test_answer_cut_by_its_limit(tiny: OpenAiModel) -> None:
    """An answer that reaches max_tokens is told apart."""
    assert await ended(tiny, replace(REQUEST, max_tokens=3)) == "cut length"


async def test_wrong_key(address: str, build: Build) -> None:
    """The server's 401 is "refused"."""
    assert await ended(build(Setup(address, models=("tiny",), key="sk-wrong")), REQUEST) == "refused 401"


async def test_question_longer_than_the_context(tiny: OpenAiModel) -> None:
    """More text than the model can read is refused, and does not speak against the model."""
    assert await ended(tiny, LlmRequest.of("규칙", "연차 " * 4000)) == "refused 400"
    assert tiny.available


async def test_leaving_frees_the_server(tiny: OpenAiModel) -> None:
    """Twenty answers that are left after their first piece do not keep the server's four places busy."""
    for _ in range(20):
        async with tiny.stream(REQUEST) as writing:
            await anext(writing)
    assert await ended(tiny, REQUEST) == "success"


async def test_many_at_once(tiny: OpenAiModel) -> None:
    """40 callers share four places on the server, and all get a whole answer."""
    assert set(await asyncio.gather(*(ended(tiny, REQUEST) for _ in range(40)))) == {"success"}
