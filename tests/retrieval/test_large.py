"""Large knowledge: looking at chosen sections finds what looking at all of them finds."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from endy.retrieval.fusion import Fusion
from endy.retrieval.lexical import PooledPostings
from endy.retrieval.lexical_build import Field, LexicalBuilder, one_field_index
from endy.retrieval.lexicon import Lexicon, TokenLists
from endy.retrieval.nearest import NearestIndex, Projection
from endy.retrieval.search import Language, SectionSearcher, View, view_of
from endy.retrieval.section import Section
from endy.retrieval.vocabulary import SHIPPED_VOCABULARY, parse_vocabulary
from tests.retrieval.conftest import SECTIONS, section
from tests.retrieval.made import COUNT, MadeEmbedder, made_sections, random_unit, vectors_of

PRUNED = 0
"""As the greatest size that is searched exactly: everything is pruned."""


@pytest.fixture(scope="module")
def sections() -> list[Section]:
    return made_sections()


@pytest.fixture(scope="module")
def made_language() -> Language:
    concepts = parse_vocabulary(SHIPPED_VOCABULARY.read_text(encoding="utf-8"))
    return Language.build(concepts, [], Fusion.shipped(), MadeEmbedder())


@pytest.fixture(scope="module", params=["words", "vectors"])
def both(request: pytest.FixtureRequest, sections: list[Section], made_language: Language) -> tuple[View, View]:
    """The same knowledge looked at as a whole and pruned."""
    vectors = vectors_of(sections) if request.param == "vectors" else {}
    embedder = MadeEmbedder() if vectors else None
    whole = view_of(sections, vectors, made_language, embedder)
    return whole, view_of(sections, vectors, made_language, embedder, exact=PRUNED)


def _questions(sections: Sequence[Section]) -> list[str]:
    asked = [one.text.split("\n\n")[1].replace("담당자에게 말해요.", "어떻게 해요?") for one in sections[::60]]
    return [*asked, *(one.title for one in sections[30::300])]


def test_the_same_section_comes_first(both: tuple[View, View], sections: list[Section]) -> None:
    """Almost always the same first section, and almost all of the exact way's candidates are looked at."""
    whole, pruned = both
    same, looked_at = [], []
    for question in _questions(sections):
        exact, found = whole.search(question), pruned.search(question)
        assert exact.evidence is not None
        assert found.evidence is not None
        same.append(exact.hits[0].section.text == found.hits[0].section.text)
        pool = {found.evidence.pool.section(number).id for number in range(found.evidence.pool.words.size)}
        candidates = {exact.evidence.pool.section(int(number)).id for number in exact.evidence.candidates}
        looked_at.append(len(candidates & pool) / len(candidates))
    assert np.mean(same) >= 0.96
    # What the senses of words alone bring is looked for only among the rest.
    assert np.mean(looked_at) >= 0.8


def test_a_pool_is_a_part_of_a_large_knowledge(both: tuple[View, View], sections: list[Section]) -> None:
    """Pruning does leave most sections out."""
    evidence = both[1].search(_questions(sections)[0]).evidence
    assert evidence is not None
    assert 0 < evidence.pool.words.size < COUNT / 2


def test_scores_agree_closely(both: tuple[View, View], sections: list[Section]) -> None:
    """A byte for an impact and a sample for the usual hardly move a feature."""
    whole, pruned = both
    for question in _questions(sections)[::7]:
        exact, found = whole.search(question), pruned.search(question)
        features = {hit.section.id: hit.features for hit in found.hits}
        for hit in exact.hits[:3]:
            if hit.section.id in features:
                assert features[hit.section.id] == pytest.approx(hit.features, abs=0.15)


def test_one_passage_s_vector_is_enough(sections: list[Section], made_language: Language) -> None:
    """A question without a common word reaches the sections that hold the passage nearest to it."""
    pruned = view_of(sections, vectors_of(sections), made_language, MadeEmbedder(), exact=PRUNED)
    random, found = np.random.default_rng(3), 0
    for one in sections[::40]:
        passage = random_unit(one.text.split("\n\n")[2])
        vector = passage + 0.7 * random.standard_normal(len(passage)).astype(np.float32) / np.sqrt(len(passage))
        query = replace(pruned.reader.read("쿠쿠루쿠쿠"), vector=(vector / np.linalg.norm(vector)).astype(np.float32))
        hits = pruned.search_read(query, "쿠쿠루쿠쿠").hits
        found += any(one.text.split("\n\n")[2] in hit.section.text for hit in hits)
    assert found >= 0.97 * len(sections[::40])


