"""Log handlers whose own failures tell nothing of what was to be logged."""

import logging
import sys
from contextlib import suppress


class Discreet(logging.Handler):
    """Says once that it fails; the standard report repeats the raw record, with whatever that holds."""

    failing = False

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  the standard library's name
        if not self.failing:
            self.failing = True
            error = sys.exc_info()[1]
            reason = error.strerror if isinstance(error, OSError) else type(error).__name__
            with suppress(OSError, ValueError):
                sys.stderr.write(f"로그를 남기지 못했어요. 디스크와 권한을 확인해 주세요. ({reason})\n")
