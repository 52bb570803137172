"""The built-in answer, whole: what the level, the talk, an exercise and the person's own decisions ask for. No I/O."""

from typing import NamedTuple

from msgspec import structs

from holdfast.clock import DAY, HOUR, MINUTE
from holdfast.companion import answers, commands, guided, walking
from holdfast.companion.episode import next_question, with_question
from holdfast.companion.listening import Heard
from holdfast.companion.memory import Consent, Share, State, noted
from holdfast.companion.scope import LEVELS
from holdfast.companion.wording import Wording, wording

WEEK = 7 * DAY
REMINDED = 3 * HOUR  # of active use; companion.md section 6
PAUSE = 30 * MINUTE  # a longer gap ends active use
OFFER_EVERY = 5  # answers, until the person has decided
# Topics whose answer must be true to the letter: no model writes it.
OWN_WORDS = {"human", "ai", "empty", "privacy", "called", "medicine", "professional"}
OPENINGS = 60  # the last ones, remembered: none may come back too often in a talk
ELEVATED = LEVELS.index("elevated")


class Reply(NamedTuple):
    """`model`: a language model may write the body instead, or beside a safe one. `tail`: what every client must see below it. `state`: after it."""

    body: str
    state: State
    tail: tuple[str, ...] = ()
    model: bool = False
    consent: Consent | None = None
    share: Share | None = None
    failed: bool = False  # the check refused what the model wrote, twice

    @property
    def text(self) -> str:
        return "\n\n".join([self.body, *self.tail])


def reply(heard: Heard, *, staff: str = "", model_there: bool = False, ask_consent: bool = False) -> Reply:
    """`staff`: what is true about the people of the service now. `ask_consent`: whether the model still needs the person's yes."""
    heard = heard._replace(about=structs.replace(heard.about, staff=staff))
    if heard.reading.level != "none" and not _is_calm(heard):
        return _safe(heard)
    return _guided(heard, model_there=model_there, ask_consent=ask_consent)


def beside(heard: Heard, name: str) -> Reply:
    """While `name` of the service is in the talk."""
    return Reply(answers.beside(heard.reading, heard.about, name), heard.state)


def finished(heard: Heard, answered: Reply) -> Reply:
    """With what every answer ends with, and counted."""
    words, state = wording(heard.reading.language), noted(answered.state, heard.reading.level, heard.known.now)
    said, state = _disclosed(heard, words, state)
    return answered._replace(tail=(*answered.tail, *said), state=state)


def _is_calm(heard: Heard) -> bool:
    """Nothing new was said, every question was asked: back to what helps. At `elevated` only to an exercise, once the person is safe."""
    at = heard.state.episode
    if heard.alone.level != "none" or next_question(at) or heard.answered or at.check_in:
        return False
    exercise = heard.state.tools.walk is not None or commands.asked_for(heard.text) is not None
    return at.level == "watch" or (at.level == "elevated" and at.safe and exercise)


def _safe(heard: Heard) -> Reply:
    """From `watch` up. A sign of `elevated` or more ends an exercise."""
    state, level = heard.state, heard.reading.level
    question, spoke = next_question(state.episode), LEVELS.index(heard.alone.level) >= ELEVATED
    about = structs.replace(
        heard.about,
        first=level not in state.served,
        question=question,
        reworded=question == "thoughts" and "thoughts" in state.episode.asked,
        answered=None if spoke else heard.answered,
        reply=None if spoke else heard.reply,
        ai_said=state.ai_said,
    )
    text, asked = answers.answer(heard.reading, about), answers.asks(heard.reading, about)
    words = wording(heard.reading.language)
    first = [words.not_human] if "asks_if_ai" in heard.reading.flags and words.not_human not in text else []
    text = "\n".join([*first, *_check_in(heard, words), text])
    tools = state.tools if level == "watch" else structs.replace(state.tools, walk=None)
    state = structs.replace(
        state,
        episode=with_question(state.episode, asked),
        tools=tools,
        served=tuple({*state.served, level}),
        ai_said=state.ai_said or level != "watch",
        offered=None,
    )
    return Reply(text, state, model=level != "imminent")


