"""What the documents and lock files promise about themselves."""

import asyncio
import re
import runpy
import subprocess
from pathlib import Path

from holdfast.migrate import migrate
from holdfast.settings import Settings

ROOT = Path(__file__).parent.parent


def test_every_locked_package_has_a_hash_and_no_index_is_named():
    for path in (ROOT / "requirements").glob("*.txt"):
        text = path.read_text()
        assert not re.search(r"^-|https?://|@ ", text, re.MULTILINE), path.name
        for entry in text.replace("\\\n", " ").splitlines():
            assert re.match(r"[a-z0-9._-]+==\S+ .*--hash=sha256:[0-9a-f]{64}", entry), f"{path.name}: {entry[:60]}"


def test_the_tests_run_on_the_versions_that_are_served():
    served, tested = (
        {line.split()[0] for line in (ROOT / f"requirements/{name}.txt").read_text().splitlines() if "==" in line} for name in ("serve", "test")
    )
    assert served <= tested


def readme_lines() -> str:
    """The walk through the contract, block after block."""
    return "\n".join(re.findall(r"```bash\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL))


async def test_the_readme_works_as_printed(tmp_path, serving):
    """In bash with curl, against a server on an empty folder; each line has to answer with what its endpoint promises."""
    await migrate(Settings(data_dir=tmp_path))
    async with serving(Settings(data_dir=tmp_path)) as server:
        script = readme_lines().replace("127.0.0.1:8000", server.address).replace("curl -s ", "curl -s -w '\\n' ")
        bash = await asyncio.create_subprocess_exec("bash", "-eu", "-c", script, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        said = (await bash.communicate())[0].decode()
    assert bash.returncode == 0, said
    for promised in (
        '{"message":"User Created"}',
        '"username":"maya"',
        '"updated_data":{"age":34,"location":"Kyiv"',
        "A new emergency contact has been created.",
        "A new therapist contact has been created.",
        '"name":"Steady rain"',
        "Music track updated successfully",
        '"level":"none"',
        "HTTP/1.1 200 OK",
        '{"scenario":"Full alarm","messages":[{"music_url":',
        '{"result":"cancelled","told":[]}',
        '"state":"open"',
        '"more":false}',
        '{"response":"',
        '"websocket_url":"ws://',
        '{"ticket":"hf_w_',
    ):
        assert promised in said, f"{promised} is not in:\n{said}"
    assert (tmp_path / "rain.mp3").stat().st_size > 500_000


def test_the_readme_names_every_setting_that_it_talks_about_correctly():
    for name in re.findall(r"HOLDFAST_([A-Z_]+[A-Z])", (ROOT / "README.md").read_text()):
        assert name.lower() in Settings.__struct_fields__, name


def test_the_generated_documents_are_fresh():
    """`make docs` makes them."""
    generate = runpy.run_path(str(ROOT / "docs" / "generate.py"))
    for name, make in generate["PAGES"].items():
        assert (ROOT / "docs" / name).read_text() == generate["MADE"] + make(), f"docs/{name} is stale: run make docs"
