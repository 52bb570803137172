"""The OpenAPI document: valid, complete, and kept by a real server under generated requests."""

import json
import re
import sys
from pathlib import Path

import jsonschema_rs
import pytest
from doors import MATRIX
from schemathesis.specs.openapi.definitions import OPENAPI_31

sys.path.insert(0, str(Path(__file__).parent / "faults"))

import fuzz_api

API = [door for door in MATRIX["doors"] if " /api/" in door and not door.startswith("SOCKET")]
CONTRACT = {  # what api.md documents, word for word
    "POST /api/v1/user/registration/": {201, 400},
    "POST /api/v1/user/login/": {200, 401},
    "GET /api/v1/user/{user_id}/": {200, 404},
    "PATCH /api/v1/user/edit/{user_id}/": {200, 404},
    "PATCH /api/v1/user/edit/contact/{user_id}/": {201, 400},
    "GET /api/v1/user/music/": {200},
    "POST /api/v1/user/music/edit/{user_id}/": {200, 404},
    "GET /api/v1/event/trigger/{user_id}/": {200, 404},
    "POST /api/v1/chat/{user_id}/": {200, 400},
    "GET /api/v1/chat/user/support/{user_id}/": {200, 404},
}


@pytest.fixture
def engine():
    return "sqlite"


@pytest.fixture
async def document(client):
    answer = await client.get("/openapi.json")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    return answer.json()


def operations(document: dict) -> dict[str, dict]:
    return {f"{method.upper()} {path}": operation for path, methods in document["paths"].items() for method, operation in methods.items()}


async def test_the_document_is_valid_openapi(document):
    jsonschema_rs.Draft202012Validator(OPENAPI_31).validate(document)
    assert document["openapi"].startswith("3.1")
    names = set(re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(document)))
    assert names == set(document["components"]["schemas"])
    identities = [operation["operationId"] for operation in operations(document).values()]
    assert len(identities) == len(set(identities))


async def test_it_names_every_door_of_the_api_and_no_other(document):
    assert set(operations(document)) == set(API)
    for door, operation in operations(document).items():
        assert operation["summary"].strip(), door
        assert {one["name"] for one in operation["parameters"] if one["in"] == "path"} == set(re.findall(r"{(\w+)}", door)), door


async def test_it_documents_every_status_of_the_contract_and_of_the_edge(document):
    found = {door: {int(status) for status in operation["responses"]} for door, operation in operations(document).items()}
    for door, statuses in found.items():
        row = MATRIX["doors"][door]
        expected = {row["ok"], 503} | CONTRACT.get(door, set())
        expected |= set() if row["kind"] == "open" else {401}
        expected |= {404} if "missing" in row else set()
        expected |= {400, 413, 415} if "body" in row else set()
        assert expected <= statuses, f"{door}: {expected - statuses} missing"
    assert CONTRACT.keys() <= found.keys()


async def test_it_says_where_a_token_is_needed(document):
    for door, operation in operations(document).items():
        assert operation["security"] == ([] if MATRIX["doors"][door]["kind"] == "open" else [{"token": []}]), door


@pytest.mark.slow
def test_generated_requests_of_three_people_find_nothing():
    outcomes = fuzz_api.run(examples=20, phases="coverage,fuzzing,stateful")
    assert [outcome.report for outcome in outcomes if outcome.code] == []
    assert sum(outcome.cases for outcome in outcomes) > 2_000


@pytest.mark.slow
def test_a_planted_bug_is_found():
    found = fuzz_api.run(examples=5, phases="coverage", people=["maya"], planted=True)
    assert found[0].code == 1 and "Server error" in found[0].report
