"""What makes the alarm dependable: steps, answers without an account, channels and their receipts, caps, the audit chain.

It only adds, so that the program before it goes on running beside it.
"""

import json

from alembic import op
from sqlalchemy import text

revision = "0003"
down_revision = "0002"

COLUMNS = {
    "alarm": [
        "previous_id bigint",
        "step integer not null default 0",  # the last one that ran; it counts on while the last step repeats
        "next_step_at bigint",  # the one timer of a live alarm: end of the grace, next step, reminder or re-opening
        "last_tap_at bigint",
        "last_pull_at bigint",
        "grace_ends_at bigint",
        "acknowledged_at bigint",
        "reminded_at bigint",  # of an acknowledged alarm: when who helps was asked again
        "check_in_at bigint",
        "check_in_asked boolean not null default false",
        "longest_wait bigint",  # microseconds that next_step_at may be away, whatever the clock does
    ],
    "alarm_helper": [
        "language text",
        "link_sha256 text",
        "ways text not null default '[]'",  # JSON: the channels and destinations, frozen at the trigger, in the order of starting
        "next_channel_at bigint",  # when the next of them is started; null: none is left, or one has reached the person
        "seen_at bigint",
        "answer text check (answer in ('calling', 'coming', 'cannot'))",
        "answered_at bigint",
        "confirmed boolean not null default false",
    ],
    "delivery": [
        "step integer not null default 0",
        "provider text",
        "provider_msg_id text",
        "provider_rank integer not null default 0",  # of the last receipt: a late one never undoes a later state
        "delivered_at bigint",
        "contact_channel_id bigint",  # of an invitation or a test
        "segments integer not null default 1",  # of an SMS: what it costs
        "longest_wait bigint not null default 72000000",  # microseconds: no step of the clock makes `next_at` wait longer; older programs' longest
    ],
    "alarm_audit": ["prev_hash text", "hash text"],
    "contact": ["position integer", "language text", "removed_at bigint"],
    "therapist": ["language text", "phone_region text", "phone_problem text"],
}

TABLES = """
create unique index alarm_helper_link on alarm_helper (link_sha256);
create index alarm_helper_next on alarm_helper (next_channel_at) where next_channel_at is not null;
create index alarm_due on alarm (next_step_at) where state <> 'closed';
create index alarm_check_in on alarm (check_in_at) where not check_in_asked;
create index alarm_history on alarm (user_id, id);
create index alarm_closed on alarm (closed_at) where state = 'closed';
create index delivery_to on delivery (channel, destination, created_at);
create index delivery_first on delivery (channel, priority desc, next_at) where state in ('pending', 'leased');
create index delivery_failed on delivery (id) where state = 'failed';
create index delivery_sms on delivery (created_at) where channel = 'sms';
create index delivery_receipt on delivery (provider, provider_msg_id);
create index alarm_audit_grown on alarm_audit (at) where hash is not null;
create table alarm_key (                    -- Idempotency-Key of a press: it brings back its alarm, whatever has become of that
    user_id bigint not null references account (id) on delete cascade,
    key text not null,
    alarm_id bigint not null references alarm (id) on delete cascade,
    answer text not null,
    created_at bigint not null,
    primary key (user_id, key)
);
create table audit_anchor (                 -- the newest link of every chain that grew since the anchor before
    id {id},
    at bigint not null,
    heads text not null,                    -- JSON: alarm id, n, hash
    hash text not null
);
create table contact_channel (
    id {id},
    contact_id bigint not null references contact (id) on delete cascade,
    channel text not null,
    destination text not null,
    state text not null check (state in ('unconfirmed', 'confirmed', 'stopped', 'bouncing')),
    confirmed_at bigint,
    replaced_at bigint,                     -- no longer what the person has, and still told for a day when it was confirmed
    position integer not null default 0,
    region text,                            -- of a telephone number: DE, UA ...
    problem text,                           -- why nothing can be sent there: see contacts/numbers.py
    invite_sha256 text unique,
    invite_ends_at bigint,
    invite_seed text,
    unique (contact_id, channel, destination)
);
create index contact_channel_to on contact_channel (channel, lower(destination));
create index contact_channel_gone on contact_channel (replaced_at) where replaced_at is not null;
create index contact_gone on contact (removed_at) where removed_at is not null;
create table opt_out (                      -- STOP is final for an address, whoever trusts it, until START
    channel text not null,
    destination text not null,
    at bigint not null,
    primary key (channel, destination)
);
create table preference (                   -- beside the profile, whose keys are the contract's
    user_id bigint primary key references account (id) on delete cascade,
    language text,
    time_zone text,
    chosen_name text,
    codeword text,
    check_in_by_email boolean not null default false,
    pin_hash text
);
create table check_in (
    id {id},
    user_id bigint not null references account (id) on delete cascade,
    alarm_id bigint references alarm (id) on delete set null,
    distress integer not null,
    text text,
    created_at bigint not null
);
create index check_in_of on check_in (user_id, id);
create table text_override (                -- the operator's own wording
    language text not null,
    key text not null,
    text text not null,
    changed_at bigint not null,
    changed_by bigint,
    primary key (language, key)
);
create table heartbeat (                    -- who delivers: one row for each worker
    worker text primary key,
    at bigint not null
)
"""

