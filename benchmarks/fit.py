"""Fit fusion and confidence: `python -m benchmarks.fit [--korquad DIR]` prints held-out figures and writes the weights.

Fusion: listwise softmax with L2 over candidates of answerable questions. Confidence: logistic regression with L2 on
whether the first section is right, over searches whose fusion was fitted without them; each answerable question is
asked a second time with its right sections hidden, so that the model learns what a near miss looks like.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from benchmarks.companies import Company, load_companies
from endy.ask.decision import CONFIDENCE_FILE, SIGNALS, offtopic_lead, signals
from endy.ask.offtopic import SHIPPED_VECTORS as OFFTOPIC_FILE
from endy.ask.offtopic import OffTopic, examples, question_vectors
from endy.bootstrap import build_embedder
from endy.evaluation.questions import EvalQuestion
from endy.retrieval.concepts import SHIPPED_VECTORS as CONCEPT_FILE
from endy.retrieval.concepts import concept_text
from endy.retrieval.evidence import FEATURES, Evidence
from endy.retrieval.fusion import CONTEXT, FUSION_FILE, Fusion, context
from endy.retrieval.index import SearchIndex
from endy.retrieval.search import View
from endy.retrieval.shipped import ship_vectors, shipped_for
from endy.retrieval.vocabulary import SHIPPED_VOCABULARY, parse_vocabulary
from endy.settings import Settings

Array = NDArray[np.float64]
FOLDS = 5
FUSION_L2 = 1e-3
CONFIDENCE_L2 = 3e-3
HIDDEN = 0.5
KIND = {"unanswerable-near": 3.0, "unanswerable-off": 0.0}
"""Weights in the confidence fit: near misses are few and matter most; off-topic questions have their own model."""

REFUSED_THOUGH_RIGHT = 0.1
CAUGHT_BY_MISTAKE = 0.02
SHARE = {"korquad": 0.15}
"""Weight of a question by knowledge base; encyclopaedia questions must not outvote employees'."""


@dataclass(frozen=True)
class Case:
    """One question's evidence; `right` marks the candidates that answer it."""

    company: str
    question: EvalQuestion
    evidence: Evidence
    right: NDArray[np.bool_]
    weight: float
    fold: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--korquad", type=Path)
    _ship_vectors()
    companies = load_companies(parser.parse_args().korquad)
    cases = {dense: [case for company in companies for case in _cases(company, dense)] for dense in (True, False)}
    weights = {dense: _fit_fusion(cases[dense]) for dense in cases}
    for dense, mine in cases.items():
        _report_fusion("with vectors" if dense else "words alone", mine)
    _write(FUSION_FILE, {
        "features": FEATURES,
        "context": CONTEXT,
        "weights": weights[True].round(4).tolist(),
        "lexical_weights": weights[False].round(4).tolist(),
    })  # fmt: skip
    offtopic = _fit_offtopic(companies)
    dense, lexical = (_fit_confidence(companies, cases[each], each) for each in (True, False))
    _write(CONFIDENCE_FILE, {
        "signals": SIGNALS,
        "weights": dense[0].round(4).tolist(),
        "lexical_weights": lexical[0].round(4).tolist(),
        "threshold": round(dense[1], 3),
        "lexical_threshold": round(lexical[1], 3),
        "offtopic": offtopic.round(4).tolist(),
        "tie": 0.8,
    })  # fmt: skip


def _ship_vectors() -> None:
    """Embed the vocabulary and the off-topic examples again if their texts changed."""
    embedder = build_embedder(Settings(_env_file=None))
    assert embedder is not None
    concepts = parse_vocabulary(SHIPPED_VOCABULARY.read_text(encoding="utf-8"))
    texts = [concept_text(concept) for concept in concepts]
    if not shipped_for(texts, CONCEPT_FILE, embedder.name):
        ship_vectors(texts, CONCEPT_FILE, embedder.name, embedder.passages)
    if not shipped_for(examples(), OFFTOPIC_FILE, embedder.name):
        ship_vectors(examples(), OFFTOPIC_FILE, embedder.name, question_vectors(embedder))


