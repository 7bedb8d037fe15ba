"""Whether a sentence says what its passages say: by its content words, by its yes or no, by the right row of a table.

The guard checks figures one by one; this catches what has none, such as a model that was talked into saying
something else altogether, or that turns "안 돼요" into "돼요". Words that promise everything ("무제한", "누구나") must
stand in the passages themselves: a paraphrase does without them, and an invention likes them.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from endy.ask.guard import Fact, facts, supported
from endy.retrieval.analysis import Analyzer
from endy.retrieval.passages import split_passages

LEAST_SHARE = 0.5
"""Of the content words of a sentence without figures; figures that were found in the passages stand for themselves."""

LEAST_TOLD = 0.34
"""The part of them that must stand in the passages, whatever words the question has lent."""

ALIGNED = 0.5
"""From this share of common words on, two clauses speak of the same thing and must agree in their yes or no."""

_CONTENT = 0.5
_MARKS = re.compile(r"\[\d{1,2}(?:\s?[,~-]\s?\d{1,2})*\]|[*_`#|\"'“”‘’]")
_SPACES = re.compile(r"\s+")
_ABSOLUTE = re.compile(
    r"무제한|(?<![가-힣])무한|무료|공짜|전액|누구나|아무나|절대|무조건|면제|제한\s*없|조건\s*없|승인\s*없|허락\s*없|"
    r"자유롭게|마음대로|불법|위법|"
    r"\b(?:unlimited|free of charge|anyone|guaranteed|unconditional(?:ly)?)\b",
    re.IGNORECASE,
)
_EVERYBODY = re.compile(r"모든\s?(?:임?직원|사원|구성원|사람)|전\s?(?:임?직원|사원)|임?직원\s?(?:모두|전체)|누구든지?")
_JOINTS = (
    r"(?<=[가-힣](?:고|며|나))(?:,\s*|\s+)|(?<=지만)(?:,\s*|\s+)|(?<=[는은인]데)(?:,\s*|\s+)|(?<=되),\s*|[.!?;,]\s+|\n"
)
_TOLD_CLAUSE = re.compile(_JOINTS)
_SAID_CLAUSE = re.compile(rf"{_JOINTS}|(?<=[가-힣]면)(?:,\s*|\s+)(?!안|돼|되|됩)")
"""In a passage a condition stays with what follows from it; in an answer it may have been put in other words."""
_NO = re.compile(
    r"없(?!이)|않|안\s?[돼되됩된하해합]|안\s[가-힣]|못\s?[하해합쓰써]|불가|금(?:지|하|한|합)|막[혀히힙]|제한(?!\s*없)|차단|말(?:고|아|며|[세것])|"
    r"마세요|마십시오|아니|제외|빠[져지집]|거절"
)
_HELPFUL = re.compile(
    r"(?:물어|문의|말씀|알려|확인|참고|연락)\S{0,3}\s?(?:주세요|주시면|보세요|보시고|주십시오|하세요|하시면)"
)
_NOTHING = re.compile(r"(?:내용|안내|정보|규정)[은이]?\s*(?:따로\s*)?(?:없|나와\s*있지|적혀\s*있지)")
_POLITE = frozenset(
    ["담당", "부서", "팀", "궁금", "점", "추가", "도움", "조건", "한번", "자료", "문서", "내용", "자세", "편하다",
     "어렵다", "맞다", "물다", "물어보다", "말씀", "참고", "연락", "필요", "담당자"]
)  # fmt: skip
_CONDITION = re.compile(r"(?<=[가-힣]면)\s+(?!안|돼|되|됩)")
_PART = re.compile(r"(?<=[가-힣](?:고|며)),?\s+|,\s+|;\s+")
_STATED = re.compile(r"(?:요|다|오|까|죠|함|됨|음|고|며|나|지만|[는은인]데|되|한|는)$")
_TAIL = 14


@dataclass(frozen=True, slots=True)
class _Clause:
    words: frozenset[str]
    negative: bool


class Grounds:
    """Compares words as `analyzer` reads them; the same passages are read once."""

    def __init__(self, analyzer: Analyzer) -> None:
        self._analyzer = analyzer
        self._words = lru_cache(maxsize=1024)(self._read)
        self._told = lru_cache(maxsize=256)(self._cut)

    def hold(
        self, sentence: str, passages: Sequence[str], question: str, figures: Sequence[Fact], *, cited: bool
    ) -> bool:
        """Whether the passages hold the sentence up; `figures` are its facts, all found in what it cites.

        The question may lend its words. A sentence without a citation must stand in one passage, words and figures,
        unless it only points to where more is to be had.
        """
        text = _MARKS.sub(" ", sentence)
        if not any(char.isalnum() for char in text):
            return False
        if cited:
            return self._held(text, passages, question, figures, frozenset() if not figures else None)
        if not figures and _NOTHING.search(text):
            return True
        free = _POLITE if _HELPFUL.search(text) else frozenset()
        return any(
            all(supported(figure, [passage], text) for figure in figures)
            and self._held(text, [passage], question, figures, free)
            for passage in passages
            if passage
        )

    def _held(
        self, text: str, passages: Sequence[str], question: str, figures: Sequence[Fact], free: frozenset[str] | None
    ) -> bool:
        """`free` words need no ground; None where the figures stand for the words."""
        told = _squeezed(_EVERYBODY.sub("누구나", " ".join(passages)))
        if _squeezed(text).rstrip(".!?") in told:
            return True
        if any(_squeezed(found) not in told for found in _ABSOLUTE.findall(text)):
            return False
        if free is not None and not self._said_by(text, passages, question, free):
            return False
        if figures and not self._right_rows(text, passages):
            return False
        return not self._contradicts(text, passages)

    def _said_by(self, text: str, passages: Sequence[str], question: str, free: frozenset[str]) -> bool:
        """Whether enough of the content words, but for the free ones, stand in the passages and in the question."""
        words = {w: weight for w, weight in self._words(text).items() if not w.isdecimal() and w not in free}
        if not words:
            return True
        known = {word for passage in passages for word in self._words(passage)}
        told = _squeezed(" ".join(passages)).lower()
        in_passages = {word for word in words if word in known or (len(word) > 1 and word in told)}
        held = in_passages | (words.keys() & self._words(question).keys())
        total = sum(words.values())
        return (
            sum(words[word] for word in held) >= LEAST_SHARE * total
            and sum(words[word] for word in in_passages) >= LEAST_TOLD * total
        )

    def _contradicts(self, text: str, passages: Sequence[str]) -> bool:
        """Whether a clause says no where the passages' clause about the same says yes, or the other way round."""
        told = [clause for passage in passages for clause in self._told(passage, _TOLD_CLAUSE)]
        return any(self._opposed(clause, told) for clause in self._cut(text, _SAID_CLAUSE))

    def _opposed(self, clause: _Clause, told: Sequence[_Clause]) -> bool:
        if len(clause.words) < 2:
            return False
        shares = [len(clause.words & other.words) / len(clause.words) for other in told]
        best = max(shares, default=0.0)
        nearest = [other for other, share in zip(told, shares, strict=True) if share == best]
        return best >= ALIGNED and all(other.negative != clause.negative for other in nearest)

    def _right_rows(self, text: str, passages: Sequence[str]) -> bool:
        """Whether each figure that stands in a table is taken from a row that the sentence speaks of."""
        tables = [table for passage in passages for table in _tables(passage)]
        return all(self._right_row(part, table) for part in _PART.split(text) for table in tables)

    def _right_row(self, part: str, rows: Sequence[str]) -> bool:
        words = {word for word in self._words(part) if not word.isdecimal()}
        common = [len(words & self._words(row).keys()) for row in rows]
        for fact in facts(part):
            holding = [count for row, count in zip(rows, common, strict=True) if supported(fact, [row], part)]
            if holding and max(holding) < max(common):
                return False
        return True

    def _read(self, text: str) -> dict[str, float]:
        return {term.text: term.weight for term in self._analyzer.terms(text) if term.weight >= _CONTENT}

    def _cut(self, text: str, joint: re.Pattern[str]) -> tuple[_Clause, ...]:
        """The clauses that state something; conditions and bare names say neither yes nor no."""
        parts = (part.strip() for part in joint.split(_MARKS.sub(" ", text)))
        return tuple(
            _Clause(frozenset(word for word in self._words(part) if not word.isdecimal()), _says_no(part))
            for part in parts
            if _STATED.search(part.rstrip(" .!?,;"))
        )


def _says_no(clause: str) -> bool:
    """Whether the clause's last predicate is a negative one."""
    return _NO.search(_CONDITION.split(clause)[-1][-_TAIL:]) is not None


@lru_cache(maxsize=256)
def _tables(passage: str) -> tuple[tuple[str, ...], ...]:
    """The rows of each table in a passage, as text."""
    rows = [part for part in split_passages(passage) if part.kind == "row"]
    blocks = dict.fromkeys(row.block for row in rows)
    return tuple(tuple(row.text for row in rows if row.block == block) for block in blocks)


def _squeezed(text: str) -> str:
    return _SPACES.sub("", text)
