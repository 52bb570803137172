"""CPU per 1,000 requests and chat messages, Holdfast beside the bare floor, in one run; ends with 1 when GET misses its gate.

    python bench/compare.py                       both engines, all operations, 5 rounds of 3,000
    python bench/compare.py --only GET --engine sqlite --rounds 3
    python bench/compare.py --other ../changed    another checkout of Holdfast as a third column

Rounds alternate (floor, ours, ours, floor, ...), because the machine is shared; CPU is user and system time of the whole server process,
and the median over the rounds is printed. Requests a second are of this client on this machine: they say little.
"""

import argparse
import contextlib
import statistics
import sys
import time
from pathlib import Path
from typing import NamedTuple

import drive
import stage
import uvloop

OPERATIONS: dict[str, drive.Load] = {"GET": drive.get_profile, "PATCH": drive.patch_profile, "chat": drive.chat}
GATE = 1.6  # times the CPU of the floor, for GET on both engines
WARM_UP = 320


class Figures(NamedTuple):
    cpu: list[float]  # ms per 1,000, one a round
    rate: list[float]  # a second


def main() -> int:
    given = arguments()
    print(f"{'':16}" + "".join(f"{column:>17}" for column in ("/s", "CPU ms per 1,000", "spread", "times floor")))
    missed = []
    for engine in given.engine or stage.engines():
        names = ["floor", "ours", *(["other"] if given.other else [])]
        with stage.world(engine, *names) as world, contextlib.ExitStack() as stack:
            servers = start(world, names, given.other, stack)
            for operation in given.only:
                measured = alternate(servers, world.people, OPERATIONS[operation], given.rounds, given.count)
                ratio = show(f"{engine} {operation}", measured)
                if operation == "GET" and ratio > GATE:
                    missed.append(f"{engine}: {ratio:.2f} times the floor's CPU for GET, the gate is {GATE}")
    print("\n".join(missed))
    return 1 if missed else 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", nargs="+", choices=["sqlite", "postgres"], help="default: each that is there")
    parser.add_argument("--only", nargs="+", choices=OPERATIONS, default=list(OPERATIONS))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--count", type=int, default=3_000, help="requests or messages a round")
    parser.add_argument("--other", type=Path, metavar="CHECKOUT", help="another checkout of Holdfast to measure beside")
    return parser.parse_args()


def start(world: stage.World, names: list[str], other: Path | None, stack: contextlib.ExitStack) -> dict[str, stage.Server]:
    """Logs go to files: ours writes its access log there, the floor has none."""
    servers = {}
    for name in names:
        settings, log = world.settings(name), world.folder / f"{name}.log"
        tree = other.resolve() if name == "other" and other else stage.ROOT
        server = stage.floor(settings, log) if name == "floor" else stage.ours(settings, log, tree)
        servers[name] = stack.enter_context(server)
    return servers


def alternate(servers: dict[str, stage.Server], people: list[stage.Person], load: drive.Load, rounds: int, count: int) -> dict[str, Figures]:
    for name, server in servers.items():
        drive_one(name, server, people, load, WARM_UP)
    measured = {name: Figures([], []) for name in servers}
    for number in range(rounds):
        for name in list(servers)[:: -1 if number % 2 else 1]:
            server = servers[name]
            count -= count % drive.CONNECTIONS
            cpu, began = server.cpu(), time.perf_counter()
            drive_one(name, server, people, load, count)
            measured[name].rate.append(count / (time.perf_counter() - began))
            measured[name].cpu.append((server.cpu() - cpu) / count * 1e6)
    return measured


def drive_one(name: str, server: stage.Server, people: list[stage.Person], load: drive.Load, count: int) -> None:
    try:
        uvloop.run(load(server.port, people, count))
    except drive.WrongAnswer as wrong:
        wrong.add_note(f"from {name}")
        raise


def show(title: str, measured: dict[str, Figures]) -> float:
    """One line a server; returns the ratio of ours."""
    print(title)
    floor = statistics.median(measured["floor"].cpu)
    for name, (cpu, rate) in measured.items():
        middle, spread = statistics.median(cpu), f"{min(cpu):.0f} to {max(cpu):.0f}"
        print(f"  {name:14}{statistics.median(rate):17,.0f}{middle:17.0f}{spread:>17}{middle / floor:17.2f}", flush=True)
    return statistics.median(measured["ours"].cpu) / floor


if __name__ == "__main__":
    sys.exit(main())
