"""What a statement gave, and the shape that it has on the wire."""

from __future__ import annotations

import datetime
import json
import uuid
from base64 import b64encode
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import fakesnow.arrow
import pyarrow as pa
import pyarrow.compute as pc
from fakesnow import statement_type

EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
# What is answered as Arrow; everything else is JSON, as Snowflake does it.
QUERIES = frozenset({statement_type.SELECT, statement_type.UNKNOWN})


class SnowflakeError(Exception):
    """What Snowflake would say is wrong."""

    def __init__(self, code: int, state: str, message: str, line: int = -1, position: int = -1) -> None:
        super().__init__(message)
        self.code, self.state, self.line, self.position = f"{code:06d}", state, line, position


@dataclass
class Result:
    """Rows, with the types that Snowflake would give them."""

    table: pa.Table
    rowtype: list[dict[str, Any]]
    type_id: int
    # What a client needs to upload files, if the statement was a PUT.
    upload: dict[str, Any] | None = field(default=None)

    @classmethod
    def of(cls, columns: dict[str, list[Any]], type_id: int = statement_type.DDL) -> Result:
        """A result that the stage makes itself: texts, whole numbers and moments, by column."""
        table = pa.table({name: column_of(values) for name, values in columns.items()})
        rowtype = [row_type(column.name, column.type) for column in table.schema]
        return cls(table, rowtype, type_id)

    @classmethod
    def status(cls, text: str = "Statement executed successfully.") -> Result:
        """The answer to a statement that gives no rows."""
        return cls.of({"status": [text]})


def column_of(values: list[Any]) -> pa.Array:
    kinds = {type(value) for value in values if value is not None}
    if kinds <= {int} and kinds:
        return pa.array(values, pa.int64())
    if kinds <= {datetime.datetime} and kinds:
        return pa.array(values, pa.timestamp("us", "UTC"))
    return pa.array([None if value is None else str(value) for value in values], pa.string())


def row_type(name: str, kind: pa.DataType) -> dict[str, Any]:
    """The description of a column of one of the few types that `Result.of` makes."""
    described: dict[str, Any] = {"name": name, "database": "", "schema": "", "table": "", "nullable": True}
    described |= {"type": "text", "byteLength": None, "length": None, "scale": None, "precision": None, "collation": None}
    if pa.types.is_integer(kind):
        described |= {"type": "fixed", "precision": 38, "scale": 0}
    elif pa.types.is_timestamp(kind):
        described |= {"type": "timestamp_tz", "precision": 0, "scale": 9}
    else:
        described |= {"byteLength": 16777216, "length": 16777216}
    return described


def timestamps_with_nulls(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    """fakesnow's encoding of moments, with NULLs that are marked on the struct and not only inside it."""
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    mask = pc.is_null(column)
    struct = encoded_timestamps(pc.fill_null(column, pa.scalar(0, type=column.type)))
    parts = range(struct.type.num_fields)
    fields = [struct.type.field(part) for part in parts]
    return pa.StructArray.from_arrays([struct.field(part) for part in parts], fields=fields, mask=mask)


encoded_timestamps = fakesnow.arrow.timestamp_to_sf_struct
fakesnow.arrow.timestamp_to_sf_struct = timestamps_with_nulls


def as_text(value: Any) -> str | None:
    """A value in a JSON result: Snowflake sends every one as a text."""
    match value:
        case None:
            return None
        case bool():
            return "1" if value else "0"
        case datetime.datetime():
            moment = value if value.tzinfo else value.replace(tzinfo=datetime.timezone.utc)
            passed = moment - EPOCH
            text = f"{passed.days * 86400 + passed.seconds}.{passed.microseconds:06d}000"
            return f"{text} 1440" if value.tzinfo else text
        case datetime.date():
            return str((value - EPOCH.date()).days)
        case datetime.time():
            return f"{value.hour * 3600 + value.minute * 60 + value.second}.{value.microsecond:06d}000"
        case bytes():
            return value.hex().upper()
        case Decimal():
            return format(value, "f")
        case _:
            return str(value)


def rows_as_text(table: pa.Table) -> list[list[str | None]]:
    columns = [[as_text(value) for value in column.to_pylist()] for column in table.columns]
    return [list(row) for row in zip(*columns, strict=True)]


class Chunks:
    """Parts of results that clients fetch on their own."""

    def __init__(self) -> None:
        self.bodies: dict[str, bytes] = {}

    def add(self, body: bytes, rows: int, base_url: str) -> dict[str, Any]:
        name = uuid.uuid4().hex
        self.bodies[name] = body
        size = len(body)
        return {"url": f"{base_url}/chunk/{name}", "rowCount": rows, "uncompressedSize": size, "compressedSize": size}


def rows_on_the_wire(result: Result, rows: int | None, as_json: bool, chunks: Chunks, base_url: str) -> dict[str, Any]:
    """The part of an answer that has the rows; all in one, or in parts of so many."""
    table = result.table
    size = rows or max(table.num_rows, 1)
    parts = [table.slice(start, size) for start in range(0, table.num_rows, size)] or [table]
    wire: dict[str, Any] = {"total": table.num_rows, "returned": table.num_rows}
    if as_json or result.type_id not in QUERIES:
        texts = [rows_as_text(part) for part in parts]
        wire |= {"queryResultFormat": "json", "rowset": texts[0]}
        bodies = [json.dumps(part)[1:-1].encode() for part in texts]
    else:
        encode = lambda part: fakesnow.arrow.to_ipc(fakesnow.arrow.to_sf(part, result.rowtype)).to_pybytes()
        bodies = [encode(part) for part in parts] if table.num_rows else [b""]
        wire |= {"queryResultFormat": "arrow", "rowsetBase64": b64encode(bodies[0]).decode()}
    if len(parts) > 1:
        more = zip(bodies[1:], parts[1:], strict=True)
        wire["chunks"] = [chunks.add(body, part.num_rows, base_url) for body, part in more]
        wire["chunkHeaders"] = {"x-amz-server-side-encryption-customer-algorithm": "AES256"}
    return wire
