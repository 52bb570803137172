"""The contract's edge for bodies: what a field may hold, and every bad field named at once."""

import functools
import json
import re
import unicodedata
from collections.abc import Mapping
from typing import Annotated, Any, Generic, TypeVar

import msgspec
from msgspec import Meta, Struct

from holdfast.errors import Invalid, InvalidFields

B = TypeVar("B", bound=Struct)

# Control characters, line separators (a mail header ends there), lone surrogates, and bidi overrides and isolates: a text must read as what it is.
UNWANTED = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
DEEPEST = 32  # levels of a body
LINES = "\n\t"  # what a text of several lines may hold beside letters

REQUIRED = "This field is required."
UNKNOWN = "Unknown field."
CHARACTERS = "Must not contain control characters."

Id = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]  # what a database can be asked for; whether it exists is another question


def text(maximum: int, minimum: int = 1) -> Any:
    """A line of text, stripped and NFC-normalised before its length in characters is measured."""
    return Annotated[str, Meta(min_length=minimum, max_length=maximum)]


def verbatim(maximum: int, minimum: int) -> Any:
    """Text that is neither stripped nor searched for control characters: passwords. NFC on both sides."""
    return Annotated[str, Meta(min_length=minimum, max_length=maximum, extra_json_schema={"format": "password"})]


def normal(value: str) -> str:
    return unicodedata.normalize("NFC", value)


def storable(value: str) -> bool:
    """Neither database keeps NUL, and a lone surrogate has no bytes."""
    return "\x00" not in value and not any("\ud800" <= character <= "\udfff" for character in value)


class Draft(Generic[B]):
    """A body on its way to being valid: services add their own sentences before it is finished."""

    def __init__(self, shape: type[B], given: Mapping[str, Any]) -> None:
        self._shape = shape
        self.errors: dict[str, list[str]] = {}
        self.values: dict[str, Any] = {}
        self._blank: set[str] = set()
        rules = _rules(shape)
        unknown = given.keys() - rules.keys() if shape.__struct_config__.forbid_unknown_fields else ()
        for name in unknown:
            self.refuse(name, UNKNOWN)
        for name, rule in rules.items():
            self._take(name, rule, given)

    def lacks(self, *names: str) -> bool:
        """Whether one of the fields is absent, null or blank: for the contract's single sentence about all of them."""
        return any(name in self._blank for name in names)

    def refuse(self, name: str, sentence: str) -> None:
        shown = name[:100].encode(errors="replace").decode()  # a name that nobody can write down was still sent
        self.errors.setdefault(shown, []).append(sentence)

    def finished(self) -> B:
        """Raises InvalidFields."""
        if self.errors:
            raise InvalidFields(self.errors)
        return self._shape(**self.values)

    def _take(self, name: str, rule: "_Rule", given: Mapping[str, Any]) -> None:
        if name not in given:
            self._blank.add(name)
            if rule.required:
                self.refuse(name, REQUIRED)
            return
        value, sentence = rule.read(given[name])
        if sentence:
            self.refuse(name, sentence)
        else:
            self.values[name] = value
        if value is None or value == "":
            self._blank.add(name)


class _Rule:
    """One field: its type, and the one sentence that says what it must be."""

    def __init__(self, field: msgspec.structs.FieldInfo) -> None:
        self.required = field.required
        self._holder: Any = msgspec.defstruct("Holder", [("value", field.type)])  # msgspec looks at a Struct once, at a bare type each time
        schema = msgspec.json.schema(field.type)
        self._anything = not schema
        self._sentence = f"Must be {described(schema)}."
        self._verbatim = schema.get("format") == "password"

    def read(self, value: Any) -> tuple[Any, str | None]:
        if self._anything:
            return value, None
        if isinstance(value, str):
            value = normal(value if self._verbatim else value.strip())
            if UNWANTED.search(value) and not (self._verbatim and storable(value)):
                return value, CHARACTERS
        try:
            return msgspec.convert({"value": value}, self._holder).value, None
        except msgspec.ValidationError:
            return value, self._sentence


@functools.cache
def _rules(shape: type[Struct]) -> dict[str, _Rule]:
    return {field.encode_name: _Rule(field) for field in msgspec.structs.fields(shape)}


def described(schema: Mapping[str, Any]) -> str:
    """A JSON Schema as the end of "Must be ...": a `description` in it says it best."""
    if "description" in schema:
        return str(schema["description"])
    if "anyOf" in schema:
        parts = sorted(schema["anyOf"], key=lambda part: part.get("type") == "null")
        return " or ".join(described(part) for part in parts)
    low, high = (schema.get(key) for key in (("minLength", "maxLength") if schema.get("type") == "string" else ("minimum", "maximum")))
    match schema.get("type"):
        case "string" if high:
            return f"text of {f'{low} to ' if low else 'at most '}{high:,} characters"
        case "integer" if high is not None and high < 2**62:
            return f"a whole number from {low:,} to {high:,}"
        case kind:
            return {"string": "text", "integer": "a whole number", "boolean": "true or false", "null": "null", "array": "a list"}.get(
                str(kind), "an object"
            )


def read_object(raw: bytes) -> dict[str, Any]:
    """A JSON object without duplicate keys, NaN or endless nesting. Raises Invalid."""
    try:
        value = _decoder.decode(raw.decode())
    except Invalid:
        raise
    except (ValueError, RecursionError):
        raise Invalid("The request body is not valid JSON.") from None
    if not isinstance(value, dict):
        raise Invalid("The request body must be a JSON object.")
    if raw.count(b"[") + raw.count(b"{") > DEEPEST and _too_deep(value, DEEPEST):
        raise Invalid("The request body is nested too deeply.")
    return value


def _too_deep(value: Any, levels: int) -> bool:
    children = value.values() if isinstance(value, dict) else value
    return isinstance(value, dict | list) and (levels == 0 or any(_too_deep(child, levels - 1) for child in children))


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise Invalid("The request body names a field twice.")
    return found


def _no_constant(_: str) -> None:
    raise ValueError("NaN and Infinity are not JSON")


_decoder = json.JSONDecoder(object_pairs_hook=_without_duplicates, parse_constant=_no_constant)
