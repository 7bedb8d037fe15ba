"""Tracing by OpenTelemetry, off unless TRACING_ENDPOINT is set; `traceparent` is passed on in any case."""

import re
import secrets
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from endy import __version__
from endy.settings import Settings

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Tracer

_TRACEPARENT = re.compile(r"00-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-([0-9a-f]{2})")
"""W3C Trace Context, version 00."""

_SPAN_OF_NOBODY = 8
_provider: "TracerProvider | None" = None
_tracer: "Tracer | None" = None
_parent: ContextVar[str] = ContextVar("traceparent", default="")


def trace_id_of(traceparent: str) -> str:
    """The trace that a caller's header names; empty for none that is well-formed."""
    found = _TRACEPARENT.fullmatch(traceparent)
    return found.group(1) if found else ""


def start(settings: Settings) -> None:
    """Send spans to TRACING_ENDPOINT (OTLP over HTTP) from now on; nothing without that setting."""
    global _provider, _tracer  # noqa: PLW0603  spans are opened in many places, and a process has one tracer
    if settings.tracing_endpoint is None or _tracer is not None:
        return
    # A library of some size, which only they pay for who use it.
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
    from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased  # noqa: PLC0415

    resource = Resource.create({"service.name": "endy", "service.version": __version__})
    _provider = TracerProvider(resource=resource, sampler=ParentBased(TraceIdRatioBased(settings.tracing_share)))
    _provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(settings.tracing_endpoint)))
    _tracer = _provider.get_tracer("endy", __version__)


def stop() -> None:
    """Send what is left, and no more; waits for the receiver, a few seconds at most."""
    global _provider, _tracer
    provider, _provider, _tracer = _provider, None, None
    if provider is not None:
        provider.shutdown()


def span(name: str, **attributes: str | int | float) -> AbstractContextManager[Any]:
    """A span within the current one; nothing where tracing is off."""
    if _tracer is None:
        return nullcontext()
    return _tracer.start_as_current_span(name, attributes=attributes)


@contextmanager
def exchange(headers: Mapping[str, str], name: str) -> Iterator[str]:
    """A request that came in: the id of its trace, the caller's own where it sent one."""
    given = headers.get("traceparent", "")
    trace_id = trace_id_of(given)
    if _tracer is None:
        token = _parent.set(given if trace_id else "")
        try:
            yield trace_id
        finally:
            _parent.reset(token)
        return
    from opentelemetry.trace import SpanKind, format_trace_id  # noqa: PLC0415
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator  # noqa: PLC0415

    context = TraceContextTextMapPropagator().extract({"traceparent": given} if trace_id else {})
    with _tracer.start_as_current_span(name, context, SpanKind.SERVER) as opened:
        yield format_trace_id(opened.get_span_context().trace_id)


def outgoing() -> dict[str, str]:
    """The header that a call to another service carries, if there is a trace."""
    if _tracer is None:
        given = _parent.get()
        found = _TRACEPARENT.fullmatch(given)
        # Without spans of its own Endy is one hop all the same: whoever is called must not take it for its caller.
        return {"traceparent": f"00-{found[1]}-{secrets.token_hex(_SPAN_OF_NOBODY)}-{found[2]}"} if found else {}
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator  # noqa: PLC0415

    carrier: dict[str, str] = {}
    TraceContextTextMapPropagator().inject(carrier)
    return carrier
