"""Korean text into searchable terms: morphemes with their weight, and character bigrams."""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from operator import add
from threading import Lock

from mecab import MeCab

# What a term is worth as evidence, by part of speech (Sejong tags as mecab-ko gives them).
_WEIGHTS = {
    "NNG": 1.0, "NNP": 1.0, "SL": 1.0, "SH": 1.0, "XR": 0.9, "SN": 0.6, "VV": 0.6, "VA": 0.6, "MAG": 0.3, "NR": 0.4,
    "NNBC": 0.2, "UNKNOWN": 0.8, "IC": 0.1, "MM": 0.1, "XPN": 0.2, "XSN": 0.2,
}  # fmt: skip

# Words that shape a question without saying what it is about.
_GENERIC = frozenset(
    [
        "하다",
        "되다",
        "있다",
        "없다",
        "같다",
        "싶다",
        "주다",
        "받다",
        "알다",
        "모르다",
        "알리다",
        "가다",
        "오다",
        "보다",
        "쓰다",
        "나오다",
        "나다",
        "들다",
        "말다",
        "않다",
        "못하다",
        "어떻다",
        "이렇다",
        "그렇다",
        "좋다",
        "많다",
        "필요하다",
        "가능하다",
        "궁금하다",
        "맞다",
        "두다",
        "놓다",
        "대하다",
        "통하다",
        "위하다",
        "따르다",
        "관하다",
        "드리다",
        "어떠하다",
        "해주다",
        "살다",
        "치다",
        "어떻게",
        "얼마",
        "얼마나",
        "언제",
        "어디",
        "무엇",
        "뭐",
        "뭘",
        "누구",
        "왜",
        "어느",
        "무슨",
        "며칠",
        "몇일",
        "몇",
        "혹시",
        "그럼",
        "그러면",
        "그리고",
        "근데",
        "그런데",
        "지금",
        "제가",
        "저",
        "나",
        "내",
        "우리",
        "저희",
        "것",
        "거",
        "수",
        "때",
        "경우",
        "정도",
        "방법",
        "가능",
        "필요",
        "안내",
        "문의",
        "회사",
        "직원",
        "사람",
        "사내",
        "좀",
        "더",
        "꼭",
        "다시",
        "바로",
        "먼저",
        "또",
        "다",
        "안",
        "못",
        "잘",
        "이",
        "그",
        "저기",
        "여기",
        "거기",
        "분",
        "님",
        "등",
        "중",
        "후",
        "전",
        "일",
        "번",
        "개",
        "명",
        "원",
        "시",
        "월",
        "년",
        "이번",
        "관련",
        "대한",
        "질문",
        "확인",
        "신청",
        "이용",
        "사용",
        "사용하다",
        "신청하다",
        "how",
        "what",
        "when",
        "where",
        "who",
        "which",
        "can",
        "do",
        "does",
        "is",
        "are",
        "the",
        "a",
        "an",
        "i",
        "my",
        "to",
        "of",
        "for",
        "in",
        "on",
        "at",
        "me",
        "we",
        "you",
        "it",
        "be",
        "if",
        "and",
        "or",
        "with",
        "from",
        "get",
        "have",
        "much",
        "many",
        "long",
        "there",
    ]
)

_HANGUL_OR_WORD = re.compile(r"[^0-9a-z가-힣]+")
_NOISE = re.compile(r"[ㅋㅎㅠㅜㅡㅇㄱㄴㄷ]{1,}|[\U0001F000-\U0001FAFF\u2600-\u27BF\uFE0F\u200D]+")
_FULL_WIDTH = {0x3000: " "} | {code: chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)}
_REPEATED = re.compile(r"(.)\1{3,}")


WHOLE = -1


@dataclass(frozen=True, slots=True)
class Term:
    """One content morpheme; `weight` is by part of speech, generic question words are near zero."""

    text: str
    weight: float
    start: int
    """Position in the analysed text, or WHOLE for a known word that spans several morphemes."""

    @property
    def generic(self) -> bool:
        return self.weight <= 0.1


def fold(text: str) -> str:
    """NFC with full-width letters, digits and spaces made narrow. NFKC would break lone jamo such as ㅋ."""
    return unicodedata.normalize("NFC", text).translate(_FULL_WIDTH)


def normalise(text: str) -> str:
    """Folded, lower case, single spaces; emoji, laughter and tears taken out."""
    text = fold(text)
    text = _NOISE.sub(" ", text)
    text = _REPEATED.sub(r"\1\1", text)
    return " ".join(text.lower().split())


def compact(text: str) -> str:
    """Letters and digits only: what is left when spacing and punctuation do not count."""
    return _HANGUL_OR_WORD.sub("", text.lower())


