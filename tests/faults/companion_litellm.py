"""The companion in front of a real OpenAI-compatible proxy, LiteLLM with mock answers: `python tests/faults/companion_litellm.py`.

LiteLLM is heavy and stays outside the project's own environment: HOLDFAST_TEST_LITELLM names its command, or it is on PATH.
Without it the run says that it was not run.
"""

import asyncio
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2

ROOT = Path(__file__).parent.parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from conftest import populate, serving  # noqa: E402
from msgspec import structs  # noqa: E402

from holdfast import log  # noqa: E402
from holdfast.companion.wording import wording  # noqa: E402
from holdfast.settings import Settings  # noqa: E402

GOOD = "That sounds like a long day. Press both feet on the floor and breathe out slowly."
CONFIG = f"""
model_list:
  - model_name: good
    litellm_params: {{model: openai/mock, api_key: none, mock_response: "{GOOD}"}}
  - model_name: limited
    litellm_params: {{model: openai/mock, api_key: none, mock_response: "litellm.RateLimitError"}}
  - model_name: broken
    litellm_params: {{model: openai/mock, api_key: none, mock_response: "litellm.InternalServerError"}}
  - model_name: slow
    litellm_params: {{model: openai/mock, api_key: none, mock_response: "{GOOD}", mock_delay: 60}}
litellm_settings: {{num_retries: 0}}
router_settings: {{num_retries: 0, disable_cooldowns: true}}
"""
KEY = "sk-" + secrets.token_hex(32)
START = 120  # seconds that the proxy may take to start
CALM = "I cannot sleep"
IMMINENT = "I have the gun in my hand and I want to die"


@asynccontextmanager
async def proxy(command: str, folder: Path):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    config = folder / "litellm.yaml"
    config.write_text(CONFIG, "utf-8")
    environment = os.environ | {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_MASTER_KEY": KEY}
    with (folder / "litellm.log").open("wb") as output:
        process = subprocess.Popen(  # noqa: ASYNC220 (the operator's own command, started once)
            [command, "--config", str(config), "--host", "127.0.0.1", "--port", str(port)], env=environment, stdout=output, stderr=output
        )
    try:
        await ready(port)
        yield f"http://127.0.0.1:{port}/v1", process
    finally:
        stop(process)


def stop(process: subprocess.Popen[bytes]) -> None:
    """The slow answer is still under way in it: asked first, then ended."""
    process.terminate()
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(5)


async def ready(port: int) -> None:
    async with httpx2.AsyncClient() as client:
        for _ in range(START):
            try:
                if (await client.get(f"http://127.0.0.1:{port}/health/liveliness")).status_code == 200:
                    return
            except httpx2.TransportError:
                pass
            await asyncio.sleep(1)
    raise SystemExit("LiteLLM did not start")


async def say(template, url: str, model: str, text: str) -> tuple[int, str, float]:
    settings = structs.replace(template.settings, model_url=url, model_name=model, model_key=KEY, model_consent="not_required")
    async with serving(settings) as server, httpx2.AsyncClient(timeout=30) as client:
        began = time.perf_counter()
        answer = await client.post(
            f"http://{server.address}/api/v1/chat/me/", json={"text": text}, headers={"Authorization": f"Token {template.tokens['maya']}"}
        )
        return answer.status_code, answer.json().get("response", ""), time.perf_counter() - began


async def main() -> None:
    command = os.environ.get("HOLDFAST_TEST_LITELLM") or shutil.which("litellm")
    if not command:
        print("not run: LiteLLM is not there (HOLDFAST_TEST_LITELLM)")
        return
    log.configure("error")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        template = await populate(Settings(data_dir=folder))
        async with proxy(command, folder) as (url, process):
            asked = requests(folder)
            report("imminent", await say(template, url, "good", IMMINENT), wording("en").not_a_person, within=2)
            if requests(folder) != asked:
                raise SystemExit("FAILED: an imminent message reached the model")
            for model in ("good", "limited", "broken", "slow"):
                report(model, await say(template, url, model, CALM), GOOD if model == "good" else wording("en").topics["sleep"].body)
            if requests(folder) == asked:
                raise SystemExit("FAILED: the proxy's log does not show requests, so the count above proves nothing")
            stop(process)
            report("stopped", await say(template, url, "good", CALM), wording("en").topics["sleep"].body)


def requests(folder: Path) -> int:
    return (folder / "litellm.log").read_text("utf-8", "replace").count("POST /v1/chat/completions")


def report(name: str, answer: tuple[int, str, float], expected: str, within: float = 9) -> None:
    status, text, seconds = answer
    good = status == 200 and expected in text and seconds < within
    print(f"{'ok' if good else 'FAILED'}: {name}: {status} in {seconds:.2f} s")
    if not good:
        raise SystemExit(1)


if __name__ == "__main__":
    asyncio.run(main())
