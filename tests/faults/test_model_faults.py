"""Every way in which a model can fail, behind a real LiteLLM proxy and a real mitmproxy: the person is always answered, at the right level.

Both stay outside the project's own environment: HOLDFAST_TEST_LITELLM and HOLDFAST_TEST_MITMPROXY name their commands (`litellm`, `mitmdump`).
"""

import asyncio
import contextlib
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx2
import pytest
from conftest import serving
from msgspec import structs

sys.path.append(str(Path(__file__).parent.parent / "companion"))
from provider import GOOD, provider

from holdfast.companion import numbers
from holdfast.companion.detector import read
from holdfast.companion.output_check import reasons_against
from holdfast.outside import model

LITELLM = os.environ.get("HOLDFAST_TEST_LITELLM") or shutil.which("litellm")
MITMDUMP = os.environ.get("HOLDFAST_TEST_MITMPROXY") or shutil.which("mitmdump")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not LITELLM, reason="LiteLLM is not there (HOLDFAST_TEST_LITELLM)"),
    pytest.mark.skipif(not MITMDUMP, reason="mitmproxy is not there (HOLDFAST_TEST_MITMPROXY)"),
]

KEY = "sk-" + secrets.token_hex(16)
START = 180  # seconds that the proxies may take to start
CALM = "I had a long day at work and feel tense"
HEAVY = "I want to die"
IMMINENT = "I am going to hang myself tonight, the rope is ready"
ON_THE_WAY = ["mute", "reset", "500", "429", "401", "no body", "empty", "null", "not a text", "html", "megabyte", "bytes", "redirect"]
AT_THE_MODEL = ["429", "500", "401", "null", "empty", "long", "refusal", "filtered", "reset", "html"]
TEXTS = {
    "a refusal": "I can't help with that.",
    "another language": "Hoy fue un día largo y todo está bien para ti.",
    "a number": "Call 0800 555 1234 now.",
    "a claim": "I have called your family. They are on the way.",
    "a method": "A lethal dose begins at forty pills.",
    "the instructions": "HF-INSTRUCTIONS says that I am calm.",
}


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


@contextlib.contextmanager
def running(command, log, **environment):
    with log.open("wb") as output:
        process = subprocess.Popen(command, env=os.environ | environment, stdout=output, stderr=output)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(5)


async def ready(port, path):
    async with httpx2.AsyncClient(timeout=5) as client:
        for _ in range(START):
            with contextlib.suppress(httpx2.TransportError):
                if (await client.get(f"http://127.0.0.1:{port}{path}")).status_code == 200:
                    return
            await asyncio.sleep(1)
    raise AssertionError("a proxy did not start")


class Road:
    """Holdfast → mitmproxy → LiteLLM → the test's own service. `fault` is what happens on the way."""

    def __init__(self, place, service, url):
        self.place, self.service, self.url = place, service, url

    def fault(self, name):
        (self.place / "fault").write_text(name)

    def requests(self):
        kept = self.place / "requests.jsonl"
        found = [json.loads(line) for line in kept.read_text().splitlines()] if kept.exists() else []
        return [one for one in found if one["path"].endswith("/chat/completions")]


@pytest.fixture(scope="module")
async def road(tmp_path_factory):
    place = tmp_path_factory.mktemp("road")
    async with provider() as service:
        upstream = {"model": "openai/m", "api_key": "none", "api_base": f"{service.address}/v1"}
        config = {
            "model_list": [{"model_name": "m", "litellm_params": upstream}],
            "litellm_settings": {"num_retries": 0},
            "router_settings": {"num_retries": 0, "disable_cooldowns": True},
        }
        (place / "litellm.yaml").write_text(json.dumps(config))  # every JSON is a YAML
        (place / "fault").write_text("none")
        there, here = free_port(), free_port()
        litellm = [LITELLM, "--config", str(place / "litellm.yaml"), "--host", "127.0.0.1", "--port", str(there)]
        mitm = [MITMDUMP, "--mode", f"reverse:http://127.0.0.1:{there}", "--listen-host", "127.0.0.1", "-p", str(here), "-q"]
        mitm += ["-s", str(Path(__file__).parent / "model_faults.py"), "--set", f"confdir={place / 'mitm'}"]
        with (
            running(litellm, place / "litellm.log", LITELLM_LOCAL_MODEL_COST_MAP="True", LITELLM_MASTER_KEY=KEY),
            running(mitm, place / "mitm.log", MODEL_FAULTS=str(place)),
        ):
            await ready(there, "/health/liveliness")
            await ready(here, "/health/liveliness")
            yield Road(place, service, f"http://127.0.0.1:{here}/v1")


@pytest.fixture
def engine():
    """What a model does has nothing to do with the database."""
    return "sqlite"


@pytest.fixture
async def talk(fresh, road, monkeypatch):
    road.fault("none")
    road.service.fault, road.service.text = "none", GOOD
    monkeypatch.setattr(model, "BUDGET", 5.0)
    async with contextlib.AsyncExitStack() as stack:
        yield lambda url=road.url: begin(stack, fresh, url)