def bigrams(text: str) -> list[str]:
    """Character pairs over the text without its spaces; Latin words stay whole."""
    grams = [run for run in _HANGUL_OR_WORD.sub(" ", text.lower()).split() if run.isascii()]
    joined = re.sub(r"[a-z]+", " ", _HANGUL_OR_WORD.sub("", text.lower()))
    for run in joined.split():
        grams.extend(map(add, run, run[1:]))
    return grams


class Analyzer:
    """Morphemes of Korean text, with known words kept whole beside their parts.

    Thread-safe: the tagger is guarded by a lock and takes about 0.1 ms a sentence.
    """

    def __init__(self, whole_words: Iterable[str] = ()) -> None:
        self._tagger = MeCab()
        self._lock = Lock()
        self._whole = frozenset(compact(word) for word in whole_words) - {""}
        self._beginnings = frozenset(word[:2] for word in self._whole)
        self._longest = max(map(len, self._whole), default=0)
        self._terms = lru_cache(maxsize=20_000)(self._analyse)

    def terms(self, text: str) -> tuple[Term, ...]:
        """Content morphemes in order; verbs and adjectives as dictionary forms (쉬다)."""
        return self._terms(text)

    def words(self, text: str) -> list[str]:
        return [term.text for term in self._terms(text)]

    def natural_spans(self, run: str) -> list[tuple[int, int]]:
        """Where a spaceless run reads as proper Korean: words of two syllables, and endings where they belong.

        A particle or ending counts after a word of two syllables or a verb stem; a verb stem counts where a
        word begins. What is left over is what a typo leaves: stray syllables that the tagger had to guess.
        """
        with self._lock:
            tokens = self._tagger.parse(run)
        spans: list[tuple[int, int]] = []
        anchored = True
        for token in tokens:
            start, end, tag = token.span.start, token.span.end, token.feature.pos
            long_word = end - start > 1 and not tag.startswith(("UNKNOWN", "IC"))
            ending = tag.startswith(("J", "E", "XSV", "XSA", "VCP", "VX"))
            opening = start == 0 and tag.startswith(("VV", "VA", "VX", "NNG", "NNB", "MM"))
            natural = long_word or opening or (anchored and ending)
            if natural:
                spans.append((start, end))
            anchored = natural
        return spans

    def _analyse(self, text: str) -> tuple[Term, ...]:
        lowered = fold(text).lower()
        with self._lock:
            tokens = self._tagger.parse(lowered)
        terms: list[Term] = []
        for token in tokens:
            start = token.span.start
            for form, tag in _split(token.surface, token.feature.pos, token.feature.expression):
                term = _term(form, tag, start)
                if term is not None:
                    terms.append(term)
        seen = {term.text for term in terms}
        terms.extend(Term(word, 1.0, WHOLE) for word in self._whole_words(lowered) if word not in seen)
        return tuple(terms)

    def _whole_words(self, lowered: str) -> Iterator[str]:
        """Known words: short ones where a word begins, longer ones (4 letters) anywhere, spaces ignored."""
        if not self._whole:
            return
        runs = [run for run in _HANGUL_OR_WORD.split(lowered) if run]
        starts = {0, *accumulate(map(len, runs))}
        joined = "".join(runs)
        position = 0
        while position < len(joined):
            shortest = 2 if position in starts else 4
            if joined[position : position + 2] not in self._beginnings:
                position += 1
                continue
            for size in range(min(self._longest, len(joined) - position), shortest - 1, -1):
                if joined[position : position + size] in self._whole:
                    yield joined[position : position + size]
                    position += size - 1
                    break
            position += 1


def _split(surface: str, tag: str, expression: str | None) -> list[tuple[str, str]]:
    """A token as (form, tag) pairs: contracted and compound tokens taken apart."""
    if not expression or "/" not in expression:
        return [(surface, tag)]
    parts = [part.split("/") for part in expression.split("+")]
    pairs = [(part[0], part[1]) for part in parts if len(part) >= 2]
    if tag in ("NNG", "NNP"):
        return [(surface, tag), *(pair for pair in pairs if len(pair[0]) > 1)]
    return pairs


def _term(form: str, tag: str, start: int) -> Term | None:
    form = form.strip()
    weight = _WEIGHTS.get(tag.split("+", maxsplit=1)[0])
    if weight is None or not form or not _HANGUL_OR_WORD.sub("", form):
        return None
    if tag.startswith(("VV", "VA")):
        form += "다"
    elif tag == "SL" and len(form) > 3 and form.endswith("s") and not form.endswith("ss"):
        form = form[:-1]
    if form in _GENERIC:
        weight = min(weight, 0.1)
    elif len(form) == 1 and tag in ("NNG", "NNP", "UNKNOWN", "MAG") and not form.isascii():
        weight *= 0.5
    return Term(form, weight, start)
