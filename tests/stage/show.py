"""SHOW: what there is, in Snowflake's columns, with LIMIT and FROM as clients page through it."""

from __future__ import annotations

import datetime
import re
from typing import TYPE_CHECKING, Any

from fakesnow import statement_type

from account import QUALIFIED, Name, parts_of
from answer import EPOCH, Result, SnowflakeError

if TYPE_CHECKING:
    from session import Session

KINDS = r"objects|tables|views|dynamic\s+tables|iceberg\s+tables|schemas|warehouses"
SHOW = re.compile(
    rf"""^show\s+(?P<terse>terse\s+)?(?P<kind>{KINDS})
    (?:\s+like\s+'(?P<like>(?:[^'\\]|''|\\.)*)')?
    (?:\s+in\s+(?:(?P<scope>account|database|schema)\b\s*)?(?P<place>{QUALIFIED})?)?
    (?:\s+starts\s+with\s+'(?P<start>(?:[^']|'')*)')?
    (?:\s+limit\s+(?P<limit>\d+)(?:\s+from\s+'(?P<after>(?:[^']|'')*)')?)?\s*;?\s*$""",
    re.I | re.X,
)
PARAMETERS = re.compile(r"^show\s+parameters(?:\s+like\s+'([^']*)')?(?:\s+(?:in|for)\s+session)?\s*;?\s*$", re.I)
GRANTS = re.compile(rf"^show\s+grants\s+on\s+((?:\w+\s+)*?)({QUALIFIED})\s*;?\s*$", re.I)
TRANSACTIONS = re.compile(r"^show\s+transactions\s*;?\s*$", re.I)
# What nobody has made here, so there is none to show.
NOTHING = re.compile(r"^show\s+(streams|tasks|pipes|tags|semantic\s+views|functions|row\s+access\s+policies|grants)\b", re.I)
MOST = 10_000
PARAMETER_DEFAULTS = {"QUERY_TAG": "", "TIMEZONE": "America/Los_Angeles", "STATEMENT_TIMEOUT_IN_SECONDS": "172800"}


def show(session: Session, sql: str) -> Result | None:
    """The answer to a SHOW that the stage knows."""
    if found := SHOW.match(sql):
        kind = " ".join(found["kind"].lower().split())
        if kind == "warehouses":
            return warehouses(session, found["like"])
        return listing(session, kind, found)
    if found := PARAMETERS.match(sql):
        return parameters(session, found[1])
    if found := GRANTS.match(sql):
        return grants(session, session.name(found[2]))
    if TRANSACTIONS.match(sql):
        return transactions(session)
    if NOTHING.match(sql):
        return Result.of({column: [] for column in ("created_on", "name")}, statement_type.SHOW)
    return None


def listing(session: Session, kind: str, asked: re.Match[str]) -> Result:
    rows = schemas(session, asked) if kind == "schemas" else relations(session, kind, asked)
    if asked["like"] is not None:
        like = as_pattern(asked["like"])
        rows = [row for row in rows if like.fullmatch(row["name"])]
    if asked["start"] is not None:
        rows = [row for row in rows if row["name"].startswith(asked["start"].replace("''", "'"))]
    if asked["after"] is not None:
        rows = [row for row in rows if row["name"] > asked["after"].replace("''", "'")]
    most = session.faults.get("show_limit", session.scope) or MOST
    if asked["limit"] is None and len(rows) > most:
        raise SnowflakeError(90153, "22000", f"The result set size exceeded the max number of rows({most}) supported for SHOW statements. Use LIMIT option to limit result set to a smaller number.")
    rows = rows[: min(int(asked["limit"] or most), most)]
    names = TERSE if asked["terse"] else COLUMNS[kind]
    return Result.of({name: [row[name] for row in rows] for name in names}, statement_type.SHOW)


def as_pattern(like: str) -> re.Pattern[str]:
    """SQL's LIKE, without regard to case."""
    text = like.replace("''", "'")
    pieces = re.findall(r"\\+.|.", text, re.S)
    wild = {"%": ".*", "_": "."}
    return re.compile("".join(wild.get(piece) or re.escape(piece[-1]) for piece in pieces), re.I | re.S)


TERSE = ("created_on", "name", "kind", "database_name", "schema_name")
COLUMNS = {
    "objects": (*TERSE[:2], "database_name", "schema_name", "kind", "comment", "cluster_by", "rows", "bytes", "owner",
                "retention_time", "owner_role_type", "is_hybrid", "is_dynamic", "is_iceberg"),
    "tables": (*TERSE[:2], "database_name", "schema_name", "kind", "comment", "cluster_by", "rows", "bytes", "owner",
               "retention_time", "owner_role_type", "is_hybrid", "is_dynamic", "is_iceberg"),
    "iceberg tables": (*TERSE[:2], "database_name", "schema_name", "owner"),
    "views": (*TERSE[:2], "database_name", "schema_name", "owner", "comment", "text", "is_secure", "is_materialized"),
    "schemas": (*TERSE[:2], "is_default", "is_current", "database_name", "owner", "comment", "options",
                "retention_time", "owner_role_type"),
    "dynamic tables": (*TERSE[:2], "database_name", "schema_name", "cluster_by", "rows", "bytes", "owner", "target_lag",
                       "refresh_mode", "refresh_mode_reason", "warehouse", "initialization_warehouse", "comment", "text",
                       "automatic_clustering", "scheduling_state", "immutable_where", "is_clone", "is_replica"),
}  # fmt: skip


