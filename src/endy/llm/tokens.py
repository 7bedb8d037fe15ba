"""How many tokens a text has, guessed without the model's own tokenizer."""

from endy.llm.models import LlmRequest

ASCII_PER_TOKEN = 4
"""English text and code; any other character counts as a whole token, which is on the safe side for Hangul."""

MESSAGE_TOKENS = 4
"""What the chat format adds per message."""


def estimate(text: str) -> int:
    """Tokens of a text, rather too many than too few."""
    plain = sum(1 for char in text if char.isascii())
    return len(text) - plain + -(-plain // ASCII_PER_TOKEN)


def estimate_request(request: LlmRequest) -> int:
    """Tokens that the model reads."""
    return sum(estimate(message.content) + MESSAGE_TOKENS for message in request.messages)
