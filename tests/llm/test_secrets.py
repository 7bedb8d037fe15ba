"""The key is sent to the server and goes nowhere else."""

import logging
import traceback
from io import StringIO
from pathlib import Path

import pytest

from endy.errors import StartupError
from endy.llm.build import language_model
from endy.llm.models import LlmRequest, LlmUnavailable
from endy.llm.null import NullModel
from endy.observability.logging import configure_logging
from endy.observability.metrics import Metrics
from endy.settings import load_settings
from tests.llm.conftest import KEY, Build, Setup
from tests.llm.scripted import Scripted, cut, events, failing, honest

REQUEST = LlmRequest.of("비밀 규칙 8c1d", "비밀 질문 5e2f")


def told_by(errors: list[LlmUnavailable]) -> list[str]:
    """What tracebacks and error collectors would show."""
    traces = [line for error in errors for line in traceback.format_exception(error)]
    return [*traces, *(repr(vars(error)) for error in errors)]


async def test_key_is_in_no_log_and_no_exception(
    server: Scripted, build: Build, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """With everything logged at debug, the key, the prompt and the server's echo of the key are nowhere."""
    logs = StringIO()
    handler = logging.StreamHandler(logs)
    configure_logging(load_settings(_env_file=None, log_level="debug", log_file=tmp_path / "endy.log"))
    logging.getLogger().addHandler(handler)
    setup = Setup(server.url)
    model = build(setup)
    told = failing(401, message=f"Incorrect API key provided: {KEY}", code="invalid_api_key")
    errors = []
    for script in (honest(), told, failing(500), cut("가"), events("data: {\n\n"), failing(429)):
        server.play(script)
        try:
            await model.write(REQUEST)
        except LlmUnavailable as error:
            errors.append(error)
    assert [error.__context__ for error in errors] == [None] * 5
    assert server.seen[0].headers["authorization"] == f"Bearer {KEY}"
    assert KEY not in server.seen[0].url
    captured = capfd.readouterr()
    file = (tmp_path / "endy.log").read_text(encoding="utf-8")
    shown = [logs.getvalue(), captured.out, captured.err, file, *told_by(errors), repr(model), repr(setup.metrics)]
    everything = "".join(shown)
    assert "llm_attempt_failed" in file
    for secret in (KEY, "8c1d", "5e2f"):
        assert secret not in everything
    logging.getLogger().removeHandler(handler)


async def test_redirects_take_neither_key_nor_question_along(server: Scripted, build: Build) -> None:
    """A server that points elsewhere is not followed."""
    server.play(failing(308, {"Location": f"{server.site}/elsewhere"}), honest())
    with pytest.raises(LlmUnavailable, match="refused: 308"):
        await build(Setup(server.url)).write(REQUEST)
    assert len(server.seen) == 1


async def test_azure_gets_its_header_and_version(server: Scripted, build: Build) -> None:
    """The dated Azure API is called with api-key, api-version and the deployment in the path."""
    server.play(honest())
    for url in (server.site, f"{server.site}/openai", f"{server.site}/openai/deployments/small"):
        await build(Setup(url, api_version="2024-10-21")).write(REQUEST)
        seen = server.seen[-1]
        assert seen.headers["api-key"] == KEY
        assert "authorization" not in seen.headers
        assert seen.url == f"{server.site}/openai/deployments/small/chat/completions?api-version=2024-10-21"


async def test_without_a_key_there_is_no_model() -> None:
    """No key means the null model, which says "off" for both calls."""
    model = language_model(load_settings(_env_file=None, openai_api_key=None), Metrics())
    assert isinstance(model, NullModel)
    with pytest.raises(LlmUnavailable, match="off"):
        await model.write(REQUEST)
    with pytest.raises(LlmUnavailable, match="off"):
        async with model.stream(REQUEST) as writing:
            await anext(writing)
    await model.aclose()


async def test_model_from_settings(server: Scripted) -> None:
    """Address, key, models and prices of the settings reach the server and the cost."""
    server.play(failing(404), honest())
    settings = load_settings(
        _env_file=None,
        openai_api_key=f" {KEY}\n",
        openai_base_url=f"{server.site}/",
        openai_model="big, small,big",
        llm_price_in_krw=1_000_000,
        llm_user_daily_calls=1,
    )
    model = language_model(settings, Metrics())
    answer = await model.write(LlmRequest.of("규칙", "질문", user_key="a"))
    assert (answer.model, answer.usage.cost_krw) == ("small", 120.0)
    with pytest.raises(LlmUnavailable, match="budget"):
        await model.write(LlmRequest.of("규칙", "질문", user_key="a"))
    assert server.seen[0].headers["authorization"] == f"Bearer {KEY}"
    await model.aclose()


@pytest.mark.parametrize("key", ["sk 1", "sk-비밀", "sk-1\nsk-2", " "])
def test_key_that_cannot_be_sent(key: str) -> None:
    """A key with blanks, line breaks or Hangul stops the start without being repeated."""
    with pytest.raises(StartupError, match="OPENAI_API_KEY") as caught:
        language_model(load_settings(_env_file=None, openai_api_key=key), Metrics())
    assert key.strip() == "" or key not in str(caught.value)


def test_budget_needs_prices() -> None:
    """A budget without prices would never be used up, so it stops the start."""
    with pytest.raises(StartupError, match="LLM_DAILY_BUDGET_KRW"):
        load_settings(_env_file=None, llm_daily_budget_krw=1000)


def test_model_list_is_not_empty() -> None:
    """OPENAI_MODEL names at least one model."""
    with pytest.raises(StartupError, match="OPENAI_MODEL"):
        load_settings(_env_file=None, openai_model=" , ")
