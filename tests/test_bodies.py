"""What a body may not be, at every door that takes one (security.md I1, I2); nothing of it is ever stored."""

import json
from typing import Any

import pytest
from doors import MATRIX, every_door, everything, example, prepare
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import UNSET, Struct, UnsetType

from holdfast.errors import Invalid
from holdfast.fields import Draft, Id, described, read_object, text, verbatim

TAKING = [door for door, row in MATRIX["doors"].items() if "body" in row]
BARE = {f"{door.method} {door.path}" for door in every_door() if door.bare}  # where no body at all is an empty one
TEXT_FIELDS = {  # field: (door, longest)
    "username": ("POST /api/v1/user/registration/", 150),
    "email": ("POST /api/v1/user/registration/", 254),
    "location": ("PATCH /api/v1/user/edit/{user_id}/", 200),
    "name": ("PATCH /api/v1/user/edit/contact/{user_id}/", 100),
    "phone": ("PATCH /api/v1/user/edit/contact/{user_id}/", 40),
    "relationship": ("PATCH /api/v1/user/edit/contact/{user_id}/", 50),
}
NO_JSON = {
    "nothing": b"",
    "a word": b"help",
    "half an object": b'{"age": ',
    "two objects": b'{"age": 1}{"age": 2}',
    "NaN": b'{"age": NaN}',
    "Infinity": b'{"age": -Infinity}',
    "a comment": b'{"age": 1} // mine',
    "single quotes": b"{'age': 1}",
    "UTF-16": '{"age": 1}'.encode("utf-16"),
    "UTF-32": '{"age": 1}'.encode("utf-32-le"),
    "a byte order mark": b'\xef\xbb\xbf{"age": 1}',
    "no UTF-8": b'{"location": "\xff\xfe"}',
    "overlong UTF-8": b'{"location": "\xc0\xaf"}',
    "surrogates in UTF-8": b'{"location": "\xed\xa0\x80"}',
    "a bare NUL": b'{"location": "a\x00b"}',
    "a bare line break": b'{"location": "a\nb"}',
    "60,000 brackets": b"[" * 60_000,
    "a nested bomb": b'{"a":' * 9_000 + b"1" + b"}" * 9_000,
    "a number of 5,000 digits": b'{"age": ' + b"1" * 5_000 + b"}",
}
NO_OBJECT = {"a list": b"[]", "a list of one": b'[{"age": 1}]', "null": b"null", "a number": b"7", "a text": b'"age"', "true": b"true"}


def test_each_door_that_takes_a_body_is_in_the_table():
    assert {f"{door.method} {door.path}" for door in every_door() if door.body and not door.forgiving} == set(TAKING)


async def refusals(client: Any, token: str, body: bytes) -> set[tuple[int, bytes]]:
    answers = []
    for door in TAKING:
        if not body and door in BARE:
            continue
        method, path, _ = example(door)
        answers.append(
            await client.request(method, path, content=body, headers={"Authorization": f"Token {token}", "Content-Type": "application/json"})
        )
    return {(answer.status_code, answer.content) for answer in answers}


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_what_is_no_json_object_is_one_400_everywhere_and_stores_nothing(server, client, olive):
    await prepare(server, olive)
    before = await everything(server)
    table = [(NO_JSON, "The request body is not valid JSON."), (NO_OBJECT, "The request body must be a JSON object.")]
    for bodies, sentence in table:
        for title, body in bodies.items():
            expected = {(400, json.dumps({"error": sentence}, separators=(",", ":")).encode())}
            assert await refusals(client, olive.token, body) == expected, title
    twice = b'{"age": 1, "username": "a", "music": 1, "age": 2}'
    assert await refusals(client, olive.token, twice) == {(400, b'{"error":"The request body names a field twice."}')}
    too_deep = (400, b'{"error":"The request body is nested too deeply."}')
    for levels in (31, 32, 200, 800):
        found = await refusals(client, olive.token, b'{"username": ' + b"[" * levels + b"]" * levels + b"}")
        assert found == {too_deep} if levels > 31 else too_deep not in found, levels
    assert await everything(server) == before


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_a_field_name_that_cannot_be_written_down_is_an_unknown_field(client, maya):
    headers = {"Authorization": f"Token {maya.token}", "Content-Type": "application/json"}
    for name in ("\\ud800", "\\u0000", "\\u001b[31m", "a" * 5_000, ""):
        answer = await client.patch("/api/v1/user/edit/me/", content=b'{"age": 1, "%s": 1}' % name.encode(), headers=headers)
        assert (answer.status_code, list(answer.json().values())) == (400, [["Unknown field."]]), name
    assert (await maya.get("/user/me/")).json["age"] is None


async def send(person: Any, field: str, value: Any) -> Any:
    method, path, body = example(TEXT_FIELDS[field][0])
    return await person.client.request(method, path, json=body | {field: value}, headers={"Authorization": f"Token {person.token}"})


def longest(field: str, length: int) -> str:
    if field == "email":
        return f"{'a' * 64}@{'b' * 63}.{'c' * 63}.{'d' * (length - 193)}"
    return ("7" if field == "phone" else "\U00020bb7" if field != "username" else "\U00010400") * length