def _guided(heard: Heard, *, model_there: bool, ask_consent: bool) -> Reply:
    words = wording(heard.reading.language)
    state = heard.state if heard.reading.level != "none" else structs.replace(heard.state, served=(), ai_said=False)
    state = structs.replace(state, episode=with_question(state.episode, None))
    if heard.own and (consent := guided.consent_in(heard.text)):
        said = words.consent_none if not model_there else words.consent_yes if consent == "given" else words.consent_no
        return _with_contact(heard, Reply(said, state, consent=consent))
    if heard.own and heard.known.share is None and state.share_asked and (share := guided.sharing_in(heard.text)):
        return _with_contact(heard, Reply(words.sharing.given if share == "yes" else words.sharing.refused, state, share=share))
    answered = _step(heard, state)
    answered = answered._replace(body="\n".join([*_check_in(heard, words), answered.body]))
    answered = _with_contact(heard, answered)
    return _asked(heard, answered, words, ask=model_there and ask_consent)


def _step(heard: Heard, state: State) -> Reply:
    """An exercise that is under way, or begins."""
    language, now, under_way = heard.reading.language, heard.known.now, state.tools.walk
    if walking.asks_person(heard.text, state.tools):
        person = heard._replace(reading=structs.replace(heard.reading, flags=heard.reading.flags | {"asks_human"}))
        return _topic(person, structs.replace(state, tools=walking.stopped(state.tools)))
    if state.offered and under_way is None and commands.accepts(heard.text):
        text, tools = walking.begin(state.offered, language, state.tools, now)
    else:
        said, tools = walking.walk(heard.text, language, state.tools, now)
        if said is None:
            return _aside(heard, structs.replace(state, tools=tools))
        text = said
    return Reply(text, structs.replace(state, tools=tools, offered=None))


def _aside(heard: Heard, state: State) -> Reply:
    """What has nothing to do with an exercise; one that is under way waits."""
    answered, waits = _topic(heard, state), walking.waiting(heard.reading.language, state.tools)
    return answered._replace(body=f"{answered.body}\n{waits}", model=False) if waits else answered


def _check_in(heard: Heard, words: Wording) -> list[str]:
    """The first talk after an `imminent` episode opens with it."""
    return [words.check_in[heard.state.answers % len(words.check_in)]] if heard.state.episode.check_in else []


def _topic(heard: Heard, state: State) -> Reply:
    turn = state.answers + heard.user_id
    found = guided.guide(heard.text, heard.reading, state.openings, turn, lambda topic: walking.suggested(topic, state.tools))
    reach = answers.contact(wording(heard.reading.language), heard.about, heard.reading)
    state = structs.replace(state, openings=(*state.openings, found.opening)[-OPENINGS:], offered=found.offers)
    own = bool(heard.reading.flags & {"asks_human", "asks_if_ai"}) or found.topic in OWN_WORDS
    told = [heard.about.staff] if found.topic == "human" and heard.about.staff else []
    return Reply("\n".join([answers.filled(found.text, reach), *told]), state, model=not own)


def _with_contact(heard: Heard, answered: Reply) -> Reply:
    """The crisis check misses too much for an answer without a contact (docs/safety.md), so those at `none` carry one as well."""
    words = wording(heard.reading.language)
    line = answers.filled(words.watch.contact, answers.contact(words, heard.about, heard.reading))
    return answered._replace(tail=(line,))


def _asked(heard: Heard, answered: Reply, words: Wording, *, ask: bool) -> Reply:
    """The two questions about what may be done with the person's words: at `none` only, never both at once."""
    state = answered.state
    if ask and heard.known.consent is None and state.answers % OFFER_EVERY == 0:
        return answered._replace(tail=(*answered.tail, words.offer))
    if heard.known.share is None and not state.share_asked and state.answers:
        return answered._replace(tail=(*answered.tail, words.sharing.ask), state=structs.replace(state, share_asked=True))
    return answered


def _disclosed(heard: Heard, words: Wording, state: State) -> tuple[tuple[str, ...], State]:
    """That this is an AI: in the first answer, after a week away, and every three hours of use. At `imminent` the template says it in short."""
    now, before = heard.known.now, heard.state
    away = now - (before.answered_at or 0)
    active = before.active_since if before.active_since and away < PAUSE else now
    state = structs.replace(state, active_since=active)
    if heard.reading.level == "imminent":
        return (), state
    if before.disclosed_at is None or away >= WEEK:
        return (words.disclosure,), structs.replace(state, disclosed_at=now, reminded_at=now)
    if now - max(active, before.reminded_at or 0) >= REMINDED:
        return (words.reminder,), structs.replace(state, reminded_at=now)
    return (), state
