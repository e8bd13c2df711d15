"""What an account knows besides tables and views: warehouses, grants, dynamic tables, and when things changed."""

from __future__ import annotations

import datetime
import re
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import fakesnow.server
from fakesnow import info_schema
from fakesnow.transforms import transforms

from answer import SnowflakeError

if TYPE_CHECKING:
    from session import Session, Sessions

IDENTIFIER = r'(?:"(?:[^"]|"")*"|[A-Za-z_][\w$]*)'
QUALIFIED = rf"{IDENTIFIER}(?:\s*\.\s*{IDENTIFIER}){{0,2}}"
NOT_THERE = "SQL compilation error:\nObject does not exist, or operation cannot be performed."

# What information_schema.tables must tell that fakesnow's does not: views, and when a table changed.
CHANGES = "_fs_global._fs_information_schema._stage_changes"
LAST_ALTERED = f"""coalesce(
    (select changed_at from {CHANGES} c
     where c.catalog = database_name and c.schema = schema_name and c.name = __NAME__),
    to_timestamp(0)::timestamptz) as "LAST_ALTERED" """


def parts_of(text: str) -> list[str]:
    """The parts of a name, as they are stored: without quotes, or in upper case."""
    found = re.findall(IDENTIFIER, text)
    return [part[1:-1].replace('""', '"') if part.startswith('"') else part.upper() for part in found]


@dataclass(frozen=True)
class Name:
    """The full name of a relation."""

    database: str
    schema: str
    identifier: str

    def quoted(self) -> str:
        return ".".join('"' + part.replace('"', '""') + '"' for part in (self.database, self.schema, self.identifier))


@dataclass
class Warehouse:
    """What `show warehouses` gives, as far as it can be set."""

    size: str = "X-Small"
    min_cluster_count: int = 1
    max_cluster_count: int = 1
    auto_suspend: int | None = 600
    state: str = "STARTED"
    more: dict[str, str] = field(default_factory=dict)


@dataclass
class DynamicTable:
    """What `show dynamic tables` gives."""

    query: str
    options: dict[str, str]


