"""The analysed words of all sections, read once and kept as numbers."""

from array import array
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from endy.retrieval.analysis import Analyzer, Term, bigrams
from endy.retrieval.lexical import LexicalIndex
from endy.retrieval.lexical_build import Field, LexicalBuilder
from endy.retrieval.lexicon import Lexicon, TokenLists
from endy.retrieval.passages import Passage, plain, split_passages
from endy.retrieval.pool import SectionTokens
from endy.retrieval.section import Section
from endy.retrieval.senses import WordSets

QUESTION_WEIGHT = 0.5
"""Of a word in generated questions, against 1 in the text itself; with vectors they are found by meaning alone."""

CHUNK = 32_768
"""Sections whose postings are sorted at a time."""

_KEPT = 20_000
_SAMPLED = 4096

_TITLE, _QUESTIONS, _PATH, _KEYWORDS, _BODY = range(5)
_UNSEARCHED = -1
WORD_FIELDS = (
    Field(2.0, 0.3),
    Field(QUESTION_WEIGHT, 0.3),
    Field(0.7, 0.3),
    Field(2.0, 0.3),
    Field(1.0, 0.4),
)
GRAM_FIELDS = (Field(2.0, 0.3), Field(1.0, 0.4))
_GRAM_TITLE, _GRAM_BODY = range(2)

LEADING_LISTS = 5
"""Lists of a section before its passages: title, searched path, the title's content words, all headings, keywords."""

NAMED_LISTS = 2
"""From this list on stand the words that features are read from."""


class _Chunk:
    """Some sections' lists of words, by the place of each one's first list."""

    def __init__(self, lexicon: Lexicon, first: int) -> None:
        self.first = first
        self.lists = TokenLists(lexicon)
        self.starts = array("i")

    @property
    def size(self) -> int:
        return len(self.starts)


