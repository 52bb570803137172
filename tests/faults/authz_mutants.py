"""Mutation run (security.md A3): each door in turn gets a weaker policy, and the matrix must go red every time.

python tests/faults/authz_mutants.py        also: make authz-mutants
"""

import contextlib
import io
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec import structs

sys.path.insert(0, str(Path(__file__).parent.parent))

from doors import name

from holdfast import edge, http
from holdfast.app import DOORS

WEAKER = {
    "staff": [http.signed_in, http.own_or_staff("Not found"), http.anyone],
    "own_or_staff": [http.signed_in, http.anyone, http.own_or_staff("A sentence of its own")],
    "staff_or_missing": [http.signed_in, http.own_or_staff("Not found"), http.anyone],
    "signed_in": [http.anyone],
    "anyone": [],
}
MATRIX = ["tests/test_authz.py", "-k", "the_authz_matrix and sqlite", "-x", "-q", "-p", "no:randomly", "-p", "no:cacheprovider"]
MATRIX += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]  # the doors have been imported before pytest was


@contextlib.contextmanager
def door_with(place: tuple[int, int], policy: http.Policy) -> Iterator[None]:
    table, at = DOORS[place[0]].table, place[1]
    door = table[at]
    table[at] = structs.replace(door, who=policy)
    try:
        yield
    finally:
        table[at] = door


@contextlib.contextmanager
def without_audit() -> Iterator[None]:
    """Staff reach whom they like and nobody writes it down."""

    async def nothing(*_: object, **__: object) -> None: ...

    record = edge.audit.record
    edge.audit.record = nothing
    try:
        yield
    finally:
        edge.audit.record = record


@contextlib.contextmanager
def authorize_that_lets_pass(relation: str) -> Iterator[None]:
    """The one decision itself, weakened: for strangers, and for ids that nobody has."""
    true = edge.authorize

    def weakened(actor: http.Actor | None, policy: http.Policy, user_id: int | None) -> None:
        stranger = actor is not None and user_id is not None and not actor.is_staff and actor.id != user_id
        if not (stranger if relation == "stranger" else actor is not None and user_id is None):
            true(actor, policy, user_id)

    edge.authorize = weakened
    try:
        yield
    finally:
        edge.authorize = true


def mutants() -> Iterator[tuple[str, contextlib.AbstractContextManager[None]]]:
    for table, doors in enumerate(DOORS):
        for at, door in enumerate(doors.table):
            for policy in WEAKER[door.who.name]:
                yield f"{name(door)}: {door.who.name} -> {policy.name} ({policy.missing})", door_with((table, at), policy)
    yield "audit.record does nothing", without_audit()
    yield "authorize lets strangers pass", authorize_that_lets_pass("stranger")
    yield "authorize lets ids that nobody has pass", authorize_that_lets_pass("missing id")


def is_green() -> bool:
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        code = pytest.main(MATRIX)
    if code not in (0, 1):
        raise SystemExit(f"The matrix test could not run: {code!r}")
    return code == 0


def main() -> None:
    if not is_green():
        raise SystemExit("The matrix is red without any mutant.")
    alive, count = [], 0
    for title, mutant in mutants():
        with mutant:
            survived = is_green()
        count += 1
        alive += [title] * survived
        print("ALIVE " if survived else "killed", title, flush=True)
    print(f"{count - len(alive)} of {count} mutants killed.")
    sys.exit(bool(alive))


if __name__ == "__main__":
    main()
