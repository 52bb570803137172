"""The shape of the code (design.md, section 3): imports point down, files and functions stay small, nothing is hidden."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "holdfast"
LAYERS = [  # from the top; a module imports from its own layer's package or from below
    {"__main__", "app", "auditing", "beside", "doctor", "exporter", "findings", "paging", "pulse", "server", "watchdog", "worker"},
    {"web", "staff", "health", "openapi"},
    {"alarms", "support", "companion"},
    {"contacts", "profiles", "music", "delivery", "realtime"},
    {"accounts"},
    {
        "__init__",
        "audit",
        "clock",
        "db",
        "edge",
        "errors",
        "fields",
        "http",
        "limits",
        "log",
        "metrics",
        "migrate",
        "outside",
        "postgres",
        "settings",
        "sqlite",
        "texts",
        "transport",
        "vault",
    },
]
SIDEWAYS = {  # within a layer, domain to domain: each by its service, with a reason
    ("web", "openapi"): "the reference page is the document, shown",
    ("profiles", "contacts"): "a therapist and a track are set through the profile",
    ("profiles", "music"): "a therapist and a track are set through the profile",
    ("companion", "support"): "a hand-over opens the person's chat for staff",
    ("contacts", "profiles"): "an invitation speaks in the name and the language that its sender chose",
    ("contacts", "delivery"): "an invitation is a message; readiness knows which channels work",
    ("contacts", "accounts"): "what an e-mail is, is said once",
}
BANNED = {"helpers", "utils", "util", "core", "common", "manager", "misc", "base"}
LONGEST_FILE, LONGEST_FUNCTION = 300, 30
STATEMENTS = {"one", "all", "value", "row", "run"}


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def title(path: Path) -> str:
    return str(path.relative_to(PACKAGE))


def part(path: Path) -> str:
    """The folder or file directly below holdfast/ that a module belongs to."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def layer(name: str) -> int:
    return next(number for number, names in enumerate(LAYERS) if name in names)


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imports(path: Path) -> Iterator[str]:
    """Every module of ours that is named, also inside functions and under TYPE_CHECKING."""
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "holdfast":
            yield from [node.module] if node.module != "holdfast" else [f"holdfast.{name.name}" for name in node.names]
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names if name.name.startswith("holdfast."))
        assert not (isinstance(node, ast.ImportFrom) and node.level), f"{title(path)} imports relatively"


def test_every_module_has_its_layer():
    known = set().union(*LAYERS)
    assert {part(path) for path in modules()} <= known


def test_imports_only_point_down():
    wrong, present = [], set(PACKAGE.iterdir())
    for path in modules():
        here = part(path)
        for module in imports(path):
            there = next((name for name in module.split(".")[1:2] if {PACKAGE / name, PACKAGE / f"{name}.py"} & present), "__init__")
            sideways = here != there and layer(here) == layer(there) and layer(here) not in (0, len(LAYERS) - 1)
            if layer(there) < layer(here) or (sideways and (here, there) not in SIDEWAYS):
                wrong.append(f"{title(path)} imports {module}")
    assert not wrong, wrong


def test_the_serving_process_never_imports_sqlalchemy_by_itself():
    for path in modules():
        outer = [node for node in parsed(path).body if isinstance(node, ast.Import | ast.ImportFrom)]
        names = {(node.module or "") if isinstance(node, ast.ImportFrom) else node.names[0].name for node in outer}
        heavy = {name for name in names if name.split(".")[0] in {"sqlalchemy", "alembic", "openai", "argon2", "phonenumbers", "email_validator"}}
        assert not heavy, f"{title(path)}: {heavy}"


