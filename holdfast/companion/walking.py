"""Walking through an exercise over several messages: a rating, the steps, a rating, and what comes then."""

from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from holdfast.clock import HOUR, MINUTE
from holdfast.companion import commands, exercises
from holdfast.companion.commands import Heard
from holdfast.companion.exercises import Tally
from holdfast.companion.exercises import exercises as catalogued
from holdfast.companion.walking_words import walking_words

SILENCE = 30 * MINUTE  # after which the person is asked whether to go on
FORGOTTEN = 12 * HOUR  # after which nobody means the exercise any more
ASIDES = 5  # messages about something else, after which it is let go
REMARK = 6  # words that go on with a step; a longer sentence is about something else
ANSWER = 40  # words, where the step asks for some
TOLD = 20  # reports of harm that are kept in the person's own words
COMMANDS = frozenset({"on", "again", "slower", "skip", "stop", "other", "keep", "hold", "stuck"})
STEADY = frozenset({"topic_greeting", "topic_thanks", "topic_breathing", "topic_grounding"})  # said in passing, they lead nowhere else

Phase = Literal["rate_before", "steps", "rate_after", "after"]


class Walk(Struct, frozen=True):
    """One exercise under way. `at`: the last message about it. `done`: what was walked through before it in one go.

    `offers`: what a yes begins. `paused`: by a talk about something else, or by the question whether to go on after a silence.
    """

    exercise: str
    step: int = 0
    before: int | None = None
    after: int | None = None
    phase: Phase = "rate_before"
    at: int = 0
    slower: bool = False
    hold: bool = False
    paused: Literal["talk", "silence"] | None = None
    offers: str | None = None
    asides: int = 0
    done: tuple[str, ...] = ()


class Told(Struct, frozen=True):
    """What a person wrote about an exercise that made it worse."""

    tool: str
    words: str
    at: int


class Tools(Struct, frozen=True):
    """What the exercises were to one person; stored as JSON, encrypted. `worse`: how often each was reported."""

    walk: Walk | None = None
    uses: dict[str, Tally] = {}
    worse: dict[str, int] = {}
    told: tuple[Told, ...] = ()


Answer = tuple[str | None, Tools]


def walk(text: str, language: str, tools: Tools, now: int) -> Answer:
    """The answer to a message, as far as it is one to an exercise; None: the text goes on to the topics.

    For texts without a sign of danger, and not while a question about safety waits for its answer.
    """
    under_way = tools.walk
    if under_way is None or now - under_way.at > FORGOTTEN or under_way.exercise not in catalogued():
        wanted = commands.asked_for(text)
        return begin(wanted, language, stopped(tools), now) if wanted else (None, stopped(tools))
    heard, silent = commands.heard(text), now - under_way.at > SILENCE
    path = Path(under_way, tools, language, now)
    if "worse" in heard.kinds:
        return path.worse()
    if heard.kinds & {"asks_human", "asks_if_ai"} or _wants_person(heard, under_way):
        return path.left()
    wanted = commands.asked_for(text, by_name=under_way.phase == "steps" and path.exercise.says)
    if wanted and wanted != under_way.exercise:
        return path.another(wanted)
    if under_way.paused or silent:
        return path.returned(heard)
    return path.onward(heard)


def begin(exercise: str, language: str, tools: Tools, now: int) -> tuple[str, Tools]:
    """Raises KeyError for an exercise that the catalogue does not hold."""
    path = Path(Walk(exercise, at=now), tools, language, now)
    return path.kept(f"{path.introduced()} {path.words.rate}")


def stopped(tools: Tools) -> Tools:
    """Without the exercise that was under way: at the first sign of danger, or when it is forgotten."""
    return replace(tools, walk=None)


def suggested(topic: str, tools: Tools) -> str | None:
    """What to offer for a topic: what helped this person first, and nothing that made it worse as long as there is something else."""
    return next((one.id for one in exercises.for_topic(topic, tools.uses, tools.worse)), None)


def waiting(language: str, tools: Tools) -> str | None:
    """A sentence for the end of the first answer about something else, when an exercise waits for the person."""
    return walking_words(language).waits if tools.walk and tools.walk.asides == 1 else None


def steers(text: str, tools: Tools) -> bool:
    """Whether a short message is nothing but a word or a number for the exercise under way: such a word is no sign of anything."""
    if tools.walk is None:
        return False
    said = commands.heard(text)
    return said.words <= REMARK and (bool(said.kinds & COMMANDS) or said.number is not None)


