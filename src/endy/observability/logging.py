"""Structured logs: JSON lines in production, readable text in development, personal data masked in both."""

import logging
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from endy.observability.discreet import Discreet
from endy.privacy.masking import mask
from endy.settings import Settings

_LOUD = ("uvicorn.access", "watchfiles", "aiosqlite", "httpx", "httpx2", "alembic.runtime.plugins")


def configure_logging(settings: Settings) -> None:
    """Send every logger, ours and the libraries', to the console and LOG_FILE through one masking chain."""
    renderer: Processor = structlog.processors.JSONRenderer(ensure_ascii=False)
    for_console = renderer
    if not settings.production:
        renderer = structlog.dev.ConsoleRenderer(colors=False)
        for_console = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    _configure(settings.log_level.upper(), [(_Console(sys.stderr), for_console), *_file_handler(settings, renderer)])
    # Warnings of libraries quote what they warn of, and would go past the loggers.
    logging.captureWarnings(True)
    _tame_libraries()


def set_level(level: str) -> None:
    """Log from this level on, from now."""
    logging.getLogger().setLevel(level.upper())


def configure_quiet_logging() -> None:
    """For commands: warnings and errors only, on standard error, so that output stays for other programs."""
    _configure("WARNING", [(_Console(sys.stderr), structlog.dev.ConsoleRenderer(colors=False))], stamped=False)


def _configure(level: str, handlers: list[tuple[logging.Handler, Processor]], *, stamped: bool = True) -> None:
    shared = _shared_processors(stamped)
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
    for handler, renderer in handlers:
        last = [structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer]
        handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=last))
        root.addHandler(handler)
    root.setLevel(level)


def _shared_processors(stamped: bool) -> list[Processor]:
    where: list[Processor] = [structlog.stdlib.add_logger_name, structlog.stdlib.add_log_level]
    return [
        structlog.contextvars.merge_contextvars,
        *(where if stamped else []),
        structlog.stdlib.ExtraAdder(),
        structlog.stdlib.PositionalArgumentsFormatter(),
        *([structlog.processors.TimeStamper(fmt="iso", utc=False)] if stamped else []),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
        # After everything that makes text, exceptions too; nothing is added behind it.
        mask_event,
    ]


def mask_event(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Mask every text in the event, however deep, exceptions included."""
    return {mask(key): _masked(value) for key, value in event.items()}


def _masked(value: Any) -> Any:
    if isinstance(value, str):
        return mask(value)
    if isinstance(value, (bytes, bytearray)):
        return mask(value.decode("utf-8", "backslashreplace"))
    if isinstance(value, int):
        # Numbers of people come as numbers, too; any other stays one.
        return value if mask(str(value)) == str(value) else mask(str(value))
    if isinstance(value, Mapping):
        return {_masked(key): _masked(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_masked(item) for item in value]
    return value if isinstance(value, (float, type(None), logging.LogRecord)) else mask(str(value))


class _Console(Discreet, logging.StreamHandler[TextIO]):
    pass


def _file_handler(settings: Settings, renderer: Processor) -> list[tuple[logging.Handler, Processor]]:
    # A command that writes no log should not wait for what rotates one.
    from endy.observability.log_file import LogFile  # noqa: PLC0415

    try:
        settings.log_file.parent.mkdir(parents=True, exist_ok=True)
        # The handler opens it with the first line, when nobody can be told any more.
        settings.log_file.open("a").close()
        handler = LogFile(
            settings.log_file,
            maxBytes=settings.log_max_bytes,
            backupCount=settings.log_backup_count,
            encoding="utf-8",
            unicode_error_policy="replace",
        )
    except OSError as error:
        sys.stderr.write(f"로그 파일을 쓸 수 없어 화면에만 남겨요: {settings.log_file} ({error.strerror})\n")
        return []
    return [(handler, renderer)]


def _tame_libraries() -> None:
    for name in _LOUD:
        logging.getLogger(name).setLevel(logging.WARNING)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
        if name not in _LOUD:
            logger.setLevel(logging.NOTSET)
