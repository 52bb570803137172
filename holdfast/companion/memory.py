"""What the companion keeps of one person: the turns and its state, both sealed, and what the person decided about them."""

import secrets
from typing import Literal

import msgspec
from msgspec import Struct, structs

from holdfast import audit
from holdfast.clock import DAY
from holdfast.companion.episode import Episode
from holdfast.companion.prompt import TURNS, Turn
from holdfast.companion.walking import Tools
from holdfast.db import Tx
from holdfast.log import log
from holdfast.vault import Key, Place, Vault, Wrapped

WORDING = 1  # of the questions about consent; raised whenever their words change, so that it can be said what a person agreed to
KEPT_DAYS = 90  # until the person chooses otherwise
RISK = 90 * DAY  # after which a sign of danger is forgotten, unless people are still looking after it
LATELY = 2  # answers of each level whose times are kept

Role = Literal["user", "assistant"]
Consent = Literal["given", "refused"]
Share = Literal["yes", "no"]
KeptDays = Literal[1, 90, 365]

PERSON = """
    select p.consent, p.share, coalesce(p.kept_days, 90) as kept_days, p.uid, p.state, p.disclosed_at, k.wrapped, k.key_name,
           case when p.state is null
                then (select count(*) from companion_turn t where t.user_id = a.id and t.role = 'assistant') else 0 end as answers,
           case when p.state is null then (select max(created_at) from companion_turn t where t.user_id = a.id) end as answered_at,
           exists (select 1 from hand_over h where h.user_id = a.id and h.closed_at is null) as case_open,
           holdfast_now() as now
      from account a
      left join companion_person p on p.user_id = a.id
      left join data_key k on k.user_id = a.id
     where a.id = :user_id"""

# The key beside the text, by one statement: a turn of an earlier version may be sealed at any moment.
TURN = """
    select t.id, t.user_id, t.role, t.text, t.level, t.uid, t.sealed, t.created_at, k.wrapped, k.key_name
      from companion_turn t left join data_key k on k.user_id = t.user_id"""

LAST_TURNS = f"""{TURN}
     where t.user_id = :user_id and t.level <> 'imminent' and (t.forget_at is null or t.forget_at > (select holdfast_now()))
     order by t.id desc
     limit :most"""

TURNS_BEFORE = f"""{TURN}
     where t.user_id = :user_id and t.id < :before_id and t.id >= :since_id and (t.forget_at is null or t.forget_at > (select holdfast_now()))
     order by t.id desc
     limit :most"""

SINCE = """
    select min(id) from (select id from companion_turn where user_id = :user_id order by id desc limit :most) latest"""

REMEMBER = """
    insert into companion_turn (user_id, role, text, level, created_at, uid, sealed, forget_at)
    values (:user_id, :role, '', :level, holdfast_now(), :uid, :sealed,
            holdfast_now() + cast(:day as bigint) * coalesce((select kept_days from companion_person where user_id = :user_id), 90))
    returning id"""

KEEP_STATE = """
    insert into companion_person (user_id, uid, state, state_at) values (:user_id, :uid, :state, holdfast_now())
    on conflict (user_id) do update set uid = excluded.uid, state = excluded.state, state_at = excluded.state_at"""

CONSENT = """
    insert into companion_person (user_id, consent, consent_at, consent_wording) values (:user_id, :consent, holdfast_now(), :wording)
    on conflict (user_id) do update
       set consent = excluded.consent, consent_at = excluded.consent_at, consent_wording = excluded.consent_wording"""

SHARE = """
    insert into companion_person (user_id, share, share_at, share_wording) values (:user_id, :share, holdfast_now(), :wording)
    on conflict (user_id) do update
       set share = excluded.share, share_at = excluded.share_at, share_wording = excluded.share_wording"""

WITHDRAW = "update hand_over set shared = false, since_turn_id = null where user_id = :user_id and closed_at is null"

KEEP_FOR = """
    insert into companion_person (user_id, kept_days) values (:user_id, :kept_days)
    on conflict (user_id) do update set kept_days = excluded.kept_days"""

FORGET_LATER = "update companion_turn set forget_at = created_at + cast(:day as bigint) * :kept_days where user_id = :user_id"


class State(Struct, frozen=True):
    """Times are microseconds. `at_levels`: when the last answers of each level were given, the newest last.

    Of the episode: `served`, the levels whose first answer was given; `ai_said`, whether it was said that an AI can call nobody.
    """

    episode: Episode = Episode()
    tools: Tools = Tools()
    openings: tuple[str, ...] = ()
    offered: str | None = None
    disclosed_at: int | None = None
    active_since: int | None = None
    reminded_at: int | None = None
    answered_at: int | None = None
    answers: int = 0
    at_levels: dict[str, tuple[int, ...]] = {}
    served: tuple[str, ...] = ()
    ai_said: bool = False
    share_asked: bool = False
    language: str | None = None  # last spoken
    country: str | None = None  # last named in the talk


class Known(Struct, frozen=True):
    """`lost`: there was a state, and it cannot be read."""

    now: int
    consent: Consent | None = None
    share: Share | None = None
    kept_days: int = KEPT_DAYS
    state: State = State()
    lost: bool = False
    key: Key | None = None