def size(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return function.end_lineno - function.body[0].lineno + 1


def test_files_and_functions_stay_small():
    wrong = []
    for path in modules():
        lines = path.read_text(encoding="utf-8").count("\n")
        if lines >= LONGEST_FILE:
            wrong.append(f"{title(path)}: {lines} lines")
        functions = [node for node in ast.walk(parsed(path)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
        wrong += [f"{title(path)}: {node.name} has {size(node)} lines" for node in functions if size(node) > LONGEST_FUNCTION]
    assert not wrong, wrong


def test_every_module_says_what_it_is():
    assert [title(path) for path in modules() if not ast.get_docstring(parsed(path))] == []


def test_no_module_is_named_after_nothing():
    assert [title(path) for path in modules() if BANNED & set(re.split(r"[_/.]", title(path)))] == []


def test_only_the_settings_read_the_environment():
    reading = re.compile(r"os\.(environ|getenv|putenv)|from os import .*environ|dotenv")
    assert {title(path) for path in modules() if reading.search(path.read_text(encoding="utf-8"))} == {"settings.py"}


def test_there_is_no_hidden_clock():
    """Time comes from the database or from an argument; monotonic time may measure how long something took."""
    hidden = re.compile(r"\btime\.(time|time_ns|localtime|gmtime)\(|datetime\.(now|utcnow|today)\(|date\.today\(|perf_counter\(\) *\*")
    found = {
        title(path) for path in modules() for line in path.read_text(encoding="utf-8").splitlines() if hidden.search(line) and "perf" not in line
    }
    assert found == {"clock.py", "log.py"}  # a line of the log is stamped by the wall


def test_nothing_prints_and_nothing_is_left_to_do():
    wrong = []
    for path in modules():
        if title(path) in ("__main__.py", "music/synthesiser.py"):  # commands
            continue
        wrong += [
            title(path) for node in ast.walk(parsed(path)) if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("print", "breakpoint")
        ]
        wrong += [title(path) for line in path.read_text(encoding="utf-8").splitlines() if re.search(r"#\s*(TODO|FIXME|XXX|HACK)", line)]
    assert not wrong


BUILT = {  # statements that are put together, of constants alone
    ("accounts/sessions.py", "statement"): "built once for each door, of the door's own constants",
}


def statements(path: Path) -> Iterator[tuple[int, ast.expr]]:
    """What is given to tx.one, all, value, row and run as SQL."""
    for node in ast.walk(parsed(path)):
        is_call = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in STATEMENTS
        if is_call and node.args and ast.unparse(node.func.value) in ("tx", "self._tx", "connection"):
            yield node.lineno, node.args[0]


def constants(path: Path) -> dict[str, ast.AST]:
    """The names that a module gives at its outermost level: values, and functions that put statements together."""
    functions = {node.name: node for node in parsed(path).body if isinstance(node, ast.FunctionDef)}
    return functions | {
        node.targets[0].id: node.value for node in parsed(path).body if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }


def is_plain(value: ast.expr, known: dict[str, ast.AST]) -> bool:
    """A text that nothing from outside can get into: literal, or put together from such constants of the same module."""
    match value:
        case ast.Constant():
            return isinstance(value.value, str)
        case ast.Name():
            return value.id.isupper() and value.id in known and is_plain(known[value.id], known)
        case ast.JoinedStr():
            return all(is_plain(one.value if isinstance(one, ast.FormattedValue) else one, known) for one in value.values)
        case ast.BinOp(op=ast.Add()):
            return is_plain(value.left, known) and is_plain(value.right, known)
        case ast.Attribute():  # another module's constant
            return value.attr.isupper()
        case ast.Call(func=ast.Name(id=name)) if name == "Sql" or name in known:
            return all(is_plain(one, known) for one in [*value.args, *(keyword.value for keyword in value.keywords)])
        case ast.Call(func=ast.Attribute(attr="join", value=ast.Constant()), args=[ast.List(elts=parts)]):
            return all(is_plain(one, known) for one in parts)
        case ast.IfExp():
            return is_plain(value.body, known) and is_plain(value.orelse, known)
    return False


def imported_constants(path: Path) -> set[str]:
    names = [name.asname or name.name for node in parsed(path).body if isinstance(node, ast.ImportFrom) for name in node.names]
    return {name for name in names if name.isupper()}


def test_no_statement_is_put_together_from_what_came_from_outside():
    wrong, seen = [], 0
    for path in modules():
        known, imported = constants(path), imported_constants(path)
        for line, sql in statements(path):
            seen += 1
            text = ast.unparse(sql)
            if not is_plain(sql, known) and text.rpartition(".")[2] not in imported and (title(path), text) not in BUILT:
                wrong.append(f"{title(path)}:{line} {text}")
    assert not wrong, wrong
    assert seen > 40


@pytest.mark.parametrize(
    ("source", "plain"),
    [
        ("'select 1'", True),
        ("A", True),
        ("f'{A} x'", True),
        ("f'{name}'", False),
        ("A + name", False),
        ("'%s' % name", False),
        ("'{}'.format(A)", False),
    ],
)
def test_the_search_for_such_statements_finds_them(source, plain):
    known = {"A": ast.Constant("select 1")}
    assert is_plain(ast.parse(source, mode="eval").body, known) is plain
