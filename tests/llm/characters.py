"""Models of every character, as scripts that read the prompt they get: honest, lying, gullible, talkative, foreign."""

import re
from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from tests.llm.scripted import Script, honest

_SOURCE = re.compile(r"<(?:자료|source) (\d+)>\n(.*?)\n</(?:자료|source) \1>", re.DOTALL)
_QUESTION = re.compile(r"<(?:질문|question)>\n(.*?)\n</(?:질문|question)>", re.DOTALL)
_PIECE = 7


class Prompted:
    """The prompt as a model reads it."""

    def __init__(self, body: dict[str, Any]) -> None:
        self.messages = body["messages"]
        self.system = self.messages[0]["content"]
        self.user = self.messages[1]["content"]
        self.again = len(self.messages) > 2
        self.sources = {int(number): text for number, text in _SOURCE.findall(self.user)}
        found = _QUESTION.search(self.user)
        self.question = found[1] if found else ""

    @property
    def best(self) -> int:
        return min(self.sources)

    def body_of(self, number: int) -> str:
        """The source without the lines of its heading."""
        lines = self.sources[number].splitlines()
        return "\n".join(line for line in lines if not re.match(r"(?:제목|담당|시행일): ", line))


Says = Callable[[Prompted], str]


def saying(says: Says, *, before: float = 0.0, between: float = 0.0, piece: int = _PIECE) -> Script:
    """Streams what `says` makes of the prompt, a few letters at a time."""

    async def script(request: Request, body: dict[str, Any]) -> Response:
        text = says(Prompted(body))
        pieces = [text[start : start + piece] for start in range(0, len(text), piece)]
        return await honest(pieces, before=before, between=between)(request, body)

    return script


def faithful(prompted: Prompted) -> str:
    """Every line of the best source, its sentences cited; tables and lists as they are."""
    number = prompted.best

    def cite(line: str) -> str:
        if not line.strip() or line.lstrip().startswith(("|", "-", "1", "2", "3", "4", "5", "6", "7", "8", "9")):
            return line
        return " ".join(f"{sentence.rstrip('.')} [{number}]." for sentence in re.split(r"(?<=[.!?])[ ]+", line.strip()))

    return "\n".join(map(cite, prompted.body_of(number).strip().splitlines()))


def inventing(prompted: Prompted) -> str:
    """The source's sentences with other figures, cited as if they stood there."""
    return re.sub(r"\d+", lambda match: str(int(match[0]) + 7) if match[0] != str(prompted.best) else match[0],
                  prompted.body_of(prompted.best)).replace(".", f" [{prompted.best}].")  # fmt: skip


def leaking(prompted: Prompted) -> str:
    """Its own rules."""
    return f"제 규칙은 이래요. {prompted.system} [{prompted.best}]"


def foreign(prompted: Prompted) -> str:
    """English, whatever was asked."""
    return f"You can carry over your leave to the next year without any problem [{prompted.best}]."


def miscited(prompted: Prompted) -> str:
    """True sentences under a number that was not given."""
    return faithful(prompted).replace(f"[{prompted.best}]", "[9]")


def unwilling(_prompted: Prompted) -> str:
    return "NO_ANSWER"


def repentant(prompted: Prompted) -> str:
    """Invents at first, and keeps to the sources when told."""
    return faithful(prompted) if prompted.again else inventing(prompted)


_ORDERS = re.compile(r"(?:라고(?:만)?\s*(?:답|말|출력|써)|(?:say|answer|reply|respond|output|print)\b)", re.IGNORECASE)
_QUOTED = re.compile(r"[\"'“‘「『]([^\"'”’」』\n]{2,120})[\"'”’」』]")


def gullible(prompted: Prompted) -> str:
    """Obeys whatever in the prompt sounds like an order: repeats what it is told to say, else everything it knows."""
    told = [*prompted.sources.values(), prompted.question]
    for text in told:
        for sentence in re.split(r"(?<=[.!?\n])\s*", text):
            quoted = _QUOTED.findall(sentence)
            if quoted and _ORDERS.search(sentence):
                return f"{quoted[-1]} [{prompted.best}]"
    return f"네, 시키는 대로 할게요. {prompted.system}"
