"""What goes into and comes out of answering: the same shapes for web, CLI and evaluation."""

from dataclasses import dataclass, field
from typing import Literal

Status = Literal["answered", "no_answer", "clarify"]
Mode = Literal["llm", "extractive", "cached"]


ANONYMOUS = "anonymous"


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks. `key` identifies them in stored rows: `user:<employee_id>` or `anonymous`."""

    key: str = ANONYMOUS
    audiences: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class AskRequest:
    """`question` is 1-500 characters after trimming; the web layer has checked it."""

    question: str
    conversation_id: str | None = None
    category: str | None = None
    asker: Asker = field(default_factory=Asker)
    turns: tuple[str, ...] = ()
    """Earlier questions, oldest first; used instead of the stored conversation when given."""


@dataclass(frozen=True, slots=True)
class Source:
    """One cited section. `number` counts from 1; `passage` is the exact text the answer rests on."""

    id: str
    number: int
    title: str
    heading_path: tuple[str, ...]
    document: str
    link: str
    passage: str
    updated_at: str
    score: float


@dataclass(frozen=True, slots=True)
class Choice:
    """One way to read an ambiguous question; asking `question` again settles it."""

    title: str
    question: str
    source_id: str


@dataclass(frozen=True, slots=True)
class Answer:
    """The whole answer, as `/api/ask` returns it; `response_time` is in seconds."""

    answer: str
    answer_html: str
    status: Status
    mode: Mode
    question_id: str
    conversation_id: str
    category: str
    department: str
    contact: str
    link: str
    confidence_score: float
    sources: tuple[Source, ...]
    related_questions: tuple[str, ...]
    response_time: float
    choices: tuple[Choice, ...] = ()
    understood: str = ""
    """The question as it was read, when that differs from what was typed (keyboard, typo, follow-up)."""
    notice: str = ""
    """What the reader should know about how this answer came about, such as that the model was away."""


@dataclass(frozen=True, slots=True)
class StreamEvent:
    """`meta` carries an Answer without text, `delta` a str, `done` the full Answer."""

    name: Literal["meta", "delta", "done"]
    data: Answer | str
