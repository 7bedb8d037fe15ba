"""What a model gets to read: the best sections as numbered, delimited data within a budget of tokens."""

import re
from dataclasses import dataclass
from functools import lru_cache

from endy.ask.extract import quote
from endy.ask.instructions import readable, speaks_to_model
from endy.llm.tokens import estimate
from endy.privacy.masking import mask
from endy.retrieval.passages import plain
from endy.retrieval.search import Hit, SearchResult
from endy.retrieval.section import EVERYONE, Section

SOURCES = 8
"""Sections shown to the model at most; the right one is nearly always among them."""

_FIRST_SHARE = 0.4
"""Part of the budget that one section may take; what it leaves is for the next ones."""

_LEAST_CHARACTERS = 120
_TAG = re.compile(r"<(?=[/!?]?\s*\w)")

EVERY_AUDIENCE = "*"


@dataclass(frozen=True, slots=True)
class Passage:
    """One numbered source as the model reads it; `text` is masked, and all that a claim citing it may rest on."""

    number: int
    hit: Hit
    text: str


@dataclass(frozen=True, slots=True)
class Context:
    """The passages, and how many passages were kept away because they speak to the model."""

    passages: tuple[Passage, ...]
    left_out: int

    def text(self, tag: str) -> str:
        """All passages, each between marks that carry its number."""
        return "\n".join(f"<{tag} {one.number}>\n{one.text}\n</{tag} {one.number}>" for one in self.passages)

    def numbered(self) -> list[str]:
        """The texts at the places of their numbers, 1 first; a number that was not given has an empty text."""
        texts = {one.number: one.text for one in self.passages}
        return [texts.get(number, "") for number in range(1, max(texts, default=0) + 1)]


def gather(result: SearchResult, budget: int, allowed: frozenset[str]) -> Context:
    """The first SOURCES hits that the allowed audiences cover, each cut to its part of the budget (in tokens).

    Numbers are those of the hits, so that a source left out leaves a gap and no other takes its number.
    """
    screen = _Screen()
    passages: list[Passage] = []
    for number, hit in enumerate(result.hits[:SOURCES], start=1):
        if not may_leave(hit.section, allowed) or budget < _LEAST_CHARACTERS:
            continue
        share = budget if passages else max(int(budget * _FIRST_SHARE), _LEAST_CHARACTERS)
        body = quote(result.query.text, hit, min(share, max(budget // 2, _LEAST_CHARACTERS)), screen)
        text = _cleaned(f"{_heading(hit.section)}\n{body}")
        if body and (cost := estimate(text)) <= budget:
            passages.append(Passage(number, hit, text))
            budget -= cost
    return Context(tuple(passages), screen.kept_away)


def may_leave(section: Section, allowed: frozenset[str]) -> bool:
    """Whether the section may be sent to the model: all that it is meant for must be allowed."""
    return EVERY_AUDIENCE in allowed or EVERYONE in section.audience or section.audience <= allowed


class _Screen:
    """Leaves out what speaks to the model, and counts it."""

    def __init__(self) -> None:
        self.kept_away = 0

    def __call__(self, passage: str) -> bool:
        speaks = speaks_to_model(passage)
        self.kept_away += speaks
        return speaks


def _heading(section: Section) -> str:
    path = " > ".join(plain(heading) for heading in section.heading_path) or plain(section.title)
    facts = [f"담당: {section.department}" if section.department else "", _updated(section)]
    return "\n".join(filter(None, [f"제목: {path}", *facts]))


def _updated(section: Section) -> str:
    return f"시행일: {section.effective_from.isoformat()}" if section.effective_from else ""


@lru_cache(maxsize=2000)
def _cleaned(text: str) -> str:
    """Masked, visible, and without anything that could close the marks around it."""
    return mask(_TAG.sub("‹", readable(text)))
