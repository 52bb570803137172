"""`holdfast companion read`: lines in, lines out, without a database, settings or a clock."""

import json
import os
import subprocess
import sys

COMMAND = [sys.executable, "-m", "holdfast", "companion", "read"]


def audited(tmp_path, *lines, **settings):
    environment = {"PATH": os.environ["PATH"], **settings}
    text = "".join(f"{line}\n" for line in lines)
    done = subprocess.run(COMMAND, input=text.encode(), capture_output=True, cwd=tmp_path, env=environment)
    return [json.loads(line) for line in done.stdout.splitlines()], done


def talk(*turns):
    return json.dumps({"turns": [{"role": role, "text": text} for role, text in turns]})


def test_each_line_is_answered_in_order_and_with_exactly_these_keys(tmp_path):
    found, done = audited(
        tmp_path,
        json.dumps({"text": "I took all the pills ten minutes ago"}),
        json.dumps({"text": "Добрый вечер"}),
        talk(("user", "rough week"), ("assistant", "It happens that people think of dying then. Do you?"), ("user", "mm")),
    )
    assert [one["level"] for one in found] == ["imminent", "none", "elevated"]
    assert {tuple(one) for one in found} == {("level", "flags", "rule_ids", "language")}
    assert found[0]["flags"] == sorted(found[0]["flags"]) != []
    assert (found[0]["language"], found[1]["language"]) == ("en", "ru")
    assert done.returncode == 0


def test_the_flags_of_a_talk_are_those_of_its_episode(tmp_path):
    found, _ = audited(tmp_path, talk(("user", "My brother wants to kill himself"), ("assistant", "Does he have a plan?"), ("user", "yes")))
    assert found[0]["level"] == "imminent" and "third_person" in found[0]["flags"]


def test_a_line_that_cannot_be_read_is_named_and_the_rest_goes_on(tmp_path):
    found, done = audited(tmp_path, "nonsense", '{"text": 1}', "{}", '{"text": "a", "turns": []}', talk(("robot", "hi")), '{"text": "hi"}')
    assert [sorted(one) for one in found[:5]] == [["error"]] * 5
    assert found[5]["level"] == "none"
    assert [f"Line {number}:" in done.stderr.decode() for number in range(1, 7)] == [True] * 5 + [False]
    assert done.returncode == 1


def test_what_a_server_needs_is_not_needed(tmp_path):
    found, done = audited(tmp_path, '{"text": "hello"}', HOLDFAST_ENVIRONMENT="production", HOLDFAST_DATABASE_URL="nowhere://")
    assert (len(found), done.returncode, list(tmp_path.iterdir())) == (1, 0, [])


def test_an_answer_is_written_before_the_next_line_is_there(tmp_path):
    process = subprocess.Popen(COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=tmp_path, env={"PATH": os.environ["PATH"]})
    with process:
        for text in ("hello", "I want to die"):
            process.stdin.write(json.dumps({"text": text}).encode() + b"\n")
            process.stdin.flush()
            assert "level" in json.loads(process.stdout.readline())
        process.stdin.close()
        assert process.wait() == 0
