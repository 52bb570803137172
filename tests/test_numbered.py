"""Named parameters on PostgreSQL: `:name` becomes `$n`, and nothing else is touched."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.db import Sql
from holdfast.postgres import numbered

NAMES = st.from_regex(r"[a-z_][a-z0-9_]{0,8}", fullmatch=True)


@pytest.mark.parametrize(
    ("sql", "text", "names"),
    [
        ("select :a", "select $1", ("a",)),
        ("select :a, :b, :a", "select $1, $2, $1", ("a", "b")),
        ("select :a::text", "select $1::text", ("a",)),
        ("select x::bigint = :x", "select x::bigint = $1", ("x",)),
        ("select holdfast_now() + :life", "select holdfast_now() + $1", ("life",)),
        ("where a=:a and b=:ab", "where a=$1 and b=$2", ("a", "ab")),
        (Sql(sqlite="no", postgres="yes :a"), "yes $1", ("a",)),
        ("select 1", "select 1", ()),
    ],
)
def test_a_statement_is_numbered(sql, text, names):
    assert numbered(sql) == (text, names)


@settings(max_examples=200, deadline=None, derandomize=True, database=None)
@given(st.lists(NAMES, max_size=12))
def test_each_name_has_one_number_and_its_place_in_the_arguments(names):
    text, arguments = numbered("select " + ", ".join(f"t.{name} = :{name}::text" for name in names))
    assert len(arguments) == len(set(names)) and set(arguments) == set(names)
    used = [int(number) for number in re.findall(r"\$(\d+)", text)]
    assert [arguments[number - 1] for number in used] == names
    assert text.count("::text") == len(names)