def _cases(company: Company, dense: bool) -> list[Case]:
    cases = []
    for number, question in enumerate(company.questions):
        if not question.relevant:
            continue
        evidence = _evidence(company.view, question, dense)
        ids = [evidence.pool.section(int(i)).id for i in evidence.candidates]
        right = np.array([section in question.relevant for section in ids])
        weight = SHARE.get(company.name, 1.0)
        cases.append(Case(company.name, question, evidence, right, weight, number % FOLDS))
    return cases


def _evidence(view: View, question: EvalQuestion, dense: bool) -> Evidence:
    asked = " ".join((*question.turns[-1:], question.question))
    query = view.reader.read(view.reader.repair(asked))
    query = query if dense else replace(query, vector=None)
    evidence = view.index.within(query, None)
    assert evidence is not None
    return evidence


def _fit_fusion(cases: Sequence[Case]) -> Array:
    shape = (len(FEATURES), len(CONTEXT))
    rows = [
        (c.evidence.features.astype(float), context(c.evidence).astype(float), c.right, c.weight)
        for c in cases
        if c.right.any()
    ]
    total = sum(row[3] for row in rows)

    def loss(flat: Array) -> tuple[float, Array]:
        weights = flat.reshape(shape)
        value, gradient = 0.0, np.zeros(shape)
        for features, situation, right, worth in rows:
            scores = features @ (weights @ situation)
            odds = np.exp(scores - scores.max())
            odds /= odds.sum()
            mass = float(odds[right].sum()) + 1e-12
            value -= worth * float(np.log(mass))
            slope = odds - np.where(right, odds / mass, 0.0)
            gradient += worth * np.outer(features.T @ slope, situation)
        return value / total + FUSION_L2 * float((weights**2).sum()), (
            gradient / total + 2 * FUSION_L2 * weights
        ).ravel()

    found = minimize(loss, np.zeros(shape).ravel(), jac=True, method="L-BFGS-B", options={"maxiter": 400})
    return np.asarray(found.x).reshape(shape)


def _ranks(cases: Sequence[Case], weights: Array) -> list[int]:
    ranks = []
    for case in cases:
        order = np.argsort(-(case.evidence.features @ (weights @ context(case.evidence))), kind="stable")
        right = case.right[order]
        ranks.append(int(right.argmax()) if right.any() else 99)
    return ranks


def _report_fusion(title: str, cases: Sequence[Case]) -> None:
    held_out: dict[tuple[str, str], list[int]] = {}
    for fold in range(FOLDS):
        weights = _fit_fusion([case for case in cases if case.fold != fold])
        mine = [case for case in cases if case.fold == fold]
        for case, rank in zip(mine, _ranks(mine, weights), strict=True):
            for kind in (case.question.kind, "~all"):
                held_out.setdefault((case.company, kind), []).append(rank)
    print(f"\nfusion, {title}, held out")
    for (company, kind), ranks in sorted(held_out.items()):
        first, third = np.mean([r == 0 for r in ranks]), np.mean([r < 3 for r in ranks])
        print(f"  {company:8} {kind:12} {len(ranks):5} first {first:.3f} first three {third:.3f}")


