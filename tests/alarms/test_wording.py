"""Every text in every language: complete, short enough, calm, and the right one for its moment."""

import re
from string import Formatter

import pytest
from conftest import Server
from msgspec import structs

from holdfast.alarms import wording
from holdfast.alarms.wording import LANGUAGES, Values, Wording
from holdfast.delivery.links import LENGTH
from holdfast.delivery.schemas import LINK, PRIORITY
from holdfast.texts import flat, read, sentences
from holdfast.texts.messages import LONGEST_LINK, cases, key_of, templates
from holdfast.texts.segments import measured

LATIN, LATIN_TOO = "Maximiliana-Josephin", "Wolfeschlegelsteinha"
CYRILLIC, CYRILLIC_TOO = "Олександра-Володимир", "Всеволод-Святославич"
GREEK_AND_FACE = "Μαρία 😀😀😀😀😀😀😀"
CODEWORD = "Kastanienbaumschaukel"[:20]

# What a text to somebody else must never hold: product.md section 12, companion.md section 5. A star stands for the rest of a word.
NEVER = {
    "en": """just only simply must immediately urgent* cris* suicid* trauma* panic* diagnos* disorder* attack* police ambulance fault blame* false
        sorry promise* location* burden worse committed failed ptsd holdfast sos gps""",
    "uk": """лише тільки просто негайно терміново криз* самогуб* суїцид* травм* панік* діагноз* розлад* птср поліці* швидк* вина винен винна хибн*
        вибач* обіця* місцезнаход* тягар* мусите повинні ptsd holdfast""",
    "ru": """лишь только просто немедленно срочно кризис* самоубий* суицид* травм* паник* диагноз* расстройств* птср полици* скор* вина виноват* ложн*
        извини* простите обеща* местоположен* обуз* должны ptsd holdfast""",
    "es": """solo sólo solamente simplemente inmediatamente urgente* crisis suicid* trauma* pánico diagnóstic* trastorno* tept policía ambulancia
        culpa* falsa perdón promet* ubicación carga debe ptsd holdfast""",
    "de": """nur bloß einfach sofort dringend* krise* suizid* selbstm* trauma* panik* diagnos* störung* ptbs polizei* krankenwagen schuld* fehlalarm
        entschuld* versprich* standort last müssen muss ptsd holdfast""",
}
# Nobody's gender is stored: no pronoun stands for a person, and no verb or adjective near a name shows one.
GENDERED = {
    "en": r"\b(he|she|his|her|him|hers)\b",
    "uk": r"\b(він|вона|йому|їй)\b|\{(?:who|helper|name)\}[^.?]{0,25}\b\w+(?:ла|лася|вся|ав|ив|ів|готовий|готова|сама?)\b",
    "ru": r"\b(он|она|ему|ей)\b|\{(?:who|helper|name)\}[^.?]{0,25}\b\w+(?:ла|лась|лся|ал|ил|ел|готов|готова|сама?)\b",
    "es": r"\b(él|ella|sola|tranquil[oa]|segur[oa]|preparad[oa]|enfadad[oa])\b",
    "de": r"\b(er|seine|seiner|ihm|ihn)\b",
}


def written(language: str, kind: str, channel: str, values: Values, wording: Wording | None = None) -> tuple[str, str]:
    body = (wording or Wording()).written(kind, channel, language, values)
    return body.subject, body.text


def filled(values: Values, who: str, helper: str, **more: object) -> Values:
    return structs.replace(values, who=who, helper=helper, text=values.text and "I am at home, all is well, thank you.", **more)


def everything(language: str) -> list[tuple[str, str, str, Values]]:
    """Subject, e-mail, SMS and values of every message there is."""
    found = []
    for kind, values in cases():
        values = filled(values, LATIN, LATIN_TOO)
        subject, text = written(language, kind, "email", values)
        found.append((subject, text, written(language, kind, "sms", values)[1], values))
    return found


def test_every_kind_of_message_has_its_texts():
    """That somebody waits in the support chat is said by the hand-over's texts."""
    assert {kind for kind, _ in cases()} | {"chat_offline"} == set(PRIORITY)


