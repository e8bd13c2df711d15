#!/usr/bin/env python3
"""Starts the stage: a Snowflake account that is not one, on this machine, for tests and for trying things out.

    tests/stage/start.py [--port PORT] [--sync-wait SECONDS] [--until-stdin-closes]

The first start makes a virtual environment below the target directory (or in --environment DIRECTORY), with the
versions that requirements.txt pins. The stage prints one line of JSON, {"port": …}, once it can be reached.
"""

import fcntl
import os
import pathlib
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
OLDEST_PYTHON = (3, 11)


def environment_directory(arguments: list[str]) -> pathlib.Path:
    """Where the virtual environment is; takes its option out of the arguments."""
    if "--environment" in arguments:
        at = arguments.index("--environment")
        _, directory = arguments.pop(at), arguments.pop(at)
        return pathlib.Path(directory)
    target = os.environ.get("CARGO_TARGET_DIR") or HERE.parent.parent / "target"
    return pathlib.Path(target) / "tmp" / "snowflake_stage"


def install(directory: pathlib.Path) -> pathlib.Path:
    """Makes the environment unless it is there, whole and of these versions; gives its interpreter."""
    requirements = (HERE / "requirements.txt").read_text()
    python = directory / "bin" / "python"
    mark = directory / "installed.txt"
    directory.parent.mkdir(parents=True, exist_ok=True)
    with open(f"{directory}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if mark.exists() and mark.read_text() == requirements:
            return python
        print("making the environment of the stage (once)", file=sys.stderr)
        shutil.rmtree(directory, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", directory], check=True)
        pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "--requirement", HERE / "requirements.txt"], check=True)
        mark.write_text(requirements)
    return python


def main() -> None:
    if sys.version_info < OLDEST_PYTHON:
        wanted = ".".join(map(str, OLDEST_PYTHON))
        sys.exit(f"the stage needs Python {wanted} or newer, and this is {sys.version.split()[0]}")
    arguments = sys.argv[1:]
    if "-h" in arguments or "--help" in arguments:
        sys.exit(__doc__)
    try:
        python = install(environment_directory(arguments))
    except (OSError, subprocess.CalledProcessError) as error:
        sys.exit(f"the environment of the stage cannot be made: {error}")
    os.execv(python, [str(python), str(HERE / "stage.py"), *arguments])


if __name__ == "__main__":
    main()