def _fit_confidence(companies: Sequence[Company], cases: Sequence[Case], dense: bool) -> tuple[Array, float]:
    rows, labels, weights, kinds = [], [], [], []
    for fold in range(FOLDS):
        fusion = _fusion(_fit_fusion([case for case in cases if case.fold != fold]))
        for company in companies:
            for number, question in enumerate(company.questions):
                if number % FOLDS != fold:
                    continue
                for hidden in (False, True) if question.relevant else (False,):
                    found = _signals(company.view, fusion, question, hidden, dense)
                    if found is None:
                        continue
                    rows.append(found[0])
                    labels.append(found[1] and not hidden)
                    weights.append(SHARE.get(company.name, 1.0) * (HIDDEN if hidden else KIND.get(question.kind, 1.0)))
                    kinds.append(f"{company.name} {'hidden' if hidden else question.kind}")
    table, right, worth = np.array(rows), np.array(labels, float), np.array(weights)
    fitted = _logistic(table, right, worth)
    # Hidden sources teach the difference; how often questions have no answer is learned from real ones alone.
    real = np.array([not kind.endswith("hidden") for kind in kinds])
    steps = np.column_stack([table[real] @ fitted, np.ones(real.sum())])
    slope, shift = _logistic(steps, right[real], np.ones(real.sum()))
    fitted = fitted * slope
    fitted[0] += shift
    chances = _sigmoid(table @ fitted)
    threshold = float(np.quantile(chances[right > 0], REFUSED_THOUGH_RIGHT))
    print(f"\nconfidence, {'with vectors' if dense else 'words alone'}, threshold {threshold:.3f}")
    for kind in sorted(set(kinds)):
        mask = np.array([other == kind for other in kinds])
        refused = float((chances[mask] < threshold).mean())
        share, mean = right[mask].mean(), chances[mask].mean()
        print(f"  {kind:28} {mask.sum():5} right {share:.3f} mean {mean:.3f} refused {refused:.3f}")
    print("  " + ", ".join(f"{name} {weight:+.2f}" for name, weight in zip(SIGNALS, fitted, strict=True)))
    return fitted, threshold


def _fit_offtopic(companies: Sequence[Company]) -> Array:
    """Bias and weight: a steep logistic whose middle lies where few answerable questions do."""
    offtopic = OffTopic(build_embedder(Settings(_env_file=None)))
    leads: dict[bool, list[float]] = {True: [], False: []}
    for company in companies:
        for question in company.questions:
            query = company.view.reader.read(" ".join((*question.turns[-1:], question.question)))
            evidence = company.view.index.within(query, None)
            assert evidence is not None
            assert evidence.dense is not None
            if question.relevant or question.kind == "unanswerable-off":
                leads[bool(question.relevant)].append(offtopic_lead(evidence.dense, offtopic.closeness(query.vector)))
    middle = float(np.quantile(leads[True], 1 - CAUGHT_BY_MISTAKE))
    caught = float(np.mean(np.array(leads[False]) > middle))
    print(
        f"\noff-topic: lead over {middle:.3f} takes {caught:.2f} of them and {CAUGHT_BY_MISTAKE:.2f} of the answerable"
    )
    steepness = 4 / max(float(np.std(leads[True])), 1e-6)
    return np.array([-steepness * middle, steepness])


def _signals(
    view: View, fusion: Fusion, question: EvalQuestion, hidden: bool, dense: bool
) -> tuple[list[float], bool] | None:
    asked = " ".join((*question.turns[-1:], question.question))
    query = view.reader.read(view.reader.repair(asked))
    query = query if dense else replace(query, vector=None)
    index = view.index
    assert isinstance(index, SearchIndex)
    allowed = index.everything.copy()
    if hidden:
        allowed[[index.numbers[section] for section in question.relevant]] = False
    result = view.rank(query, asked, index.evidence(query, allowed), fusion, 10)
    if not result.hits:
        return None
    return signals(result), result.hits[0].section.id in question.relevant


def _logistic(table: Array, right: Array, worth: Array) -> Array:
    def loss(weights: Array) -> tuple[float, Array]:
        chances = _sigmoid(table @ weights)
        value = (
            -(worth * (right * np.log(chances + 1e-12) + (1 - right) * np.log(1 - chances + 1e-12))).sum() / worth.sum()
        )
        gradient = table.T @ (worth * (chances - right)) / worth.sum()
        return float(value + CONFIDENCE_L2 * (weights**2).sum()), gradient + 2 * CONFIDENCE_L2 * weights

    return np.asarray(minimize(loss, np.zeros(table.shape[1]), jac=True, method="L-BFGS-B").x)


def _sigmoid(values: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-np.clip(values, -30, 30))))


def _fusion(weights: Array) -> Fusion:
    return Fusion(weights.astype(np.float32), weights.astype(np.float32))


def _write(path: Path, data: dict[str, object]) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(data, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
