"""Let a model write the answer from the sources, and let nothing of it out that the sources do not hold."""

import re
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Literal

import structlog

from endy.ask import wording
from endy.ask.context import Context, gather, may_leave
from endy.ask.grounds import Grounds
from endy.ask.guard import Checked, Fact, SentenceGate
from endy.ask.instructions import speaks_to_model
from endy.llm import prompts
from endy.llm.models import LanguageModel, LlmRequest, LlmUnavailable, Message, Usage
from endy.llm.prompts import Prompt
from endy.observability.metrics import Metrics
from endy.privacy.findings import Kind
from endy.retrieval.analysis import Analyzer
from endy.retrieval.intent import Fact as AskedFact
from endy.retrieval.intent import asked
from endy.retrieval.search import SearchResult

MAX_TOKENS = 700
NO_ANSWER = "NO_ANSWER"

MOST_DROPPED = 1 / 3
"""Of an answer that loses more of its sentences, what is left is no answer."""

_MOST_FINDINGS = 5
_PART = 40
_MARKS = " \t\n*_`\"'[(#"
_FOREIGN = 0.3
_HANGUL = re.compile(r"[가-힣]")
_WORDS = re.compile(r"[A-Za-z]{2,}")
_LETTERS = re.compile(r"[^\W\d_]")
_REFUSAL = re.compile(
    r"(?:찾을 수 없|찾지 못|나와 있지 않|적혀 있지 않|포함되어 있지 않|정보가 없|내용이 없|알 수 없|"
    r"확인할 수 없|답할 수 없|not (?:found|mentioned|stated|covered|contain)|no (?:information|source)|"
    r"cannot (?:find|answer)|do(?:es)? not (?:say|mention|answer))"
)
_SHAPES: tuple[tuple[AskedFact, str], ...] = (
    ("steps", "steps"), ("amount", "amount"), ("ratio", "amount"), ("time", "when"), ("date", "when"),
    ("duration", "when"), ("place", "where"), ("contact", "who"), ("permission", "allowed"), ("count", "amount"),
)  # fmt: skip

Outcome = Literal["written", "no_answer", "withheld", "unsupported", "unavailable"]
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Written:
    """How the writing ended.

    written      `text` may be shown; `cited` are the numbers of the hits that it rests on, in order of first use
    no_answer    the model found that none of the sources answers
    withheld     the model was not asked: the best source may not leave, the question gives orders, or it asks for a
                 number that the model must not see
    unsupported  twice the sources did not hold up what it wrote
    unavailable  there was no usable answer; `reason` is LlmUnavailable's
    """

    outcome: Outcome
    text: str = ""
    cited: tuple[int, ...] = ()
    model: str = ""
    usage: Usage = field(default_factory=Usage)
    reason: str = ""
    sentences: int = 0
    """All that the model wrote, in both attempts, and how many of them the guard dropped."""
    dropped: int = 0
    first_token_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Task:
    """A question with what was found for it; `question` and `turns` are masked already."""

    question: str
    turns: tuple[str, ...]
    result: SearchResult
    user_key: str | None = None


