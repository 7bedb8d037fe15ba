"""The extractive answer: the passages of one section that answer, with the context they need, in its own words."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from endy.retrieval.intent import fit
from endy.retrieval.passages import Passage, split_passages
from endy.retrieval.search import Hit

WHOLE_SECTION = 380
"""Sections up to so many characters are quoted whole: cutting them loses more than it saves."""

BUDGET = 480
"""Characters of passages quoted from a longer section."""

_CONTACT_LINE = re.compile(r"^\s*(?:문의|담당)\s*[:：].*$", re.MULTILINE)
"""Who to ask stands beside every answer as its department and contact."""

_INTENT = 0.25
LEAST = 220
"""Characters shown at least, so that a sentence does not stand without what it refers to."""

CLEAR = 0.25
"""A table row that leads the others by so much is the one asked for: the others stay in the source."""

FEW_ROWS = 3
"""Tables up to so many rows are shown as they are."""

_FIRST = 0.06
_KEEP = 0.35


@dataclass(frozen=True, slots=True)
class Extract:
    """`best` is the exact passage that the answer rests on; `markdown` quotes it with its context."""

    markdown: str
    best: str


def extract(question: str, hit: Hit) -> Extract:
    """The part of the hit's section that answers the (normalised) question."""
    passages = split_passages(hit.section.text)
    if not passages:
        return Extract(hit.section.text, hit.section.text)
    scores = _scores(question, hit, passages)
    best = int(np.argmax(scores))
    beside = _rows_beside(scores, passages)
    if len(hit.section.text) <= WHOLE_SECTION or hit.section.kind == "faq":
        if not beside:
            return Extract(_CONTACT_LINE.sub("", hit.section.text).strip(), passages[best].text)
        chosen = {i for i, passage in enumerate(passages) if not _CONTACT_LINE.match(passage.text)} - beside
    else:
        chosen = _choose(scores, passages) - beside
    return Extract(_markdown([passages[i] for i in sorted(chosen)]), passages[best].text)


def quote(question: str, hit: Hit, characters: int, leave_out: Callable[[str], bool]) -> str:
    """As much of the hit's section as fits, whole rows and lists, but no paragraph with a part to leave out.

    The best passage comes even if it alone is longer than that.
    """
    passages = split_passages(hit.section.text)
    scores = _scores(question, hit, passages) if passages else np.zeros(0)
    refused = {passage.block for passage in passages if leave_out(passage.text)}
    kept = [i for i, passage in enumerate(passages) if passage.block not in refused]
    if not kept:
        return ""
    whole = hit.section.text.strip()
    # Comments and other HTML are in the text and in none of its passages.
    if len(kept) == len(passages) and len(whole) <= characters and "<" not in whole:
        return whole
    parts = [passages[i] for i in kept]
    chosen = _choose(scores[kept], parts, characters, characters)
    return _markdown([parts[i] for i in sorted(chosen)])


def _scores(question: str, hit: Hit, passages: Sequence[Passage]) -> np.ndarray:
    contact = np.array([bool(_CONTACT_LINE.match(passage.text)) for passage in passages], float)
    lexical = hit.passages if len(hit.passages) == len(passages) else np.zeros(len(passages))
    wanted = np.array([fit(question, passage.text) for passage in passages])
    opening = np.array([_FIRST if index == 0 else 0.0 for index in range(len(passages))])
    return np.asarray(lexical + _INTENT * wanted + opening - contact)


def _choose(scores: np.ndarray, passages: Sequence[Passage], budget: int = BUDGET, least: int = LEAST) -> set[int]:
    """The best passages within the budget; ordered steps come as a whole list."""
    chosen: set[int] = set()
    spent = 0
    floor = scores.max() - _KEEP * max(float(scores.max() - scores.min()), 1e-6) * 2
    for index in np.argsort(-scores, kind="stable"):
        group = _steps_around(int(index), passages) - chosen
        cost = sum(len(passages[i].text) for i in group)
        if not group:
            continue
        if chosen and (spent + cost > budget or (scores[index] < floor and spent >= least)):
            continue
        chosen |= group
        spent += cost
    return chosen


def _rows_beside(scores: np.ndarray, passages: Sequence[Passage]) -> set[int]:
    """Rows of tables in which another row clearly is the one asked for."""
    beside: set[int] = set()
    for block in {passage.block for passage in passages if passage.kind == "row"}:
        rows = [i for i, passage in enumerate(passages) if passage.block == block]
        leading = max(float(scores[i]) for i in rows)
        if len(rows) > FEW_ROWS and leading == scores.max():
            beside |= {i for i in rows if scores[i] < leading - CLEAR}
    return beside


def _steps_around(index: int, passages: Sequence[Passage]) -> set[int]:
    passage = passages[index]
    if not passage.ordered:
        return {index}
    return {i for i, other in enumerate(passages) if other.block == passage.block}


def _markdown(chosen: Sequence[Passage]) -> str:
    return "\n\n".join("\n".join(_block(list(group))) for _, group in groupby(chosen, key=lambda part: part.block))


def _block(group: Sequence[Passage]) -> Iterator[str]:
    first = group[0]
    if first.kind == "row":
        yield "| " + " | ".join(first.header) + " |"
        yield "|" + "---|" * len(first.header)
        yield from ("| " + passage.markdown + " |" for passage in group)
    elif first.kind == "item":
        for number, passage in enumerate(group, start=1):
            yield f"{number}. {passage.markdown}" if passage.ordered else f"- {passage.markdown}"
    else:
        yield " ".join(passage.markdown for passage in group)