def asks_person(text: str, tools: Tools) -> bool:
    """Whether "person" is the choice after an exercise: then a person of the service is wanted."""
    return bool(tools.walk and _wants_person(commands.heard(text), tools.walk))


def instead_of(exercise: str, tools: Tools, done: tuple[str, ...] = ()) -> str:
    """The next one for the same feeling, then any; none of those that were walked through in one go with it."""
    feelings = exercises.feelings_of(exercise) or ("panic",)
    found = [one for feeling in feelings for one in exercises.for_feeling(feeling, tools.uses, tools.worse)]
    found += exercises.by_what_helped(list(catalogued().values()), tools.uses, tools.worse)
    found.sort(key=lambda one: tools.worse.get(one.id, 0))
    return next((one.id for one in found if one.id not in (exercise, *done)), found[0].id)


def reported(tools: Tools, tool: str, now: int, words: str | None = None) -> Tools:
    """One more report that this exercise made it worse: it moves down for this person."""
    told = (*tools.told, Told(tool, words, now))[-TOLD:] if words else tools.told
    return replace(tools, worse=tools.worse | {tool: tools.worse.get(tool, 0) + 1}, told=told)


def _wants_person(heard: Heard, under_way: Walk) -> bool:
    """In the middle of an exercise that asks for words, "people" is an answer to it."""
    says = under_way.phase == "steps" and catalogued()[under_way.exercise].says
    return "person" in heard.kinds or ("people" in heard.kinds and not says)


