"""What can be wrong with an answer; the page offers the same list."""

from typing import Literal

Reason = Literal["wrong", "outdated", "incomplete", "hard_to_read", "not_my_question", "other"]
