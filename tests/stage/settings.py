"""Statements about the session, warehouses and grants, and those that open and end transactions."""

from __future__ import annotations

import re

from account import NOT_THERE, QUALIFIED, Warehouse, parts_of
from answer import Result, SnowflakeError
from definitions import RELATION_KINDS
from fakes import OPTIONS, exists
from session import Session

SESSION_SET = re.compile(r"^alter\s+session\s+set\s+(.*?)\s*;?$", OPTIONS)
SESSION_UNSET = re.compile(r"^alter\s+session\s+unset\s+(.*?)\s*;?$", OPTIONS)
PARAMETER = re.compile(r"(\w+)\s*=\s*(?:'((?:[^'\\]|''|\\.)*)'|([^\s,']+))")
USE = re.compile(rf"^use\s+(warehouse|role|secondary\s+roles)\s+({QUALIFIED})\s*;?$", re.I)
WAREHOUSE = re.compile(
    rf"^(create\s+(?:or\s+replace\s+)?|alter\s+|drop\s+)warehouse\s+((?:if\s+(?:not\s+)?exists\s+)?)({QUALIFIED})\s*(.*?)\s*;?$", OPTIONS
)
GRANTED = re.compile(
    rf"^(grant|revoke)\s+(.+?)\s+on\s+(?:{RELATION_KINDS}\s+)?({QUALIFIED})\s+(?:to|from)\s+((?:(?:database\s+)?role|share)\s+)?({QUALIFIED})", re.I
)
ACCEPTED = re.compile(
    r"^(?:grant|revoke|create\s+(?:or\s+replace\s+)?(?:role|tag|row\s+access\s+policy|masking\s+policy)|alter\s+(?:session|account|user)"
    r"|drop\s+(?:role|tag|row\s+access\s+policy))\b", re.I,
)  # fmt: skip
CANCEL = re.compile(r"^select\s+system\$cancel_all_queries\(\s*'?(\d+)'?\s*\)\s*;?$", re.I)
ABORT = re.compile(r"^select\s+system\$abort_transaction\(\s*'?(\d+)'?\s*\)\s*;?$", re.I)
TRANSACTION = re.compile(r"^(begin|start|commit|rollback)(?:\s+(?:transaction|work))?\s*;?$", re.I)
SIZES = {size.replace("-", "").upper(): size for size in (
    "X-Small", "Small", "Medium", "Large", "X-Large", "2X-Large", "3X-Large", "4X-Large", "5X-Large", "6X-Large")}  # fmt: skip


def transaction(session: Session, found: re.Match[str]) -> Result:
    word = found[1].lower()
    {"begin": session.begin, "start": session.begin, "commit": session.commit, "rollback": session.rollback}[word]()
    return Result.status()


def cancel(session: Session, found: re.Match[str]) -> Result:
    """Stops what a session of the same user runs; what it has open stays open."""
    other = session.account.session(int(found[1]))
    if other is None:
        raise SnowflakeError(2043, "02000", f"Invalid session ID {found[1]}.")
    if other.lock.locked():
        other.connection._duck_conn.interrupt()
    return Result.status("query cancelled." if other.lock.locked() else "no queries to cancel.")


def abort(session: Session, found: re.Match[str]) -> Result:
    """Undoes the transaction of a session of the same user."""
    for other in session.account.open_transactions(session.user):
        if other.transaction == int(found[1]):
            other.rollback()
            return Result.status("Transaction aborted")
    raise SnowflakeError(710, "02000", f"Transaction {found[1]} not found")


def set_parameters(session: Session, found: re.Match[str]) -> Result:
    for parameter in PARAMETER.finditer(found[1]):
        value = parameter[2] if parameter[2] is not None else parameter[3]
        session.parameters[parameter[1].upper()] = value.replace("''", "'")
    return Result.status()


def unset_parameters(session: Session, found: re.Match[str]) -> Result:
    for name in found[1].split(","):
        session.parameters.pop(name.strip().upper(), None)
    return Result.status()


def use(session: Session, found: re.Match[str]) -> Result:
    kind, name = found[1].lower(), parts_of(found[2])[-1]
    if kind == "warehouse":
        session.account.warehouse(name)
        session.warehouse = name
    elif kind == "role":
        session.role = name
    return Result.status()


def warehouse(session: Session, found: re.Match[str]) -> Result:
    """CREATE, ALTER and DROP WAREHOUSE."""
    verb, condition, written, rest = found[1].split()[0].lower(), found[2].lower(), found[3], found[4]
    name = parts_of(written)[-1]
    known = session.account.warehouses
    if verb == "create":
        if not ("not exists" in condition and name in known):
            known[name] = Warehouse()
            set_warehouse(known[name], rest)
        return Result.status(f"Warehouse {name} successfully created.")
    if name not in known and "exists" in condition:
        return Result.status()
    one = session.account.warehouse(name)
    if verb == "drop":
        del known[name]
    elif re.match(r"suspend\b", rest, re.I):
        one.state = "SUSPENDED"
    elif re.match(r"resume\b", rest, re.I):
        if one.state == "STARTED" and "if suspended" not in rest.lower():
            raise SnowflakeError(90064, "22000", f"Invalid state. Warehouse '{name}' cannot be resumed.")
        one.state = "STARTED"
    else:
        set_warehouse(one, re.sub(r"^set\s+", "", rest, flags=re.I))
    return Result.status()


def set_warehouse(one: Warehouse, text: str) -> None:
    for option in PARAMETER.finditer(text):
        key, value = option[1].lower(), option[2] if option[2] is not None else option[3]
        if key == "warehouse_size":
            size = re.sub(r"[-\s]", "", value).upper()
            if size not in SIZES:
                raise SnowflakeError(1422, "22023", f"SQL compilation error:\ninvalid value [{value}] for parameter 'WAREHOUSE_SIZE'")
            one.size = SIZES[size]
        elif key == "auto_suspend":
            one.auto_suspend = None if value.upper() == "NULL" else int(value)
        elif key in ("min_cluster_count", "max_cluster_count"):
            setattr(one, key, int(value))
        else:
            one.more[key.upper()] = value
    if one.min_cluster_count > one.max_cluster_count:
        raise SnowflakeError(2300, "42601", "SQL compilation error: MIN_CLUSTER_COUNT cannot be greater than MAX_CLUSTER_COUNT")


def grant(session: Session, found: re.Match[str]) -> Result:
    verb, privileges, written, kind, grantee = found.groups()
    name = session.name(written)
    if not exists(session, name, "table") and not exists(session, name, "view"):
        raise SnowflakeError(2003, "42S02", NOT_THERE)
    held = session.account.grants.setdefault(name, {})
    for privilege in privileges.upper().split(","):
        key = (privilege.strip(), ".".join(parts_of(grantee)))
        if verb.lower() == "grant":
            held[key] = (kind or "role").strip().upper().replace(" ", "_")
        else:
            held.pop(key, None)
    return Result.status()