async def test_each_field_takes_its_maximum_in_characters_and_not_one_more(maya):
    """Of letters that need four bytes in UTF-8, so that nobody counts bytes."""
    for field, (_, maximum) in TEXT_FIELDS.items():
        answer = await send(maya, field, longest(field, maximum))
        assert answer.status_code in (200, 201) or (field == "email" and answer.json() == {"email": ["Must be an e-mail address."]}), (
            field,
            answer.text,
        )
        answer = await send(maya, field, longest(field, maximum + 1))
        assert answer.status_code == 400 and answer.json().keys() == {field}, (field, answer.text)


UNWANTED = {
    "CR LF": "a\r\nBcc: b@example.org",
    "LF": "a\nb",
    "CR": "a\rb",
    "NUL": "a\x00b",
    "ESC": "a\x1b[31mb",
    "DEL": "a\x7fb",
    "C1": "a\x9bb",
    "next line": "a\x85b",
    "line separator": "a\u2028b",
    "paragraph separator": "a\u2029b",
    "right-to-left override": "a\u202eb",
    "isolate": "a\u2066b",
    "arabic mark": "a\u061cb",
}


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_no_text_field_takes_control_line_or_bidi_characters(server, maya):
    before = await everything(server)
    for field in TEXT_FIELDS:
        for title, value in UNWANTED.items():
            answer = await send(maya, field, value)
            assert (answer.status_code, answer.json()) == (400, {field: ["Must not contain control characters."]}), (field, title)
        for surrogate in ("\\ud800", "\\udfff\\ud800"):
            method, path, body = example(TEXT_FIELDS[field][0])
            raw = json.dumps(body | {field: "MARK"}).replace("MARK", surrogate).encode()
            headers = {"Authorization": f"Token {maya.token}", "Content-Type": "application/json"}
            answer = await maya.client.request(method, path, content=raw, headers=headers)
            assert (answer.status_code, answer.json()) == (400, {field: ["Must not contain control characters."]}), field
    assert await everything(server) == before


async def test_text_is_stripped_and_composed_before_it_is_kept(maya):
    answer = await maya.patch("/user/edit/me/", {"location": "  \t Kyiv, cafe\u0301 \r\n"})
    assert answer.json["updated_data"]["location"] == "Kyiv, caf\u00e9"
    answer = await maya.patch("/user/edit/me/", {"location": " " * 300 + "x" * 200 + "\n"})
    assert answer.json["updated_data"]["location"] == "x" * 200


WRONG_TYPES = [1, 1.5, True, [], ["x"], {}, {"x": 1}]


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_no_text_field_takes_another_type(server, maya):
    before = await everything(server)
    for field in TEXT_FIELDS:
        for value in WRONG_TYPES:
            answer = await send(maya, field, value)
            assert answer.status_code == 400 and answer.json().keys() == {field}, (field, value)
    assert await everything(server) == before


unhurried = settings(max_examples=200, deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow])


class Anything(Struct, forbid_unknown_fields=True):
    """One field of each kind that the doors use."""

    line: text(20)  # type: ignore[valid-type]
    secret: verbatim(20, 2)  # type: ignore[valid-type]
    number: Id | None = None
    small: int | UnsetType = UNSET
    truth: bool | None | UnsetType = UNSET


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(exclude_categories=[])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
bodies = st.dictionaries(st.sampled_from([*Anything.__struct_fields__, "unknown", "\ud800"]), json_values)


@unhurried
@given(bodies)
def test_a_draft_takes_what_fits_and_refuses_the_rest_by_name_and_nothing_else(given_body):
    draft = Draft(Anything, given_body)
    try:
        made = draft.finished()
    except Invalid as refusal:
        body = json.loads(json.dumps(refusal.body))
        assert body.keys() <= {*Anything.__struct_fields__, "unknown", "?"}
        assert all(sentences and all(sentence.endswith(".") for sentence in sentences) for sentences in body.values())
    else:
        assert isinstance(made.line, str) and 1 <= len(made.line) <= 20 and made.line == made.line.strip()
        assert type(made.number) in (int, type(None)) and type(made.truth) in (bool, type(None), UnsetType)
        assert {"line", "secret"} <= given_body.keys() <= set(Anything.__struct_fields__)


@unhurried
@given(st.binary(max_size=200) | bodies.map(lambda body: json.dumps(body).encode()))
def test_bytes_are_read_as_an_object_or_refused(raw):
    try:
        assert isinstance(read_object(raw), dict)
    except Invalid as refusal:
        assert set(refusal.body) == {"error"}


@pytest.mark.parametrize(
    ("schema", "sentence"),
    [
        ({"type": "string", "minLength": 1, "maxLength": 4000}, "text of 1 to 4,000 characters"),
        ({"type": "string", "maxLength": 200}, "text of at most 200 characters"),
        ({"type": "integer", "minimum": 0, "maximum": 130}, "a whole number from 0 to 130"),
        ({"anyOf": [{"type": "null"}, {"type": "boolean"}]}, "true or false or null"),
        ({"type": "integer", "description": "a whole number from 0 (none) to 10 (extreme)"}, "a whole number from 0 (none) to 10 (extreme)"),
        ({"type": "array"}, "a list"),
    ],
)
def test_a_schema_is_described_as_a_person_would_say_it(schema, sentence):
    assert described(schema) == sentence
