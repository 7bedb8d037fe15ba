"""Which databases a test runs on: SQLite, and for what the databases could do differently PostgreSQL as well."""

from pathlib import Path

import pytest

pytest_plugins = ("tests.postgres", "tests.redis_server")

ON_BOTH = (
    "tests/accounts/",
    "tests/ask/test_retention.py",
    "tests/audit/",
    "tests/cli/test_backup.py",
    "tests/knowledge/",
    "tests/storage/",
    "tests/web/test_accounts.py",
    "tests/web/test_api.py",
    "tests/web/test_csv.py",
    "tests/web/test_generated.py",
    "tests/web/test_sessions.py",
)
"""The modules whose tests run on both; `--postgresql` runs all others on PostgreSQL, too, instead of SQLite."""


BEGUN_FIRST = ("tests/evaluation/", "tests/browser/", "tests/storage/", "tests/web/", "tests/cli/")
"""What takes longest is not begun last, when the other processes have nothing left to do."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    ranks = {prefix: rank for rank, prefix in enumerate(BEGUN_FIRST)}

    def rank(item: pytest.Item) -> int:
        return next((ranks[prefix] for prefix in BEGUN_FIRST if item.nodeid.startswith(prefix)), len(ranks))

    items.sort(key=rank)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--postgresql", action="store_true", help="run every test with a database on PostgreSQL")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "database_url" in metafunc.fixturenames:
        every = metafunc.config.getoption("--postgresql")
        where = metafunc.definition.nodeid
        both = where.startswith(ON_BOTH) and not metafunc.definition.get_closest_marker("sqlite")
        kinds = ["postgresql"] if every and not metafunc.definition.get_closest_marker("sqlite") else ["sqlite"]
        metafunc.parametrize("database_url", ["sqlite", "postgresql"] if both and not every else kinds, indirect=True)


@pytest.fixture
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database without rows; tests marked `sqlite` are about what only that has."""
    if request.param == "postgresql":
        # The tests of storage/ make the schema themselves.
        empty = request.node.nodeid.startswith("tests/storage/")
        return str(request.getfixturevalue("postgres_url" if empty else "migrated_postgres_url"))
    return f"sqlite:///{tmp_path}/endy.db"
