"""The chat with Node's `ws`, which nobody here wrote: ws_client.mjs says what it found.

It needs node, and `ws` in HOLDFAST_TEST_NODE_MODULES or in ~/.cache/holdfast-test:
npm install --prefix ~/.cache/holdfast-test ws@8
"""

import asyncio
import os
import shutil
from pathlib import Path

import pytest

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "holdfast-test"
MODULES = Path(os.environ.get("HOLDFAST_TEST_NODE_MODULES") or CACHE)
NODE = shutil.which("node")
SCRIPT = Path(__file__).with_name("ws_client.mjs")


@pytest.mark.skipif(not NODE or not (MODULES / "node_modules" / "ws").is_dir(), reason="Node or its package ws is not there")
async def test_the_chat_with_nodes_ws(server, maya, olive):
    environment = {**os.environ, "HOLDFAST_TEST_NODE_MODULES": str(MODULES)}
    given = (server.address, maya.token, olive.token)
    client = await asyncio.create_subprocess_exec(
        NODE, str(SCRIPT), *given, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    said, _ = await asyncio.wait_for(client.communicate(), 30)
    assert client.returncode == 0, said.decode()
    assert said.decode().count("ok - ") == 9, said.decode()