class Path:
    """One message on the way through an exercise: what is said to it, and where the exercise stands then."""

    def __init__(self, under_way: Walk, tools: Tools, language: str, now: int) -> None:
        self.walk, self.tools, self.language, self.now = under_way, tools, language, now
        self.exercise, self.words = catalogued()[under_way.exercise], walking_words(language)
        self.script = self.exercise.script(language)

    def onward(self, heard: Heard) -> Answer:
        if self.walk.phase == "after":
            return self.chosen(heard)
        if "stop" in heard.kinds:
            other = self.other()
            return self.kept(self.words.stopped.format(other=self.named(other)), phase="after", offers=other)
        if "other" in heard.kinds:
            return self.another(self.other())
        if self.is_elsewhere(heard):
            return self.left()
        if "hold" in heard.kinds and self.script.with_hold:
            return self.moved(phase="steps", step=0, hold=True).prompted()
        return self.stepped(heard) if self.walk.phase == "steps" else self.rated(heard)

    def rated(self, heard: Heard) -> Answer:
        """Without a number it goes on all the same: both ratings may be left out."""
        if heard.number is None and "again" in heard.kinds:
            return self.prompted()
        if self.walk.phase == "rate_before":
            return self.moved(phase="steps", step=0, before=heard.number).prompted()
        return self.moved(phase="after", after=heard.number).finished()

    def stepped(self, heard: Heard) -> Answer:
        if "stuck" in heard.kinds or ("no" in heard.kinds and not self.exercise.says):
            return self.kept(self.words.stuck)
        if "slower" in heard.kinds:
            text, tools = self.moved(slower=True).prompted()
            return f"{self.words.slower} {text}", tools
        if "again" in heard.kinds:
            return self.prompted()
        last = self.walk.step + 1 == len(self.exercise.seconds)
        return (self.moved(phase="rate_after") if last else self.moved(step=self.walk.step + 1)).prompted()

    def finished(self) -> Answer:
        before, after = self.walk.before, self.walk.after
        tally = exercises.used(self.tools.uses.get(self.walk.exercise, Tally()), before, after)
        self.tools = replace(self.tools, uses=self.tools.uses | {self.walk.exercise: tally})
        words, other, said = self.words, None, self.words.done
        if before is not None and after is not None:
            said = (words.lower if after < before else words.same if after == before else words.higher).format(before=before, after=after)
            other = self.other() if after > before else None
        choice = words.choose_other.format(other=self.named(other)) if other else words.choose
        return self.kept(f"{said} {choice}\n{exercises.source_line(self.exercise, self.language)}", offers=other)

    def chosen(self, heard: Heard) -> Answer:
        """After the last step, after a stop and after a report of harm."""
        kinds = heard.kinds
        if "other" in kinds or ("yes" in kinds and self.walk.offers):
            return self.another(self.walk.offers or self.other())
        if kinds & {"keep", "on", "again", "yes"}:
            return self.moved(phase="steps", step=0, before=self.walk.after, after=None, offers=None).prompted()
        if kinds & {"stop", "no"}:
            return self.words.ended, stopped(self.tools)
        return None, stopped(self.tools)

    def worse(self) -> Answer:
        self.tools = reported(self.tools, self.walk.exercise, self.now)
        other = self.other()
        return self.kept(self.words.worse.format(other=self.named(other)), phase="after", offers=other)

    def another(self, exercise: str) -> Answer:
        """What was said last about the strength counts for the next one too."""
        strength = self.walk.before if self.walk.after is None else self.walk.after
        phase: Phase = "rate_before" if strength is None else "steps"
        start = Walk(exercise, before=strength, phase=phase, at=self.now, done=(*self.walk.done, self.walk.exercise))
        path = Path(start, self.tools, self.language, self.now)
        return path.kept(f"{path.introduced()} {path.prompt()}")

    def returned(self, heard: Heard) -> Answer:
        """After a silence, or after a talk about something else."""
        if self.walk.phase == "after":
            return None, stopped(self.tools)
        if "on" in heard.kinds:
            return self.asked_whether() if self.walk.paused is None else self.prompted()
        if heard.kinds & {"stop", "other"} or (self.walk.paused == "silence" and "no" not in heard.kinds and not self.is_elsewhere(heard)):
            return self.moved(paused=None).onward(heard)
        if self.walk.paused == "silence" and "no" in heard.kinds:
            return self.words.ended, stopped(self.tools)
        return self.left() if self.walk.paused == "talk" or self.is_elsewhere(heard) else self.asked_whether()

    def asked_whether(self) -> Answer:
        text = self.words.silent.format(name=self.script.name, step=self.walk.step + 1, steps=len(self.exercise.seconds))
        return self.kept(text, paused="silence")

    def left(self) -> Answer:
        """The exercise waits for a while when the talk is about something else."""
        if self.walk.phase == "after" or self.walk.asides == ASIDES:
            return None, stopped(self.tools)
        return None, self.kept("", paused="talk", asides=self.walk.asides + 1)[1]

    def prompted(self) -> Answer:
        return self.kept(self.prompt())

    def prompt(self) -> str:
        """What the person is asked to do now."""
        if self.walk.phase != "steps":
            return self.words.rate if self.walk.phase == "rate_before" else self.words.rate_after
        at, steps = self.walk.step, self.script.with_hold if self.walk.hold else self.script.steps
        time = self.words.time(self.exercise.seconds[at] * (2 if self.walk.slower else 1))
        text = self.words.step.format(step=at + 1, steps=len(steps), time=time, text=steps[at])
        return text if at else f"{text}\n{self.words.hint}"

    def introduced(self) -> str:
        """Name, length and care; that it helped before, when it did; the form with open eyes where a rating comes first."""
        time = self.words.time(sum(self.exercise.seconds))
        parts = [self.words.start.format(name=self.script.name, steps=len(self.exercise.seconds), time=time)]
        averages = self.tools.uses.get(self.walk.exercise, Tally()).averages()
        if averages:
            parts.append(self.words.helped.format(before=averages[0], after=averages[1]))
        return " ".join([*parts, self.script.care, *([self.script.eyes] if self.walk.phase == "rate_before" else [])])

    def other(self) -> str:
        return instead_of(self.walk.exercise, self.tools, self.walk.done)

    def named(self, exercise: str) -> str:
        return catalogued()[exercise].script(self.language).name

    def is_elsewhere(self, heard: Heard) -> bool:
        """A sentence about something else. Short words that fit no class are harmless: the exercise goes on with them."""
        if heard.kinds & COMMANDS or (heard.number is not None and self.walk.phase != "steps"):
            return False
        says = self.walk.phase == "steps" and self.exercise.says
        if heard.asks or heard.words > (ANSWER if says else REMARK):
            return True
        own = {f"topic_{topic}" for topic, feeling in exercises.FEELINGS.items() if feeling in exercises.feelings_of(self.exercise.id)}
        return bool(heard.topics - STEADY - own) and not says

    def moved(self, **changes: object) -> "Path":
        return Path(replace(self.walk, **changes), self.tools, self.language, self.now)

    def kept(self, text: str, **changes: object) -> tuple[str, Tools]:
        under_way = replace(self.walk, **{"at": self.now, "paused": None, "asides": 0, **changes})
        return text, replace(self.tools, walk=under_way)
