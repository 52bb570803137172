"""How many sockets a person may have open, in one room and in all: the newest wins.

Refusing the newest would lock out a telephone whose dead sockets linger (support-chat.md, section 7).
"""

from typing import Generic, TypeVar

IN_ROOM = 5
IN_ALL = 500  # for staff: a console by the contract alone opens one for each user

K = TypeVar("K")
S = TypeVar("S")


class Seats(Generic[S]):
    def __init__(self) -> None:
        self._rooms: dict[tuple[int, int | None], dict[S, None]] = {}
        self._people: dict[int, dict[S, None]] = {}

    def take(self, socket: S, person_id: int, room: int | None) -> list[S]:
        """Those that have to go for it."""
        mine = self._rooms.setdefault((person_id, room), {})
        all_mine = self._people.setdefault(person_id, {})
        mine[socket] = all_mine[socket] = None
        surplus = [next(iter(seated)) for seated, limit in ((mine, IN_ROOM), (all_mine, IN_ALL)) if len(seated) > limit]
        return list(dict.fromkeys(surplus))

    def leave(self, socket: S, person_id: int, room: int | None) -> None:
        _remove(self._rooms, (person_id, room), socket)
        _remove(self._people, person_id, socket)


def _remove(places: dict[K, dict[S, None]], key: K, socket: S) -> None:
    del places[key][socket]
    if not places[key]:
        del places[key]
