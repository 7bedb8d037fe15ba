"""Which generated questions are kept: those that find their own section, invent nothing and say something new."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Literal

from endy.ask.decision import GROUNDS, NOUN, Confidence
from endy.ask.guard import facts, supported
from endy.ask.instructions import speaks_to_model
from endy.privacy.masking import mask
from endy.retrieval.analysis import normalise
from endy.retrieval.evidence import FEATURES
from endy.retrieval.search import Hit, SearchResult, View
from endy.retrieval.section import Section

OWN_RANK = 5
"""Among how many hits the section itself must be for a question about it."""

OFF_TOPIC = 0.5
MOST = 8
_SHORTEST, _LONGEST = 4, 120
_HANGUL = re.compile(r"[가-힣]{2}")
_LATIN = re.compile(r"[A-Za-z]{2,}")
_LISTED = re.compile(r"^\s*(?:[-*•]|\d{1,2}[.)]|Q\d*[.:)])\s*|[\"“”]")

_ERRAND = re.compile(
    r"(?:눌러|바꿔|열어|만들어|지워|보내|처리하고|처리해|승인해|신청해|출력해|등록해|취소해|추천해|답변해|골라|꺼내)"
    r"\s?(?:줘|놔|놓고|주세요|줄래|봐)?[.!]?$|처리하고\s"
)
"""Something to be done rather than told."""

Rejection = Literal["form", "instruction", "personal", "invented", "duplicate", "off_topic", "elsewhere"]


@dataclass
class Judged:
    """The questions to keep, and the others with the reason."""

    kept: list[str] = field(default_factory=list)
    rejected: list[dict[str, str]] = field(default_factory=list)


def lines(text: str) -> list[str]:
    """The questions of a model's answer, one a line, without numbers and quotes."""
    cleaned = (_LISTED.sub("", line).strip() for line in text.splitlines())
    return [line for line in cleaned if line]


class Judge:
    """Looks at each question alone; `closeness` is a question's likeness to what no company answers."""

    def __init__(self, confidence: Confidence, closeness: Callable[[SearchResult], float]) -> None:
        self._confidence = confidence
        self._closeness = closeness

    def judge(self, questions: Iterable[str], section: Section, view: View) -> Judged:
        """`view` is what everybody who may see the section can search."""
        judged, seen = Judged(), {normalise(section.title)}
        for question in questions:
            reason = _alone(question, section) or ("duplicate" if normalise(question) in seen else None)
            reason = reason or self._by_search(view.search(question), section, view)
            if reason is not None:
                judged.rejected.append({"question": mask(question)[:_LONGEST], "reason": reason})
            elif len(judged.kept) < MOST:
                judged.kept.append(question)
                seen.add(normalise(question))
        return judged

    def _by_search(self, result: SearchResult, section: Section, view: View) -> Rejection | None:
        hits = result.hits[:OWN_RANK]
        if _unheard_of(result, view):
            return "invented"
        own = next((hit for hit in hits if hit.section.content_hash == section.content_hash), None)
        if hits and own is not hits[0] and self._confidence.probability(result) >= self._confidence.threshold:
            return "elsewhere"
        if own is None or not _in_common(result, own):
            return "off_topic"
        return "off_topic" if self._confidence.chance_offtopic(result, self._closeness(result)) > OFF_TOPIC else None


def _unheard_of(result: SearchResult, view: View) -> bool:
    """Whether it names something that neither the knowledge nor the vocabulary has a word for."""
    explained = {row for expansion in result.query.expansions for row in expansion.covered}
    return any(
        term.weight >= NOUN and len(term.text) > 1 and term.text not in view.index.known and row not in explained
        for row, term in enumerate(result.query.terms)
    )


def _in_common(result: SearchResult, hit: Hit) -> bool:
    """Whether the hit says anything of the question; by vectors alone everything is somewhat alike."""
    if result.evidence is not None and result.evidence.dense is not None:
        return True
    features = dict(zip(FEATURES, hit.features, strict=True))
    return float(features["related"] + features["concept_words"]) >= GROUNDS


def _alone(question: str, section: Section) -> Rejection | None:
    if not _SHORTEST <= len(question) <= _LONGEST or not _HANGUL.search(question):
        return "form"
    if speaks_to_model(question) or _ERRAND.search(question):
        return "instruction"
    if mask(question) != question:
        return "personal"
    return "invented" if _invents(question, section) else None


def _invents(question: str, section: Section) -> bool:
    """Whether the question names a figure or a foreign name that the section does not hold."""
    told = " ".join((*section.heading_path, section.title, *section.keywords, section.text))
    known = told.lower()
    names = (name.lower() for name in _LATIN.findall(question))
    return any(name not in known for name in names) or not all(supported(fact, [told]) for fact in facts(question))