@pytest.mark.parametrize("name", ["alarm", "sentences", "pages"])
def test_every_language_has_the_same_texts(name):
    """The shorter forms stand where they are needed alone, and the answer to the press is English as in the contract."""

    def keys(language: str) -> set[str]:
        table = templates(language) if name == "alarm" else flat(read(language, name))
        return {key for key in table if not key.startswith(("short.", "answer."))}

    assert keys("en")
    assert {language: keys(language) ^ keys("en") for language in LANGUAGES} == {language: set() for language in LANGUAGES}
    for language in LANGUAGES:
        assert {key.replace("short.", "sms.", 1) for key in templates(language)} <= templates(language).keys()


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_placeholder_is_the_same_as_in_english(language):
    def held(text: str | list[str]) -> set[str]:
        whole = text if isinstance(text, str) else " ".join(text)
        return {field for _, field, form, conversion in Formatter().parse(whole) if field is not None and not form and not conversion}

    ours, english = templates(language), templates("en")
    for key, text in ours.items():
        like = english.get(key, english[key.replace("short.", "sms.", 1)])
        assert held(text) == held(like) or (key.endswith(("status.reopened", "closing", "test")) and held(text) == {"who", *held(like)}), key
    for name in ("sentences", "pages"):
        there = flat(read("en", name))
        for key, text in flat(read(language, name)).items():
            assert held(text) == held(there[key]), key


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("names", [(LATIN, LATIN_TOO), (CYRILLIC, CYRILLIC_TOO), (GREEK_AND_FACE, LATIN), (LATIN, CYRILLIC), ("[{}]" * 5, "~" * 20)])
def test_every_sms_keeps_to_its_length_with_the_longest_values(language, names):
    assert len(LONGEST_LINK) == 24 + 3 + LENGTH
    for kind, values in cases():
        for codeword in (None, CODEWORD):
            _, text = written(language, kind, "sms", filled(values, *names, codeword=codeword))
            encoding, units, segments = measured(text.replace(LINK, LONGEST_LINK))
            more = 2 if values.text else 0
            assert segments <= (1 if encoding == "gsm7" else 2) + more, (units, text)
            assert more or units <= (160 if encoding == "gsm7" else 134), (units, text)
            assert not values.ref or f"Ref {values.ref}" in text
            assert (LINK in text) == (LINK in templates(language)[f"sms.{key_of(kind, values)}"])


def test_the_longest_names_are_cut_in_an_sms_and_nowhere_else():
    values = Values(who="Ї" * 150, ref="1042-0")
    assert "Ї" * 20 + " може" in written("uk", "alarm", "sms", values)[1]
    assert "Ї" * 150 in written("uk", "alarm", "email", values)[1]


def never(language: str) -> re.Pattern[str]:
    words = "|".join(word.replace("*", r"\w*") for word in NEVER[language].split())
    return re.compile(rf"!|\b(?:{words})\b", re.IGNORECASE)


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_text_holds_a_word_that_must_not_be_there(language):
    texts = [*templates(language).values(), *(part for subject, email, sms, _ in everything(language) for part in (subject, email, sms))]
    assert [(text, found[0]) for text in texts for found in never(language).finditer(text)] == []
    said = [*sentences(language).values(), *strings(read(language, "pages"))]
    assert [text for text in said if re.search(r"!|holdfast|ptsd", text, re.IGNORECASE)] == []
    gendered = re.compile(GENDERED[language], re.IGNORECASE)
    assert [(text, found[0]) for text in [*templates(language).values(), *said] for found in gendered.finditer(text)] == []


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "Help her now!"),
        ("en", "A crisis: call the police"),
        ("uk", "{who} просила про підтримку"),
        ("uk", "Подзвоніть негайно"),
        ("ru", "{helper} уже позвонил"),
        ("es", "Ella necesita apoyo"),
        ("de", "Bitte sofort anrufen"),
        ("de", "Er braucht Hilfe"),
    ],
)
def test_the_search_for_such_words_finds_them(language, text):
    assert never(language).search(text) or re.search(GENDERED[language], text, re.IGNORECASE)


def strings(table: object) -> list[str]:
    if isinstance(table, str):
        return [table]
    return [text for part in (table.values() if isinstance(table, dict) else table) for text in strings(part)]


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_drill_begins_and_ends_with_drill_and_nothing_else_holds_it(language):
    for kind, values in cases():
        for drill in (False, True):
            for channel in ("email", "sms"):
                subject, text = written(language, kind, channel, filled(values, LATIN, LATIN_TOO, drill=drill))
                for part in (subject, text.strip()):
                    assert (part.startswith("DRILL"), part.endswith("DRILL"), "DRILL" in part) == (drill, drill, drill), part
    drilled = written(language, "alarm", "sms", Values(who="Maria", ref="1042-0", drill=True))[1]
    assert drilled.endswith(f"{LINK} Ref 1042-0 DRILL")


def test_the_texts_of_the_specification():
    """product.md, section 12, and alarm.md, section 13."""
    olena = Values(who="Olena", ref="1042-0")
    assert written("en", "alarm", "sms", olena)[1] == (
        "Automatic safety message: Olena may need support now. Please call or visit. Answer: {link} Ref 1042-0"
    )
    status = structs.replace(olena, helper="Anna", answer="calling")
    assert "Anna is calling Olena." in written("en", "status", "email", status)[1]
    assert written("en", "all_clear", "sms", olena)[1] == ("Message from Olena: all clear, I am all right now. Thank you for being there. Ref 1042-0")
    for language in LANGUAGES:
        assert written(language, "alarm", "email", olena)[1].endswith("\n\nRef 1042-0\n")
        assert (
            len({written(language, "status", "sms", structs.replace(status, answer=each))[1] for each in ("calling", "coming", "cannot", "reopened")})
            == 4
        )


def test_who_reads_a_language_without_texts_reads_english():
    values = Values(who="Maria", ref="1042-0")
    assert written("fr", "alarm", "sms", values) == written("en", "alarm", "sms", values) == written(None, "alarm", "sms", values)
    assert written("uk-UA", "alarm", "sms", values) == written("uk", "alarm", "sms", values)
    assert wording.known("xx") == "en" and [wording.known(language) for language in LANGUAGES] == list(LANGUAGES)


