"""The stage: Snowflake's wire protocol over fakesnow, whole enough for real clients, with faults on request.

    python stage.py [--port PORT] [--sync-wait SECONDS] [--until-stdin-closes]

It listens on 127.0.0.1 only; any user may log in. POST /__ctl with a JSON object speaks about it:
    {"database": "D", "expire": 1, …}     what is to go wrong (see faults.py), for the sessions of a database or for all;
                                          what was set before for these sessions is forgotten
    {"database": "D", "log": true}        what happened on the wire since this was last asked
    {"database": "D", "statements": true} the statements, each with its session, role, warehouse and parameters
    {"database": "D", "wait_for": ["paused", …]}  waits a moment for one of these to happen on the wire; whether it has
    {"database": "D", "sessions": true}   the sessions that are open
    {"database": "D", "end_sessions": true}  ends them, as Snowflake does when a client is gone
    {"database": "D", "keep": true}       keeps what is in a database, all that is committed
    {"database": "D", "bring_back": true} makes the database what it was then; its sessions are ended
"""

from __future__ import annotations

import argparse
import asyncio
import atexit
import contextlib
import gzip
import json
import logging
import os
import shutil
import socket
import sys
import threading
import time
import uuid
import warnings
from typing import Any

import fakesnow.server
import uvicorn
from fakesnow.transforms import SERVER_VERSION
from fakesnow.transforms.stage import LOCAL_BUCKET_PATH
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

import stage_sql
from account import Account, Warehouse
from answer import Chunks, Result, SnowflakeError, rows_on_the_wire
from faults import Faults
from session import Session, Sessions

IN_PROGRESS, IN_PROGRESS_STILL, EXPIRED, GONE, CANCELLED = "333334", "333333", "390112", "390111", "000604"
ABORTED = SnowflakeError(604, "57014", "SQL execution canceled")


class Execution:
    """One statement on its way."""

    def __init__(self, session: Session, request_id: str, sql: str) -> None:
        self.session, self.request_id, self.sql = session, request_id, sql
        self.query_id = str(uuid.uuid4())
        self.aborted = asyncio.Event()
        self.polls = 0
        self.task: asyncio.Task[dict[str, Any]] | None = None


