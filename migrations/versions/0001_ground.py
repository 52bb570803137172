"""Everything that the contract needs: people, tokens, profiles, contacts, music, alarms, both chats."""

from alembic import op

revision = "0001"
down_revision = None

# {id}, {bytes} and {now} are what the two databases spell differently; see `upgrade`.
TABLES = """
create table account (
    id {id},
    username text not null,
    username_key text not null unique,      -- NFC and case-folded: unique without regard to case
    email text not null,
    password_hash text not null,
    is_staff boolean not null default false,
    disabled_at bigint,
    created_at bigint not null
);
create table token (
    id {id},
    digest {bytes} not null unique,         -- SHA-256 of the whole token; the token itself is nowhere
    kind text not null check (kind in ('u', 'o', 'w', 'a')),
    account_id bigint not null references account (id) on delete cascade,
    room_id bigint,                         -- of a ticket: the user whose room it opens; null opens the staff's room
    parent_id bigint references token (id) on delete cascade,       -- of a ticket: the token that asked for it, with which its socket ends
    created_at bigint not null,
    last_used_at bigint not null,
    idle_limit bigint not null,             -- microseconds
    expires_at bigint not null,
    held_until bigint not null default 0,   -- a live alarm keeps its user's tokens alive
    revoked_at bigint
);
create index token_of on token (account_id, created_at);
create table audit (
    id {id},
    at bigint not null,
    actor_id bigint,
    user_id bigint,
    action text not null,
    outcome text not null check (outcome in ('done', 'refused'))
);
create index audit_of on audit (user_id, id);
create table health (                       -- one row, written to by the readiness check
    at bigint not null
);
insert into health (at) values (0);

create table music_track (
    id {id},
    name text not null,
    file text not null,
    built_in boolean not null,
    retired_at bigint
);
create table scenario (
    id {id},
    name text not null,
    definition text not null                -- JSON, alarm.md section 8
);
create table therapist (
    id {id},
    owner_id bigint references account (id) on delete cascade,     -- null: in the staff's directory
    name text not null,
    phone text,
    phone_e164 text,
    email text,
    check (phone is not null or email is not null)
);
create index therapist_of on therapist (owner_id);
create table profile (
    id {id},
    user_id bigint not null unique references account (id) on delete cascade,
    age integer,
    location text,
    military_status boolean default false,
    ptsd_level integer,
    music_id bigint references music_track (id),
    therapist_id bigint references therapist (id) on delete set null,
    scenario_id bigint references scenario (id)
);
create table contact (
    id {id},
    user_id bigint not null references account (id) on delete cascade,
    name text not null,
    phone text not null,
    phone_e164 text,
    email text,
    relationship text not null,
    created_at bigint not null
);
create index contact_of on contact (user_id, id);

create table alarm (
    id {id},
    code text not null,
    user_id bigint not null references account (id) on delete cascade,
    drill boolean not null default false,
    state text not null check (state in ('grace', 'open', 'acknowledged', 'closed')),
    close_reason text check (close_reason in ('cancelled', 'all_clear', 'expired', 'superseded')),
    level integer not null,                 -- the scenario's; a press that asks for more opens an alarm of its own
    tap_count integer not null default 1,
    version integer not null default 1,
    snapshot text not null,                 -- JSON: the scenario as it was at the trigger, and the channels that the answer speaks of
    answer text not null,                   -- JSON: the 200 body, for folded repeats
    expires_at bigint not null,
    created_at bigint not null,
    closed_at bigint,
    check ((state = 'closed') = (close_reason is not null))
);
create unique index alarm_live on alarm (user_id, drill) where state in ('grace', 'open');
create index alarm_of on alarm (user_id) where state <> 'closed';
create index alarm_ends on alarm (expires_at) where state <> 'closed';
create table alarm_helper (
    id {id},
    alarm_id bigint not null references alarm (id) on delete cascade,
    kind text not null check (kind in ('contact', 'therapist', 'staff')),
    person_id bigint not null,
    position integer not null,
    name text not null,
    relationship text not null,
    unique (alarm_id, kind, person_id)
);
create table delivery (
    id {id},
    ref text not null unique,               -- 128 random bits: a row id would tell strangers the traffic
    dedup_key text not null unique,
    alarm_id bigint references alarm (id) on delete cascade,
    alarm_helper_id bigint references alarm_helper (id) on delete cascade,
    kind text not null,
    channel text not null,
    destination text not null,
    body text not null,                     -- JSON: subject and text
    priority integer not null,
    state text not null check (state in ('pending', 'leased', 'accepted', 'delivered', 'failed', 'cancelled')),
    next_at bigint not null,                -- due, or the end of the lease
    deadline_at bigint not null,
    created_at bigint not null,
    attempt integer not null default 0,
    ambiguous integer not null default 0,
    fence integer not null default 0,
    lease_owner text,
    error_class text,
    accepted_at bigint
);
create index delivery_due on delivery (channel, next_at) where state in ('pending', 'leased');
create index delivery_ends on delivery (deadline_at) where state in ('pending', 'leased');
create index delivery_of on delivery (alarm_id);
create table delivery_attempt (
    id {id},
    delivery_id bigint not null references delivery (id) on delete cascade,
    n integer not null,
    fence integer not null,
    worker text not null,
    started_at bigint not null,
    finished_at bigint,
    outcome text check (outcome in ('accepted', 'temporary', 'permanent', 'ambiguous', 'lease_lost')),
    provider_code text,
    detail text,
    unique (delivery_id, n)
);
create table alarm_audit (
    alarm_id bigint not null,
    n integer not null,
    kind text not null,
    actor_id bigint,
    at bigint not null,
    data text not null,
    primary key (alarm_id, n)
);

create table companion_turn (
    id {id},
    user_id bigint not null references account (id) on delete cascade,
    role text not null check (role in ('user', 'assistant')),
    text text not null,
    level text not null check (level in ('none', 'watch', 'elevated', 'imminent')),
    created_at bigint not null
);
create index companion_turn_of on companion_turn (user_id, id);
create table companion_person (
    user_id bigint primary key references account (id) on delete cascade,
    consent text check (consent in ('given', 'refused')),
    consent_at bigint,
    disclosed_at bigint
);

create table conversation (
    id {id},
    user_id bigint not null unique references account (id) on delete cascade,
    epoch text not null,
    last_seq integer not null default 0,
    state text not null default 'quiet' check (state in ('quiet', 'waiting', 'assigned')),
    waiting_since bigint,                   -- the first word that nobody on duty has answered; null: nobody waits
    version integer not null default 1
);
create index conversation_open on conversation (waiting_since) where state <> 'quiet';
create table message (
    id {id},
    conversation_id bigint not null references conversation (id) on delete cascade,
    seq integer not null,
    sender_id bigint,
    sender_kind text not null check (sender_kind in ('user', 'staff', 'system')),
    identifier text not null,
    client_msg_id text,
    body text not null,
    sent_at bigint not null,
    unique (conversation_id, seq),
    unique (conversation_id, sender_id, client_msg_id)
);
create table participant (
    conversation_id bigint not null references conversation (id) on delete cascade,
    person_id bigint not null references account (id) on delete cascade,
    delivered_seq integer not null default 0,
    primary key (conversation_id, person_id)
);
"""

