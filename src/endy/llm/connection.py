"""The SDK's client for an endpoint: one pool of connections, no redirects, no response without an end."""

from collections.abc import AsyncIterator

import httpx2
from openai import AsyncAzureOpenAI, AsyncOpenAI

from endy.llm.endpoint import Endpoint
from endy.llm.faults import Oversized

MOST_BYTES = 8 * 1024 * 1024
"""Some 20,000 chunks; a line that never ends would otherwise fill the memory before a timeout."""


def connect(endpoint: Endpoint, key: str, connect_seconds: float, total_seconds: float, kept: int) -> AsyncOpenAI:
    """A client that neither retries nor follows redirects: both would pass by the breaker, or send the key away.

    `kept` idle connections stay open for the next calls.
    """
    http = httpx2.AsyncClient(
        # First and next tokens are timed where the text is read, which an idle socket knows nothing of.
        timeout=httpx2.Timeout(total_seconds, connect=connect_seconds),
        limits=httpx2.Limits(max_connections=None, max_keepalive_connections=kept, keepalive_expiry=60),
        follow_redirects=False,
        headers={"Accept-Encoding": "identity"},
        event_hooks={"response": [_bound]},
    )
    if endpoint.api_version is None:
        return AsyncOpenAI(api_key=key, base_url=endpoint.url, max_retries=0, http_client=http)
    return AsyncAzureOpenAI(
        api_key=key,
        azure_endpoint=endpoint.url,
        azure_deployment=endpoint.deployment,
        api_version=endpoint.api_version,
        max_retries=0,
        http_client=http,
    )


async def _bound(response: httpx2.Response) -> None:
    if isinstance(response.stream, httpx2.AsyncByteStream):
        response.stream = _BoundStream(response.stream)


class _BoundStream(httpx2.AsyncByteStream):
    def __init__(self, stream: httpx2.AsyncByteStream) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        read = 0
        async for part in self._stream:
            read += len(part)
            if read > MOST_BYTES:
                raise Oversized("too many bytes")
            yield part

    async def aclose(self) -> None:
        await self._stream.aclose()
