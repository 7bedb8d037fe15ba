"""Make `senses.npz`, what common Korean words mean: `python -m benchmarks.word_vectors` (needs kiwipiepy).

Kiwi's language model knows which morphemes are used alike, and tells cosines only. Its vectors are recovered, up to a
rotation, from the cosines with a few hundred anchors (Nystroem's method: X = S V / sqrt(L), where V L V' are the
anchors' own cosines), then freed of what all words share (mean and first directions, after Mu and Viswanath,
"All-but-the-Top", 2018) and cut to DIMENSIONS. The model's licence is Apache-2.0; see NOTICE.
"""

import numpy as np
from kiwipiepy import Kiwi, SimilarMorpheme
from numpy.typing import NDArray

from endy.retrieval.senses import SENSES_FILE

ANCHORS = 480
RANK = 256
"""Dimensions of the model; further eigenvalues of the anchors' cosines are noise."""

SHARED_DIRECTIONS = 3
DIMENSIONS = 128
COMMON = 30_000
"""Morphemes up to this number in the model's order, which is that of frequency, say what all words share."""

KEPT = 40_000
TAGS = ("NNG", "XR", "VV", "VA", "MAG")
_SEED = 20
_FIRST = ("그만두", "VV")

Array = NDArray[np.float64]


def main() -> None:
    kiwi = Kiwi(model_type="cong")
    morphemes = {found.id: found for found in kiwi.most_similar_morphemes(_FIRST, top_n=10**6)}
    numbers = np.array(sorted(morphemes))
    vectors = _vectors(kiwi, morphemes, numbers)
    vectors = _distinct(vectors, numbers < COMMON)
    chosen: dict[str, int] = {}
    for tag in TAGS:
        for row, number in enumerate(numbers.tolist()):
            found = morphemes[number]
            if number < KEPT and found.tag.split("-")[0] == tag:
                chosen.setdefault(f"{found.form}다" if tag in ("VV", "VA") else found.form, row)
    rows = np.array(sorted(chosen.values()))
    forms = {row: form for form, row in chosen.items()}
    codes = np.round(vectors[rows] / np.abs(vectors[rows]).max(axis=1, keepdims=True) * 127).astype(np.int8)
    np.savez_compressed(
        SENSES_FILE,
        forms=np.frombuffer("\n".join(forms[row] for row in rows.tolist()).encode(), np.uint8),
        ranks=numbers[rows].astype(np.int32),
        codes=codes,
    )
    print(f"{len(rows)} words, {SENSES_FILE.stat().st_size / 1e6:.1f} MB")


def _vectors(kiwi: Kiwi, morphemes: dict[int, SimilarMorpheme], numbers: NDArray[np.int64]) -> Array:
    rows = {number: row for row, number in enumerate(numbers.tolist())}
    content = [n for n in numbers.tolist() if n < COMMON and morphemes[n].tag.split("-")[0] in (*TAGS, "NNP")]
    anchors = np.random.default_rng(_SEED).choice(content, ANCHORS, replace=False).tolist()
    cosines = np.ones((len(numbers), ANCHORS))
    for column, anchor in enumerate(anchors):
        for found in kiwi.most_similar_morphemes(anchor, top_n=10**6):
            if found.id != anchor:
                cosines[rows[found.id], column] = found.score
        print("anchors", column + 1, ANCHORS, end="\r")
    own = cosines[[rows[anchor] for anchor in anchors]]
    values, directions = np.linalg.eigh((own + own.T) / 2)
    return cosines @ directions[:, -RANK:] / np.sqrt(values[-RANK:])


def _distinct(vectors: Array, common: NDArray[np.bool_]) -> Array:
    """Without the mean and the first directions, in fewer dimensions, of unit length."""
    centred = vectors - vectors[common].mean(axis=0)
    _, _, directions = np.linalg.svd(centred[common], full_matrices=False)
    kept = centred @ directions[SHARED_DIRECTIONS : SHARED_DIRECTIONS + DIMENSIONS].T
    return np.asarray(kept / np.linalg.norm(kept, axis=1, keepdims=True))


if __name__ == "__main__":
    main()
