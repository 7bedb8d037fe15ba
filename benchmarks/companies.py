"""The question sets that ranking and confidence are fitted on: the invented companies, and KorQuAD if given."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from endy.bootstrap import build_embedder, build_language
from endy.evaluation.knowledge import load_knowledge, store_for, stored_vectors
from endy.evaluation.questions import EvalQuestion, load_corpus, load_questions
from endy.retrieval.evidence import FEATURES
from endy.retrieval.fusion import CONTEXT, Fusion
from endy.retrieval.search import Language, View, view_of
from endy.retrieval.section import Section
from endy.settings import Settings
from endy.storage import migrations
from endy.storage.engine import create_engine

ROOT = Path(__file__).parent.parent
COMPANIES = ROOT / "benchmarks" / "companies"


@dataclass(frozen=True)
class Company:
    """A searchable knowledge base and what is asked about it."""

    name: str
    view: View
    questions: Sequence[EvalQuestion]


def load_companies(korquad: Path | None = None, korquad_questions: int = 1000) -> list[Company]:
    """The sample company, the others in `companies/`, and a part of KorQuAD's questions over all its paragraphs."""
    settings = Settings(_env_file=None)
    # The weights are what is about to be fitted; whatever ranks here does so with its own.
    nothing = np.zeros((len(FEATURES), len(CONTEXT)), np.float32)
    language = build_language(settings, Fusion(nothing, nothing))
    sample = settings.model_copy(
        update={"knowledge_dir": ROOT / "knowledge/docs", "faq_file": ROOT / "knowledge/faq.json"}
    )
    golden = [
        question for path in sorted((ROOT / "benchmarks/golden").glob("*.jsonl")) for question in load_questions(path)
    ]
    companies = [_company("encar", settings, language, load_knowledge(sample), golden)]
    for folder in sorted(path for path in COMPANIES.iterdir() if path.is_dir()):
        other = settings.model_copy(update={"knowledge_dir": folder / "docs", "faq_file": folder / "faq.json"})
        questions = load_questions(folder / "questions.jsonl")
        companies.append(_company(folder.name, settings, language, load_knowledge(other), questions))
    if korquad is not None:
        questions = load_questions(korquad / "questions.jsonl")
        step = max(1, len(questions) // korquad_questions)
        sections = load_corpus(korquad / "corpus.jsonl")
        companies.append(_company("korquad", settings, language, sections, questions[::step]))
    return companies


def _company(
    name: str, settings: Settings, language: Language, sections: list[Section], questions: Sequence[EvalQuestion]
) -> Company:
    embedder = build_embedder(settings)
    assert embedder is not None, "fitting needs the local embeddings"

    async def vectors() -> dict[str, object]:
        engine = create_engine(settings.model_copy(update={"database_url": f"sqlite:///{store_for(name)}"}))
        await migrations.upgrade(engine)
        found = await stored_vectors(engine, embedder, sections, lambda done, every: print(name, done, every, end="\r"))
        await engine.dispose()
        return dict(found)

    view = view_of(sections, asyncio.run(vectors()), language, embedder)  # type: ignore[arg-type]
    return Company(name, view, questions)