class Account:
    """The state that all sessions share."""

    def __init__(self) -> None:
        self.warehouses: dict[str, Warehouse] = {"COMPUTE_WH": Warehouse()}
        self.dynamic_tables: dict[Name, DynamicTable] = {}
        self.iceberg_tables: set[Name] = set()
        self.grants: dict[Name, dict[tuple[str, str], str]] = {}
        # The session that changes a table in an open transaction: nobody else may change it until that ends.
        self.locks: dict[Name, Session] = {}
        # All sessions, once there is somewhere to log in.
        self.sessions: Sessions | None = None
        self.kept: dict[str, tuple[str, list[Name], list[tuple[Name, str]], dict[Name, DynamicTable]]] = {}
        self.lock = threading.Lock()
        self.database = fakesnow.server.shared_fs.duck_conn.cursor()
        self.database.execute(
            f"create table {CHANGES} (catalog varchar, schema varchar, name varchar, changed_at timestamptz,"
            " primary key (catalog, schema, name))"
        )

    def session(self, number: int) -> Session | None:
        """The session of a number, if it is open."""
        return next((one for one in self.sessions.of_database(None) if one.id == number), None) if self.sessions else None

    def temporary_elsewhere(self, session: Session) -> set[Name]:
        """What is temporary in other sessions and not in this one."""
        others = self.sessions.of_database(None) if self.sessions else []
        found = {name for one in others if one is not session for _, name in one.temporary}
        return found - {name for _, name in session.temporary}

    def open_transactions(self, user: str) -> list[Session]:
        """The sessions of a user that have a transaction open."""
        found = self.sessions.of_database(None) if self.sessions else []
        return [one for one in found if one.user == user and one.in_transaction]

    def keep(self, database: str) -> None:
        """Keeps all relations of a database, to be brought back as often as wanted."""
        with self.lock:
            kept = f"_fs_global._stage_kept_{database}".lower()
            self.database.execute(f"drop schema if exists {kept} cascade")
            self.database.execute(f"create schema {kept}")
            views = self.database.execute(
                "select schema_name, view_name, sql from duckdb_views() where database_name = ? and not internal"
                " and schema_name <> '_fs_information_schema' order by view_oid", [database],
            ).fetchall()  # fmt: skip
            # DuckDB leaves the database out of a view's name.
            views = [(Name(database, schema, name), sql[sql.index(name) + len(name) :].lstrip('"')) for schema, name, sql in views]
            tables = self._tables(database)
            for number, name in enumerate(tables):
                self.database.execute(f"create table {kept}.kept_{number} as select * from {name.quoted()}")
            dynamic = {name: one for name, one in self.dynamic_tables.items() if name.database == database}
            self.kept[database] = (kept, tables, views, dynamic)

    def bring_back(self, database: str) -> None:
        """Makes a database what it was when it was kept."""
        with self.lock:
            kept, tables, views, dynamic = self.kept[database]
            for name in self._views(database):
                self.database.execute(f"drop view if exists {name.quoted()}")
            for name in self._tables(database):
                self.database.execute(f"drop table {name.quoted()}")
                self.dynamic_tables.pop(name, None)
                self.locks.pop(name, None)
            for number, name in enumerate(tables):
                self.database.execute(f"create table {name.quoted()} as select * from {kept}.kept_{number}")
            for name, definition in views:
                self.database.execute(f"create view {name.quoted()} {definition}")
            self.dynamic_tables |= dynamic

    def _tables(self, database: str) -> list[Name]:
        return self._names(database, "table")

    def _views(self, database: str) -> list[Name]:
        return self._names(database, "view")

    def _names(self, database: str, kind: str) -> list[Name]:
        found = self.database.execute(
            f"select database_name, schema_name, {kind}_name from duckdb_{kind}s() where database_name = ?"
            " and not internal and schema_name <> '_fs_information_schema'", [database],
        ).fetchall()  # fmt: skip
        return [Name(*row) for row in found]

    def warehouse(self, name: str) -> Warehouse:
        """A warehouse that is there."""
        if name not in self.warehouses:
            raise SnowflakeError(2043, "02000", NOT_THERE)
        return self.warehouses[name]

    def changed(self, name: Name) -> None:
        """Notes that a relation was changed now."""
        now = datetime.datetime.now(datetime.timezone.utc)
        with self.lock:
            key = [name.database, name.schema, name.identifier]
            self.database.execute(f"insert or replace into {CHANGES} values (?, ?, ?, ?)", [*key, now])

    def forget(self, name: Name) -> None:
        """Forgets what is known of a relation that is dropped or replaced."""
        self.grants.pop(name, None)
        self.dynamic_tables.pop(name, None)
        self.iceberg_tables.discard(name)

    def renamed(self, old: Name, new: Name) -> None:
        for known in (self.grants, self.dynamic_tables):
            if old in known:
                known[new] = known.pop(old)  # type: ignore[index]
        if old in self.iceberg_tables:
            self.iceberg_tables.remove(old)
            self.iceberg_tables.add(new)

    def relations(self, database: str, schema: str | None) -> list[dict[str, Any]]:
        """Tables and views of a schema (or of all) in the order of their names."""
        with self.lock:
            self._must_exist(database, schema)
            found = self.database.execute(
                "select schema_name, table_name, 'TABLE', estimated_size, null from duckdb_tables()"
                " where database_name = ? and schema_name <> '_fs_information_schema'"
                " union all select schema_name, view_name, 'VIEW', null, sql from duckdb_views()"
                " where database_name = ? and schema_name <> '_fs_information_schema' and not internal order by 1, 2",
                [database, database],
            ).fetchall()
        keys = ("schema", "name", "kind", "rows", "text")
        return [dict(zip(keys, row, strict=True)) for row in found if schema in (None, row[0])]

    def schemas(self, database: str) -> list[str]:
        with self.lock:
            self._must_exist(database, None)
            found = self.database.execute(
                "select schema_name from duckdb_schemas() where database_name = ? and schema_name not in"
                " ('main', 'pg_catalog', 'information_schema') order by 1",
                [database],
            ).fetchall()
        names = ("INFORMATION_SCHEMA" if name == "_fs_information_schema" else name for (name,) in found)
        return sorted(names)

    def _must_exist(self, database: str, schema: str | None) -> None:
        found = self.database.execute(
            "select 1 from duckdb_schemas() where database_name = ? and schema_name = ?", [database, schema or "main"]
        ).fetchone()
        if not found:
            raise SnowflakeError(2043, "02000", NOT_THERE)


def tables_view() -> str:
    """information_schema.tables with views, and with the moments of the last change."""
    template = info_schema.SQL_CREATE_INFORMATION_SCHEMA_TABLES_VIEW.template
    last_altered = LAST_ALTERED.replace("__NAME__", "tables.table_name")
    tables = template.replace('to_timestamp(0)::timestamptz AS "LAST_ALTERED"', last_altered)
    tables = tables.replace('_fs_tables_ext.comment AS "COMMENT"', 'tables.comment AS "COMMENT"')
    if "_stage_changes" not in tables or "tables.comment" not in tables:
        raise RuntimeError("this version of fakesnow has another information_schema.tables")
    select = tables[tables.index("select") :]
    views = select.replace("duckdb_tables tables", "duckdb_views tables").replace("tables.table_name", "tables.view_name")
    views = views.replace("tables.estimated_size", "null").replace("'BASE TABLE'", "'VIEW'")
    return f"{tables} union all {views} and not tables.internal"


info_schema.SQL_CREATE_INFORMATION_SCHEMA_TABLES_VIEW = type(info_schema.SQL_CREATE_INFORMATION_SCHEMA_TABLES_VIEW)(
    tables_view()
)

# fakesnow describes tables of the session's own database only.
transforms.SQL_DESCRIBE_TABLE = type(transforms.SQL_DESCRIBE_TABLE)(
    transforms.SQL_DESCRIBE_TABLE.template.replace("FROM _fs_information", 'FROM "${catalog}"._fs_information')
)
