"""What the guard finds in an answer and what it says about it."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal[
    "number", "count", "ordinal", "amount", "percent", "duration", "date", "time", "weekday", "period",
    "phone", "url", "email", "version", "menu", "name",
]  # fmt: skip

Reason = Literal["unsupported", "no_such_passage", "uncited", "unknown_link", "secret", "image", "html", "ungrounded"]
"""`unsupported`: a fact that the cited passages do not hold; `uncited`: facts without a citation (kept when true)."""


@dataclass(frozen=True, slots=True)
class Fact:
    """Something checkable that a text says; `value` is one spelling for all: `15000 KRW`, `3 day`, `--03-02`."""

    kind: Kind
    value: str
    text: str
    start: int
    end: int
    per: str = ""
    """The period that a rate is for: `year`, `half`, `quarter`, `month`, `week`, `day`; empty when not a rate."""
    bound: str = ""
    """`max`, `min`, `under`, `over`, `past` (넘게), `before`, `after`; empty when the text does not say."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing wrong with one sentence; `detail` is the fact, number or mark at fault."""

    reason: Reason
    sentence: str
    detail: str
    dropped: bool


@dataclass(frozen=True, slots=True)
class Checked:
    """`text` is what may be shown; `kept` and `dropped` are sentences, list items and table rows."""

    text: str
    kept: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    cited: tuple[int, ...] = ()
    """Numbers of the passages that kept sentences cite, in the order of first use."""

    @property
    def ok(self) -> bool:
        """Nothing was dropped."""
        return not self.dropped
