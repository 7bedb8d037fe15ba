"""Settings: one class, read once from the environment and `.env`; nothing else reads either."""

import re
from functools import cached_property
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from endy.errors import StartupError

_PASSWORD = re.compile(r"(://[^:/@\s]*:)[^/\s]*(?=@)|([?&]password=)[^&\s]*")
DEFAULT_SECRET_KEY = "development-only-secret-key-change-me"  # noqa: S105  refused in production
PLACEHOLDER_SECRETS = {DEFAULT_SECRET_KEY, "your-secret-key-min-32-characters-random-string"}


GOOGLE = "https://accounts.google.com"
"""Google's issuer, where anybody can have an account."""


class Settings(BaseSettings):
    """Every knob, with its help text; ENV_SETUP.md is checked against this class."""

    model_config = SettingsConfigDict(
        env_file=".env", env_file_encoding="utf-8", extra="ignore", hide_input_in_errors=True, env_ignore_empty=True
    )

    host: str = Field("0.0.0.0", description="서버가 듣는 주소")  # noqa: S104  the guide's default  # nosec B104
    port: int = Field(8000, ge=1, le=65535, description="서버가 듣는 포트")
    environment: Literal["development", "production"] = Field("development", description="실행 환경")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="로그 수준")
    drain_seconds: float = Field(
        5, ge=0, le=300, description="SIGTERM을 받고 readiness를 내린 뒤 새 요청을 더 받는 시간(초)"
    )
    reload: bool = Field(False, description="코드가 바뀌면 다시 시작 (개발용)")

    secret_key: SecretStr = Field(SecretStr(DEFAULT_SECRET_KEY), description="서명에 쓰는 비밀키 (운영은 32자 이상)")
    allowed_origins: Annotated[tuple[str, ...], NoDecode] = Field((), description="CORS를 허용할 출처 (쉼표로 구분)")
    trusted_proxies: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="X-Forwarded-For를 믿을 프록시 주소·대역 (쉼표로 구분)"
    )
    anonymous_access: bool = Field(True, description="로그인 없이 질문 허용")
    auth_mode: Literal["auto", "name", "password", "oidc"] = Field(
        "auto", description="로그인 방식: auto(비밀번호, 개발에서는 이름도) · name · password · oidc"
    )
    public_url: str | None = Field(None, description="사람들이 여는 주소 (예: https://endy.encar.example)")
    session_timeout_hours: float = Field(8, gt=0, le=24 * 30, description="마지막 사용 뒤 로그인이 유지되는 시간")
    session_max_hours: float = Field(24 * 7, gt=0, le=24 * 90, description="계속 써도 로그인이 끝나는 시간")
    password_link_hours: float = Field(24, gt=0, le=24 * 14, description="비밀번호 설정 링크를 쓸 수 있는 시간")
    security_contact: str | None = Field(
        None, description="보안 문제를 알릴 곳 (예: mailto:security@encar.example, /.well-known/security.txt)"
    )

    oidc_issuer: str | None = Field(
        None, description="로그인 제공자(OpenID Connect)의 issuer 주소. 정하면 회사 계정 로그인이 켜짐"
    )
    oidc_client_id: str | None = Field(None, description="제공자에 등록한 앱의 클라이언트 ID")
    oidc_client_secret: SecretStr | None = Field(None, description="그 앱의 비밀 값 (공개 클라이언트면 비워 두기)")
    oidc_name: str = Field("회사 계정", max_length=40, description="로그인 단추에 보일 이름")
    oidc_allowed_domains: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="받아들일 이메일 도메인 (쉼표로 구분, 없으면 제공자가 확인한 모두)"
    )
    oidc_trust_email: bool = Field(
        False, description="제공자가 이메일 확인 여부를 알려 주지 않아도 이메일을 믿음 (Microsoft Entra ID에 필요)"
    )
    oidc_employee_claim: str = Field("", description="사번이 들어 있는 클레임 (없으면 이메일로 맞춤)")
    oidc_create_users: bool = Field(True, description="처음 로그인한 사람을 사용자로 등록")
    oidc_role_claim: str = Field("groups", description="그룹이나 역할이 들어 있는 클레임")
    oidc_admin_groups: Annotated[tuple[str, ...], NoDecode] = Field((), description="관리자가 되는 그룹 (쉼표로 구분)")
    oidc_owner_groups: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="지식 담당자가 되는 그룹 (쉼표로 구분)"
    )

    question_retention_days: int = Field(365, ge=0, description="질문을 저장해 두는 날수 (0이면 계속)")

    rate_limit_per_minute: int = Field(10, ge=1, description="1분에 받는 질문 수")
    rate_limit_per_hour: int = Field(100, ge=1, description="1시간에 받는 질문 수")

    enable_metrics: bool = Field(True, description="/metrics 제공")
    metrics_token: SecretStr | None = Field(None, description="설정하면 /metrics에 Bearer 토큰을 요구")
    slow_question_seconds: float = Field(
        3, gt=0, description="이보다 오래 걸린 질문은 단계마다 걸린 시간과 함께 로그에 남김(초)"
    )
    tracing_endpoint: str | None = Field(
        None, description="OpenTelemetry 추적을 보낼 OTLP/HTTP 주소 (예: http://collector.example:4318/v1/traces)"
    )
    tracing_share: float = Field(1.0, ge=0, le=1, description="추적을 보낼 요청의 비율 (0~1)")
    enable_health_check: bool = Field(True, description="/health 제공")

    database_url: str = Field("sqlite:///data/endy.db", description="데이터베이스 주소")
    database_pool_size: int = Field(10, ge=2, le=200, description="PostgreSQL에 열어 두는 연결 수 (한 복제본마다)")
    database_statement_seconds: int = Field(15, ge=1, le=3600, description="PostgreSQL이 문장 하나에 쓰는 시간(초)")
    search: Literal["memory", "postgres"] = Field(
        "memory", description="검색 색인을 두는 곳: memory(복제본마다 메모리) · postgres(PostgreSQL, 아주 큰 지식)"
    )
    redis_url: str | None = Field(None, description="Redis 주소 (없으면 한 대로 동작)")
    knowledge_dir: Path = Field(Path("knowledge/docs"), description="문서 폴더")
    faq_file: Path = Field(Path("knowledge/faq.json"), description="FAQ 파일")
    words_file: Path = Field(Path("knowledge/words.txt"), description="회사 고유 낱말 사전")
    vocabulary_file: Path = Field(Path("knowledge/vocabulary.txt"), description="회사가 덧붙이는 업무 어휘 (없어도 됨)")
    users_file: Path = Field(Path("data/users.json"), description="사용자 파일")

    openai_api_key: SecretStr | None = Field(None, description="LLM API 키 (없으면 추출식 답변)")
    openai_base_url: str | None = Field(None, description="OpenAI 호환 서버 주소")
    openai_api_version: str | None = Field(
        None, description="Azure OpenAI의 api-version (예: 2024-10-21, 주소가 /openai/v1로 끝나면 필요 없음)"
    )
    openai_model: str = Field("gpt-4o-mini", description="LLM 모델 (쉼표로 여럿 적으면 앞의 것이 안 될 때 다음 것)")
    llm_connect_seconds: float = Field(3, gt=0, le=60, description="LLM 서버에 연결되기를 기다리는 시간(초)")
    llm_first_token_seconds: float = Field(10, gt=0, le=300, description="LLM의 첫 글자를 기다리는 시간(초)")
    llm_between_tokens_seconds: float = Field(5, gt=0, le=300, description="LLM의 다음 글자를 기다리는 시간(초)")
    llm_total_seconds: float = Field(30, gt=0, le=600, description="LLM 답변 하나에 쓰는 가장 긴 시간(초)")
    llm_retries: int = Field(2, ge=0, le=5, description="LLM이 첫 글자 전에 실패하면 다시 해 보는 횟수")
    llm_concurrency: int = Field(32, ge=1, le=2000, description="한꺼번에 하는 LLM 호출 수")
    llm_queue_seconds: float = Field(2, ge=0, le=60, description="LLM 호출이 차례를 기다리는 가장 긴 시간(초)")
    llm_price_in_krw: float = Field(0, ge=0, description="LLM 입력 토큰 100만 개의 값(원)")
    llm_price_out_krw: float = Field(0, ge=0, description="LLM 출력 토큰 100만 개의 값(원)")
    llm_daily_budget_krw: float = Field(0, ge=0, description="LLM에 하루 동안 쓸 수 있는 돈(원, 0이면 제한 없음)")
    llm_user_daily_calls: int = Field(0, ge=0, description="한 사람이 하루에 쓰는 LLM 호출 수 (0이면 제한 없음)")
    llm_daily_tokens: int = Field(0, ge=0, description="LLM에 하루 동안 쓸 수 있는 토큰 수 (0이면 제한 없음)")
    llm_user_daily_tokens: int = Field(0, ge=0, description="한 사람이 하루에 쓰는 LLM 토큰 수 (0이면 제한 없음)")
    llm_allowed_audiences: Annotated[tuple[str, ...], NoDecode] = Field(
        ("everyone",), description="LLM에 보내도 되는 자료의 공개 대상 (쉼표로 구분, *는 모두)"
    )
    llm_context_tokens: int = Field(3000, ge=500, le=100_000, description="LLM이 한 번에 읽는 자료의 양(토큰)")
    llm_enrich: bool = Field(False, description="섹션마다 직원이 물을 만한 질문을 LLM으로 미리 만들기")
    answer_cache_seconds: float = Field(86_400, ge=0, description="같은 질문에 같은 답을 다시 쓰는 시간(초)")
    embeddings: Literal["local", "openai", "none"] = Field("local", description="임베딩 방식")

    backup_dir: Path = Field(Path("backups"), description="백업을 두는 폴더")
    backup_key: SecretStr | None = Field(None, description="정하면 백업에 암호를 걺 (잃어버리면 복원할 수 없음)")

    log_file: Path = Field(Path("logs/encar_copilot.log"), description="로그 파일")
    log_max_bytes: int = Field(10_485_760, ge=1024, description="로그 파일 하나의 최대 크기(바이트)")
    log_backup_count: int = Field(5, ge=0, description="남겨 둘 지난 로그 파일 수")

    @field_validator(
        "allowed_origins", "trusted_proxies", "oidc_allowed_domains", "oidc_admin_groups", "oidc_owner_groups",
        "llm_allowed_audiences", mode="before",
    )  # fmt: skip
    @classmethod
    def _split_commas(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("environment", "log_level", mode="before")
    @classmethod
    def _lower(cls, value: object) -> object:
        return value.strip().lower() if isinstance(value, str) else value

    @field_validator("trusted_proxies")
    @classmethod
    def _check_networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for part in value:
            try:
                ip_network(part, strict=False)
            except ValueError as error:
                raise ValueError(f"'{part}'은(는) IP 주소나 대역이 아니에요") from error
        return value

    @field_validator("public_url")
    @classmethod
    def _check_url(cls, value: str | None) -> str | None:
        if value and not value.startswith(("http://", "https://")):
            raise ValueError("http:// 또는 https://로 시작해야 해요")
        return value.rstrip("/") if value else None

    @field_validator("security_contact")
    @classmethod
    def _check_contact(cls, value: str | None) -> str | None:
        if value and (not value.startswith(("mailto:", "https://", "tel:")) or any(char.isspace() for char in value)):
            raise ValueError("mailto:, https://, tel: 가운데 하나로 시작하고 빈칸이 없어야 해요")
        return value

    @field_validator("oidc_issuer")
    @classmethod
    def _check_issuer(cls, value: str | None) -> str | None:
        if value and (not value.startswith(("http://", "https://")) or set(value) & set("?# ")):
            raise ValueError("http:// 또는 https://로 시작하고 ?와 #이 없는 주소여야 해요")
        # Microsoft's addresses for every company would let any of them in.
        if value and re.search(r"login\.microsoftonline\.com/(common|organizations|consumers|\{)", value):
            raise ValueError("여러 회사용 주소는 쓸 수 없어요. 테넌트 ID가 들어간 주소를 적어 주세요")
        return value

    @field_validator("oidc_allowed_domains")
    @classmethod
    def _fold_domains(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(domain.lower().removeprefix("@") for domain in value)

    @field_validator("allowed_origins")
    @classmethod
    def _check_origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for origin in value:
            if origin != "*" and not origin.startswith(("http://", "https://")):
                raise ValueError(f"'{origin}'은(는) http:// 또는 https://로 시작해야 해요")
        return tuple(origin.rstrip("/") for origin in value)

    @model_validator(mode="after")
    def _refuse_unsafe_production(self) -> Self:
        if self.environment != "production":
            return self
        secret = self.secret_key.get_secret_value()
        problems = []
        if secret in PLACEHOLDER_SECRETS or len(secret) < 32:
            problems.append("SECRET_KEY: 운영 환경에서는 32자 이상의 임의 문자열이 필요해요")
        if "*" in self.allowed_origins:
            problems.append("ALLOWED_ORIGINS: 운영 환경에서는 '*'를 쓸 수 없어요. 도메인을 적어 주세요")
        if self.reload:
            problems.append("RELOAD: 운영 환경에서는 false여야 해요")
        if self.auth_mode == "name":
            problems.append("AUTH_MODE: 이름만으로 하는 로그인은 개발 환경에서만 쓸 수 있어요")
        if problems:
            raise ValueError("\n".join(problems))
        return self

    @field_validator("openai_model")
    @classmethod
    def _check_models(cls, value: str) -> str:
        if not any(part.strip() for part in value.split(",")):
            raise ValueError("모델 이름을 하나 이상 적어 주세요")
        return value

    @model_validator(mode="after")
    def _check_enrichment(self) -> Self:
        if self.llm_enrich and self.openai_api_key is None:
            raise ValueError("LLM_ENRICH: 질문을 만들려면 OPENAI_API_KEY가 필요해요")
        return self

    @model_validator(mode="after")
    def _check_llm_budget(self) -> Self:
        if self.llm_daily_budget_krw and not (self.llm_price_in_krw or self.llm_price_out_krw):
            raise ValueError("LLM_DAILY_BUDGET_KRW: LLM_PRICE_IN_KRW와 LLM_PRICE_OUT_KRW에 토큰값을 적어 주세요")
        return self

    @model_validator(mode="after")
    def _check_single_sign_on(self) -> Self:
        problems = _single_sign_on_problems(self)
        if problems:
            raise ValueError("\n".join(problems))
        return self

    def shown(self) -> dict[str, str | None]:
        """Every setting by its environment name, as it may be shown: no secret, and no password in an address."""
        values = {name.upper(): getattr(self, name) for name in type(self).model_fields}
        return {name: _shown(value) for name, value in values.items()}

    @property
    def production(self) -> bool:
        return self.environment == "production"

    @property
    def name_login(self) -> bool:
        """Whether number + name is enough to sign in: development only."""
        return not self.production and self.auth_mode in ("auto", "name")

    @property
    def password_login(self) -> bool:
        """Whether number + password signs in."""
        return self.auth_mode in ("auto", "password")

    @property
    def openai_models(self) -> tuple[str, ...]:
        """The models in the order of preference, each once."""
        return tuple(dict.fromkeys(part.strip() for part in self.openai_model.split(",") if part.strip()))

    @property
    def single_sign_on(self) -> bool:
        """Whether people can sign in at the company's identity provider."""
        return self.oidc_issuer is not None

    @cached_property
    def trusted_networks(self) -> tuple[IPv4Network | IPv6Network, ...]:
        return tuple(ip_network(part, strict=False) for part in self.trusted_proxies)


def _single_sign_on_problems(settings: Settings) -> list[str]:
    issuer, problems = settings.oidc_issuer, []
    if issuer is None:
        return (
            ["OIDC_ISSUER: AUTH_MODE=oidc이면 로그인 제공자의 주소가 필요해요"] if settings.auth_mode == "oidc" else []
        )
    if not settings.oidc_client_id:
        problems.append("OIDC_CLIENT_ID: 로그인 제공자에 등록한 앱의 클라이언트 ID를 적어 주세요")
    if settings.oidc_client_secret is None and issuer.startswith((GOOGLE, "https://login.microsoftonline.com/")):
        problems.append("OIDC_CLIENT_SECRET: 이 제공자에는 앱의 비밀 값이 필요해요")
    if issuer == GOOGLE and not settings.oidc_allowed_domains:
        problems.append("OIDC_ALLOWED_DOMAINS: 누구나 Google 계정을 만들 수 있으니 회사 도메인을 적어 주세요")
    if settings.production and not issuer.startswith("https://"):
        problems.append("OIDC_ISSUER: 운영 환경에서는 https:// 주소여야 해요")
    if settings.production and not (settings.public_url or "").startswith("https://"):
        problems.append("PUBLIC_URL: 운영 환경의 회사 계정 로그인에는 사람들이 여는 https:// 주소가 필요해요")
    return problems


def _shown(value: object) -> str | None:
    if value is None:
        return None
    if isinstance(value, SecretStr):
        return "(정해짐)"
    text = ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
    return _PASSWORD.sub(r"\1\2***", text)


def load_settings(**overrides: object) -> Settings:
    """Read the settings; StartupError holds one line per wrong value, by its environment name."""
    try:
        return Settings(**overrides)  # type: ignore[arg-type]
    except ValidationError as error:
        raise StartupError("\n".join(_lines(error))) from None
    except UnicodeDecodeError:
        raise StartupError(".env: UTF-8로 저장해 주세요") from None


def _lines(error: ValidationError) -> list[str]:
    lines: list[str] = []
    for item in error.errors(include_url=False):
        message = item["msg"].removeprefix("Value error, ")
        if item["loc"]:
            lines.append(f"{str(item['loc'][0]).upper()}: {message}")
        else:
            lines.extend(message.splitlines())
    return lines
