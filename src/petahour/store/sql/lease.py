"""The lease in its row, by the database's clock."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ColumnElement,
    Connection,
    Integer,
    String,
    Table,
    inspect,
    literal_column,
    select,
    update,
)

from petahour.model.errors import NotLeaderError
from petahour.model.leases import Lease, Replica
from petahour.store.sql.schema import metadata

leases = Table(
    "leases",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("epoch", BigInteger, nullable=False),
    Column("holder", String(40), nullable=False),
    Column("site", String(200), nullable=False),
    Column("boot", String(40), nullable=False),
    Column("url", String(200), nullable=False),
    Column("taken_ms", BigInteger, nullable=False),
    Column("expires_ms", BigInteger, nullable=False),
    CheckConstraint("id = 1", name="one"),
)

ONLY = 1  # the row's id
_CLOCK = {
    "postgresql": "CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint)",
    "sqlite": "CAST((julianday('now') - 2440587.5) * 86400000 AS integer)",
}


class SqlLease:
    """A Leases gateway over one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._now: ColumnElement[int] = literal_column(_CLOCK[connection.dialect.name], BigInteger)

    def current(self) -> Lease | None:
        row = self._connection.execute(select(leases, (leases.c.expires_ms - self._now).label("left_ms"))).first()
        if row is None:
            return None
        holder = Replica(name=row.holder, site=row.site, boot=row.boot, url=row.url)
        return Lease(holder=holder, epoch=row.epoch, taken_ms=row.taken_ms, left_ms=row.left_ms)

    def take(self, replica: Replica, *, ttl_ms: int, at_once: bool = False) -> int | None:
        before = self.current()
        said = {"holder": replica.name, "site": replica.site, "boot": replica.boot, "url": replica.url}
        times = {"taken_ms": self._now, "expires_ms": self._now + ttl_ms}
        if before is None:
            self._connection.execute(leases.insert().values(id=ONLY, epoch=1, **said, **times))
            return 1
        # The present holder may renew between the two statements.
        free = leases.c.epoch == before.epoch
        if not at_once:
            free &= leases.c.expires_ms <= self._now
        taken = self._connection.execute(update(leases).where(free).values(epoch=before.epoch + 1, **said, **times))
        return before.epoch + 1 if taken.rowcount else None

    def renew(self, epoch: int, *, ttl_ms: int) -> bool:
        mine = update(leases).where(leases.c.epoch == epoch).values(expires_ms=self._now + ttl_ms)
        return bool(self._connection.execute(mine).rowcount)

    def release(self, epoch: int) -> None:
        self._connection.execute(update(leases).where(leases.c.epoch == epoch).values(expires_ms=self._now))

    def require(self, epoch: int) -> None:
        if self._connection.scalar(select(leases.c.epoch)) != epoch:
            raise NotLeaderError(
                field="epoch",
                value=epoch,
                rule="another replica has taken the lead since",
                remedy="This one follows from now on; nothing was written.",
            )


def leader_of(connection: Connection) -> str | None:
    """Who leads on a database now, of whatever version its schema is."""
    if not inspect(connection).has_table(leases.name):
        return None
    found = SqlLease(connection).current()
    return None if found is None or found.left_ms <= 0 else f"{found.holder.name} ({found.holder.url})"
