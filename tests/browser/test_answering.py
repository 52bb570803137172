"""A helper's telephone: Debian's Chromium opens the link in a letter (product.md, J4), on 320 by 568 points, by keyboard alone."""

import contextlib
import itertools
import shutil
from pathlib import Path

import pytest
from calling import FROM, IVAN, TRIGGER, state, trusts, until
from links import HOSTILE, link
from mailserver import mail_server

from holdfast.texts import LANGUAGES, page

CHROMIUM = shutil.which("chromium")
TELEPHONE = {"width": 320, "height": 568}
WORDS = page("en")["a"]
BUTTONS = ["calling", "coming", "cannot", "stop"]
FINGER = 48  # points that a button is high at least; product.md, section 14

try:
    from playwright.async_api import async_playwright
except ImportError:
    async_playwright = None

pytestmark = [
    pytest.mark.skipif(not CHROMIUM or async_playwright is None, reason="Chromium or Playwright is not there"),
    pytest.mark.parametrize("engine", ["sqlite"]),
]

# Of every text on the page the contrast with what lies under it, as WCAG counts it.
CONTRASTS = """() => {
  const numbers = colour => colour.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map(c => c / 255).map(c => c <= .04045 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [.2126, .7152, .0722][i], 0);
  const ground = element => {
    for (let e = element; e; e = e.parentElement) {
      const colour = numbers(getComputedStyle(e).backgroundColor);
      if (colour.length < 4 || colour[3] > 0) return colour;
    }
  };
  return [...document.querySelectorAll("main *")].filter(e => [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim())).map(e => {
    const [a, b] = [light(numbers(getComputedStyle(e).color)), light(ground(e))].sort((x, y) => y - x);
    return (a + .05) / (b + .05);
  });
}"""


@pytest.fixture
async def post():
    async with mail_server() as post:
        yield post


@pytest.fixture
def settings(post):
    return {"smtp_url": post.url, "mail_from": FROM}