def place(session: Session, asked: re.Match[str]) -> tuple[str, str | None]:
    """The database and the schema that are asked for."""
    parts = parts_of(asked["place"] or "")
    scope = (asked["scope"] or "").lower()
    if scope == "database" or asked["kind"].lower() == "schemas":
        return (parts[0] if parts else session.database), None
    if scope == "account":
        return session.database, None
    if not parts:
        return session.database, session.schema
    return (parts[0], parts[1]) if len(parts) > 1 else (session.database, parts[0])


def relations(session: Session, kind: str, asked: re.Match[str]) -> list[dict[str, Any]]:
    database, schema = place(session, asked)
    account = session.account
    rows = []
    # What is temporary in another session is not there for this one.
    hidden = account.temporary_elsewhere(session)
    for found in account.relations(database, schema):
        name = Name(database, found["schema"], found["name"])
        if name in hidden:
            continue
        dynamic = account.dynamic_tables.get(name)
        row = {column: "" for columns in COLUMNS.values() for column in columns} | {
            "created_on": EPOCH, "name": name.identifier, "database_name": database, "schema_name": name.schema,
            "kind": found["kind"], "rows": found["rows"] or 0, "bytes": 0, "owner": session.role,
            "retention_time": "1", "owner_role_type": "ROLE", "is_hybrid": "N", "is_dynamic": "Y" if dynamic else "N",
            "is_iceberg": "Y" if name in account.iceberg_tables else "N", "text": found["text"] or "",
            "is_secure": "false", "is_materialized": "false",
        }  # fmt: skip
        if dynamic:
            row |= {"text": dynamic.query, "scheduling_state": "ACTIVE", "refresh_mode_reason": None, **dynamic.options}
        rows.append(row)
    keep = {
        "tables": lambda row: row["kind"] == "TABLE",
        "views": lambda row: row["kind"] == "VIEW",
        "dynamic tables": lambda row: row["is_dynamic"] == "Y",
        "iceberg tables": lambda row: row["is_iceberg"] == "Y",
    }.get(kind, lambda row: True)
    return [row for row in rows if keep(row)]


def schemas(session: Session, asked: re.Match[str]) -> list[dict[str, Any]]:
    database, _ = place(session, asked)
    common = {column: "" for column in (*COLUMNS["schemas"], *TERSE)}
    common |= {"created_on": EPOCH, "database_name": database, "owner": session.role, "is_default": "N"}
    current = lambda name: "Y" if (database, name) == (session.database, session.schema) else "N"
    return [common | {"name": name, "is_current": current(name)} for name in session.account.schemas(database)]


def warehouses(session: Session, like: str | None) -> Result:
    pattern = as_pattern(like or "%")
    found = [(name, one) for name, one in session.account.warehouses.items() if pattern.fullmatch(name)]
    return Result.of(
        {
            "name": [name for name, _ in found],
            "state": [one.state for _, one in found],
            "type": ["STANDARD" for _ in found],
            "size": [one.size for _, one in found],
            "min_cluster_count": [one.min_cluster_count for _, one in found],
            "max_cluster_count": [one.max_cluster_count for _, one in found],
            "is_current": ["Y" if name == session.warehouse else "N" for name, _ in found],
            "auto_suspend": [one.auto_suspend for _, one in found],
            "auto_resume": [one.more.get("AUTO_RESUME", "true") for _, one in found],
            "scaling_policy": [one.more.get("SCALING_POLICY", "STANDARD") for _, one in found],
        },
        statement_type.SHOW,
    )


def transactions(session: Session) -> Result:
    found = session.account.open_transactions(session.user)
    return Result.of(
        {
            "id": [one.transaction for one in found],
            "user": [one.user for one in found],
            "session": [one.id for one in found],
            "name": [str(one.transaction) for one in found],
            "started_on": [datetime.datetime.now(datetime.timezone.utc) for _ in found],
            "state": ["running" for _ in found],
            "scope": ["0" for _ in found],
        },
        statement_type.SHOW,
    )


def parameters(session: Session, like: str | None) -> Result:
    pattern = as_pattern(like or "%")
    names = sorted(name for name in {*PARAMETER_DEFAULTS, *session.parameters} if pattern.fullmatch(name))
    default = [PARAMETER_DEFAULTS.get(name, "") for name in names]
    return Result.of(
        {
            "key": names,
            "value": [session.parameters.get(name, known) for name, known in zip(names, default, strict=True)],
            "default": default,
            "level": ["SESSION" if name in session.parameters else "" for name in names],
            "description": ["" for _ in names],
            "type": ["STRING" for _ in names],
        },
        statement_type.SHOW,
    )


def grants(session: Session, name: Name) -> Result:
    kinds = {row["name"]: row["kind"] for row in session.account.relations(name.database, name.schema)}
    if name.identifier not in kinds:
        raise SnowflakeError(2003, "42S02", f"SQL compilation error:\n{kinds and 'Object' or 'Schema'} '{name.identifier}' does not exist or not authorized.")
    held = {("OWNERSHIP", session.role): "ROLE", **session.account.grants.get(name, {})}
    return Result.of(
        {
            "created_on": [datetime.datetime.now(datetime.timezone.utc) for _ in held],
            "privilege": [privilege for privilege, _ in held],
            "granted_on": [kinds[name.identifier] for _ in held],
            "name": [name.quoted().replace('"', "") for _ in held],
            "granted_to": list(held.values()),
            "grantee_name": [grantee for _, grantee in held],
            "grant_option": ["false" for _ in held],
            "granted_by": [session.role for _ in held],
        },
        statement_type.SHOW,
    )
