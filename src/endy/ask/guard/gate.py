"""Let a streamed answer through sentence by sentence."""

from collections.abc import Callable, Sequence

from endy.ask.guard.claims import Judge, Verdict
from endy.ask.guard.layout import Layout
from endy.ask.guard.models import Checked, Fact, Finding
from endy.ask.guard.sentences import Cutter, Piece

Grounded = Callable[[str, Sequence[int], Sequence[Fact]], bool]
"""Of a sentence, the passages that it cites, and its facts, each of which was found there: is it held up?"""


class SentenceGate:
    """Give it every piece as it comes; it gives back the sentences that are complete and true to the passages."""

    def __init__(
        self,
        sources: Sequence[str],
        question: str = "",
        secrets: Sequence[str] = (),
        grounded: Grounded | None = None,
    ) -> None:
        self._judge = Judge(sources, question, secrets)
        self._grounded = grounded
        self._cutter = Cutter()
        self._layout = Layout()
        self._kept: list[str] = []
        self._dropped: list[str] = []
        self._findings: list[Finding] = []
        self._cited: dict[int, None] = {}
        self._out: list[str] = []

    def feed(self, delta: str) -> list[str]:
        """The pieces of text that may be shown now."""
        self._cutter.feed(delta)
        return self._pass(self._cutter.take())

    def finish(self) -> list[str]:
        """What was still held back and may be shown."""
        return self._pass(self._cutter.take(final=True)) + self._shown(self._layout.finish())

    @property
    def checked(self) -> Checked:
        """The verdict on all that was fed so far; complete after `finish()`."""
        return Checked(
            "".join(self._out), tuple(self._kept), tuple(self._dropped), tuple(self._findings), tuple(self._cited)
        )

    def _pass(self, pieces: list[Piece]) -> list[str]:
        out: list[str] = []
        for piece in pieces:
            if not piece.text.strip():
                self._layout.space(piece.text + piece.gap)
                continue
            verdict = self._judge.verdict(piece.text, piece.form)
            self._findings += verdict.findings
            if verdict.dropped or self._ungrounded(piece, verdict) or self._layout.headless(piece):
                self._dropped.append(piece.text.strip())
                self._layout.drop(piece)
                continue
            self._cited.update(dict.fromkeys(verdict.cited))
            out += self._layout.keep(piece, verdict.own_list)
        return self._shown(out)

    def _ungrounded(self, piece: Piece, verdict: Verdict) -> bool:
        if self._grounded is None or piece.form in ("heading", "rule"):
            return False
        if self._grounded(piece.text, verdict.cited, verdict.figures):
            return False
        self._findings.append(Finding("ungrounded", piece.text.strip(), "", dropped=True))
        return True

    def _shown(self, out: list[str]) -> list[str]:
        self._out += out
        self._kept += [text.strip() for text in out]
        return out
