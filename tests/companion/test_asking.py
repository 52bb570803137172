"""What an assistant asked, in anybody's words and five languages, and what a bare reply to it says."""

import pytest

from holdfast.companion.asking import question_in, reply_in, wording_of

ASKED = [
    ("Has it got so bad that you think about ending your life?", "none", "thoughts"),
    ("When people carry this much, some wonder about dying. Is that true for you as well?", "none", "thoughts"),
    ("Бывает ли, что приходят мысли о самоубийстве?", "none", "thoughts"),
    ("Чи думаєте ви про те, щоб не жити?", "none", "thoughts"),
    ("¿Has pensado en quitarte la vida?", "none", "thoughts"),
    ("Gibt es Momente, in denen du nicht mehr leben willst?", "none", "thoughts"),
    ("Have you worked out how you would kill yourself?", "none", "plan"),
    ("Thank you for saying so. Is there a day you have in mind? I am here.", "elevated", "plan"),
    ("Есть ли у вас план?", "elevated", "plan"),
    ("Чи є у вас план або спосіб?", "elevated", "plan"),
    ("¿Has decidido cuándo?", "elevated", "plan"),
    ("Hast du dir überlegt, wie du es machen würdest?", "elevated", "plan"),
    ("Are the pills in the house?", "elevated", "means"),
    ("Do you have access to what you would use?", "elevated", "means"),
    ("Это у вас под рукой?", "elevated", "means"),
    ("Чи є поруч щось, чим ви могли б собі нашкодити?", "elevated", "means"),
    ("¿Tienes a mano algo con lo que hacerlo?", "elevated", "means"),
    ("Hast du die Tabletten zu Hause?", "elevated", "means"),
    ("Will you be safe tonight?", "elevated", "safe_now"),
    ("Can you put it in another room for now?", "imminent", "safe_now"),
    ("Вы сейчас в безопасности?", "elevated", "safe_now"),
    ("Чи зможете ви відійти від цього?", "imminent", "safe_now"),
    ("¿Estarás a salvo esta noche?", "elevated", "safe_now"),
    ("Kannst du dich davon entfernen?", "imminent", "safe_now"),
    ("Is somebody there with you?", "imminent", "who_is_with_you"),
    ("Кто сейчас рядом с вами?", "imminent", "who_is_with_you"),
    ("Хто зараз поруч?", "imminent", "who_is_with_you"),
    ("¿Quién está contigo?", "imminent", "who_is_with_you"),
    ("Wer ist gerade bei Ihnen?", "imminent", "who_is_with_you"),
    ("Do you still want to live?", "none", "wants_to_live"),
    ("Вам хочется жить?", "none", "wants_to_live"),
    ("Are you alone right now?", "imminent", "alone"),
]
HARMLESS = [
    ("What is your plan for the weekend?", "elevated"),
    ("Are you safe crossing the ice?", "none"),
    ("Did you sleep?", "elevated"),
    ("How strong is it, 0 to 10?", "elevated"),
    ("Do you have a plan?", "none"),
    ("Are the pills in the house?", "none"),
    ("Shall we do a breathing exercise?", "imminent"),
    ("Do you want to live in the city?", "none"),
    ("Some people think about suicide. I am here.", "elevated"),
    ("Какие планы на выходные?", "elevated"),
    ("Чи ви сьогодні вечеряли?", "elevated"),
    ("¿Qué plan tienes para el fin de semana?", "elevated"),
    ("Wie stark ist es, 0 bis 10?", "elevated"),
]
REPLIES = {
    "confirms": {
        "thoughts": "yes|mm|sometimes|i guess|kind of|👍|yess|да|ага|бывает|иногда|так|інколи|мабуть|sí|a veces|supongo|ja|manchmal|schon|maybe lol",
        "plan": "yes|the bridge|pills|on friday|когда все уснут|мост|у п'ятницю|таблетки|el viernes|el puente|am Freitag|after work|my dad's",
        "means": "in the drawer|yep|next to me|в шкафу|рядом|у шухляді|поруч|en el cajón|aquí|im Schrank|neben mir|dad has one",
        "safe_now": "yes|i am|i will be ok|да|в безопасности|так|sí|ja|bin sicher",
        "who_is_with_you": "my sister|mum|жена|брат|дружина|mi hermano|meine Frau|yes",
    },
    "denies": {
        "thoughts": "no|no, never|god no|nope, not like that|нет|ни разу|ні|боже борони|no, nunca|para nada|nein|überhaupt nicht|👎",
        "plan": "no|nope|нет|ні|no|nein|not yet|пока нет",
        "means": "no|nothing here|нет|нема|no tengo|nein|no pills here",
        "safe_now": "no|not really|i can't|нет|не знаю|ні|не можу|no|no sé|nein|weiß nicht|why would i",
        "who_is_with_you": "nobody|no one|никого|ніхто|nadie|niemand|alone|just the cat",
    },
    "evades": {
        "thoughts": "not really|define alive|whatever|lol|🙃|пофиг|смотря что|байдуже|depende|egal|kommt drauf an|...|why do you ask",
        "plan": "idk|whatever|не знаю|хз|no sé|keine ahnung|🤷|you ask a lot",
        "means": "why do you care|не скажу|яка різниця|da igual|egal",
        "safe_now": "🙃|lol|whatever|define safe",
        "who_is_with_you": "lol|whatever|🙃",
    },
}


@pytest.mark.parametrize(("text", "level", "question"), ASKED)
def test_a_question_is_known_in_words_that_are_not_ours(text, level, question):
    assert question_in(text, level) == question


@pytest.mark.parametrize(("text", "level"), HARMLESS)
def test_a_harmless_question_is_none(text, level):
    assert question_in(text, level) is None


def test_a_question_in_the_middle_of_a_long_turn_is_known():
    calm = "That sounds like a long and heavy week, and you carried it alone. " * 8
    assert question_in(f"{calm}Are you thinking about suicide? {calm}", "none") == "thoughts"


def test_of_several_questions_the_last_serious_one_waits():
    assert question_in("Are you thinking of suicide? Do you have a plan? Is somebody with you?", "elevated") == "plan"


@pytest.mark.parametrize(
    ("said", "question", "text"),
    [(said, question, text) for said, rows in REPLIES.items() for question, texts in rows.items() for text in texts.split("|")],
)
def test_a_bare_reply_is_understood_in_every_language(said, question, text):
    if (said, question) == ("denies", "safe_now") or (said, question) == ("evades", "safe_now"):
        assert reply_in(text, question) != "confirms"  # both are answered as a no
    else:
        assert reply_in(text, question) == said


@pytest.mark.parametrize(("text", "said"), [("yes", "denies"), ("no", "confirms"), ("not really", "confirms"), ("ні", "confirms"), ("🙃", "evades")])
def test_a_question_asked_the_other_way_round_turns_the_reply(text, said):
    assert reply_in(text, "wants_to_live") == said


@pytest.mark.parametrize(
    ("asked", "text", "yes"),
    [
        ("Продумано ли, как?", "продумано", True),
        ("Чи навідують думки?", "навідують", True),
        ("¿Te aparece la idea?", "aparece", True),
        ("Продумано ли, как?", "не продумано", False),
        ("Продумано ли, как?", "смотря что продумано", False),
    ],
)
def test_a_reply_that_repeats_the_question_says_yes(asked, text, yes):
    assert (reply_in(text, "thoughts", wording_of(asked)) == "confirms") == yes