def test_level_one_is_softer():
    for language in LANGUAGES:
        for kind in ("alarm", "repeat"):
            soft, hard, harder = (written(language, kind, "email", Values(who="Maria", level=level)) for level in (1, 2, 3))
            assert soft != hard == harder


def test_a_text_without_a_link_says_nothing_of_it():
    for language in LANGUAGES:
        for kind, values in cases():
            for channel in ("email", "sms"):
                subject, text = written(language, kind, channel, filled(values, "Maria", "Anna", link=False))
                assert "{" not in subject + text and ": Ref" not in text and not text.rstrip().endswith(":"), text
                assert "Maria" in text or kind in ("check_in", "status") or (kind == "reminder" and channel == "sms"), text


def test_the_code_word_is_there_in_real_alarms_when_it_fits():
    values = Values(who="Maria", ref="1042-0", codeword="Kastanie")
    for language in LANGUAGES:
        for channel in ("email", "sms"):
            assert "Kastanie" in written(language, "alarm", channel, values)[1]
            assert "Kastanie" not in written(language, "alarm", channel, structs.replace(values, drill=True))[1]
            assert "Kastanie" not in written(language, "staff", channel, values)[1]
    long = written("uk", "alarm", "sms", structs.replace(values, who=CYRILLIC))[1]
    assert "Kastanie" not in long and LINK in long and "Ref 1042-0" in long


def test_the_all_clear_may_be_in_own_words():
    own = Values(who="Maria", ref="1042-0", text="Ich bin {link} daheim. " + "ä" * 130)
    for channel in ("email", "sms"):
        text = written("de", "all_clear", channel, own)[1]
        assert "Ich bin (link) daheim. " + "ä" * 130 in text
    assert measured(written("de", "all_clear", "sms", own)[1]).segments <= 3
    faces = structs.replace(own, text="😀" * 160)
    assert "Entwarnung" in written("de", "all_clear", "sms", faces)[1]  # more parts than anybody pays for
    assert "😀" * 160 in written("de", "all_clear", "email", faces)[1]


def test_every_e_mail_says_how_to_stop():
    for language in LANGUAGES:
        for kind, values in cases():
            text = written(language, kind, "email", filled(values, "Maria", "Anna"))[1]
            assert ("STOP" in text) is (kind not in ("staff", "test", "check_in")), text


def test_braces_in_a_name_are_no_placeholders():
    _, text = written("en", "alarm", "email", Values(who="{link} {0.__class__}", ref="1042-0"))
    assert text.count("{link}") == 1 and "(link) (0.__class__)" in text


async def test_the_operators_words_stand_over_ours(server: Server):
    insert = "insert into text_override (language, key, text, changed_at) values (:language, :key, :text, 0)"
    async with server.db.write() as tx:
        await tx.run(insert, language="en", key="sms.alarm.level_2", text="{who} may like a call: {link}")
        await tx.run(insert, language="uk", key="sms.alarm.level_2", text="{nothing} {link}")
    async with server.db.read() as tx:
        wording = await Wording.load(tx)
    values = Values(who="Maria", ref="1042-0")
    assert written("en", "alarm", "sms", values, wording)[1] == "Maria may like a call: {link} Ref 1042-0"
    assert written("en", "alarm", "sms", structs.replace(values, level=1), wording) == written("en", "alarm", "sms", structs.replace(values, level=1))
    assert written("uk", "alarm", "sms", values, wording) == written("uk", "alarm", "sms", values)  # one that cannot be filled stops nothing


def test_sentences_to_the_person_who_pressed():
    """contract/decisions.md, Alarm."""
    ivan = {"name": "Ivan", "relationship": "brother"}
    assert wording.sentence("answer.telling", **ivan, channels=wording.channels(["email", "sms"])) == (
        "Ivan (brother) is being notified by e-mail and SMS."
    )
    assert wording.sentence("answer.no_address", name="Olga", relationship="therapist") == (
        "Olga (therapist) cannot be reached: no e-mail address or telephone number is stored."
    )
    assert wording.sentence("answer.nobody") == wording.sentence("answer.nobody", "uk") == "No emergency contact is stored."
    assert wording.sentence("line.calling", "de", name="Anna") == "Anna hat es gesehen und ruft dich an."
    assert wording.listed(["Olga", "Petro", "Ivan"]) == "Olga, Petro and Ivan"
    assert wording.listed([]) == "" and wording.listed(["Ivan"], "uk") == "Ivan"
    assert wording.channels(["sms", "signal"], "uk") == "SMS та signal"
    with pytest.raises(KeyError):
        wording.sentence("line.nowhere")


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_sentence_and_page_can_be_filled(language):
    values = {"name": "Anna", "who": "Maria", "names": "Ivan, Olga", "seconds": 8, "number": "112", "line": "-", "first": "Ivan", "last": "Olga"}
    for name in sentences(language):
        if not name.startswith("answer."):
            assert "{" not in wording.sentence(name, language, **values)
    for text in strings(wording.page(language)):
        assert text.format(**values).strip()
