"""Sealing: what is moved, changed or read with another key does not open, and the operator's keys can be changed."""

import stat

import pytest
from click.testing import CliRunner

from holdfast import vault as vaults
from holdfast.__main__ import main
from holdfast.db import open_database
from holdfast.settings import Settings, WrongSettings, from_environment
from holdfast.vault import KEY_FILE, Place, Vault, Wrapped

OLD, NEW = "an-old-secret-of-the-operator-that-is-long", "a-new-secret-of-the-operator-that-is-long"
HERE = Place("companion_turn", "text", "a1")


@pytest.fixture
async def db(fresh):
    db = await open_database(fresh.settings)
    yield db
    await db.close()


@pytest.fixture
def vault(tmp_path):
    return Vault(Settings(data_dir=tmp_path))


async def key_of(vault, db, user_id):
    async with db.write() as tx:
        return await vault.key_for(tx, user_id)


async def test_what_is_sealed_opens_in_its_place_and_is_never_sealed_the_same_way_twice(db, vault):
    key = await key_of(vault, db, 1)
    first, second = key.seal(HERE, b"my words"), key.seal(HERE, b"my words")
    assert key.open(HERE, first) == key.open(HERE, second) == b"my words"
    assert first != second and b"words" not in first


async def test_a_sealed_text_does_not_open_for_another_person_row_column_or_table(db, vault):
    mine, theirs = await key_of(vault, db, 1), await key_of(vault, db, 2)
    sealed = mine.seal(HERE, b"my words")
    assert theirs.open(HERE, sealed) is None
    for place in (HERE._replace(uid="a2"), HERE._replace(column="state"), HERE._replace(table="companion_person")):
        assert mine.open(place, sealed) is None


async def test_a_changed_or_cut_text_does_not_open(db, vault):
    key = await key_of(vault, db, 1)
    sealed = key.seal(HERE, b"my words")
    for spoilt in (sealed[:-1] + bytes([sealed[-1] ^ 1]), b"\x02" + sealed[1:], sealed[:20], sealed[:5], b"", b"\x01"):
        assert key.open(HERE, spoilt) is None
    assert key.open(HERE, sealed) == b"my words"


async def test_the_key_of_another_person_cannot_be_put_in_a_row(db, vault):
    await key_of(vault, db, 1)
    async with db.read() as tx:
        row = await tx.one("select wrapped, key_name from data_key where user_id = 1", Wrapped)
    assert vault.key(1, row) is not None
    assert vault.key(2, row) is None
    assert vault.key(1, Wrapped(row.wrapped, "00000000")) is None
    assert vault.key(1, Wrapped(None, None)) is None


async def test_a_person_has_one_key_and_after_it_was_destroyed_another(db, vault):
    key = await key_of(vault, db, 1)
    sealed = key.seal(HERE, b"my words")
    assert (await key_of(vault, db, 1)).open(HERE, sealed) == b"my words"
    async with db.write() as tx:
        await vaults.forget(tx, 1)
    assert (await key_of(vault, db, 1)).open(HERE, sealed) is None


async def test_the_first_key_of_the_operator_wraps_and_all_unwrap(db, tmp_path):
    sealed = (await key_of(Vault(Settings(vault_keys=(OLD,))), db, 1)).seal(HERE, b"my words")
    both = Vault(Settings(vault_keys=(NEW, OLD)))
    assert (await key_of(both, db, 1)).open(HERE, sealed) == b"my words"
    await key_of(both, db, 2)
    only_new = Vault(Settings(vault_keys=(NEW,)))
    assert await key_of(only_new, db, 1) is None
    assert await key_of(only_new, db, 2) is not None


def test_development_keeps_one_key_that_only_its_owner_may_read(tmp_path):
    Vault(Settings(data_dir=tmp_path))
    kept = tmp_path / KEY_FILE
    secret = kept.read_text()
    assert stat.S_IMODE(kept.stat().st_mode) == 0o400
    assert len(secret) == 64
    Vault(Settings(data_dir=tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == [KEY_FILE] and kept.read_text() == secret


def test_a_key_file_of_the_operators_takes_the_place_of_the_folder(tmp_path):
    keys = tmp_path / "credential"
    keys.write_text(f"{NEW}\n\n{OLD}\n")
    settings = from_environment({"HOLDFAST_VAULT_KEY_FILE": str(keys), "HOLDFAST_DATA_DIR": str(tmp_path / "data")}, tmp_path / ".env")
    assert settings.vault_secrets == (NEW, OLD)
    Vault(settings)
    assert not (tmp_path / "data").exists()


PUBLIC = {"HOLDFAST_PUBLIC_URL": "https://help.example.org", "HOLDFAST_TRUSTED_PROXIES": "10.0.0.1"}


@pytest.mark.parametrize(
    ("given", "named"),
    [
        (PUBLIC, "HOLDFAST_VAULT_KEY_FILE"),
        ({"HOLDFAST_VAULT_KEYS": "short"}, "32 characters"),
        ({"HOLDFAST_VAULT_KEYS": f"{OLD},short"}, "32 characters"),
        ({"HOLDFAST_VAULT_KEY_FILE": "/does/not/exist"}, "HOLDFAST_VAULT_KEY_FILE"),
        ({"HOLDFAST_VAULT_KEY_FILE": "/dev/null"}, "32 characters"),
    ],
)
def test_production_without_a_key_and_a_weak_key_do_not_start(given, named, tmp_path):
    with pytest.raises(WrongSettings, match=named):
        from_environment(given, tmp_path / ".env")
    assert from_environment(PUBLIC | {"HOLDFAST_VAULT_KEYS": NEW}, tmp_path / ".env").vault_secrets == (NEW,)


def test_a_command_without_the_key_ends_with_78_and_says_why():
    ended = CliRunner().invoke(main, ["doctor"], env=PUBLIC)
    assert (ended.exit_code, "HOLDFAST_VAULT_KEYS" in ended.output) == (78, True)
