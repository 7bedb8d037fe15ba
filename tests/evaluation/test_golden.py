"""The golden questions over the sample knowledge: a ranking change that loses answers fails here."""

import asyncio
import json
from collections import Counter
from pathlib import Path

import pytest

from endy.evaluation.knowledge import answering, load_knowledge, store_for
from endy.evaluation.questions import EvalQuestion, load_questions
from endy.evaluation.runner import run
from endy.evaluation.scores import Outcome, by_kind, score
from endy.settings import Settings

# On one core the sample's vectors take minutes.
pytestmark = pytest.mark.timeout(900)

ROOT = Path(__file__).parent.parent.parent
FLOORS = json.loads((ROOT / "benchmarks" / "floors.json").read_text(encoding="utf-8"))


def golden() -> list[EvalQuestion]:
    return [
        question for path in sorted((ROOT / "benchmarks/golden").glob("*.jsonl")) for question in load_questions(path)
    ]


def sample_settings() -> Settings:
    return Settings(
        _env_file=None,
        knowledge_dir=ROOT / "knowledge/docs",
        faq_file=ROOT / "knowledge/faq.json",
        words_file=ROOT / "knowledge/words.txt",
    )


def test_the_questions_fit_the_knowledge() -> None:
    """At least 150 questions of ten kinds, each answerable one with a source that exists and holds its facts."""
    questions = golden()
    sections = {section.id: section for section in load_knowledge(sample_settings())}
    assert len(questions) >= 150
    assert len(Counter(question.kind for question in questions)) == 10
    assert len({question.id for question in questions}) == len(questions)
    for question in questions:
        texts = [f"{sections[source].title} {sections[source].text}" for source in question.relevant]
        for group in question.must_include:
            assert any(way in text for way in group for text in texts), question.id


@pytest.fixture(scope="module")
def outcomes() -> list[Outcome]:
    return asyncio.run(ask_all())


async def ask_all() -> list[Outcome]:
    settings = sample_settings()
    async with answering(settings, load_knowledge(settings), ROOT / store_for("golden")) as service:
        return await run(service, golden())


@pytest.mark.parametrize("measure", sorted(FLOORS["all"]))
def test_no_measure_falls_below_its_floor(outcomes: list[Outcome], measure: str) -> None:
    """The floors are what the last accepted ranking reached, less two questions in a hundred."""
    reached = getattr(score(outcomes), measure)
    floor = FLOORS["all"][measure]
    assert reached <= floor if measure == "wrongly_refused" else reached >= floor


@pytest.mark.parametrize("kind", sorted(FLOORS["top1"]))
def test_no_kind_of_question_is_lost(outcomes: list[Outcome], kind: str) -> None:
    """Each kind keeps its share of right sources in first place."""
    reached = by_kind(outcomes)[kind].top1
    assert reached is not None
    assert reached >= FLOORS["top1"][kind]
