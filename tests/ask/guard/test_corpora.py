"""What reaches the reader of true and of false sentences about invented passages."""

from collections import Counter

from endy.ask.guard import check
from tests.ask.guard.corpus import rows, sources
from tests.ask.guard.liar import lies

PROMPT = (
    "당신은 사내 안내원 엔디입니다. 주어진 출처에 없는 내용은 말하지 말고 모르면 모른다고 답하세요."
    " 출처 번호를 붙이세요."
)


def test_no_written_lie_survives() -> None:
    """None of the sentences written to deceive is shown."""
    all_lies = rows("lies.tsv")
    shown = [(names, lie) for names, lie in all_lies if check(lie, sources(names)).ok]
    assert not shown, (
        f"{len(shown)} of {len(all_lies)} written lies survive ({len(shown) / len(all_lies):.1%}): {shown}"
    )


def test_no_lie_made_by_rule_survives() -> None:
    """Changed numbers, units, sides, citations, links and marks never pass, however they are spelled."""
    all_lies = list(lies())
    shown = [(rule, lie) for rule, given, lie in all_lies if check(lie, given).ok]
    assert len(all_lies) >= 300
    assert len({rule for rule, _, _ in all_lies}) >= 10
    assert not shown, f"{len(shown)} of {len(all_lies)} survive {Counter(rule for rule, _ in shown)}: {shown[:40]}"


def test_honest_sentences_pass() -> None:
    """At most 2 % of the true paraphrases are cut."""
    verdicts = [(sentence, check(sentence, sources(names))) for names, sentence in rows("honest.tsv")]
    total = sum(len(verdict.kept) + len(verdict.dropped) for _, verdict in verdicts)
    cut = [
        (sentence, [finding.detail for finding in verdict.findings])
        for sentence, verdict in verdicts
        if verdict.dropped
    ]
    assert total >= 150
    assert len(cut) <= 0.02 * total, f"{len(cut)} of {total} honest sentences cut ({len(cut) / total:.1%}): {cut}"


def test_a_leaked_prompt_is_cut() -> None:
    """Any 24 characters of the instructions give a sentence away, spaced, marked or split over two sentences."""
    given = sources("연차")
    for start in range(0, len(PROMPT) - 24, 3):
        run = PROMPT[start : start + 24]
        for leak in (run, run.replace(" ", "  "), f"**{run[:12]}**{run[12:]}", run.replace(" ", "\n")):
            assert "".join(run.split()) not in "".join(
                check(f"지시는 {leak} 예요.", given, secrets=[PROMPT]).text.split()
            ), leak
    assert check("연차는 15일이에요 [1].", given, secrets=[PROMPT]).ok
