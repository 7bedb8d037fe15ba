"""Knowledge and vectors that are made up, the same in every run."""

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from endy.retrieval.passages import split_passages
from endy.retrieval.section import Section
from tests.retrieval.conftest import section

DIMENSIONS = 64
COUNT = 3000

PLACES = ["본관", "별관", "창고", "공장", "매장", "연구소", "식당", "주차장", "휴게실", "회의실", "강당", "기숙사"]
THINGS = ["노트북", "출입증", "법인카드", "작업복", "공구", "냉장고", "프린터", "자전거", "명함", "열쇠", "우산"]
DEEDS = ["빌리", "고치", "잃어버리", "반납하", "예약하", "바꾸", "버리", "옮기", "청소하", "구매하"]


def random_unit(text: str) -> NDArray[np.float32]:
    """A direction that the text alone decides."""
    seed = int.from_bytes(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:8], "big")
    vector = np.random.default_rng(seed).standard_normal(DIMENSIONS).astype(np.float32)
    return np.asarray(vector / np.linalg.norm(vector), np.float32)


class MadeEmbedder:
    """An embedder to which equal texts are near and different ones are not."""

    name, dimensions = "made", DIMENSIONS

    def query(self, text: str) -> NDArray[np.float32]:
        return random_unit(text)

    def passages(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return np.stack([random_unit(text) for text in texts])


def vectors_of(sections: Sequence[Section]) -> dict[str, NDArray[np.float16]]:
    """Matrices by content hash: the whole, the title, then each passage by its own text."""
    return {
        section.content_hash: np.stack(
            [random_unit(section.text), random_unit(section.title)]
            + [random_unit(passage.text) for passage in split_passages(section.text)]
        ).astype(np.float16)
        for section in sections
    }


def _sentence(random: np.random.Generator) -> str:
    place, thing, deed = random.choice(PLACES), random.choice(THINGS), random.choice(DEEDS)
    where = f"{place} {random.integers(1, 30)}층에서"
    return f"{where} {thing} {random.integers(1, 90)}번을 {deed}려면 담당자에게 말해요."


def made_sections() -> list[Section]:
    """COUNT sections whose words are shared by many."""
    random = np.random.default_rng(7)
    sentences = [_sentence(random) for _ in range(900)]
    return [
        section(
            f"{random.choice(THINGS)} 안내 {number}",
            "\n\n".join(random.choice(sentences, 3)),
            category="IT" if number % 300 == 0 else "HR",
            kind="faq" if number % 7 == 0 else "section",
        )
        for number in range(COUNT)
    ]
