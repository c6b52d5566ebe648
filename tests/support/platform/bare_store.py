"""The platform's tables alone, in a database: for tests of what services do with them."""

from contextlib import contextmanager
from importlib.resources import files

from cea_exchange.ledger.database.sqlite import Sqlite


class BareStore:
    def __init__(self, database) -> None:
        self.database = database
        self._depth = 0
        for file in sorted(files("cea_exchange.platform").joinpath("schema").iterdir()):
            database.script(file.read_text())

    @contextmanager
    def transaction(self):
        level, self._depth = self._depth, self._depth + 1
        if level == 0:
            self.database.begin()
        else:
            self.database.savepoint(f"level_{level}")
        try:
            yield
            if level == 0:
                self.database.commit()
            else:
                self.database.release(f"level_{level}")
        except BaseException:
            if level == 0:
                self.database.rollback()
            else:
                self.database.rollback_to(f"level_{level}")
            raise
        finally:
            self._depth -= 1

    def execute(self, sql, values=()):
        return self.database.execute(sql, values)

    def one(self, sql, values=()):
        row = self.database.execute(sql, values).fetchone()
        return row[0] if row is not None and len(row) == 1 else row

    def insert(self, into, rows):
        self.database.insert(into, rows)

    def next_id(self, table, column):
        return self.one(f"SELECT 1 + coalesce(max({column}), 0) FROM {table}")


def store_opened(folder, address):
    if address is None:
        return BareStore(Sqlite.open_writer(folder / "platform.sqlite"))
    from cea_exchange.ledger.database.postgres import Postgres

    return BareStore(Postgres.open_writer(address))