class AnalysedSections:
    """Token lists of every section, and the indexes of words and of character pairs made from them.

    `by_words` searches generated questions by their words too, where there are no vectors to find them by.
    """

    def __init__(self, sections: Sequence[Section], analyzer: Analyzer, by_words: bool, packed: bool) -> None:
        self._analyzer = analyzer
        self._by_words = by_words
        self._lexicon = Lexicon()
        self._chunks: list[_Chunk] = []
        self.passages = np.zeros(len(sections), np.int64)
        grams = Lexicon()
        gram_index = LexicalBuilder(grams, GRAM_FIELDS, packed, _gram_lengths(sections))
        for first in range(0, len(sections), CHUNK):
            part = sections[first : first + CHUNK]
            gram_lists = TokenLists(grams)
            self._read(part, first, gram_lists)
            gram_index.add(gram_lists, first, len(part))
        self.words = self._word_index(len(sections), packed)
        self.grams = gram_index.build(len(sections))
        self._kept: dict[int, SectionTokens] = {}

    def tokens(self, number: int) -> SectionTokens:
        """What the features of a section are read from; of the sections that are asked about often it is kept."""
        found = self._kept.get(number)
        if found is None:
            if len(self._kept) >= _KEPT:
                self._kept.clear()
            found = self._kept[number] = self._tokens(number)
        return found

    def word_sets(self) -> tuple[WordSets, WordSets]:
        """The different words of each section's title and headings, and of its text with those, by lexicon number."""
        titles, texts = array("i"), array("i")
        title_ends, text_ends = array("q"), array("q")
        for number in range(len(self.passages)):
            title, headings, keywords, *rest = self._numbers(number, NAMED_LISTS, self._own(number))
            named = {*title, *headings, *keywords}
            titles.extend(named)
            texts.extend(named.union(*rest))
            title_ends.append(len(titles))
            text_ends.append(len(texts))
        return _word_sets(titles, title_ends), _word_sets(texts, text_ends)

    @property
    def lexicon(self) -> Lexicon:
        return self._lexicon

    def _own(self, number: int) -> int:
        return LEADING_LISTS + int(self.passages[number])

    def _read(self, sections: Sequence[Section], first: int, grams: TokenLists) -> None:
        chunk = _Chunk(self._lexicon, first)
        for number, section in enumerate(sections, start=first):
            passages = split_passages(section.text)
            self.passages[number] = len(passages)
            chunk.starts.append(len(chunk.lists.ends))
            for field, tokens in word_lists(section, passages, self._analyzer, self._by_words):
                chunk.lists.add(number, field, tokens)
            for field, text in gram_texts(section, passages):
                grams.add(number, field, bigrams(text))
        self._chunks.append(chunk)

    def _word_index(self, size: int, packed: bool) -> LexicalIndex:
        lengths = np.zeros(len(WORD_FIELDS))
        for chunk in self._chunks:
            lengths += np.bincount(chunk.lists.searched()[2], minlength=len(WORD_FIELDS))
        builder = LexicalBuilder(self._lexicon, WORD_FIELDS, packed, lengths / max(size, 1))
        for chunk in self._chunks:
            builder.add(chunk.lists, chunk.first, chunk.size)
        return builder.build(size)

    def _numbers(self, number: int, first: int, last: int | None = None) -> list[Sequence[int]]:
        """The lists of a section from `first` to before `last`, or all from there."""
        chunk = self._chunks[number // CHUNK]
        place = number - chunk.first
        begin = chunk.starts[place]
        end = chunk.starts[place + 1] if place + 1 < chunk.size else len(chunk.lists.ends)
        stop = end if last is None else min(begin + last, end)
        ends = chunk.lists.ends
        return [chunk.lists.tokens[ends[i - 1] if i else 0 : ends[i]] for i in range(begin + first, stop)]

    def _tokens(self, number: int) -> SectionTokens:
        texts = self._lexicon.texts
        lists = [tuple(texts(tokens)) for tokens in self._numbers(number, NAMED_LISTS)]
        title, headings, keywords, *rest = lists
        terms = tuple(dict.fromkeys(title))
        own = self._own(number) - LEADING_LISTS
        return SectionTokens(
            frozenset((*title, *headings, *keywords)),
            terms,
            tuple(map(self.words.rarity, terms)),
            tuple(map(frozenset, rest[:own])),
            tuple(map(frozenset, rest[own:])),
        )


def word_lists(
    section: Section, passages: Sequence[Passage], analyzer: Analyzer, by_words: bool
) -> Iterator[tuple[int, Iterable[str]]]:
    """The lists of a section's words in their order, each with the field that it is searched in, -1 for none."""
    words = analyzer.words
    title = analyzer.terms(plain(section.title))
    headings = [words(heading) for heading in section.heading_path]
    above = [*headings[:-1], words(section.document_title)]
    yield _TITLE, [term.text for term in title]
    yield _PATH, [word for heading in above for word in heading]
    yield _UNSEARCHED, content_words(title)
    yield _UNSEARCHED, [word for heading in headings for word in heading]
    yield _KEYWORDS, [word for keyword in section.keywords for word in words(keyword)]
    for passage in passages:
        yield _BODY, words(passage.text)
    if by_words:
        for question in section.questions:
            yield _QUESTIONS, words(question)


def _word_sets(numbers: "array[int]", ends: "array[int]") -> WordSets:
    return WordSets(np.array(numbers, np.int32), np.array(ends, np.int64))


def content_words(terms: Sequence[Term]) -> list[str]:
    return [term.text for term in terms if not term.generic]


def gram_texts(section: Section, passages: Sequence[Passage]) -> tuple[tuple[int, str], tuple[int, str]]:
    """The texts whose character pairs are searched, each with its field."""
    heading = " ".join((*section.heading_path, section.title, *section.keywords))
    return (_GRAM_TITLE, heading), (_GRAM_BODY, " ".join(passage.text for passage in passages))


def _gram_lengths(sections: Sequence[Section]) -> NDArray[np.float64] | None:
    """Average lengths in character pairs, by a sample; None where one chunk holds them all and can tell exactly."""
    if len(sections) <= CHUNK:
        return None
    sample = sections[:: len(sections) // _SAMPLED]
    lengths = [
        [len(bigrams(text)) for _, text in gram_texts(section, split_passages(section.text))] for section in sample
    ]
    return np.asarray(np.mean(lengths, axis=0), np.float64)