def test_a_category_is_searched_wholly(both: tuple[View, View], sections: list[Section]) -> None:
    """Where a category leaves few sections all of them can be found; an unknown one gives nothing."""
    for view in both:
        hits = view.search("노트북 빌리려면", category="IT", limit=100).hits
        assert hits
        assert {hit.section.category for hit in hits} == {"IT"}
        assert view.search("노트북", category="없는 분류").hits == ()
    mostly = both[1].search("노트북 빌리려면", category="HR").hits
    assert {hit.section.category for hit in mostly} == {"HR"}


@pytest.mark.parametrize("exact", [PRUNED, 100], ids=["pruned", "whole"])
@pytest.mark.parametrize("vectors", ["none", "all", "some", "one_missing"])
def test_small_and_half_embedded_knowledge(made_language: Language, exact: int, vectors: str) -> None:
    """None, one or a few sections are searched either way, whatever part of them has vectors."""
    every = vectors_of(SECTIONS)
    left = {"none": 0, "all": len(every), "some": 1, "one_missing": len(every) - 1}[vectors]
    some = dict(list(every.items())[:left])
    searched = view_of(SECTIONS, some, made_language, MadeEmbedder(), exact=exact)
    assert searched.search("연차 이월").hits[0].section.title == "연차 이월"
    assert view_of([], some, made_language, MadeEmbedder(), exact=exact).search("연차").hits == ()
    alone = view_of(SECTIONS[:1], some, made_language, MadeEmbedder(), exact=exact)
    assert alone.search("연차 이월").hits[0].section.title == "연차 이월"


def test_a_question_of_unknown_words_is_searched_too(sections: list[Section], made_language: Language) -> None:
    """Where no word and no vector speaks for any section, the search ends without an error."""
    view = view_of(sections, {}, made_language, None, exact=PRUNED)
    assert view.search("쿠쿠루쿠쿠", limit=3).hits
    assert view.search("쿠쿠루쿠쿠", category="HR", limit=3).hits
    assert view.search("?!").hits == ()


def test_equal_sections_keep_their_order(made_language: Language) -> None:
    """Of sections that say the same, the first stands first, however often one asks."""
    twins = [section("주차", "지하 2층에 세워요.", document=f"{number}.md") for number in range(60)]
    for exact in (PRUNED, 100):
        view = view_of(twins, vectors_of(twins), made_language, MadeEmbedder(), exact=exact)
        first = [hit.section.document for hit in view.search("주차").hits]
        assert first == sorted(first, key=lambda name: int(name.split(".")[0]))
        assert [hit.section.document for hit in view.search("주차").hits] == first


ODD = {
    "decomposed": "연차휴가",
    "emoji": "👩‍💻🎉 ㅋㅋㅋ ㅠㅠ",
    "chinese": "年次休暇 申請",
    "invisible": "연\u200b차\u200d이\ufeff월",
    "full_width": "ＡＢＣ１２３　연차",
    "right_to_left": "\u202e연차\u202c שלום",
    "long": "가" * 5000,
    "blank": " \n\t \u3000 ",
    "nothing": "",
    "signs": "***___```|||\\#",
    "lone_jamo": "ㄱㄴㄷ ㅏㅑㅓ",
    "astral": "𝕬𝖓𝖓𝖚𝖆𝖑 𠀋",
    "zero": "a\x00b",
}


@pytest.mark.parametrize("text", ODD.values(), ids=ODD.keys())
def test_odd_text_is_read_and_asked(made_language: Language, text: str) -> None:
    """Nothing that can be written breaks an index or a search."""
    odd = section(text or "제목", text, content_hash="odd")
    for exact in (PRUNED, 100):
        knowledge = [*SECTIONS, odd]
        view = view_of(knowledge, vectors_of(knowledge), made_language, MadeEmbedder(), exact=exact)
        view.search(text)
        assert view.search("연차 이월").hits[0].section.title == "연차 이월"


def test_searches_go_on_while_the_snapshot_changes(sections: list[Section], made_language: Language) -> None:
    """Every answer comes from one snapshot or from the other, never from parts of both."""
    some = sections[:400]
    changed = [replace(one, text=f"{one.text}\n\n새 문장이에요.") for one in some]
    current = [view_of(some, {}, made_language, None, exact=PRUNED)]

    def ask(number: int) -> set[bool]:
        hits = current[0].search(_questions(some)[number % 6]).hits
        return {hit.section.text.endswith("새 문장이에요.") for hit in hits}

    with ThreadPoolExecutor(4) as pool:
        answers = [pool.submit(ask, number) for number in range(40)]
        current[0] = view_of(changed, {}, made_language, None, exact=PRUNED)
        answers += [pool.submit(ask, number) for number in range(40)]
        assert all(len(answer.result()) == 1 for answer in answers)
    assert answers[-1].result() == {True}


