"""The page behind the link in an alarm's message (alarm.md, section 9)."""

import contextlib
import sqlite3

import pytest
from calling import ANNA, FROM, IVAN, TRIGGER, count, state, trusts
from links import HOSTILE, link, seen
from mailserver import mail_server

from holdfast.alarms.answering import Other, Standpoint
from holdfast.http import Ask
from holdfast.texts import LANGUAGES, page
from holdfast.web import answering, pages
from holdfast.web.answering import UNKNOWN_KEYS, Strangers

UNKNOWN = "/a/" + "0" * 22
WORDS = page("en")["a"]


@pytest.fixture
async def post():
    async with mail_server() as post:
        yield post


@pytest.fixture
def settings(post):
    return {"smtp_url": post.url, "mail_from": FROM}


@pytest.fixture
async def called(maya, post):
    """Maya has pressed, and Ivan and Anna have their letters."""
    await trusts(maya, IVAN, ANNA)
    await maya.post(TRIGGER)
    await post.arrived(2)
    return link(post, "ivan@example.org"), link(post, "anna@example.org")


def said(key, name="", who="maya"):
    return WORDS[key].format(who=who, name=name)


async def answered(client, path, **form):
    return await client.post(path, data=form)


async def test_opening_says_what_is_wanted_and_changes_nothing_but_that_it_was_seen(server, client, maya, called):
    before = await state(maya)
    first = seen(await client.get(called[0]))
    assert WORDS["needs"][1].format(who="maya") in first.text and said("automatic") in first.text
    assert [one["value"] for one in first.all("button")] == ["calling", "coming", "cannot", "stop"]
    assert all(line in first.text for line in WORDS["say_list"] + WORDS["not_say_list"])
    assert said("others_none") in first.text and said("no_answer") in first.text
    after = await state(maya)
    ivan, anna = after["helpers"]
    assert ivan["seen_at"] and not anna["seen_at"]
    assert (after["state"], ivan["answer"]) == ("open", None) and after["version"] > before["version"]
    await client.get(called[0])
    assert (await state(maya))["helpers"][0]["seen_at"] == ivan["seen_at"]
    assert await count(server, "delivery", "kind = 'alarm'") == await count(server, "delivery")


async def test_a_scanner_that_asks_for_the_head_or_fetches_ahead_has_seen_nothing(client, maya, called):
    assert (await client.head(called[0])).status_code == 405
    for name in ("Purpose", "Sec-Purpose"):
        assert seen(await client.get(called[0], headers={name: "prefetch;prerender"})).all("button") == []
    assert (await state(maya))["helpers"][0]["seen_at"] is None


@pytest.mark.parametrize("answer", ["calling", "coming"])
async def test_an_answer_stops_the_escalation_and_is_shown_to_everybody(client, maya, called, answer):
    for _ in range(2):  # pressed twice is pressed once
        gone = await answered(client, called[0], answer=answer)
        assert (gone.status_code, gone.headers["location"], gone.headers["cache-control"]) == (303, called[0], "no-store")
    mine, others = seen(await client.get(called[0])), seen(await client.get(called[1]))
    assert said(f"thanks_{answer}") in mine.text and said("others_none") in mine.text
    assert said(f"other_{answer}", name="Ivan") in others.text and "thanks" not in others.text
    now = await state(maya)
    assert (now["state"], now["helpers"][0]["answer"]) == ("acknowledged", answer)


async def test_the_last_answer_counts(client, maya, called):
    for answer, expected in (("coming", "acknowledged"), ("cannot", "open"), ("calling", "acknowledged")):
        await answered(client, called[0], answer=answer)
        assert (await state(maya))["state"] == expected
    assert said("thanks_calling") in seen(await client.get(called[0])).text


