"""The first member of staff (security.md P8): made at the command line, never there by itself."""

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import httpx2
import pytest
from conftest import serving

from holdfast.settings import Settings

LONG = "a quiet green harbour"


def holdfast(folder: Path, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """The real command in a process of its own."""
    environment = {"PATH": os.environ["PATH"], "HOLDFAST_DATA_DIR": str(folder)}
    return subprocess.run([sys.executable, "-m", "holdfast", *arguments], input=stdin, capture_output=True, text=True, env=environment, timeout=30)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("staff")
    assert holdfast(folder, "migrate").returncode == 0
    return folder


def people(folder: Path) -> list[tuple[str, int]]:
    with closing(sqlite3.connect(folder / "holdfast.sqlite3")) as connection:
        return connection.execute("select username, is_staff from account order by id").fetchall()


def test_a_fresh_start_has_no_users(tmp_path):
    assert holdfast(tmp_path, "migrate").returncode == 0
    assert people(tmp_path) == []


def test_without_a_database_the_next_step_is_named(tmp_path):
    refused = createadmin(tmp_path, "anna", LONG)
    assert (refused.returncode, refused.stderr) == (1, "database: It is not at the version of this program. Run: holdfast migrate\n")


def createadmin(folder: Path, username: str, password: str, email: str = "anna@example.org") -> subprocess.CompletedProcess[str]:
    return holdfast(folder, "createadmin", "--username", username, "--email", email, "--password-stdin", stdin=password + "\n")


async def test_staff_made_at_the_command_line_can_sign_in_and_act(folder):
    made = createadmin(folder, "anna", LONG)
    assert (made.returncode, made.stderr) == (0, "")
    assert LONG not in made.stdout
    assert ("anna", 1) in people(folder)
    async with serving(Settings(data_dir=folder)) as server, httpx2.AsyncClient(base_url=f"http://{server.address}/api/v1") as client:
        token = (await client.post("/user/login/", json={"username": "anna", "password": LONG})).json()["token"]
        assert token.startswith("hf_o_")
        answer = await client.get("/chat/user/support/me/", headers={"Authorization": f"Token {token}"})
        assert answer.json()["is_admin"] is True


def test_what_is_wrong_with_a_staff_account_is_said_and_nothing_is_made(folder):
    before = people(folder)
    for username, password, email, said in (
        ("olga", "fourteen chars", "o@example.org", "Must be text of 15 to 1,024 characters for staff."),
        ("a b", LONG, "o@example.org", "letters, digits"),
        ("olga", LONG, "nowhere", "Must be an e-mail address."),
        ("olga", "", "o@example.org", "15 to 1,024"),
    ):
        refused = createadmin(folder, username, password, email)
        assert refused.returncode == 1 and said in refused.stderr, refused
        assert "Traceback" not in refused.stderr and (not password or password not in refused.stderr + refused.stdout)
    assert people(folder) == before


def test_a_name_is_taken_once(folder):
    createadmin(folder, "boris", LONG)
    again = createadmin(folder, "BORIS", LONG)
    assert (again.returncode, again.stderr) == (1, "username: A user with that username already exists.\n")
    assert [name for name, _ in people(folder)].count("boris") == 1


async def test_registration_never_makes_staff(server, nobody):
    await nobody.post("/user/registration/", {"username": "petro", "email": "p@example.org", "password": LONG})
    async with server.db.read() as tx:
        assert await tx.value("select count(*) from account where is_staff") == 1  # olive