@pytest.fixture
async def open_page(server):
    """Opens a path on a telephone; `asked` is every address that it fetched."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage"])
        async with contextlib.AsyncExitStack() as stack:

            async def opened(path, **how):
                context = await browser.new_context(viewport=TELEPHONE, has_touch=True, is_mobile=True, **how)
                stack.push_async_callback(context.close)
                telephone = await context.new_page()
                telephone.set_default_timeout(30_000)
                asked, ran = [], []
                telephone.on("request", lambda request: asked.append(request.url))
                telephone.on("dialog", lambda dialog: ran.append(dialog.message))
                telephone.on("console", lambda message: ran.append(message.text))
                telephone.on("pageerror", lambda error: ran.append(str(error)))
                answer = await telephone.goto(f"http://{server.address}{path}")
                return telephone, asked, ran, answer

            yield opened
        await browser.close()


async def called(maya, post, *people):
    await trusts(maya, *people)
    await maya.post(TRIGGER)
    await post.arrived(len(people))


def person(name, number):
    return {"name": name, "phone": f"+38050123456{number}", "email": f"x{number}@example.org", "relationship": "friend"}


async def test_a_helper_answers_by_keyboard_and_sees_the_others(open_page, server, client, maya, post):
    await called(maya, post, IVAN, person("Anna", 1))
    await client.post(link(post, "x1@example.org"), data={"answer": "calling"})
    telephone, asked, ran, _ = await open_page(link(post, "ivan@example.org"))
    assert "Anna: is calling" in await telephone.inner_text("main")
    await telephone.keyboard.press("Tab")
    await telephone.keyboard.press("Tab")
    focused = "document.activeElement.value + ' ' + getComputedStyle(document.activeElement).outlineWidth"
    assert await telephone.evaluate(focused) == "coming 4px"
    async with telephone.expect_navigation():
        await telephone.keyboard.press("Enter")
    text = await telephone.inner_text("main")
    assert WORDS["thanks_coming"].format(who="maya") in text and "Anna: is calling" in text
    assert (await state(maya))["helpers"][0]["answer"] == "coming"
    assert {address.split("/")[2] for address in asked} == {server.address}
    assert ran == []


async def test_stop_and_back_by_keyboard_alone(open_page, maya, post):
    await called(maya, post, IVAN)
    telephone, _, _, _ = await open_page(link(post, "ivan@example.org"))
    await telephone.focus("button[value=stop]")
    async with telephone.expect_navigation():
        await telephone.keyboard.press("Enter")
    assert WORDS["stop_question"] in await telephone.inner_text("main")
    await telephone.focus("a")
    async with telephone.expect_navigation():
        await telephone.keyboard.press("Enter")
    assert [await one.get_attribute("value") for one in await telephone.query_selector_all("button")] == BUTTONS


async def test_it_fits_a_small_telephone_and_can_be_read(open_page, client, maya, post, tmp_path: Path):
    await called(maya, post, IVAN, person("Wolfeschlegelsteinhausenbergerdorff", 1))
    await client.post(link(post, "x1@example.org"), data={"answer": "coming"})
    await client.post(link(post, "ivan@example.org"), data={"answer": "calling"})
    for scheme, language in itertools.product(("light", "dark"), LANGUAGES):
        telephone, _, _, _ = await open_page(link(post, "ivan@example.org"), color_scheme=scheme, locale=language)
        assert await telephone.get_attribute("html", "lang") == language
        contrasts = await telephone.evaluate(CONTRASTS)
        assert len(contrasts) > 10 and min(contrasts) >= 4.5, (scheme, contrasts)
        for size in ("100%", "200%"):
            await telephone.evaluate(f"document.documentElement.style.fontSize = '{size}'")
            assert await telephone.evaluate("document.documentElement.scrollWidth <= innerWidth"), (language, size)
            boxes = [await one.bounding_box() for one in await telephone.query_selector_all("button, a")]
            assert all(box["height"] >= FINGER and box["x"] >= 0 and box["x"] + box["width"] <= TELEPHONE["width"] for box in boxes), language
            await telephone.screenshot(path=tmp_path / f"answer-{language}-{scheme}-{size[:3]}.png", full_page=True)
        await telephone.close()


async def test_names_are_shown_and_never_run(open_page, server, client, maya, post):
    await called(maya, post, *(person(name, number) for number, name in enumerate(HOSTILE)))
    for number in range(len(HOSTILE)):
        await client.post(link(post, f"x{number}@example.org"), data={"answer": "cannot"})
    telephone, asked, ran, answer = await open_page(link(post, "x0@example.org"))
    shown = await telephone.inner_text("main")
    assert all(name in shown for name in HOSTILE[1:])
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert await telephone.evaluate("top.x") is None and ran == []
    assert {address.split("/")[2] for address in asked} == {server.address}


async def test_it_works_without_script(open_page, maya, post):
    await called(maya, post, IVAN)
    telephone, _, _, _ = await open_page(link(post, "ivan@example.org"), java_script_enabled=False)
    async with telephone.expect_navigation():
        await telephone.tap("button[value=calling]")
    assert WORDS["thanks_calling"].format(who="maya") in await telephone.inner_text("main")

    async def acknowledged():
        return (await state(maya))["state"] == "acknowledged"

    await until(acknowledged)


async def test_an_invitation_is_accepted_by_keyboard(open_page, maya, post):
    await trusts(maya, IVAN)
    await maya.post("/user/contact/1/invite/")
    await post.arrived(1)
    telephone, _, _, _ = await open_page(link(post, "ivan@example.org", "c"))
    await telephone.keyboard.press("Tab")
    async with telephone.expect_navigation():
        await telephone.keyboard.press("Enter")
    assert page("en")["c"]["accepted"].format(who="maya") in await telephone.inner_text("main")
