"""The journeys J3 and J4 of product.md, walked from the press to the day after with a turned clock."""

import re

import pytest
from calling import ANNA, FROM, IVAN, TRIGGER, settled, state, trusts, until
from mailserver import mail_server


@pytest.fixture
async def post():
    async with mail_server() as post:
        yield post


@pytest.fixture
def settings(post):
    return {"smtp_url": post.url, "mail_from": FROM, "on_call": ("olive",)}


def letters_to(post, address: str) -> list[str]:
    return [str(letter.message.get_content()) for letter in post.letters if letter.recipients == [address]]


def path(text: str) -> str:
    found = re.search(r"/a/[0-9A-Za-z]{22}", text)
    assert found, text
    return found[0]


async def test_nobody_answers_then_one_does_and_a_day_later_somebody_asks(server, maya, post):
    """J3: press with a window, nobody answers, news, staff, an answer, silence asked about, all clear, check-in. J4: the link."""
    await maya.patch("/user/preferences/me/", {"chosen_name": "Maria", "language": "de", "check_in_by_email": True})
    await trusts(maya, IVAN, ANNA)

    # 1-4: the window. Nobody is told in it.
    pressed = await maya.post(TRIGGER, {"grace_seconds": 8})
    assert pressed.json["messages"][0]["music_url"].endswith(".mp3")
    assert (await state(maya))["state"] == "grace" and post.tried == 0

    # 5: it passes, and each person is told; the line says only what is true, in Maria's language.
    await server.turn_clock(9)
    await post.arrived(2)
    await settled(maya, "accepted")
    seen = await state(maya)
    assert seen["state"] == "open" and "Ivan" in seen["line"] and "Anna" in seen["line"]
    first = letters_to(post, "ivan@example.org")[0]
    assert "Maria" in first and "maya" not in first

    # 6: nobody answers. A message with news after two minutes, staff after five.
    await server.turn_clock(121)
    await post.arrived(4)
    await settled(maya, "accepted")
    repeat = letters_to(post, "ivan@example.org")[1]
    assert path(repeat) == path(first) and repeat != first
    await server.turn_clock(181)
    await post.arrived(5)
    await settled(maya, "accepted")
    assert len(letters_to(post, "olive@example.org")) == 1

    # J4: Ivan opens the link: seen, and nothing else. Then Anna answers: the others who were told hear it, and the steps stand still.
    page = await maya.client.get(path(first))
    assert page.status_code == 200 and "Maria" in page.text
    assert [helper["seen_at"] is not None for helper in (await state(maya))["helpers"]] == [True, False, False]
    assert (await state(maya))["state"] == "open"
    answered = await maya.client.post(path(letters_to(post, "anna@example.org")[0]), data={"answer": "calling"})
    assert answered.status_code in (200, 303)
    seen = await state(maya)
    assert (seen["state"], seen["next_step_at"]) == ("acknowledged", None)
    assert seen["line"].startswith("Anna")
    await post.arrived(7)
    assert "Anna" in letters_to(post, "ivan@example.org")[2] and "Anna" in letters_to(post, "olive@example.org")[1]
    assert "Anna" in (await maya.client.get(path(first))).text

    # 9: still acknowledged after twenty minutes: Anna is asked, and answers again.
    await server.turn_clock(1201)
    await post.arrived(8)
    assert len(letters_to(post, "anna@example.org")) == 3
    await maya.client.post(path(first.replace(first, letters_to(post, "anna@example.org")[2])), data={"answer": "coming"})
    assert (await state(maya))["helpers"][1]["answer"] == "coming"

    # 8: all clear in one act, to exactly those who were told.
    await post.arrived(10)  # who was told hears that Anna is on the way
    await settled_all(server)
    stopped = await maya.post("/event/1/stop/")
    assert stopped.json == {"result": "all_clear", "told": ["Ivan", "Anna", "olive"]}
    await post.arrived(13)
    assert [len(letters_to(post, f"{name}@example.org")) for name in ("ivan", "anna", "olive")] == [5, 4, 4]
    over = await maya.client.get(path(first))
    assert over.status_code == 200

    # 10: a day later, in daytime.
    await server.turn_clock(40 * 3600)
    await post.arrived(14)
    assert len(letters_to(post, "maya@example.org")) == 1
    assert (await maya.post("/event/1/check-in/", {"distress": 2})).status == 201
    assert (await maya.client.get(path(first))).status_code == 404


async def settled_all(server) -> None:
    async def idle() -> bool:
        async with server.db.read() as tx:
            return not await tx.value("select count(*) from delivery where state in ('pending', 'leased')")

    await until(idle)
