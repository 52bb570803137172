"""What has been sent to whom and for whom: the statements that caps are judged by.

Each is bounded, however much somebody has sent or how often a user has called.
"""

from holdfast.db import Sql

# An alarm that was taken back in its grace told nobody, so it uses up nothing. No more are looked at than can matter.
CROWD = """
    select mine.drill,
           sum(case when a.created_at > mine.created_at - cast(:hour as bigint) then 1 else 0 end) as in_an_hour,
           sum(case when a.created_at > mine.created_at - cast(:ten_minutes as bigint) then 1 else 0 end) as in_ten_minutes
      from alarm mine
      join (select created_at, drill, close_reason from alarm
             where user_id = :user_id and id <= :alarm_id
             order by id desc limit 300) a on a.drill = mine.drill and coalesce(a.close_reason, '') <> 'cancelled'
     where mine.id = :alarm_id
     group by mine.drill"""

# What has been sent or will be: not what was held back, nor what ended before anybody tried it.
_SENT = "(d.state = 'pending' or d.attempt > 0)"


def _since(span: str) -> str:
    """The time is asked for once: PostgreSQL would ask for each row, and use no index."""
    return f"d.created_at > (select holdfast_now()) - cast(:{span} as bigint)"


def _last(addresses: str) -> str:
    return f"""
    select d.channel, d.destination, (select holdfast_now()) as now,
           max(case when d.state = 'pending' then d.next_at else coalesce(d.accepted_at, d.created_at) end) as at
      from ({addresses}) p
      join delivery d on d.channel = p.channel and d.destination = p.destination and {_since("hour")}
      join alarm a on a.id = d.alarm_id and a.user_id = :user_id
     where d.kind = 'summary' and {_SENT}
     group by d.channel, d.destination"""  # noqa: S608 - constants


SUMMARIES = Sql(
    sqlite=_last("select json_extract(value, '$[0]') as channel, json_extract(value, '$[1]') as destination from json_each(:addresses)"),
    postgres=_last("select value ->> 0 as channel, value ->> 1 as destination from json_array_elements(cast(:addresses as json))"),
)


def _to(found: str) -> str:
    return f"""
    select d.destination, count(*) as day,
           sum(case when {_since("ten_minutes")} then 1 else 0 end) as ten_minutes,
           sum(case when a.user_id = :user_id and d.kind not in ('all_clear', 'closing') then 1 else 0 end) as of_user,
           sum(case when d.alarm_id = cast(:alarm_id as bigint) and d.kind not in ('all_clear', 'closing') then 1 else 0 end) as of_alarm,
           sum(case when d.alarm_id is null then 1 else 0 end) as asked
      from {found} left join alarm a on a.id = d.alarm_id
     where {_SENT}
     group by d.destination"""  # noqa: S608 - constants


_TO = f"select d.* from delivery d where d.channel = 'sms' and {_since('day')} and d.destination"  # noqa: S608 - constants

# PostgreSQL is led to the index by destination: by its own choice it reads all SMS of a day.
TO = Sql(
    sqlite=_to(f"({_TO} in (select value from json_each(:destinations))) d"),  # noqa: S608 - constants
    postgres=_to(
        f"json_array_elements_text(cast(:destinations as json)) as asked (destination) cross join lateral ({_TO} = asked.destination offset 0) d"
    ),
)

FOR_USER = f"""
    select (select count(*) from (select id from alarm where user_id = :user_id order by id desc limit 1000) a
              join delivery d on d.alarm_id = a.id and d.channel = 'sms' and {_since("day")} and {_SENT})
         + (select count(*) from contact c join contact_channel w on w.contact_id = c.id
              join delivery d on d.channel = w.channel and d.destination = w.destination and d.contact_channel_id = w.id
             where c.user_id = :user_id and d.channel = 'sms' and {_since("day")} and {_SENT})"""  # noqa: S608 - constants

IN_THE_HOUR = f"""
    select count(*) from (select 1 from delivery d where d.channel = 'sms' and {_since("hour")} and {_SENT} limit :most) sent"""  # noqa: S608 - constants

SEGMENTS = f"""
    select coalesce(sum(d.segments * (1 + d.ambiguous)), 0) from delivery d
     where d.channel = 'sms' and {_since("day")} and {_SENT}"""  # noqa: S608 - constants
