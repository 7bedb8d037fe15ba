"""Judge one sentence: its citations, its facts, and what must never be shown."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from endy.ask.guard.facts import facts, passage_facts
from endy.ask.guard.models import Fact, Finding, Reason
from endy.ask.guard.paths import same_url
from endy.ask.guard.reading import read
from endy.ask.guard.secrets import Secrets
from endy.ask.guard.sentences import Form
from endy.ask.guard.support import supported
from endy.ask.guard.tables import cells, spell_out, with_units

_CITATION = re.compile(r"\[(?P<list>[0-9]{1,4}(?:[ ]?(?:,|-|~)[ ]?[0-9]{1,4})*)\](?!\()")
_MARKER = re.compile(
    r"^[ \t>#*]*(?:(?:[-+*]|[0-9]{1,3}[.)]|[①-⑳]|\([0-9]{1,2}\))[ \t]+)?(?:\*\*)?(?:[0-9]{1,2}(?:단계"
    r"|[.)])|Step [0-9]{1,2})?(?=[\s.:)*]|$)",
    re.IGNORECASE,
)
_LIST_MARK = re.compile(r"^[ \t>#*]*(?:[-+*]|[0-9]{1,3}[.)]|[①-⑳]|\([0-9]{1,2}\))(?=[ \t])")
_STEP_MARK = re.compile(r"^[ \t>#*\-+]*(?:[0-9]{1,2}단계|Step [0-9]{1,2})(?=[\s.:)*])", re.IGNORECASE)
_IMAGE = re.compile(r"!\[")
_HTML = re.compile(r"<(?!(?:https?://|mailto:)[^\s<>]+>)[A-Za-z/!?]")
_LINK = re.compile(r"\]\(\s*<?([^)\s>]*)")
_REFERENCE = re.compile(r"^[ \t]{0,3}\[[^\]]+\]:[ \t]*(\S+)")
_RESTATED = re.compile(
    r"물어|물으|질문|문의하신|말씀하신|말씀 ?주신|궁금|찾으시|여쭤|여쭈|원하시|요청하신|you asked"
    r"|your question|you mentioned|you(?:'d| would)? (?:like|want)"
    r"|아니(?:라|고|에요|예요)|않(?:아|고|습)|다르|확인(?:되지|할 수 없|이 안)|나와 있지|없어요"
    r"|없습니다|모르|not |n't ",
    re.IGNORECASE,
)
_OWN_LIST = re.compile(r"가지|단계|순서|ways|things|steps|options|items", re.IGNORECASE)
_SEPARATOR = re.compile(r"[,·/]|[와과] |또는|혹은| 및 |그리고| and | or ")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is wrong with a sentence, what it cites, how many items it promises to list, and its facts."""

    findings: tuple[Finding, ...] = ()
    cited: tuple[int, ...] = ()
    own_list: int = 0
    figures: tuple[Fact, ...] = ()
    dropped: bool = field(default=False)


class Judge:
    """Holds the passages; `[1]` is the first of them."""

    def __init__(self, sources: Sequence[str], question: str, secrets: Sequence[str]) -> None:
        self._sources = [spell_out(source) for source in sources]
        self._question = question
        self._secrets = Secrets(secrets, sources)
        self._head: list[str] = []
        self._asked: tuple[Fact, ...] | None = None

    def verdict(self, sentence: str, form: Form) -> Verdict:
        """Dropped for anything but a true sentence without its citation."""
        wrong = [(reason, detail) for reason, detail in self._forbidden(sentence) if detail]
        cited = citations(sentence)
        missing = [number for number in cited if not 1 <= number <= len(self._sources)]
        wrong += [("no_such_passage", f"[{number}]") for number in missing]
        said = self._said(sentence, form)
        found = [] if form == "rule" else facts(said)
        unsupported = self._unsupported(found, said, [number for number in cited if number not in missing])
        own_list = self._own_list(unsupported, said, form)
        if own_list is not None:
            unsupported = []
        wrong += [
            ("unknown_link" if fact.kind in ("url", "email", "phone") else "unsupported", fact.text)
            for fact in unsupported
        ]
        findings = [Finding(reason, sentence.strip(), detail, dropped=True) for reason, detail in wrong]
        if found and not cited and form not in ("heading", "rule"):
            findings.append(Finding("uncited", sentence.strip(), found[0].text, dropped=False))
        return Verdict(tuple(findings), tuple(cited), own_list or 0, tuple(found), bool(wrong))

    def _forbidden(self, sentence: str) -> list[tuple[Reason, str]]:
        image, html = _IMAGE.search(sentence), _HTML.search(_seen(sentence))
        targets = [*_LINK.findall(sentence), *_REFERENCE.findall(sentence)]
        unknown = next((target for target in targets if not same_url(target, self._sources)), None)
        return [
            ("secret", self._secrets.leak(sentence)),
            ("image", image.group() if image else ""),
            ("html", html.group() if html else ""),
            ("unknown_link", "" if unknown is None else unknown or "()"),
        ]

    def _said(self, sentence: str, form: Form) -> str:
        """The sentence without citations and list numbers, a row with the units of its head."""
        said = _CITATION.sub(lambda match: " " * len(match.group()), sentence)
        for mark in (_LIST_MARK, _STEP_MARK):
            said = mark.sub(lambda match: " " * len(match.group()), said)
        if form not in ("row", "rule"):
            self._head = []
        elif form == "row":
            if self._head:
                return with_units(said, self._head)
            self._head = cells(said)
        return said

    def _unsupported(self, found: list[Fact], said: str, cited: list[int]) -> list[Fact]:
        passages = [self._sources[number - 1] for number in cited] or self._sources
        plain = read(said).text if any("*" in text or "`" in text for text in said) else said
        left = [fact for fact in found if not supported(fact, passages, said)]
        if left and _RESTATED.search(plain):
            left = [fact for fact in left if not self._was_asked(fact)]
        return left

    def _was_asked(self, fact: Fact) -> bool:
        """The question's own numbers may be said back where the sentence only says them back."""
        if self._asked is None:
            self._asked = passage_facts(self._question)
        return supported(replace(fact, bound="", per=""), [self._question])

    def _own_list(self, unsupported: list[Fact], said: str, form: Form) -> int | None:
        """How many items to wait for; 0 when the sentence names them itself; None when this is no such sentence."""
        if (
            not unsupported
            or not all(_counts_list(fact) for fact in unsupported)
            or form not in ("sentence", "heading")
        ):
            return None
        number = int(float(unsupported[0].value.split()[0]))
        if len(_SEPARATOR.findall(said)) == number - 1:
            return 0
        return number


def _counts_list(fact: Fact) -> bool:
    return fact.kind in ("count", "number", "ordinal") and bool(_OWN_LIST.search(fact.text))


def citations(sentence: str) -> list[int]:
    """The passages that a sentence points to, in its order: [1], [1][3], [1, 3], [1-3]."""
    numbers: list[int] = []
    for match in _CITATION.finditer(sentence):
        for part in match["list"].replace(" ", "").split(","):
            ends = [int(end) for end in re.split("[-~]", part)]
            numbers += (
                range(ends[0], min(ends[-1], ends[0] + 20) + 1) if len(ends) == 2 and ends[0] <= ends[-1] else ends
            )
    return list(dict.fromkeys(numbers))


def _seen(sentence: str) -> str:
    return sentence.replace("&lt;", "<") if "&lt;" in sentence else sentence