class Writer:
    """Writes with one call for an ordinary question, and with a second one if the guard refuses the first.

    `context_tokens` bounds what is read, `allowed` names the audiences whose sections may be sent to the model.
    """

    def __init__(
        self, model: LanguageModel, name: str, context_tokens: int, allowed: frozenset[str], metrics: Metrics
    ) -> None:
        self._model = model
        self._name = name
        self._context_tokens = context_tokens
        self._allowed = allowed
        self._metrics = metrics
        self._grounds = _shared_grounds()

    @property
    def key(self) -> str:
        """What an answer's wording depends on beside the question: the model and the prompts' versions."""
        versions = "-".join(str(prompts.load("answer", language).version) for language in ("ko", "en"))
        return f"{self._name}/{versions}"

    async def write(self, task: Task) -> AsyncGenerator[str | Written]:
        """Checked sentences as they come, and last how it ended. What ended otherwise than written replaces them."""
        context = gather(task.result, self._context_tokens, self._allowed)
        if context.left_out:
            _log.warning("instructions_in_documents", passages=context.left_out)
        if self._withheld(task, context):
            yield Written("withheld")
            return
        draft = _Draft(task, context, self._grounds)
        try:
            async with aclosing(self._first(draft)) as sentences:
                async for sentence in sentences:
                    yield sentence
            if not draft.ended:
                await self._again(draft)
        except LlmUnavailable as unavailable:
            yield draft.end("unavailable", reason=unavailable.reason)
            return
        yield draft.outcome

    def _withheld(self, task: Task, context: Context) -> bool:
        hits = task.result.hits
        if "contact" in asked(task.question) and context.passages and _hides_contact(context.passages[0].text):
            return True
        return not context.passages or not may_leave(hits[0].section, self._allowed) or speaks_to_model(task.question)

    async def _first(self, draft: "_Draft") -> AsyncGenerator[str]:
        """The first attempt, shown while it is written."""
        gate, opening = draft.gate(), _Opening()
        async with self._model.stream(draft.request()) as writing:
            try:
                async for piece in writing:
                    for part in _parts(opening.feed(piece)):
                        for sentence in gate.feed(part):
                            yield sentence
                    if opening.refused:
                        break
                for sentence in [*gate.feed(opening.rest()), *gate.finish()]:
                    yield sentence
            finally:
                draft.spend(writing.usage, writing.model, writing.first_token_seconds)
        draft.judge(gate, opening)

    async def _again(self, draft: "_Draft") -> None:
        """The second and last attempt, shown only when it stands."""
        self._metrics.rewritten.inc()
        answer = await self._model.write(draft.request_again())
        draft.spend(answer.usage, answer.model, 0.0)
        gate, opening = draft.gate(), _Opening()
        gate.feed(opening.feed(answer.text) + opening.rest())
        gate.finish()
        draft.judge(gate, opening)
        if not draft.ended:
            draft.end("unsupported")


@lru_cache(maxsize=1)
def _shared_grounds() -> Grounds:
    """One for the process: it reads words as they are, whatever the company's own ones."""
    return Grounds(Analyzer(frozenset()))


def _parts(piece: str) -> Iterator[str]:
    """A long piece in parts, so that its first sentence need not wait for its last."""
    return (piece[start : start + _PART] for start in range(0, len(piece), _PART))


class _Opening:
    """Holds back the beginning until it cannot be NO_ANSWER any more."""

    def __init__(self) -> None:
        self._held = ""
        self._passed = False
        self.refused = False

    def feed(self, piece: str) -> str:
        if self._passed:
            return piece
        self._held += piece
        head = self._held.lstrip(_MARKS)
        self.refused = head.startswith(NO_ANSWER)
        if self.refused or NO_ANSWER.startswith(head):
            return ""
        self._passed = True
        return self._held

    def rest(self) -> str:
        return "" if self._passed or self.refused else self._held