def test_threads_find_what_one_finds(both: tuple[View, View], sections: list[Section]) -> None:
    """Searches at the same time do not disturb each other."""
    questions = _questions(sections)[:24]
    alone = [[hit.section.id for hit in both[1].search(question).hits] for question in questions]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda question: [hit.section.id for hit in both[1].search(question).hits], questions))
    assert together == alone


def test_what_may_not_be_seen_is_in_no_pool(sections: list[Section], made_language: Language) -> None:
    """An audience's view is made of its own sections only, large or small."""
    hidden = [replace(one, audience=frozenset({"admin"})) for one in sections[:50]]
    searcher = SectionSearcher([*hidden, *sections[50:300]], {}, made_language, None)
    titles = {hit.section.title for hit in searcher.search(hidden[0].title, limit=300).hits}
    assert not titles & {one.title for one in hidden}


def test_packed_impacts_are_near_the_exact_ones() -> None:
    """A byte keeps an impact to within a two hundredth of the rarity, never zero and never above it."""
    lexicon, random = Lexicon(), np.random.default_rng(5)
    lists = TokenLists(lexicon)
    for number in range(200):
        lists.add(number, number % 2, [f"w{word}" for word in random.zipf(1.5, 30) if word < 500])
    built = {}
    for packed in (False, True):
        builder = LexicalBuilder(lexicon, [Field(1.0, 0.3), Field(2.0, 0.4)], packed)
        builder.add(lists, 0, 200)
        built[packed] = builder.build(200)
    for token in built[False].tokens():
        ids, exact = built[False].postings(token)
        same, kept = built[True].postings(token)
        rarity = built[False].rarity(token)
        assert ids.tolist() == same.tolist()
        assert np.abs(exact - kept).max() <= rarity / 200
        assert 0 < kept.min() <= kept.max() <= rarity * 1.0001


def test_chunks_make_the_same_index_as_one() -> None:
    """Sections that come in parts are indexed as if they had come at once."""
    random, lexicon = np.random.default_rng(6), Lexicon()
    documents = [[f"w{word}" for word in random.integers(0, 40, 12)] for _ in range(30)]
    lengths = np.array([12.0])
    whole, parts = (LexicalBuilder(lexicon, [Field(1.0, 0.4)], lengths=lengths) for _ in range(2))
    for builder, borders in ((whole, [0, 30]), (parts, [0, 7, 8, 30])):
        for first, last in pairwise(borders):
            lists = TokenLists(lexicon)
            for number in range(first, last):
                lists.add(number, 0, documents[number])
            builder.add(lists, first, last - first)
    one, other = whole.build(30), parts.build(30)
    for token in one.tokens():
        for mine, theirs in zip(one.postings(token), other.postings(token), strict=True):
            assert mine.tolist() == theirs.tolist()


def test_pooled_postings_are_those_of_the_pool() -> None:
    """Common and rare tokens alike give the pooled sections only, by their place, with the same impact."""
    random = np.random.default_rng(8)
    documents = [
        ["common", *(["rare"] if number % 90 == 0 else []), f"w{random.integers(50)}"] for number in range(900)
    ]
    index = one_field_index(documents, Field(1.0, 0.4))
    numbers = np.sort(random.choice(900, 20, replace=False)).astype(np.int32)
    pooled = PooledPostings(index, numbers)
    for token in ("common", "rare", "w7", "never"):
        every = dict(zip(*(part.tolist() for part in index.postings(token)), strict=True))
        expected = {place: every[number] for place, number in enumerate(numbers.tolist()) if number in every}
        assert dict(zip(*(part.tolist() for part in pooled.postings(token)), strict=True)) == expected
        assert pooled.rarity(token) == index.rarity(token)
        assert (token in pooled) is (token in index)


def test_nearest_vectors_are_found() -> None:
    """Of clustered vectors, the ten nearest are nearly always among those that are brought."""
    random = np.random.default_rng(9)
    centres = random.standard_normal((60, 48))
    vectors = centres[random.integers(0, 60, 6000)] + 0.6 * random.standard_normal((6000, 48))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    projection = Projection.fitted(vectors[::3])
    index = NearestIndex(projection(vectors[::3]), projection, 6000, iter([(vectors, np.arange(6000, dtype=np.int32))]))
    held = []
    for question in vectors[::97] + 0.05 * random.standard_normal((62, 48)).astype(np.float32):
        best = set(np.argsort(-(vectors @ question))[:10].tolist())
        held.append(len(best & set(index.nearest(projection(question), 100, None).tolist())) / 10)
    assert np.mean(held) >= 0.97