async def test_stop_is_asked_twice_and_final(server, client, called):
    asked = await answered(client, called[0], answer="stop")
    assert asked.status_code == 200 and said("stop_question") in seen(asked).text
    assert await count(server, "opt_out") == 0
    for _ in range(2):
        assert (await answered(client, called[0], answer="stop", sure="yes")).status_code == 303
    assert await count(server, "opt_out", "destination = 'ivan@example.org'") == 1
    assert await count(server, "opt_out", "destination = 'anna@example.org'") == 0
    after = seen(await client.get(called[0]))
    assert said("stopped") in after.text and "stop" not in [one["value"] for one in after.all("button")]


async def test_after_the_end_it_says_so_for_a_day_and_then_nothing(server, client, maya, called):
    assert (await maya.post("/event/1/stop/", {})).status == 200
    page = seen(await client.get(called[0]))
    assert said("over_all_clear") in page.text and [one["value"] for one in page.all("button")] == ["stop"]
    assert (await answered(client, called[0], answer="calling")).status_code == 303
    assert await count(server, "alarm_helper", "answer is not null") == 0
    await server.turn_clock(23 * 3600)
    assert (await client.get(called[0])).status_code == 200
    await server.turn_clock(2 * 3600)
    unknown = await client.get(UNKNOWN)
    for method in ("GET", "POST"):
        late = await client.request(method, called[0], data={"answer": "calling"} if method == "POST" else None)
        assert (late.status_code, late.content) == (404, unknown.content)


async def test_a_wrong_key_is_told_nothing_in_the_languages_of_the_browser(client, called):
    for path in (UNKNOWN, "/a/x", f"/a/{called[0][3:]}x", f"/a/{called[0][3:].swapcase()}", "/a/%00%0d", "/a/" + "x" * 3000, f"/c/{called[0][3:]}"):
        for method in ("GET", "POST"):
            answer = await client.request(method, path, headers={"Accept-Language": "xx, uk-UA;q=0.8, de;q=0.5"})
            assert answer.status_code == 404, path
            found = seen(answer)
            assert found.all("html")[0]["lang"] == "uk" and found.all("form") == []
            assert page("uk")[path[1]]["not_valid"] in found.text and "maya" not in found.text
    assert seen(await client.get(UNKNOWN)).all("html")[0]["lang"] == "en"


async def test_what_is_no_choice_is_400_and_changes_nothing(client, maya, called):
    for form in ({}, {"answer": ""}, {"answer": "Calling"}, {"answer": "closed"}, {"choice": "accept"}, {"answer": "calling\0"}, {"sure": "yes"}):
        answer = await client.post(called[0], data=form)
        assert answer.status_code == 400, form
        assert len(seen(answer).all("button")) == 4
    twice = await client.post(called[0], content="answer=calling&answer=cannot", headers={"Content-Type": "application/x-www-form-urlencoded"})
    assert twice.status_code == 400
    assert (await client.post(called[0], json={"answer": "calling"})).status_code == 415
    now = await state(maya)
    assert (now["state"], now["helpers"][0]["answer"]) == ("open", None)


async def test_a_form_counts_wherever_it_seems_to_come_from(client, maya, called):
    """No page that is told to refer to nobody says where it is from."""
    for origin, answer in (("null", "calling"), ("https://mail.example", "coming")):
        assert (await client.post(called[0], data={"answer": answer}, headers={"Origin": origin})).status_code == 303
        assert (await state(maya))["helpers"][0]["answer"] == answer


async def test_names_are_text_and_nothing_else(server, client, maya, post):
    people = [
        {"name": name, "phone": f"+38050123456{number}", "email": f"x{number}@example.org", "relationship": "friend"}
        for number, name in enumerate(HOSTILE)
    ]
    await trusts(maya, *people)
    await maya.post(TRIGGER)
    await post.arrived(len(HOSTILE))
    for number in range(len(HOSTILE)):
        await answered(client, link(post, f"x{number}@example.org"), answer="cannot")
    text = seen(await client.get(link(post, "x0@example.org"))).text
    for name in HOSTILE[1:]:
        assert " ".join(said("other_cannot", name=name).split()) in text