APPEND_ONLY = ("audit", "alarm_audit")

SQLITE_GUARD = """
create trigger {table}_no_{verb} before {verb} on {table} begin select raise(abort, '{table} is append-only'); end"""

POSTGRES_NOW = """
create function holdfast_now() returns bigint language sql volatile as $$ select (extract(epoch from clock_timestamp()) * 1000000)::bigint $$"""

POSTGRES_REFUSE = """
create function holdfast_refuse() returns trigger language plpgsql as $$ begin raise exception '% is append-only', tg_table_name; end $$"""

POSTGRES_GUARD = """
create trigger {table}_append_only before update or delete on {table} for each statement execute function holdfast_refuse()"""


def upgrade() -> None:
    postgres = op.get_bind().dialect.name == "postgresql"
    if postgres:
        op.execute(POSTGRES_NOW)
        op.execute(POSTGRES_REFUSE)
    spelled = {
        "id": "bigint generated by default as identity primary key" if postgres else "integer primary key autoincrement",
        "bytes": "bytea" if postgres else "blob",
    }
    for statement in _without_comments(TABLES).format(**spelled).split(";"):
        if statement.strip():
            op.execute(statement)
    for table in APPEND_ONLY:
        guards = [POSTGRES_GUARD] if postgres else [SQLITE_GUARD.replace("{verb}", verb) for verb in ("update", "delete")]
        for guard in guards:
            op.execute(guard.format(table=table))


def _without_comments(text: str) -> str:
    return "\n".join(line.partition("--")[0] for line in text.splitlines())