class KeptTurn(Struct):
    """A row; `uid` is null for a turn of an earlier version, whose text is in clear until a chore has sealed it."""

    id: int
    user_id: int
    role: str
    text: str
    level: str
    uid: str | None
    sealed: bytes | None
    created_at: int
    wrapped: bytes | None
    key_name: str | None


class _Person(Struct):
    consent: Consent | None
    share: Share | None
    kept_days: int
    uid: str | None
    state: bytes | None
    disclosed_at: int | None
    wrapped: bytes | None
    key_name: str | None
    answers: int
    answered_at: int | None
    case_open: bool
    now: int


async def known(tx: Tx, vault: Vault, user_id: int) -> Known | None:
    """None for somebody who does not exist."""
    row = await tx.one(PERSON, _Person, user_id=user_id)
    if row is None:
        return None
    key = vault.key(user_id, Wrapped(row.wrapped, row.key_name))
    state = _opened(row, key)
    fresh = State(disclosed_at=row.disclosed_at, answers=row.answers, answered_at=row.answered_at)
    return Known(row.now, row.consent, row.share, row.kept_days, state or fresh, row.state is not None and state is None, key)


async def last_turns(tx: Tx, vault: Vault, user_id: int) -> list[Turn]:
    """Oldest first, without those at `imminent` and those that cannot be read."""
    rows = await tx.all(LAST_TURNS, KeptTurn, user_id=user_id, most=TURNS)
    texts = [(row, text_of(row, vault)) for row in reversed(rows)]
    return [Turn(row.role, text, row.level) for row, text in texts if text is not None]


async def since(tx: Tx, user_id: int) -> int | None:
    """The first of the last turns: from there on staff may read what was shared with them."""
    found: int | None = await tx.value(SINCE, user_id=user_id, most=TURNS)
    return found


def text_of(row: KeptTurn, vault: Vault) -> str | None:
    """None for what cannot be read."""
    if row.uid is None or row.sealed is None:
        return row.text
    key = vault.key(row.user_id, Wrapped(row.wrapped, row.key_name))
    text = key.open(_place(row.uid), row.sealed) if key else None
    return None if text is None else text.decode()


def sealed_turn(key: Key, text: str) -> tuple[str, bytes]:
    """The row's `uid` and `sealed`."""
    uid = secrets.token_hex(16)
    return uid, key.seal(_place(uid), text.encode())


async def remember(tx: Tx, key: Key | None, user_id: int, role: Role, text: str, level: str) -> int | None:
    """The turn's id. Without a key nothing is kept, never in clear; the vault has said so in the log."""
    if key is None:
        return None
    uid, sealed = sealed_turn(key, text)
    return int(await tx.value(REMEMBER, user_id=user_id, role=role, level=level, uid=uid, sealed=sealed, day=DAY))


async def keep_state(tx: Tx, key: Key | None, user_id: int, state: State) -> None:
    if key is None:
        return
    uid = secrets.token_hex(16)
    sealed = key.seal(Place("companion_person", "state", uid), msgspec.json.encode(state))
    await tx.run(KEEP_STATE, user_id=user_id, uid=uid, state=sealed)


async def decide(tx: Tx, user_id: int, consent: Consent | None) -> None:
    """Whether a model may be asked. None takes the answer back: the person is asked again."""
    await tx.run(CONSENT, user_id=user_id, consent=consent, wording=WORDING)
    await audit.record(tx, actor_id=user_id, user_id=user_id, action=f"companion_model_{consent or 'undecided'}")


async def share(tx: Tx, user_id: int, answer: Share | None) -> None:
    """Whether staff may read the last messages when there is danger. Anything but a yes ends what they may read now."""
    await tx.run(SHARE, user_id=user_id, share=answer, wording=WORDING)
    if answer != "yes":
        await tx.run(WITHDRAW, user_id=user_id)
    await audit.record(tx, actor_id=user_id, user_id=user_id, action=f"companion_share_{answer or 'undecided'}")


async def keep_for(tx: Tx, user_id: int, days: KeptDays) -> None:
    """Also for the turns that are there already."""
    await tx.run(KEEP_FOR, user_id=user_id, kept_days=days)
    await tx.run(FORGET_LATER, user_id=user_id, kept_days=days, day=DAY)


def noted(state: State, level: str, now: int) -> State:
    """With an answer of this level given now."""
    times = (*state.at_levels.get(level, ()), now)[-LATELY:]
    return structs.replace(state, at_levels=state.at_levels | {level: times}, answers=state.answers + 1, answered_at=now)


def _opened(row: _Person, key: Key | None) -> State | None:
    text = key.open(Place("companion_person", "state", row.uid or ""), row.state) if key and row.state else None
    if text is None:
        return None
    try:
        state = msgspec.json.decode(text, type=State)
    except msgspec.DecodeError:
        log.error("companion_state_unreadable")
        return None
    if row.now - state.episode.seen_at >= RISK and not row.case_open:
        return structs.replace(state, episode=Episode())
    return state


def _place(uid: str) -> Place:
    return Place("companion_turn", "text", uid)