class _Draft:
    """One answer in the making: its messages, what it cost, and how it ended."""

    def __init__(self, task: Task, context: Context, grounds: Grounds) -> None:
        self._task = task
        self._context = context
        self._grounds = grounds
        self._korean = wording.is_korean(task.question)
        self._prompt = prompts.load("answer", "ko" if self._korean else "en")
        self._spent = Written("unsupported")
        self._said: tuple[str, Checked] = ("", Checked(""))
        self.ended = False

    @property
    def outcome(self) -> Written:
        return self._spent

    def gate(self) -> SentenceGate:
        asked = " ".join((*self._task.turns, self._task.question))
        return SentenceGate(self._context.numbered(), asked, (self._prompt.parts["system"],), self._grounded)

    def _grounded(self, sentence: str, cited: Sequence[int], figures: Sequence[Fact]) -> bool:
        """English words cannot be compared with Korean passages: in an English answer every sentence must cite."""
        if not _HANGUL.search(sentence):
            foreign = len(_WORDS.findall(sentence)) > 1
            return not foreign if self._korean else bool(cited)
        texts = self._context.numbered()
        passages = [texts[number - 1] for number in cited] or texts
        return self._grounds.hold(sentence, passages, self._task.question, figures, cited=bool(cited))

    def request(self, *more: Message) -> LlmRequest:
        messages = (Message("system", self._prompt.parts["system"]), Message("user", self._user(self._prompt)), *more)
        return LlmRequest(messages, MAX_TOKENS, user_key=self._task.user_key)

    def request_again(self) -> LlmRequest:
        said, checked = self._said
        findings = dict.fromkeys(finding.detail for finding in checked.findings if finding.dropped and finding.detail)
        listed = ", ".join(list(findings)[:_MOST_FINDINGS]) or "-"
        return self.request(Message("assistant", said), Message("user", self._prompt.fill("again", findings=listed)))

    def _user(self, prompt: Prompt) -> str:
        question = self._task.question.replace("<", "‹")
        if self._task.turns:
            turns = " / ".join(self._task.turns).replace("<", "‹")
            question = f"{prompt.fill('conversation', turns=turns)}\n{question}"
        tag = "자료" if self._korean else "source"
        shape = prompt.parts[f"shape {_shape(self._task.question)}"]
        return prompt.fill("user", sources=self._context.text(tag), question=question, shape=shape)

    def spend(self, usage: Usage, model: str, first_token_seconds: float) -> None:
        self._spent = replace(
            self._spent,
            usage=_sum(self._spent.usage, usage),
            model=model or self._spent.model,
            first_token_seconds=self._spent.first_token_seconds or first_token_seconds,
        )

    def judge(self, gate: SentenceGate, opening: _Opening) -> None:
        """End the draft if what came is an answer, or says that there is none."""
        checked = gate.checked
        self._spent = replace(
            self._spent,
            sentences=self._spent.sentences + len(checked.kept) + len(checked.dropped),
            dropped=self._spent.dropped + len(checked.dropped),
        )
        self._said = ("\n".join((*checked.kept, *checked.dropped)), checked)
        if opening.refused or (not checked.cited and _REFUSAL.search(checked.text)):
            self.end("no_answer")
        elif _stands(checked, self._korean):
            self.end("written", checked.text, checked.cited)

    def end(self, outcome: Outcome, text: str = "", cited: Sequence[int] = (), *, reason: str = "") -> Written:
        self.ended = True
        self._spent = replace(self._spent, outcome=outcome, text=text.strip(), cited=tuple(cited), reason=reason)
        return self._spent


def _stands(checked: Checked, korean: bool) -> bool:
    """Whether what the guard left is an answer: it cites, keeps most of it, and is in the asker's language."""
    total = len(checked.kept) + len(checked.dropped)
    if not checked.cited or NO_ANSWER in checked.text or len(checked.dropped) > MOST_DROPPED * total:
        return False
    letters = len(_LETTERS.findall(checked.text))
    hangul = sum("가" <= char <= "힣" for char in checked.text)
    return not korean or hangul >= _FOREIGN * letters


def _hides_contact(passage: str) -> bool:
    """Whether a number or an address was masked in it, which only the quotation can tell."""
    return any(kind.label in passage for kind in (Kind.PHONE, Kind.EMAIL))


def _shape(question: str) -> str:
    kinds = asked(question)
    return next((shape for kind, shape in _SHAPES if kind in kinds), "topic")


def _sum(first: Usage, second: Usage) -> Usage:
    return Usage(
        first.tokens_in + second.tokens_in,
        first.tokens_out + second.tokens_out,
        first.cost_krw + second.cost_krw,
        first.estimated or second.estimated,
    )
