"""The whole guard, figures and words together: what it lets through of lies, and what it cuts of honest answers."""

import re
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pytest

from endy.ask.grounds import Grounds
from endy.ask.guard import Checked, Fact, SentenceGate
from endy.retrieval.analysis import Analyzer
from tests.ask.guard.corpus import passages, rows, sources
from tests.ask.guard.liar import lies

HONEST_WORDS = [
    line.split("\t")[1:]
    for line in (Path(__file__).parent / "grounds.tsv").read_text(encoding="utf-8").splitlines()
    if line.startswith("honest")
]
MOST_CUT = 0.02


@pytest.fixture(scope="module")
def grounds() -> Grounds:
    return Grounds(Analyzer(frozenset()))


def grounded(
    grounds: Grounds, given: Sequence[str], sentence: str, cited: Sequence[int], figures: Sequence[Fact]
) -> bool:
    if not re.search("[가-힣]", sentence):
        return bool(cited)
    texts = [given[number - 1] for number in cited if number <= len(given)] or list(given)
    return grounds.hold(sentence, texts, "", figures, cited=bool(cited))


def checked(grounds: Grounds, answer: str, given: Sequence[str]) -> Checked:
    gate = SentenceGate(given, grounded=partial(grounded, grounds, given))
    gate.feed(answer)
    gate.finish()
    return gate.checked


def test_no_lie_survives(grounds: Grounds) -> None:
    """Of more than three hundred adversarial answers, none keeps its invention."""
    told = [(lie, sources(names)) for names, lie in rows("lies.tsv")] + [(lie, given) for _, given, lie in lies()]
    assert len(told) >= 300
    assert not [lie for lie, given in told if checked(grounds, lie, given).ok]


def test_hardly_an_honest_sentence_is_cut(grounds: Grounds) -> None:
    """At most two in a hundred, with figures and without."""
    titled = {name: f"제목: {name}\n{text}" for name, text in passages().items()}
    told = [(sentence, [titled[name] for name in names.split(",")]) for names, sentence in rows("honest.tsv")]
    told += [(sentence, [passage]) for passage, sentence in HONEST_WORDS]
    verdicts = [(sentence, checked(grounds, sentence, given)) for sentence, given in told]
    total = sum(len(verdict.kept) + len(verdict.dropped) for _, verdict in verdicts)
    cut = [(one, [found.reason for found in verdict.findings]) for _, verdict in verdicts for one in verdict.dropped]
    assert total >= 200
    assert len(cut) <= MOST_CUT * total, f"{len(cut)} of {total} ({len(cut) / total:.1%}): {cut}"
