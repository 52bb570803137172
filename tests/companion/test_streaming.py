"""A text on its way: nothing is shown before it and what follows it are checked, and a hit takes everything back."""

from holdfast.companion.output_check import reasons_against
from holdfast.companion.streaming import Done, Replace, Sentence, released
from holdfast.outside.model import NoAnswer

GOOD = "The day was long. Put both feet on the floor. Breathe out slowly at 3.30 in the night. What do you see?"
SAFE = "Here is something safe."


async def pieces(text, size=7, fault=None):
    for at in range(0, len(text), size):
        yield text[at : at + size]
    if fault:
        raise fault


async def events(text, size=7, fault=None):
    def against(part, whole):
        return reasons_against(part, "en", whole=whole)

    return [event async for event in released(pieces(text, size, fault), against, lambda: SAFE)]


def shown(found):
    return "".join(event.text for event in found if isinstance(event, Sentence))


async def test_the_sentences_are_the_whole_text_in_order_for_every_cut():
    for size in (1, 2, 7, 1000):
        found = await events(GOOD, size)
        assert shown(found) == GOOD
        assert found[-1] == Done(GOOD, True)


async def test_a_sentence_waits_for_the_one_after_it():
    given: list[str] = []

    async def watched():
        for piece in ["One thing. ", "Another thing. ", "A third thing. ", "The end."]:
            given.append(piece)
            yield piece

    seen = [(event.text, len(given)) async for event in released(watched(), lambda *_: [], lambda: SAFE) if isinstance(event, Sentence)]
    assert seen[:2] == [("One thing. ", 2), ("Another thing. ", 3)]


async def test_no_part_of_a_bad_sentence_is_shown_and_all_is_replaced():
    found = await events(GOOD.replace("What do you see?", "I have called your brother. Rest now."), 5)
    assert "called" not in shown(found)
    assert found[-2:] == [Replace(SAFE), Done(SAFE, False, found[-1].against)]
    assert any(rule.startswith("claim") for rule in found[-1].against)


async def test_a_number_over_the_end_of_a_sentence_is_seen():
    found = await events("It is late now. Call 0800. 555. 1234. Rest a little.", 3)
    assert found[-2] == Replace(SAFE)
    assert "0800" not in shown(found)


async def test_a_model_that_stops_short_is_replaced():
    found = await events(GOOD, 7, NoAnswer("broken off"))
    assert found[-2:] == [Replace(SAFE), Done(SAFE, False, ("broken off",))]


async def test_what_only_the_whole_shows_is_replaced_at_the_end():
    found = await events("and then you breathe " * 12)
    assert [type(event) for event in found] == [Replace, Done]