class Stage:
    """All of it."""

    def __init__(self, sync_wait: float) -> None:
        self.sync_wait = sync_wait
        self.faults = Faults()
        self.account = Account()
        self.sessions = self.account.sessions = Sessions()
        self.chunks = Chunks()
        self.by_request: dict[tuple[int, str], Execution] = {}
        self.by_query: dict[str, Execution] = {}
        # Statements that change the catalog run one at a time: DuckDB refuses concurrent changes, Snowflake waits.
        self.catalog = asyncio.Lock()

    # --- what tests ask for ---

    async def control(self, request: Request) -> Response:
        asked = await request.json()
        database = asked.pop("database", None)
        database = database and database.upper()
        if asked.pop("statements", False):
            return JSONResponse(Faults.taken_from(self.faults.statements, database))
        if asked.pop("log", False):
            return JSONResponse(Faults.taken_from(self.faults.log, database))
        if kinds := asked.pop("wait_for", None):
            return JSONResponse(await self.faults.happens(database, kinds))
        if asked.pop("sessions", False):
            return JSONResponse([session.id for session in self.sessions.of_database(database)])
        if asked.pop("end_sessions", False):
            for session in self.sessions.of_database(database):
                await run_in_threadpool(self.sessions.end, session)
            return JSONResponse({})
        if asked.pop("keep", False):
            await run_in_threadpool(self.account.keep, database)
            return JSONResponse({})
        if asked.pop("bring_back", False):
            for session in self.sessions.of_database(database):
                await run_in_threadpool(self.sessions.end, session)
            await run_in_threadpool(self.account.bring_back, database)
            return JSONResponse({})
        try:
            self.faults.set(database, asked)
        except ValueError as error:
            return JSONResponse({"error": str(error)}, status_code=400)
        return JSONResponse(asked)

    # --- sessions ---

    async def login(self, request: Request) -> Response:
        data = (await body_of(request))["data"]
        query = request.query_params
        database = (query.get("databaseName") or "").strip('"').upper() or None
        public = {key: value for key, value in data.items() if key not in ("PASSWORD", "TOKEN", "PASSCODE")}
        self.faults.note(database, "login", data=public, has=sorted(data), query=dict(query))
        if self.faults.take("fail_login", database):
            return Response("Service Unavailable", status_code=503)
        parameters = {key.upper(): as_parameter(value) for key, value in (data.get("SESSION_PARAMETERS") or {}).items()}
        connection = await run_in_threadpool(
            fakesnow.server.shared_fs.connect, database, (query.get("schemaName") or "").strip('"') or None
        )
        session = Session(connection, self.account, self.faults)
        session.parameters = parameters
        session.user = (data.get("LOGIN_NAME") or "STAGE").upper()
        session.role = (query.get("roleName") or "SYSADMIN").upper()
        if warehouse := (query.get("warehouse") or "").upper():
            session.warehouse = warehouse
            self.account.warehouses.setdefault(warehouse, Warehouse())
        self.sessions.add(session)
        keep_alive = parameters.get("CLIENT_SESSION_KEEP_ALIVE", "false") == "true"
        settings = {
            "AUTOCOMMIT": True, "CLIENT_SESSION_KEEP_ALIVE": keep_alive, "TIMEZONE": "Etc/UTC",
            "CLIENT_SESSION_KEEP_ALIVE_HEARTBEAT_FREQUENCY": 3600, "CLIENT_STAGE_ARRAY_BINDING_THRESHOLD": 0,
        }  # fmt: skip
        return success({
            "token": session.token, "masterToken": session.master_token, "sessionId": session.id,
            "validityInSeconds": 3600, "masterValidityInSeconds": 14400, "displayUserName": session.user,
            "serverVersion": SERVER_VERSION, "firstLogin": False,
            "parameters": [{"name": name, "value": value} for name, value in settings.items()],
            "sessionInfo": {"databaseName": session.database or None, "schemaName": connection.schema,
                            "warehouseName": session.warehouse, "roleName": session.role},
        })  # fmt: skip

    async def renew(self, request: Request) -> Response:
        known = self.sessions.by_master_token.get(token_of(request))
        if known and self.faults.take("fail_renew", known.scope):
            known = None
        session = self.sessions.renew(token_of(request)) if known else None
        if not session:
            return failure("390114", "Authentication token has expired. The user must authenticate again.")
        self.faults.note(session.scope, "renew")
        return success({
            "sessionToken": session.token, "validityInSecondsST": 3600, "masterToken": session.master_token,
            "validityInSecondsMT": 14400, "sessionId": session.id,
        })  # fmt: skip

    def session_of(self, request: Request) -> Session | Response:
        """The session that a request belongs to, or why there is none."""
        token = token_of(request)
        session = self.sessions.by_token.get(token)
        if not session:
            return failure(GONE, "Session no longer exists. New login required to access the service.")
        if token in self.sessions.expired:
            return failure(EXPIRED, "Your session has expired. Please login again.")
        return session

    async def heartbeat(self, request: Request) -> Response:
        session = self.session_of(request)
        if isinstance(session, Response):
            return session
        self.faults.note(session.scope, "heartbeat")
        return success(None)

    async def close(self, request: Request) -> Response:
        session = self.session_of(request)
        if isinstance(session, Response):
            return session
        if request.query_params.get("delete") == "true":
            async with session.lock:
                await run_in_threadpool(self.sessions.end, session)
            self.faults.note(session.scope, "close")
        return success(None)

    # --- statements ---

    async def query(self, request: Request) -> Response:
        session = self.session_of(request)
        if isinstance(session, Response):
            return session
        body = await body_of(request)
        sql, scope = body["sqlText"], session.scope
        query, request_id = request.query_params, request.query_params.get("requestId") or str(uuid.uuid4())
        known = self.by_request.get((session.id, request_id))
        if not known:
            self.faults.arrived(scope, stage_sql.LEADING_COMMENTS.sub("", sql, count=1))
        if self.faults.take("hold_before", scope, sql):
            await self.faults.held(scope, sql, "hold_before")
            request.scope["stage_cut"] = "all"
            return Response()
        if self.faults.take("cut_before", scope, sql):
            self.faults.note(scope, "cut_before")
            request.scope["stage_cut"] = "all"
            return Response()
        if refused := await self.refusal(session, sql):
            return refused
        self.faults.note(
            scope, "statement", sql=sql, request_id=request_id, request_guid=query.get("request_guid"),
            retry_count=query.get("retryCount"), retry_reason=query.get("retryReason"), repeated=known is not None,
            sequence_id=body.get("sequenceId"), parameters=body.get("parameters"),
        )  # fmt: skip
        execution = known or self.started(session, request_id, body, base_url(request))
        assert execution.task
        for name in ("fail_after", "truncate_after", "cut_after"):
            if self.faults.take(name, scope, sql):
                answer = await execution.task
                self.faults.note(scope, name, request_id=request_id)
                if name == "fail_after":
                    return Response("Internal Server Error", status_code=500)
                request.scope["stage_cut"] = "half" if name == "truncate_after" else "all"
                return JSONResponse(answer)
        if self.faults.take("gone_after", scope, sql):
            await execution.task
            await run_in_threadpool(self.sessions.end, session)
            request.scope["stage_cut"] = "all"
            return Response()
        if self.faults.take("hold_after", scope, sql):
            await execution.task
            await self.faults.held(scope, sql, "hold_after")
        if polls := self.faults.take("async_polls", scope, sql):
            execution.polls = int(polls)
            return in_progress(execution.query_id, IN_PROGRESS)
        if body.get("asyncExec"):
            return in_progress(execution.query_id, IN_PROGRESS)
        return await self.awaited(execution)

    async def refusal(self, session: Session, sql: str) -> Response | None:
        """What goes wrong before the statement is looked at."""
        scope, take = session.scope, self.faults.take
        if take("gone", scope, sql):
            await run_in_threadpool(self.sessions.end, session)
            return failure(GONE, "Session no longer exists. New login required to access the service.")
        if take("expire", scope, sql):
            self.sessions.expired.add(session.token)
            self.faults.note(scope, "expire")
            return failure(EXPIRED, "Your session has expired. Please login again.")
        if take("html", scope, sql):
            return Response("<html><body>403 Forbidden</body></html>", status_code=403, media_type="text/html")
        if take("fail_before", scope, sql):
            self.faults.note(scope, "fail_before")
            return Response("Service Unavailable", status_code=503)
        if take("throttle", scope, sql):
            self.faults.note(scope, "throttle")
            return Response("Too Many Requests", status_code=429, headers={"Retry-After": "0"})
        return None

    def started(self, session: Session, request_id: str, body: dict[str, Any], url: str) -> Execution:
        execution = Execution(session, request_id, body["sqlText"])
        self.by_request[session.id, request_id] = self.by_query[execution.query_id] = execution
        execution.task = asyncio.create_task(self.executed(execution, body, url))
        return execution

    async def executed(self, execution: Execution, body: dict[str, Any], url: str) -> dict[str, Any]:
        """The answer to a statement; never an exception."""
        session, sql = execution.session, execution.sql
        try:
            await self.held_back(execution)
            parameters = {**session.parameters, **{key: as_parameter(value) for key, value in (body.get("parameters") or {}).items()}}
            self.faults.statements.append({
                "database": session.scope, "session": session.id, "sql": sql, "query_id": execution.query_id,
                "role": session.role, "warehouse": session.warehouse, "query_tag": parameters.get("QUERY_TAG", ""),
            })  # fmt: skip
            work = stage_sql.described if body.get("describeOnly") else stage_sql.run
            arguments = (session, sql) if body.get("describeOnly") else (session, sql, body.get("bindings"))
            async with session.lock:
                text = stage_sql.LEADING_COMMENTS.sub("", sql, count=1)
                await self.locked(execution, text)
                async with self.catalog if stage_sql.COMMITTING.match(text) else contextlib.nullcontext():
                    result = await run_in_threadpool(work, *arguments)
                session.last_used = time.monotonic()
            if execution.aborted.is_set():
                raise ABORTED
            session.keep(execution.query_id, result)
            return self.answer(execution, result, url)
        except SnowflakeError as found:
            error = found
        except Exception as found:  # a gap of the stage: said as an error of the statement, so that nobody retries
            error = SnowflakeError(2, "0A000", f"the stage cannot run this: {type(found).__name__}: {found}")
        if execution.aborted.is_set():
            error = ABORTED
        data = {
            "internalError": False, "errorCode": error.code, "age": 0, "queryId": execution.query_id, "line": error.line,
            "pos": error.position, "type": "COMPILATION", "sqlState": error.state,
        }  # fmt: skip
        return {"data": data, "code": error.code, "message": str(error), "success": False, "headers": None}

    async def locked(self, execution: Execution, text: str) -> None:
        """Waits until no other transaction changes the table that a statement changes, and keeps others from it."""
        session, locks = execution.session, self.account.locks
        found = stage_sql.LOCKING.match(text)
        if not found:
            return
        name, began = session.name(found[1]), time.monotonic()
        longest = float(session.parameters.get("LOCK_TIMEOUT", 43200))
        while (holder := locks.get(name)) not in (None, session):
            idle_abort = float(self.faults.get("idle_abort", session.scope) or 300)
            if not holder.lock.locked() and time.monotonic() - holder.last_used > idle_abort:
                await run_in_threadpool(holder.rollback)
            elif time.monotonic() - began > longest:
                raise SnowflakeError(
                    625, "57014", f"Statement '{execution.query_id}' has locked table '{name.identifier}' in transaction"
                    f" {holder.transaction} and this lock has not yet been released.",
                )  # fmt: skip
            elif execution.aborted.is_set():
                raise ABORTED
            else:
                await asyncio.sleep(0.005)
        if session.in_transaction and not stage_sql.COMMITTING.match(text):
            locks[name] = session

    async def held_back(self, execution: Execution) -> None:
        """Waits as long as a test wants it; an abort ends that."""
        scope, sql = execution.session.scope, execution.sql
        waits = [asyncio.create_task(self.faults.pause(scope, sql))]
        if seconds := self.faults.take("hang", scope, sql):
            waits.append(asyncio.create_task(asyncio.sleep(float(seconds))))
        aborted = asyncio.create_task(execution.aborted.wait())
        await asyncio.wait([asyncio.gather(*waits), aborted], return_when=asyncio.FIRST_COMPLETED)
        for wait in (*waits, aborted):
            wait.cancel()
        if execution.aborted.is_set():
            raise ABORTED

    def answer(self, execution: Execution, result: Result, url: str) -> dict[str, Any]:
        session, get = execution.session, self.faults.get
        if result.upload:
            return {"data": uploaded(result.upload, url), "code": None, "message": None, "success": True}
        if (kind := get("coltype", session.scope, execution.sql)) and result.rowtype:
            result.rowtype[0]["type"] = kind
        chunk = get("chunk", session.scope, execution.sql)
        rows = rows_on_the_wire(result, chunk, bool(get("chunk_json", session.scope, execution.sql)), self.chunks, url)
        unset = get("nullrole", session.scope, execution.sql)
        data = {
            "parameters": [{"name": "TIMEZONE", "value": "Etc/UTC"}], "rowtype": result.rowtype,
            "queryId": execution.query_id, "statementTypeId": result.type_id, "databaseProvider": None,
            "finalDatabaseName": session.database or None, "finalSchemaName": session.connection.schema,
            "finalWarehouseName": None if unset else session.warehouse, "finalRoleName": None if unset else session.role,
            "numberOfBinds": 0, "arrayBindSupported": False, "version": 1, **rows,
        }  # fmt: skip
        return {"data": data, "code": None, "message": None, "success": True}

    async def awaited(self, execution: Execution) -> Response:
        """The answer, or that it is not there yet."""
        assert execution.task
        try:
            return JSONResponse(await asyncio.wait_for(asyncio.shield(execution.task), self.sync_wait))
        except asyncio.TimeoutError:
            return in_progress(execution.query_id, IN_PROGRESS)

    async def result(self, request: Request) -> Response:
        session = self.session_of(request)
        if isinstance(session, Response):
            return session
        execution = self.by_query.get(request.path_params["query_id"])
        if not execution:
            return failure("000709", "Statement not found")
        self.faults.note(session.scope, "poll", query_id=execution.query_id)
        if execution.polls and self.faults.get("expire_on_poll", session.scope) == execution.polls:
            self.faults.take("expire_on_poll", session.scope)
            self.sessions.expired.add(session.token)
            return failure(EXPIRED, "Your session has expired. Please login again.")
        execution.polls = max(0, execution.polls - 1)
        if execution.polls:
            return in_progress(execution.query_id, IN_PROGRESS_STILL)
        return await self.awaited(execution)

    async def abort(self, request: Request) -> Response:
        session = self.session_of(request)
        if isinstance(session, Response):
            return session
        request_id = (await body_of(request)).get("requestId")
        execution = self.by_request.get((session.id, request_id))
        self.faults.note(session.scope, "abort", request_id=request_id)
        if not execution or (execution.task and execution.task.done()):
            return failure("000605", "Identified SQL statement is not currently executing.")
        execution.aborted.set()
        session.connection._duck_conn.interrupt()
        return success(None)

    async def monitoring(self, request: Request) -> Response:
        execution = self.by_query.get(request.path_params["query_id"])
        if not execution or not execution.task:
            return success({"queries": []})
        status = "RUNNING"
        if execution.task.done():
            status = "SUCCESS" if execution.task.result()["success"] else "FAILED_WITH_ERROR"
        return success({"queries": [{"id": execution.query_id, "status": status}]})

    async def chunk(self, request: Request) -> Response:
        self.faults.note(None, "chunk", authorization="authorization" in request.headers)
        body = self.chunks.bodies.get(request.path_params["name"])
        return Response(body, media_type="application/octet-stream") if body is not None else Response(status_code=403)

    def application(self) -> Cutting:
        return Cutting(
            Starlette(
                routes=[
                    Route("/__ctl", self.control, methods=["POST"]),
                    Route("/session/v1/login-request", self.login, methods=["POST"]),
                    Route("/session/token-request", self.renew, methods=["POST"]),
                    Route("/session/heartbeat", self.heartbeat, methods=["POST"]),
                    Route("/session", self.close, methods=["POST"]),
                    Route("/queries/v1/query-request", self.query, methods=["POST"]),
                    Route("/queries/v1/abort-request", self.abort, methods=["POST"]),
                    Route("/queries/{query_id}/result", self.result, methods=["GET"]),
                    Route("/monitoring/queries/{query_id}", self.monitoring, methods=["GET"]),
                    Route("/chunk/{name}", self.chunk, methods=["GET"]),
                    Route("/fs_bucket/{path:path}", fakesnow.server.bucket_upload, methods=["PUT"]),
                ]
            )
        )