@pytest.mark.parametrize("who", HOSTILE)
@pytest.mark.parametrize("engine", ["sqlite"])
def test_who_called_is_text_too(engine, who):
    found = seen(shown(standpoint(who=who)))
    assert " ".join(WORDS["needs"][1].format(who=who).split()) in found.text


async def test_strangers_are_slowed_down_and_helpers_never(server, client, called):
    server.app.state.strangers = Strangers(production=True)
    answers = [await client.get(f"/{'ac'[number % 2]}/{number:022}") for number in range(UNKNOWN_KEYS[0] + 5)]
    assert [answer.status_code for answer in answers] == [404] * UNKNOWN_KEYS[0] + [429] * 5
    assert int(answers[-1].headers["retry-after"]) > 0 and said("busy") in seen(answers[-1]).text.replace(page("en")["c"]["busy"], said("busy"))
    assert (await client.get(called[0])).status_code == 200
    assert (await answered(client, called[0], answer="coming")).status_code == 303


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_a_database_that_cannot_be_written_is_a_page_too(server, client, called, monkeypatch):
    other = sqlite3.connect(server.app.state.settings.data_dir / "holdfast.sqlite3", isolation_level=None)
    with contextlib.closing(other), monkeypatch.context() as patch:
        patch.setattr("holdfast.sqlite.PATIENCE", 0.1)
        other.execute("begin immediate")
        answers = [await client.get(called[0]), await answered(client, called[0], answer="calling")]
        other.execute("rollback")
    for answer in answers:
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert said("busy") in seen(answer).text
    assert (await answered(client, called[0], answer="calling")).status_code == 303


async def test_the_user_sees_the_answer_at_once(client, maya, called):
    await answered(client, called[0], answer="calling")
    assert "Ivan" in (await state(maya))["line"]


def standpoint(**more):
    values = {"who": "Maya", "name": "Ivan", "kind": "contact", "language": None, "state": "open", "close_reason": None}
    values |= {"drill": False, "level": 2, "answer": None, "others": [], "stopped": False} | more
    return Standpoint(alarm_id=1, helper_id=1, **values)


def shown(standpoint):
    ask = Ask({"path": UNKNOWN, "headers": []})
    answer = answering._alarm(ask, standpoint)
    answer.headers.update({"referrer-policy": "no-referrer", "x-content-type-options": "nosniff"})  # as the edge does
    answer.content = answer.body
    return answer


@pytest.mark.parametrize("engine", ["sqlite"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_state_is_said_in_every_language(engine, language):
    others = [Other("Anna", answer) for answer in ("calling", "coming", "cannot")]
    ways = [{"close_reason": reason, "state": "closed"} for reason in ("all_clear", "expired", "cancelled", "superseded")]
    ways += [{"answer": answer, "others": others} for answer in ("calling", "coming", "cannot", None)]
    ways += [{"drill": True}, {"level": 1}, {"level": 3}, {"stopped": True}, {"kind": "staff"}, {"state": "acknowledged"}]
    texts = set()
    for way in ways:
        for drill in (False, True):
            found = seen(shown(standpoint(language=language, **(way | {"drill": drill}))))
            assert found.all("html")[0]["lang"] == language
            assert "{" not in found.text and ("DRILL" in found.text) is drill
            texts.add(found.text)
    assert len(texts) > len(ways)


@pytest.mark.parametrize("engine", ["sqlite"])
@pytest.mark.parametrize(
    ("header", "language"),
    [
        (None, None),
        ("", None),
        ("fr", None),
        ("de-AT", "de"),
        ("fr, es;q=0.5", "es"),
        ("en;q=0.3,ru;q=0.9", "ru"),
        ("uk;q=0, de;q=x, en", "en"),
        ("de;level=1;q=0.5," * 10_000, "de"),
        ("\x00;=;q,,;", None),
    ],
)
def test_the_browsers_language(engine, header, language):
    assert pages.preferred(header) == language
