"""Cuts the thoughts that some models write before their answer, between <think> and </think>."""

OPENING, CLOSING = "<think>", "</think>"


class Thoughts:
    """Fed piece by piece; gives back what belongs to the answer."""

    def __init__(self) -> None:
        self._held = ""
        self._state = "start"

    def feed(self, piece: str) -> str:
        """The part of the answer that is certain by now."""
        if self._state == "answer":
            return piece
        self._held += piece
        if self._state == "start":
            self._look_for_opening()
        if self._state == "inside":
            self._look_for_closing()
        return self.rest() if self._state == "answer" else ""

    def rest(self) -> str:
        """What is held back when the stream ends; unfinished thoughts are nothing."""
        held, self._held = self._held, ""
        return "" if self._state == "inside" else held

    def _look_for_opening(self) -> None:
        begin = self._held.lstrip()
        if begin.startswith(OPENING):
            self._state, self._held = "inside", begin.removeprefix(OPENING)
        elif not OPENING.startswith(begin):
            self._state = "answer"

    def _look_for_closing(self) -> None:
        _, closed, answer = self._held.partition(CLOSING)
        if closed:
            self._state, self._held = "answer", answer.lstrip()
        else:
            self._held = self._held[-len(CLOSING) :]
