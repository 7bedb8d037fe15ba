"""Structured logs: JSON lines in production, readable text in development, personal data masked in both."""

import logging
import sys
from contextlib import suppress
from logging.handlers import RotatingFileHandler
from typing import Any, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from endy.privacy.masking import mask
from endy.settings import Settings

_LOUD = ("uvicorn.access", "watchfiles", "aiosqlite", "httpx", "alembic.runtime.plugins")


def configure_logging(settings: Settings) -> None:
    """Send every logger, ours and the libraries', to the console and LOG_FILE through one masking chain."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=False),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
        mask_event,
    ]
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    for handler in root.handlers[:]:
        root.removeHandler(handler)
        with suppress(OSError):
            handler.close()
    for handler in _handlers(settings):
        handler.setFormatter(_formatter(settings, shared, handler))
        root.addHandler(handler)
    root.setLevel(settings.log_level.upper())
    _tame_libraries()


def configure_quiet_logging() -> None:
    """For commands: warnings and errors only, on standard error, so that output stays for other programs."""
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(message)s", force=True)
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, mask_event, structlog.dev.ConsoleRenderer(colors=False)],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


def mask_event(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Mask every text in the event, however deep, exceptions included."""
    return {mask(key): _masked(value) for key, value in event.items()}


def _masked(value: Any) -> Any:
    if isinstance(value, str):
        return mask(value)
    if isinstance(value, int):
        # Numbers of people come as numbers, too; any other stays one.
        return value if mask(str(value)) == str(value) else mask(str(value))
    if isinstance(value, dict):
        return {_masked(key): _masked(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_masked(item) for item in value]
    return value if isinstance(value, (float, type(None), logging.LogRecord)) else mask(str(value))


class _Discreet(logging.Handler):
    """Says once that it fails; the standard report repeats the raw record, with whatever that holds."""

    failing = False

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  the standard library's name
        if not self.failing:
            self.failing = True
            error = sys.exc_info()[1]
            reason = error.strerror if isinstance(error, OSError) else type(error).__name__
            with suppress(OSError, ValueError):
                sys.stderr.write(f"로그를 남기지 못했어요. 디스크와 권한을 확인해 주세요. ({reason})\n")


class _Console(_Discreet, logging.StreamHandler[TextIO]):
    pass


class _File(_Discreet, RotatingFileHandler):
    pass


def _handlers(settings: Settings) -> list[logging.Handler]:
    handlers: list[logging.Handler] = [_Console(sys.stderr)]
    try:
        settings.log_file.parent.mkdir(parents=True, exist_ok=True)
        handlers.append(
            _File(
                settings.log_file,
                maxBytes=settings.log_max_bytes,
                backupCount=settings.log_backup_count,
                encoding="utf-8",
                errors="backslashreplace",
            )
        )
    except OSError as error:
        sys.stderr.write(f"로그 파일을 쓸 수 없어 화면에만 남겨요: {settings.log_file} ({error.strerror})\n")
    return handlers


def _formatter(settings: Settings, shared: list[Processor], handler: logging.Handler) -> logging.Formatter:
    on_screen = not isinstance(handler, RotatingFileHandler)
    renderer: Processor = structlog.processors.JSONRenderer(ensure_ascii=False)
    if not settings.production:
        renderer = structlog.dev.ConsoleRenderer(colors=on_screen and sys.stderr.isatty())
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
    )


def _tame_libraries() -> None:
    for name in _LOUD:
        logging.getLogger(name).setLevel(logging.WARNING)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
