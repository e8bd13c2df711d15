#!/usr/bin/env python3
"""Builds the project beside this file twice with dbt and with strata, on the stage, clones it, and shows what differs.

    tests/compatibility/snowflake/compare.py [--dbt DBT] [--strata STRATA] [--work DIRECTORY]

DBT is a dbt-core 1.11 with dbt-snowflake 1.10 [dbt], STRATA [strata], DIRECTORY for what is written [a temporary
one]. In it stay the statements of each tool, step and node. Compared are the statuses of nodes, the contents of tables
and views after each step, and the statements that change something; differences that explained.py knows are counted by
their rule. The exit code is 1 where anything else differs.
"""

from __future__ import annotations

import argparse
import difflib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import urllib.request
import uuid
from collections import Counter
from typing import Any

import explained
import streams

HERE = pathlib.Path(__file__).resolve().parent
CLONE = "clone"
# The second day has other data; what it leaves is cloned.
STEPS = ("day_1", "day_2", CLONE)


class Stage:
    """A stage of our own, and a client for it that knows the little that is needed here."""

    def __init__(self) -> None:
        start = [sys.executable, HERE.parent.parent / "stage" / "start.py", "--until-stdin-closes"]
        self.process = subprocess.Popen(start, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout
        line = self.process.stdout.readline()
        if not line:
            sys.exit("the stage does not start")
        self.port = json.loads(line)["port"]

    def ask(self, path: str, body: dict[str, Any], token: str = "") -> Any:
        headers = {"Content-Type": "application/json", "Authorization": f'Snowflake Token="{token}"'}
        url = f"http://127.0.0.1:{self.port}{path}"
        request = urllib.request.Request(url, data=json.dumps(body).encode(), headers=headers)
        with urllib.request.urlopen(request, timeout=600) as answer:
            return json.load(answer)

    def control(self, database: str, **asked: Any) -> Any:
        return self.ask("/__ctl", {"database": database, **asked})

    def login(self, database: str) -> str:
        """Opens a session, which makes the database; gives its token."""
        path = f"/session/v1/login-request?databaseName={database}&warehouse=compute_wh"
        return self.ask(path, {"data": {"SESSION_PARAMETERS": {}}})["data"]["token"]

    def contents(self, database: str) -> dict[str, list[str]]:
        """The rows of every relation of a database as texts, in an order of their own."""
        self.control(database, chunk_json=True)
        token = self.login(database)

        def rows(sql: str) -> list[list[Any]]:
            answer = self.ask(f"/queries/v1/query-request?requestId={uuid.uuid4()}", {"sqlText": sql}, token)
            if not answer["success"]:
                raise RuntimeError(f"{sql}: {answer['message']}")
            names = [column["name"] for column in answer["data"]["rowtype"]]
            return [names, *answer["data"]["rowset"]]

        found = {}
        for place in (database, f"{database}_archive"):
            for row in rows(f"show objects in database {place}")[1:]:
                if streams.BOOKS.search(row[3]):
                    continue
                name = f'{row[3]}."{row[1]}"'
                names, *lines = rows(f'select * from {place}.{row[3]}."{row[1]}"')
                masked = [
                    [("<set>" if streams_own(name) and value is not None else value) for name, value in zip(names, line)]
                    for line in lines
                ]
                found[name] = [json.dumps(names), *sorted(json.dumps(line) for line in masked)]
        self.control(database)
        self.control(database, statements=True)
        return found


def streams_own(column: str) -> bool:
    """Whether a column holds the moment of the run, or a hash of it."""
    return column.lower() in {"dbt_updated_at", "dbt_valid_from", "dbt_valid_to", "dbt_scd_id", "seen_from", "seen_to"}


class Tool:
    """One of the two, with its copy of the project and its database."""

    def __init__(self, name: str, program: str, work: pathlib.Path, stage: Stage) -> None:
        self.name, self.program, self.stage = name, program, stage
        self.database = f"{name}_shop"
        self.directory = work / name
        shutil.copytree(HERE / "project", self.directory / "project")
        for database in (self.database, f"{self.database}_archive"):
            stage.login(database)

    def run(self, step: str) -> dict[str, Any]:
        """Builds the project, or clones into another schema what was built."""
        project = self.directory / "project"
        environment = {**os.environ, "STAGE_PORT": str(self.stage.port), "STAGE_DATABASE": self.database}
        if step == CLONE:
            shutil.copytree(project / "target", self.directory / "state")
            environment["STAGE_SCHEMA"] = "cloned"
            verb = ["clone", "--state", self.directory / "state", "--vars", "day: 2"]
        else:
            verb = ["build", "--vars", step.replace("_", ": ")]
        command = [self.program, *verb, "--project-dir", project, "--profiles-dir", project]
        with open(self.directory / f"{step}.log", "w") as log:
            subprocess.run(command, env=environment, stdout=log, stderr=log, check=False)
        results = project / "target" / "run_results.json"
        if not results.exists():
            sys.exit(f"{self.name} has built nothing; see {log.name}")
        found = json.loads(results.read_text())["results"]
        results.unlink()
        statements = self.stage.control(self.database, statements=True)
        nodes = streams.by_node(statements, self.database)
        directory = self.directory / step
        directory.mkdir()
        for node, texts in nodes.items():
            (directory / f"{node or 'none'}.sql").write_text("\n".join(texts) + "\n")
        return {
            "statuses": {result["unique_id"]: result["status"] for result in found},
            "statements": nodes,
            "contents": self.stage.contents(self.database),
        }


def differences(what: str, ours: dict[str, Any], theirs: dict[str, Any]) -> int:
    """Prints what differs, name by name; gives the number of names."""
    count = 0
    for name in sorted({*ours, *theirs}):
        left, right = theirs.get(name), ours.get(name)
        if left == right:
            continue
        count += 1
        print(f"== {what} of {name}")
        as_lines = lambda value: value if isinstance(value, list) else ["(nothing)" if value is None else str(value)]
        for line in difflib.unified_diff(as_lines(left), as_lines(right), "dbt", "strata", lineterm="", n=0):
            print(f"   {line}")
    return count


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dbt", default="dbt")
    parser.add_argument("--strata", default="strata")
    parser.add_argument("--work", type=pathlib.Path)
    parser.add_argument("--only", choices=["dbt", "strata"], help="run one of the two, and compare nothing")
    arguments = parser.parse_args()
    work = arguments.work or pathlib.Path(tempfile.mkdtemp())
    programs = {"dbt": arguments.dbt, "strata": arguments.strata}
    stage = Stage()
    built = {}
    for name, program in programs.items():
        if arguments.only in (None, name):
            shutil.rmtree(work / name, ignore_errors=True)
            tool = Tool(name, program, work, stage)
            built[name] = {step: tool.run(step) for step in STEPS}
    print(f"statements and logs are in {work}")
    if arguments.only:
        for step in STEPS:
            failed = {name: status for name, status in built[arguments.only][step]["statuses"].items() if status not in ("success", "pass")}
            print(f"{step}: {len(built[arguments.only][step]['statuses'])} nodes; not successful: {failed}")
        return
    count = total = 0
    rules: Counter[str] = Counter()
    for step in STEPS:
        theirs, ours = built["dbt"][step], built["strata"][step]
        print(f"# {step}")
        count += differences("status", ours["statuses"], theirs["statuses"])
        count += differences("contents", ours["contents"], theirs["contents"])
        changing = [{node: streams.written(texts) for node, texts in one["statements"].items()} for one in (ours, theirs)]
        for node in sorted({*changing[0], *changing[1]}):
            dbts, stratas, names = explained.explained(node, changing[1].get(node, []), changing[0].get(node, []))
            changing[0][node], changing[1][node] = stratas, dbts
            rules.update(names)
        count += differences("statements", *changing)
        total += len(theirs["statuses"])
        asked = [sum(len(texts) for texts in one["statements"].values()) for one in (theirs, ours)]
        print(f"{step}: {len(theirs['statuses'])} nodes; dbt sent {asked[0]} statements, strata {asked[1]}")
    for name, nodes in sorted(rules.items()):
        print(f"explained: {name} ({nodes} nodes)")
    print(f"{count} other differences in {total} nodes")
    sys.exit(1 if count else 0)


if __name__ == "__main__":
    main()
