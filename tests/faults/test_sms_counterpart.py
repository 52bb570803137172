"""The SMS sender against a service that nobody here wrote: Prism, playing Twilio by Twilio's own OpenAPI document.

Once: `npm install --ignore-scripts @stoplight/prism-cli @twilio/cli-core` in a folder; HOLDFAST_TEST_COUNTERPARTS names the folder.
"""

import asyncio
import contextlib
import json
import os
import subprocess
from pathlib import Path

import httpx2
import pytest
from calling import until
from mailserver import free_port
from msgspec import structs

from holdfast.outside.sending import Message
from holdfast.outside.sms import Sms
from holdfast.settings import Settings

FOLDER = Path(os.environ.get("HOLDFAST_TEST_COUNTERPARTS", "nowhere")) / "node_modules"
PRISM, TWILIO = FOLDER / ".bin/prism", FOLDER / "@twilio/cli-core/src/services/twilio-api/twilio_api_v2010.json"
PLACE = "/2010-04-01/Accounts/{AccountSid}/Messages.json"
ACCOUNT = "AC" + 32 * "1"
MESSAGE = Message("0" * 32, "+380501234567", "Subject", "Марія may need support now. Ref 1042-0", 0)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (PRISM.exists() and TWILIO.exists()), reason="Prism and Twilio's document are not there: HOLDFAST_TEST_COUNTERPARTS"),
]

# Twilio's document lists only the good answer of a message; these stand in its reference on errors.
REFUSALS = {
    "400": ({"code": 21610, "message": "Attempt to send to unsubscribed recipient", "status": 400}, {}),
    "403": ({"code": 20403, "message": "Forbidden", "status": 403}, {}),
    "429": ({"code": 20429, "message": "Too Many Requests", "status": 429}, {"Retry-After": 7}),
    "500": ({"code": 20500, "message": "Internal Server Error", "status": 500}, {}),
}


def with_refusals(folder):
    document = json.loads(TWILIO.read_text())
    document["paths"] = {PLACE: {"post": document["paths"][PLACE]["post"], **_shared(document)}}
    for status, (body, headers) in REFUSALS.items():
        content = {"application/json": {"schema": {"type": "object"}, "examples": {"refused": {"value": body}}}}
        listed = {name: {"schema": {"type": "integer", "enum": [value]}} for name, value in headers.items()}
        document["paths"][PLACE]["post"]["responses"][status] = {"description": "Refused", "content": content, "headers": listed}
    (folder / "twilio.json").write_text(json.dumps(document))
    return folder / "twilio.json"


def _shared(document):
    return {key: value for key, value in document["paths"][PLACE].items() if key in ("parameters", "servers")}


@pytest.fixture(scope="module")
def twilio(tmp_path_factory):
    """Where Prism listens; it refuses every request that Twilio's document does not allow."""
    port = free_port()
    command = [PRISM, "mock", "--errors", "-h", "127.0.0.1", "-p", str(port), with_refusals(tmp_path_factory.mktemp("prism"))]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    yield f"127.0.0.1:{port}{PLACE.replace('{AccountSid}', ACCOUNT)}"
    process.terminate()
    process.wait(10)


@pytest.fixture
async def send(twilio):
    async def there():
        with contextlib.suppress(httpx2.TransportError):
            async with httpx2.AsyncClient() as client:
                return (await client.get("http://" + twilio)).status_code
        return None

    await until(there, 60)
    settings = Settings(sms_from="+15005550006", public_url="https://hf.example")

    async def to(login=f"{ACCOUNT}:secret@", query="", message=MESSAGE):
        return await Sms(structs.replace(settings, sms_url=f"http://{login}{twilio}{query}")).send(message)

    return to


@pytest.fixture
def engine():
    return "sqlite"


async def test_twilios_own_document_allows_what_is_asked_and_its_answer_is_understood(send):
    sent = await send()
    assert (sent.outcome, sent.code, sent.provider_msg_id) == ("accepted", "201", "SM" + 32 * "a")


async def test_the_counterpart_does_check_what_it_is_asked(twilio, send):
    async with httpx2.AsyncClient(auth=(ACCOUNT, "secret")) as client:
        assert (await client.post("http://" + twilio, data={"Body": "to nobody"})).status_code == 400
        callback = {"To": "+380501234567", "From": "+15005550006", "Body": "x", "StatusCallback": "no address at all"}
        assert (await client.post("http://" + twilio, data=callback)).status_code == 400


async def test_a_missing_login_is_our_affair(send):
    sent = await send(login="")
    assert (sent.outcome, sent.code, sent.refused_us) == ("temporary", "401", True)


@pytest.mark.parametrize(
    ("status", "outcome", "code", "refused_us", "retry_after"),
    [
        ("400", "permanent", "21610", False, None),
        ("403", "temporary", "20403", True, None),
        ("429", "temporary", "20429", False, 7.0),
        ("500", "temporary", "20500", False, None),
    ],
)
async def test_its_refusals_are_understood(send, status, outcome, code, refused_us, retry_after):
    sent = await send(query=f"?__code={status}")
    assert (sent.outcome, sent.code, sent.refused_us, sent.retry_after) == (outcome, code, refused_us, retry_after)


async def test_any_answer_that_its_document_allows_is_judged_without_a_fault(send):
    """Prism makes them up: statuses, error codes and ids of every shape."""
    seen = {sent.outcome for sent in await asyncio.gather(*(send(query="?__dynamic=true&__code=201") for _ in range(100)))}
    assert seen <= {"accepted", "temporary", "permanent"} and "temporary" in seen