async def body_of(request: Request) -> Any:
    body = await request.body()
    if request.headers.get("content-encoding") == "gzip":
        body = gzip.decompress(body)
    return json.loads(body or b"{}")


def token_of(request: Request) -> str:
    """From `Snowflake Token="…"`."""
    return (request.headers.get("authorization") or "").partition('"')[2].rstrip('"')


def base_url(request: Request) -> str:
    return f"{request.url.scheme}://{request.url.netloc}"


def as_parameter(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def success(data: Any) -> JSONResponse:
    return JSONResponse({"data": data, "code": None, "message": None, "success": True})


def failure(code: str, message: str) -> JSONResponse:
    return JSONResponse({"data": None, "code": code, "message": message, "success": False, "headers": None})


def in_progress(query_id: str, code: str) -> JSONResponse:
    data = {"queryId": query_id, "getResultUrl": f"/queries/{query_id}/result", "queryAbortsAfterSecs": 300, "progressDesc": None}
    return JSONResponse({"data": data, "code": code, "message": "Asynchronous execution in progress.", "success": True})


def uploaded(upload: dict[str, Any], url: str) -> dict[str, Any]:
    """Where a client is to PUT its file: at the stage itself, by an address that is signed as in a bucket of Google's."""
    data, expression = upload["data"], upload["expression"]
    path = os.path.join(data["stageInfo"]["location"], os.path.basename(data["src_locations"][0]))
    place = f"{url}/fs_bucket/{os.path.relpath(path, LOCAL_BUCKET_PATH)}"
    location = f"{expression.args['put_stage_name']}/"
    return {**data, "stageInfo": {"locationType": "GCS", "location": location, "creds": {}, "presignedUrl": place}}


class Cutting:
    """Closes connections in the middle of an answer, or before it begins, where a fault asks for that."""

    def __init__(self, application: Any) -> None:
        self.application = application

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def cutting(message: Any) -> None:
            cut = scope.get("stage_cut")
            if cut == "all":
                send.__self__.transport.abort()
            elif cut and message["type"] == "http.response.body":
                body = message.get("body", b"")
                await send({**message, "body": body[: len(body) // 2], "more_body": True})
                send.__self__.transport.close()
            else:
                await send(message)

        await self.application(scope, receive, cutting)


def exit_with_stdin() -> None:
    """Ends the process when whoever started it is gone."""
    while sys.stdin.buffer.read(4096):
        pass
    shutil.rmtree(LOCAL_BUCKET_PATH, ignore_errors=True)
    os._exit(0)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0, help="[a free one]")
    parser.add_argument("--sync-wait", type=float, default=45.0, help="seconds before a client has to poll [45]")
    parser.add_argument("--until-stdin-closes", action="store_true")
    arguments = parser.parse_args()
    atexit.register(shutil.rmtree, LOCAL_BUCKET_PATH, ignore_errors=True)
    if arguments.until_stdin_closes:
        threading.Thread(target=exit_with_stdin, daemon=True).start()
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", arguments.port))
    listener.listen(128)
    print(json.dumps({"port": listener.getsockname()[1]}), flush=True)
    stage = Stage(arguments.sync_wait)
    # What is cut on purpose needs no word about it, nor does what sqlglot leaves out for DuckDB.
    logging.getLogger("sqlglot").setLevel(logging.ERROR)
    warnings.simplefilter("ignore")
    # Timeouts of kept connections must not be met in the middle of a test.
    config = uvicorn.Config(stage.application(), log_level="critical", timeout_keep_alive=600)
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
