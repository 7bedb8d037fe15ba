"""A scripted model to try Endy with and to measure against: `python -m benchmarks.model faithful --port 9009`.

Then start Endy with OPENAI_API_KEY=x OPENAI_BASE_URL=http://127.0.0.1:9009/v1. No model is as slow as told, and none
is as bad: it serves the characters that the tests use.
"""

import argparse
from collections.abc import Callable

import uvicorn
from tests.llm import characters
from tests.llm.characters import Says, saying
from tests.llm.scripted import Script, Scripted, cut, endless, events, failing, honest

SPOKEN: dict[str, Says] = {
    name: getattr(characters, name)
    for name in ("faithful", "inventing", "leaking", "foreign", "miscited", "unwilling", "repentant", "gullible")
}
TROUBLED: dict[str, Callable[[], Script]] = {
    "slow": lambda: honest(before=60.0),
    "endless": endless,
    "garbage": lambda: events("data: {not json\n\n"),
    "cut": lambda: cut("연차는 "),
    "limited": lambda: failing(429),
    "down": lambda: failing(500),
}


def main() -> None:
    parser = argparse.ArgumentParser(description="A scripted OpenAI-compatible server.")
    parser.add_argument("character", choices=[*SPOKEN, *TROUBLED])
    parser.add_argument("--port", type=int, default=9009)
    parser.add_argument("--before", type=float, default=0.3, help="seconds before the first letters")
    parser.add_argument("--between", type=float, default=0.02, help="seconds between letters")
    parser.add_argument("--piece", type=int, default=7, help="letters at a time")
    given = parser.parse_args()
    if given.character in SPOKEN:
        script = saying(SPOKEN[given.character], before=given.before, between=given.between, piece=given.piece)
    else:
        script = TROUBLED[given.character]()
    state = Scripted()
    state.play(script)
    uvicorn.run(state.app(), host="127.0.0.1", port=given.port, log_level="warning")


if __name__ == "__main__":
    main()
