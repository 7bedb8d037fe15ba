"""Check a whole answer against its passages."""

from collections.abc import Sequence

from endy.ask.guard.gate import SentenceGate
from endy.ask.guard.models import Checked


def check(answer: str, sources: Sequence[str], question: str = "", secrets: Sequence[str] = ()) -> Checked:
    """The answer without the sentences that the passages do not hold up."""
    gate = SentenceGate(sources, question, secrets)
    gate.feed(answer)
    gate.finish()
    return gate.checked
