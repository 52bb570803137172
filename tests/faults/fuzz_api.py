"""Schemathesis against a real server process, as two people (security.md, section 4).

python tests/faults/fuzz_api.py --max-examples 200     also part of: make faults
"""

import argparse
import asyncio
import contextlib
import os
import re
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parent.parent))

from conftest import populate
from process import server_process

from holdfast.settings import Settings

SEED = 1
STRANGER = "sam"  # knocks at the doors of everybody; the others at their own
CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,response_schema_conformance,"
    "negative_data_rejection,ignored_auth,unsupported_method,missing_required_header"
)


class Outcome(NamedTuple):
    who: str
    code: int
    cases: int
    seconds: float
    report: str


OWN = '[parameters]\n"path.user_id" = "me"\n'  # of generated numbers nearly all are nobody's


def fuzz(address: str, who: str, token: str, examples: int, phases: str, folder: Path) -> Outcome:
    began = time.monotonic()
    (folder / "schemathesis.toml").write_text("" if who == STRANGER else OWN)
    command = [sys.executable, "-m", "schemathesis.cli", "run", f"{address}/openapi.json", "--seed", str(SEED), "--max-examples", str(examples)]
    command += ["--phases", phases, "--checks", CHECKS, "-H", f"Authorization: Token {token}", "--generation-deterministic", "--no-color"]
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder)}
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, env=environment)
    report = (done.stdout + done.stderr).replace(token, "<token>")
    cases = re.search(r"(\d+) generated", report)
    return Outcome(who, done.returncode, int(cases[1]) if cases else 0, time.monotonic() - began, report)


BUG = "create trigger planted before insert on contact when length(new.name) = 100 begin select raise(abort, 'planted'); end"


def run(examples: int, phases: str, people: Sequence[str] = ("maya", STRANGER, "olive"), planted: bool = False) -> list[Outcome]:
    """Maya, sam and olive, who is staff, each knock at every door. `planted`: a contact whose name is as long as it may be cannot be saved."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tokens = asyncio.run(populate(Settings(data_dir=folder))).tokens
        if planted:
            with contextlib.closing(sqlite3.connect(folder / "holdfast.sqlite3")) as connection:
                connection.execute(BUG)
        with server_process(folder) as server:
            outcomes = [fuzz(server.address, who, tokens[who], examples, phases, folder) for who in people]
            assert server.stop() == 0
            bugs = [line for line in server.written.decode().splitlines() if '"event":"bug"' in line]
            assert planted or not bugs, bugs[:3]
    return outcomes


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--max-examples", type=int, default=200)
    options.add_argument("--verbose", action="store_true", help="Print every report, not only those with findings.")
    options.add_argument("--phases", default="examples,coverage,fuzzing,stateful")
    given = options.parse_args()
    outcomes = run(given.max_examples, given.phases)
    for outcome in outcomes:
        if outcome.code or given.verbose:
            print(outcome.report)
        print(f"{outcome.who}: {outcome.cases} cases, exit {outcome.code}, {outcome.seconds:.0f} s")
    sys.exit(any(outcome.code for outcome in outcomes))


if __name__ == "__main__":
    main()