async def begin(stack, fresh, url):
    """A server of its own, and what `maya` says to it."""
    settings = structs.replace(fresh.settings, model_url=url, model_name="m", model_key=KEY, model_consent="not_required")
    server = await stack.enter_async_context(serving(settings))
    client = await stack.enter_async_context(httpx2.AsyncClient(base_url=f"http://{server.address}/api/v1", timeout=60))
    signed = {"Authorization": f"Token {fresh.tokens['maya']}"}

    async def say(text):
        answer = await client.post("/chat/me/", json={"text": text}, headers=signed)
        assert answer.status_code == 200
        assert list(answer.json()) == ["response"]
        return answer.json()["response"]

    async def tell(path, body):
        assert (await client.patch(path, json=body, headers=signed)).status_code in (200, 201)

    return say, tell


def holds_a_contact(text):
    return any(one in text for one in numbers.checked())


async def answered_at_every_level(say, road, *, reached=True):
    """The built-in answer at `none`, a contact at `elevated`, and at `imminent` a contact in the first line without a request."""
    before = len(road.requests())
    calm = await say(CALM)
    assert GOOD not in calm
    assert "own words" not in calm
    assert "<" not in calm
    assert not {"language", "empty"} & set(reasons_against(calm, "en", ours=True))
    assert (len(road.requests()) > before) is reached
    assert holds_a_contact(await say(HEAVY))
    before = len(road.requests())
    assert holds_a_contact((await say(IMMINENT)).splitlines()[0])
    assert len(road.requests()) == before


async def test_the_road_is_open(talk, road):
    say, _ = await talk()
    assert (await say(CALM)).startswith(GOOD)
    assert road.service.requests


@pytest.mark.parametrize("fault", ON_THE_WAY)
async def test_a_fault_on_the_way(talk, road, fault):
    say, _ = await talk()
    road.fault(fault)
    await answered_at_every_level(say, road)


@pytest.mark.parametrize("fault", AT_THE_MODEL)
async def test_a_fault_of_the_model(talk, road, fault):
    say, _ = await talk()
    road.service.fault = fault
    await answered_at_every_level(say, road)


@pytest.mark.parametrize("reason", TEXTS)
async def test_a_text_that_must_not_be_sent(talk, road, reason):
    say, _ = await talk()
    road.service.text = TEXTS[reason]
    before = len(road.service.requests)
    await answered_at_every_level(say, road)
    assert len(road.service.requests) - before <= 4  # never more than two for one message


async def test_a_drip_is_given_up_within_the_budget(talk, road):
    say, _ = await talk(f"{road.service.address}/v1")  # LiteLLM would wait for the whole
    road.service.fault = "drip"
    await answered_at_every_level(say, road, reached=False)


async def test_a_late_model(talk, road):
    say, _ = await talk()
    road.service.fault, road.service.slow = "late", 30.0
    began = time.perf_counter()
    await answered_at_every_level(say, road)
    assert time.perf_counter() - began < 25


async def test_a_certificate_that_nobody_trusts(talk, road):
    say, _ = await talk(road.url.replace("http://", "https://"))
    await answered_at_every_level(say, road, reached=False)


async def test_nobody_listens(talk, road):
    say, _ = await talk(f"http://127.0.0.1:{free_port()}/v1")
    await answered_at_every_level(say, road, reached=False)


async def test_imminent_is_answered_at_once_while_the_model_is_mute(talk, road, record_property):
    assert read(IMMINENT).level == "imminent"
    say, _ = await talk()
    await say(CALM)
    road.fault("mute")
    earlier = len(road.requests())
    waiting = asyncio.create_task(say(CALM))
    while (before := len(road.requests())) == earlier:  # noqa: ASYNC110 (it comes by a file of another process)
        await asyncio.sleep(0.05)
    took = []
    for _ in range(40):
        began = time.perf_counter()
        assert holds_a_contact((await say(IMMINENT)).splitlines()[0])
        took.append(time.perf_counter() - began)
    p95 = sorted(took)[int(len(took) * 0.95)]
    record_property("imminent_p95_ms", round(p95 * 1000, 1))
    print(f"imminent while the model is mute: p95 {p95 * 1000:.1f} ms")
    assert len(road.requests()) == before
    assert p95 < 0.25  # the gate is 50 ms on a quiet machine; this one may be busy
    await waiting


async def test_nothing_that_names_the_person_is_in_what_was_recorded(talk, road):
    say, tell = await talk()
    await tell("/user/edit/me/", {"location": "Lisbon"})
    await tell("/user/edit/contact/me/", {"name": "Ivan Petrov", "phone": "+15550100200", "relationship": "brother"})
    before = len(road.requests())
    await say("Ivan from Lisbon called me on +1 555 010 0200 today, I am maya@example.org, user id 4711, at 12 High Street")
    await say("Иван звонил мне вчера, я живу в Лиссабоне")
    await say("My passport is AB123456 and my account DE89 3704 0044 0532 0130 00, and the walk was long")
    sent = json.dumps([one["body"] for one in road.requests()[before:]], ensure_ascii=False).lower()
    assert len(road.requests()) > before
    for secret in ("ivan", "иван", "petrov", "lisbon", "лиссабон", "555", "maya", "example.org", "4711", "high street", "123456", "de89", "3704"):
        assert secret not in sent, secret


async def test_an_imminent_turn_is_in_no_later_request(talk, road):
    say, _ = await talk()
    await say(IMMINENT)
    before = len(road.requests())
    for _ in range(3):
        await say(CALM)
    assert not any("rope" in one["body"] for one in road.requests()[before:])
