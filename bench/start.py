"""Start to first answer, and memory at rest, of `holdfast serve` on each engine; ends with 1 when a gate is missed.

    python bench/start.py

The clock runs from the start of the process to the first 200 of /healthz, asked for every 2 ms; on a busy machine the CPU seconds of the
process until then say more. Memory is read after one GET of a profile and
5 s at rest; RSS counts pages shared with other processes whole, PSS counts a share of them.
"""

import shutil
import statistics
import sys
import time

import drive
import stage
import uvloop

STARTS = 5
REST = 5.0  # seconds
SLOWEST = 1.0  # seconds to the first answer, on a database that is migrated
LARGEST = 60.0  # MB resident at rest


def main() -> int:
    missed = []
    for engine in stage.engines():
        with stage.world(engine, "ours") as world:
            settings, log = world.settings("ours"), world.folder / "start.log"
            report(f"{engine}, migrated", migrated := [timed(settings, log) for _ in range(STARTS)])
            if engine == "sqlite":  # on PostgreSQL a server that starts never changes the schema
                report(f"{engine}, empty folder", [empty(world, log) for _ in range(STARTS)])
            memory = at_rest(world, settings, log)
            print(f"{engine}, at rest: {memory['Rss']:.1f} MB resident, {memory['Pss']:.1f} MB proportional", flush=True)
            if statistics.median(seconds for seconds, _ in migrated) > SLOWEST:
                missed.append(f"{engine}: the first answer takes more than {SLOWEST} s")
            if memory["Rss"] > LARGEST:
                missed.append(f"{engine}: more than {LARGEST} MB at rest")
    print("\n".join(missed) or "The gates are met.")
    return 1 if missed else 0


def report(title, starts):
    seconds, cpu = zip(*sorted(starts), strict=True)
    times = " ".join(f"{second:.2f}" for second in seconds)
    print(f"{title}: {statistics.median(seconds):.2f} s to the first answer ({times}), {statistics.median(cpu):.2f} s of CPU", flush=True)


def timed(settings, log):
    began = time.perf_counter()
    with stage.ours(settings, log) as server:
        return time.perf_counter() - began, server.cpu()


def empty(world, log):
    settings = world.settings("empty")
    shutil.rmtree(settings.data_dir, ignore_errors=True)
    return timed(settings, log)


def at_rest(world, settings, log):
    with stage.ours(settings, log) as server:
        uvloop.run(drive.read_own(server.port, world.people[1], 1))
        time.sleep(REST)
        return server.memory()


if __name__ == "__main__":
    sys.exit(main())
