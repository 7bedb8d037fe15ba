"""The language model that the settings ask for."""

from typing import TYPE_CHECKING

from endy.errors import StartupError
from endy.llm.budget import Budget, Caps, Ledger, MemoryLedger, Prices
from endy.llm.call import Patience
from endy.llm.endpoint import endpoint_of
from endy.llm.null import NullModel
from endy.llm.slots import Slots
from endy.observability.metrics import Metrics
from endy.settings import Settings

if TYPE_CHECKING:
    from endy.llm.client import OpenAiModel


def language_model(settings: Settings, metrics: Metrics, ledger: Ledger | None = None) -> "OpenAiModel | NullModel":
    """The model behind OPENAI_BASE_URL, or none without a key; StartupError for what cannot work."""
    if settings.openai_api_key is None:
        return NullModel()
    # The SDK takes half a second and 24 MB, which only installations with a key should pay.
    from endy.llm.client import OpenAiModel  # noqa: PLC0415
    from endy.llm.connection import connect  # noqa: PLC0415

    endpoint = endpoint_of(settings.openai_base_url, settings.openai_api_version)
    models = settings.openai_models
    if endpoint.deployment is not None:
        models = (endpoint.deployment,)
    key = _header_safe(settings.openai_api_key.get_secret_value().strip())
    patience = Patience(
        settings.llm_first_token_seconds,
        settings.llm_between_tokens_seconds,
        settings.llm_total_seconds,
        settings.llm_retries,
    )
    return OpenAiModel(
        connect(endpoint, key, settings.llm_connect_seconds, patience.total, settings.llm_concurrency),
        models,
        Slots(settings.llm_concurrency, settings.llm_queue_seconds),
        _budget(settings, ledger or MemoryLedger()),
        metrics,
        patience,
    )


def _budget(settings: Settings, ledger: Ledger) -> Budget:
    prices = Prices(settings.llm_price_in_krw, settings.llm_price_out_krw)
    caps = Caps(
        settings.llm_daily_budget_krw,
        settings.llm_user_daily_calls,
        settings.llm_daily_tokens,
        settings.llm_user_daily_tokens,
    )
    return Budget(prices, caps, ledger)


def _header_safe(key: str) -> str:
    if not key or not key.isascii() or not key.isprintable() or " " in key:
        raise StartupError("OPENAI_API_KEY: 빈칸, 줄바꿈, 한글이 없는 키여야 해요. 키를 다시 복사해 주세요")
    return key
