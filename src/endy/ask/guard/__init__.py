"""The guard: nothing that a model says goes out unchecked against the passages that it was given.

`facts(text)` → `list[Fact]` · `supported(fact, sources)` → `bool` · `check(answer, sources, question="", secrets=())` →
`Checked` · `SentenceGate(sources, question="", secrets=())` with `feed(delta)` → `list[str]`, `finish()` → `list[str]`
and `checked`. Passage `[1]` is `sources[0]`. What the gate returns, joined with nothing between, is `checked.text`.
"""

from endy.ask.guard.check import check
from endy.ask.guard.facts import facts
from endy.ask.guard.gate import SentenceGate
from endy.ask.guard.models import Checked, Fact, Finding
from endy.ask.guard.support import supported

__all__ = ["Checked", "Fact", "Finding", "SentenceGate", "check", "facts", "supported"]
