"""A house made once and copied for every life, and what tells whether a step has written anything."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from sqlalchemy import event
from tests.integration.control.house import BEGIN_MS, OPERATOR, HandClock, House, open_house
from tests.integration.postgres import PostgresServer

from petahour.control.billing_terms import set_seller, set_terms
from petahour.control.credit import add_credit
from petahour.control.publish import adopt_books
from petahour.control.tenants import create_tenant
from petahour.model.invoices import BillingTerms, Party, Seller
from petahour.store.protocol import Store
from petahour.store.sql.store import SqlStore, sqlite_url

BOUGHT_MICROS = 150_000_000  # by both tenants together


@dataclass
class Ready:
    """A control plane with a seller, prices and two tenants with credit, closed, to be copied.

    ``server`` None: a file of SQLite. Its house's store is closed and takes no work.
    """

    house: House
    url: str
    folder: Path
    server: PostgresServer | None

    @classmethod
    def make(cls, server: PostgresServer | None) -> Ready:
        folder = Path(tempfile.mkdtemp(prefix="petahour-money-", dir=in_memory()))
        url = sqlite_url(folder / "petahour.db") if server is None else server.new_database()
        house = open_house(url, folder)
        context = house.context
        create_tenant(context, OPERATOR, name="beta", title="", currency="CNY")
        add_credit(context, OPERATOR, "beta", amount="50.00", currency="CNY", key="pay-1", note="")
        adopt_books(context.store, context.prices, BEGIN_MS, sample=True)
        set_seller(context, OPERATOR, Seller(party=Party(name="Petahour Ltd")))
        tax = BillingTerms(tenant="acme", party=Party(name="Acme"), tax_name="VAT", tax_rate_ppm=60_000)
        set_terms(context, OPERATOR, tax)
        context.store.close()
        return cls(house=house, url=url, folder=folder, server=server)

    def copy(self, folder: Path) -> tuple[House, str]:
        """A house of its own, whose store is still to be opened at the URL."""
        url = sqlite_url(folder / "petahour.db")
        if self.server is None:
            shutil.copy(self.folder / "petahour.db", folder)
        else:
            url = self.server.new_database(copy_of=self.url)
        return House(replace(self.house.context, data_dir=folder), HandClock(self.house.clock.at_ms)), url

    def close(self) -> None:
        shutil.rmtree(self.folder)


class Written:
    """Whether anything was written to a store since it was last asked."""

    def __init__(self, store: Store) -> None:
        assert isinstance(store, SqlStore)
        self._written = True
        event.listen(store._engine, "before_cursor_execute", self._see)

    def since(self) -> bool:
        """True at first; then whether there was a writing statement since the last time."""
        written, self._written = self._written, False
        return written

    def _see(self, _connection: object, _cursor: object, statement: str, *_: object) -> None:
        self._written = self._written or statement.lstrip()[:6].upper() in ("INSERT", "UPDATE", "DELETE")


def in_memory() -> str | None:
    """Where files need no disk: the steps are many, and durability is tested elsewhere."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None
