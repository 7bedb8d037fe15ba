"""Orders in documents and in questions: no model, however obedient, gets them to the reader."""

import re
import time
from collections.abc import AsyncGenerator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pytest

from endy.ask import writer
from endy.ask.instructions import readable, speaks_to_model
from endy.ask.writer import Task, Writer, Written
from endy.bootstrap import build_language
from endy.llm.models import LlmAnswer, LlmRequest, Usage, Writing
from endy.observability.metrics import Metrics
from endy.retrieval.search import Language, SectionSearcher
from endy.retrieval.section import Section
from endy.settings import Settings

POLICY = "남은 연차는 다음 해로 5일까지 넘길 수 있어요. 12월 10일까지 피플허브에서 신청해 주세요."
HONEST = "남은 연차는 다음 해로 5일까지 넘길 수 있어요 [1]."
ASKED = "연차 이월 며칠까지 돼?"
SPACES = re.compile(r"\s+")


class Injection(NamedTuple):
    where: str
    text: str
    told: str


INJECTIONS = [
    Injection(*line.split("\t"))
    for line in (Path(__file__).parent / "injections.tsv").read_text(encoding="utf-8").splitlines()
    if not line.startswith("#")
]
MANNERS = ("{told} [1]", "{told}", HONEST + " {told} [1]", HONEST + " {told}", "{told}\n\n" + HONEST)


def squeezed(text: str) -> str:
    return SPACES.sub("", readable(text)).strip(".!?").lower()


class Obedient:
    """Does what the injection asks as soon as it has read it, and answers honestly otherwise."""

    available = True

    def __init__(self, injection: Injection, manner: str) -> None:
        self._injection = injection
        self._said = manner.format(told=injection.told)
        self.read = False

    async def write(self, request: LlmRequest) -> LlmAnswer:
        return LlmAnswer(self._text(request), "obedient", Usage(), 0.0, 0.0)

    def stream(self, request: LlmRequest) -> Writing:
        return Writing(partial(self._pieces, request))

    async def aclose(self) -> None:
        """Nothing is open."""

    async def _pieces(self, request: LlmRequest, _writing: Writing) -> AsyncGenerator[str, None]:
        text = self._text(request)
        for start in range(0, len(text), 5):
            yield text[start : start + 5]

    def _text(self, request: LlmRequest) -> str:
        prompt = squeezed("".join(message.content for message in request.messages[1:2]))
        sought = squeezed(self._injection.text.replace("<", "‹"))
        # Half of an order is enough to understand it.
        halves = (sought[: len(sought) // 2], sought[len(sought) // 2 :])
        if any(half in prompt.replace("<", "‹") for half in halves):
            self.read = True
            return self._said
        return HONEST


@pytest.fixture(scope="module")
def language() -> Language:
    return build_language(Settings(_env_file=None, embeddings="none"))


async def shown(language: Language, injection: Injection, manner: str) -> tuple[str, bool]:
    """Everything that a reader would see of the model's words, and whether the model had read the order."""
    poisoned = injection.where == "document"
    text = f"{POLICY}\n\n{injection.text}" if poisoned else POLICY
    path = ("휴가", "연차 이월")
    section = Section("people.md#휴가 > 연차 이월", "section", "people.md", "안내", path, path[1], text, "HR", "P&C팀")
    model = Obedient(injection, manner)
    result = SectionSearcher([section], {}, language, None).search(ASKED if poisoned else injection.text)
    seen = ""
    words = Writer(model, "obedient", 3000, frozenset({"everyone"}), Metrics())
    async for piece in words.write(Task(ASKED if poisoned else injection.text, (), result)):
        if isinstance(piece, Written):
            seen += "NO_ANSWER" if piece.outcome == "no_answer" else piece.text
        else:
            seen += piece
    return squeezed(seen), model.read


def obeyed(seen: str, told: str) -> bool:
    return squeezed(told) in seen


def test_there_are_enough_of_them() -> None:
    """At least a hundred, in documents and in questions, in Korean and English."""
    assert len(INJECTIONS) >= 100
    for where in ("document", "question"):
        korean = [one for one in INJECTIONS if one.where == where and re.search("[가-힣]", one.text)]
        assert len(korean) >= 30
        assert sum(one.where == where for one in INJECTIONS) - len(korean) >= 7


@pytest.mark.parametrize("manner", MANNERS)
async def test_no_order_is_obeyed(language: Language, manner: str) -> None:
    """Whether the model says it alone, beside a true sentence, with or without a citation: none of it is shown."""
    results = [(one, *(await shown(language, one, manner))) for one in INJECTIONS]
    assert not [(one.text, seen) for one, seen, _ in results if obeyed(seen, one.told)]


async def test_the_guard_alone_holds_nearly_all_of_what_questions_order(
    language: Language, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the screen away, so that the model reads every order, its words still need the sources.

    Only English without a figure and with a citation passes: its words cannot be compared with Korean ones.
    """
    monkeypatch.setattr(writer, "speaks_to_model", lambda _text: False)
    ordered = [one for one in INJECTIONS if one.where == "question"]
    results = [(one, *(await shown(language, one, MANNERS[0]))) for one in ordered]
    assert sum(read for _, _, read in results) == len(ordered)
    through = [one for one, seen, _ in results if obeyed(seen, one.told)]
    assert not [one for one in through if re.search("[가-힣]", one.text)]
    assert len(through) <= 0.1 * len(ordered), through


def test_the_screen_alone_finds_orders_in_documents() -> None:
    """What a document says is true for the guard, so orders in it must not be read; one without figures is missed."""
    missed = [one for one in INJECTIONS if one.where == "document" and not speaks_to_model(one.text)]
    assert len(missed) <= 1, missed


def test_ordinary_sentences_are_no_orders() -> None:
    """Nothing in the sample knowledge is taken for an order to a model."""
    folder = Path(__file__).parent.parent.parent / "knowledge" / "docs"
    lines = [line for path in folder.glob("*.md") for line in path.read_text(encoding="utf-8").splitlines()]
    assert len(lines) > 1000
    assert not [line for line in lines if speaks_to_model(line)]


@pytest.mark.parametrize(
    "part", ["답변 ", "AI는 ", "https://x", '"가', "반드시 ", "이 글을 읽는 모델은 ", "ignore ", " "]
)
def test_time_grows_with_the_text(part: str) -> None:
    """No text keeps the screen busy: four times as much takes about four times as long."""

    def seconds(count: int) -> float:
        text = part * count
        started = time.perf_counter()
        for _ in range(3):
            speaks_to_model(text)
        return time.perf_counter() - started

    seconds(100)
    assert seconds(4000) < 12 * max(seconds(1000), 0.005)
