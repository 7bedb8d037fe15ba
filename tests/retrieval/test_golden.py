"""Every feature of a ranking stays what it was: a change of how the index stores things must not change a number.

After a change that is meant: `python -m tests.retrieval.test_golden` writes the numbers anew.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from endy.evaluation.knowledge import load_knowledge
from endy.evaluation.questions import load_questions
from endy.retrieval.evidence import FEATURES
from endy.retrieval.fusion import Fusion
from endy.retrieval.search import Language, view_of
from endy.retrieval.vocabulary import SHIPPED_VOCABULARY, parse_vocabulary
from endy.settings import Settings
from tests.retrieval.made import MadeEmbedder, vectors_of

COMPANY = Path(__file__).parents[2] / "benchmarks" / "companies" / "hanwool"
GOLDEN = Path(__file__).parent / "golden" / "features.json"
EVERY = 12
SHOWN = 4


def features(dense: bool) -> dict[str, list[list[Any]]]:
    """Per question, the first sections with their features."""
    settings = Settings(_env_file=None, knowledge_dir=COMPANY / "docs", faq_file=COMPANY / "faq.json")
    sections = load_knowledge(settings)
    embedder = MadeEmbedder() if dense else None
    concepts = parse_vocabulary(SHIPPED_VOCABULARY.read_text(encoding="utf-8"))
    # Ranked by the sum of the features, so that a new fit leaves this alone.
    equal = np.zeros_like(Fusion.shipped().weights)
    equal[:, 0] = 1.0
    language = Language.build(concepts, [], Fusion(equal, equal), embedder)
    view = view_of(sections, vectors_of(sections) if dense else {}, language, embedder)
    return {
        question.question: [
            [hit.section.id, [round(float(value), 4) for value in hit.features]]
            for hit in view.search(question.question, limit=SHOWN).hits
        ]
        for question in load_questions(COMPANY / "questions.jsonl")[::EVERY]
    }


@pytest.mark.parametrize("dense", [False, True], ids=["words", "vectors"])
def test_features_are_what_they_were(dense: bool) -> None:
    """The same sections come first with the same value in every channel."""
    golden = json.loads(GOLDEN.read_text(encoding="utf-8"))["vectors" if dense else "words"]
    found = features(dense)
    assert found.keys() == golden.keys()
    for question, rows in golden.items():
        assert [name for name, _ in found[question]] == [name for name, _ in rows], question
        for (_, was), (_, now) in zip(rows, found[question], strict=True):
            assert now == pytest.approx(was, abs=1e-3), dict(zip(FEATURES, zip(was, now, strict=True), strict=True))


def _write() -> None:
    golden = {"words": features(dense=False), "vectors": features(dense=True)}
    GOLDEN.write_text(json.dumps(golden, ensure_ascii=False, indent=1).replace("\n     ", " ") + "\n", encoding="utf-8")


if __name__ == "__main__":
    _write()
