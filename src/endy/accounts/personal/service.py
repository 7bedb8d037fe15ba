"""A person's data: exported whole, and erased for good."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

from sqlalchemy.ext.asyncio import AsyncEngine

from endy.accounts import repository as accounts
from endy.accounts.personal import repository
from endy.audit import repository as audit
from endy.audit.service import Event, record
from endy.errors import NotFound
from endy.storage.engine import empty_log
from endy.storage.transaction import reading, retried, transaction

Left = Literal["kept", "blanked", "nothing"]


@dataclass(frozen=True, slots=True)
class Erased:
    """`rows` were deleted by kind; of the account everything is kept, only its number, or nothing."""

    rows: dict[str, int]
    account: Left


def asker_key(employee_id: str) -> str:
    """How questions and opinions name who they are from."""
    return f"user:{employee_id}"


class PersonalData:
    """Audit events stay: who did what must remain known, and nothing else of a person is in them."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    @retried
    async def export(self, employee_id: str, actor: str) -> dict[str, Any]:
        """Everything that is stored about somebody, by table. Raises NotFound if that is nothing."""
        async with transaction(self._engine, "people") as connection:
            found: dict[str, Any] = await repository.everything(connection, employee_id, asker_key(employee_id))
            found["audit"] = [asdict(row) for row in await audit.about(connection, employee_id)]
            if not any(found.values()):
                raise NotFound(f"{employee_id}에 대해 저장된 것이 없어요.")
            await record(connection, Event("privacy_exported", actor, employee_id))
        return found

    @retried
    async def erase(self, employee_id: str, actor: str) -> Erased:
        """Delete what somebody left behind, in one transaction. Raises NotFound if that is nothing.

        Who USERS_FILE still names keeps the account; who was removed keeps at most the number.
        """
        async with reading(self._engine) as connection:
            found = await repository.everything(connection, employee_id, asker_key(employee_id))
        if not any(found.values()):
            raise NotFound(f"{employee_id}에 대해 저장된 것이 없어요.")
        async with transaction(self._engine, "people") as connection:
            rows = await repository.erase(connection, employee_id, asker_key(employee_id))
            stored = await accounts.stored_user(connection, employee_id)
            account: Left = "nothing"
            if stored is not None and stored.removed:
                await repository.blank(connection, employee_id)
                account = "blanked"
            elif stored is not None:
                account = "kept"
            await record(connection, Event("privacy_erased", actor, employee_id, after=dict(rows)))
        await empty_log(self._engine)
        return Erased(rows, account)