APPEND_ONLY = "audit_anchor"
SQLITE_GUARD = "create trigger {table}_no_{verb} before {verb} on {table} begin select raise(abort, '{table} is append-only'); end"
POSTGRES_GUARD = "create trigger {table}_append_only before update or delete on {table} for each statement execute function holdfast_refuse()"

# alarm.md, section 8; a step's wait is counted from the step before.
FULL = [
    {"wait": 0, "tell": ["contacts", "therapist"], "text": "alarm"},
    {"wait": 120, "tell": ["contacts", "therapist"], "text": "repeat"},
    {"wait": 180, "tell": ["staff_on_call"], "text": "staff"},
    {"wait": 300, "tell": ["contacts", "therapist", "staff_on_call"], "text": "repeat"},
    {"wait": 600, "every": 600, "tell": ["staff_on_call"], "text": "repeat"},
]
SOFT = [
    {"wait": 0, "tell": ["contacts"], "text": "alarm"},
    {"wait": 300, "tell": ["contacts"], "text": "repeat"},
    {"wait": 600, "tell": ["staff_on_call"], "text": "staff"},
]
TIMES = {"start_channels": 2, "expire_after": 7200, "answer_reminder": 1200, "answer_wait": 600, "check_in_after": 86400}
SCENARIOS = [
    {"name": "Full alarm", "level": 2, "music": True, "steps": FULL, **TIMES},
    {"name": "Be with me", "level": 1, "music": True, "steps": SOFT, **TIMES},
    {"name": "Quiet alarm", "level": 2, "music": False, "steps": FULL, **TIMES},
]

# A contact's e-mail and number become its channels; what a number is worth is found out when the contact is next written.
CHANNELS = """
    insert into contact_channel (contact_id, channel, destination, state, position)
    select id, 'email', email, 'unconfirmed', 0 from contact where email is not null
    union all
    select id, 'sms', phone_e164, 'unconfirmed', 1 from contact where phone_e164 is not null"""


def upgrade() -> None:
    bind = op.get_bind()
    postgres = bind.dialect.name == "postgresql"
    if postgres:
        op.execute("set local lock_timeout = '5s'")  # waits in no queue before which every alarm would wait
    for table, columns in COLUMNS.items():
        for column in columns:
            op.execute(f"alter table {table} add column {column}")
    identity = "bigint generated by default as identity primary key" if postgres else "integer primary key autoincrement"
    for statement in "\n".join(line.partition("--")[0] for line in TABLES.splitlines()).format(id=identity).split(";"):
        op.execute(statement)
    for verb in ["both"] if postgres else ["update", "delete"]:
        op.execute((POSTGRES_GUARD if postgres else SQLITE_GUARD).format(table=APPEND_ONLY, verb=verb))
    for scenario in SCENARIOS:
        values = {"name": scenario["name"], "definition": json.dumps(scenario)}
        bind.execute(text("update scenario set definition = :definition where name = :name"), values)
    op.execute(CHANNELS)
    op.execute("update contact set position = id")
