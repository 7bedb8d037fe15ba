"""Follow-up turns: whether a question leans on earlier ones, and how it is read together with them."""

import re
from collections.abc import Callable, Sequence

from endy.ask.decision import NOUN
from endy.retrieval.evidence import Query
from endy.retrieval.search import SearchResult, View

_LEANS = re.compile(
    r"^(?:그럼|그러면|그래서|그건|그거|그게|그때|그날|그 |거기|근데|그런데|그리고|아니|혹시 그|이건|이거|저건|또|더|"
    r"and |what about|how about|then )"
)
Judge = Callable[[SearchResult], float]
"""A probability about a search: that its first hit answers, or that its question is off topic."""

_ALONE = 0.15
"""How much surer the question alone must be before earlier turns are left out."""

JOINED = 2
"""Turns that a follow-up is read with at most: what it is about is often said two turns before."""

STRANGE = 0.7
"""What a joined reading keeps if its section holds none of the follow-up's own nouns: the subject has changed."""


def search_with_turns(
    view: View,
    judge: Judge,
    offtopic: Judge,
    question: str,
    turns: Sequence[str],
    category: str | None,
) -> tuple[SearchResult, float]:
    """The best reading of a follow-up, alone or joined to the turn or two before, with its probability."""
    alone = view.search(question, category)
    probability = judge(alone)
    if not turns:
        return alone, probability
    leans = bool(_LEANS.match(question))
    together, joined = -1.0, alone
    for count in range(1, min(JOINED, len(turns)) + 1):
        repaired = view.reader.repair(" ".join((*turns[-count:], question)))
        found = view.search_read(view.reader.read(repaired), repaired, category)
        likely = judge(found)
        if not leans:
            likely *= (1 - offtopic(alone)) * (1.0 if _speaks_of(alone.query, found) else STRANGE)
        if likely > together:
            together, joined = likely, found
    lead = 2 * _ALONE if leans else _ALONE
    return (alone, probability) if probability > together + lead else (joined, together)


def _speaks_of(question: Query, joined: SearchResult) -> bool:
    """Whether the joined reading's section holds any noun of the follow-up, or the follow-up has none."""
    nouns = {term.text for term in question.terms if term.weight >= NOUN and len(term.text) > 1}
    if not nouns or joined.evidence is None:
        return True
    held = joined.evidence.words.expanded[:, joined.evidence.candidates[joined.first]]
    return any(held[row] > 0 for row, term in enumerate(joined.query.terms) if term.text in nouns)
