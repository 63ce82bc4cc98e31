#!/usr/bin/env python3
"""Proves that bad readers cost other readers nothing: ones that take a byte a second, that never read, that vanish (SIGKILL), and that come and
go leave the server's memory and open files within 1 % of before; meanwhile other watchers are told, and plain questions answered, within 1.2
times what it takes without them. Bad readers run at idle priority, as they would be other machines. One line of JSON; exit 1 on a miss.

Time is taken in two ways, in turns. *Beside*: the server, the watchers and the clients that ask share the cores as equals. *Ahead*: the
server and the clients that ask have the cores before all others (`chrt --rr 1`, as root), so that what a question waits for is the server's doing and
not that of a system busy with closing a thousand killed clients' sockets (docs/decisions/0017). Questions are judged both ways; when watchers are told only as
equals, as those that stand behind the server read when it has told everybody.

What is compared is what bad readers leave behind each time they come, and not what a server takes the first time it has so many: the system's allocator
keeps some of that for the next ones. So before the first look, flips fill the database's cache of pages, and each kind of bad reader comes and
goes once, half as many again; what that added is stated (`memoryAtFirstKiB`, `memoryKiB`), and not judged. The watchers are the same throughout.

    scripts/prove-streams.py            1,000 bad readers of each kind, 100,000 that come and go
    scripts/prove-streams.py --short    200, and 2,000, on the debug build; what others wait is stated and not judged
    scripts/prove-streams.py --keep docs/results/streams.json
"""
import argparse
import http.client
import itertools
import json
import multiprocessing
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time

from bench_common import build
from bench_streams import Crowd, Service

KINDS = ("slow", "stalled", "vanished", "churning")
QUESTION = '{"targetingKey":"u-1"}'
# An event has some 400 bytes, and the system keeps some 100 KB for a reader that takes nothing: after so many flips it is stuck.
FILLING_FLIPS = 400
# The database keeps up to 2 MB of pages: after so many flips its cache grows no more.
SETTLING_FLIPS = 3_200
# Seconds for which others are looked at, half of them in each way: a p99 of 3,000 questions still moves by a fifth from one run to the next.
SHORT_WINDOW, LONG_WINDOW = 4, 120
# Seconds in one way, before the other.
STRETCH = 5
BESIDE, AHEAD = "beside", "ahead"


class Asking:
    """Plain questions at a fixed rate; a wait counts from when its question was due. In a process of their own: beside other threads of this
    one they would wait for those."""

    def __init__(self, address, way):
        # A fork would take the pipes of the crowds with it.
        apart = multiprocessing.get_context("spawn")
        self.line, theirs = apart.Pipe()
        self.process = apart.Process(target=self.run, args=(address, theirs, way), daemon=True)
        self.process.start()

    @staticmethod
    def run(address, line, way):
        if way == AHEAD:
            os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
        connection, due, waits = http.client.HTTPConnection(address, timeout=10), time.perf_counter(), []
        while not line.poll():
            connection.request("POST", "/v1/strategy/build-events", QUESTION)
            connection.getresponse().read()
            waits.append((time.perf_counter() - due) * 1000)
            due += 0.01
            time.sleep(max(0, due - time.perf_counter()))
        line.send(waits)

    def over(self):
        self.line.send("over")
        waits = self.line.recv()
        self.process.join()
        return waits


class Proof:
    def __init__(self, service, short):
        self.service, self.short = service, short
        self.readers, self.churners = (200, 2_000) if short else (1_000, 100_000)
        self.watchers = 200 if short else 1_000
        self.window = SHORT_WINDOW
        self.up = False
        self.forget()
        self.passed, self.failures, self.not_checked, self.figures = 0, [], [], {}

    def forget(self):
        def nothing():
            return {way: {kind: [] for kind in (*KINDS, "calm")} for way in (BESIDE, AHEAD)}

        self.told, self.waits = nothing(), nothing()

    def check(self, holds, failure):
        self.passed += holds
        if not holds:
            print(f"FAILED {failure}", file=sys.stderr)
            self.failures.append(failure)

    def taken(self):
        """KiB of memory and open files of the server, once only the watchers are left."""
        start = time.time()
        while self.open() != self.watchers and time.time() - start < 60:
            time.sleep(0.2)
        self.crowd.say("quiet", 1000, 30)
        process = self.service.server.process.pid
        return self.service.server.resident_mib() * 1024, len(os.listdir(f"/proc/{process}/fd"))

    def open(self):
        # A kept connection would be closed while it is not used.
        return self.service.line().ask("/v1/status")["streams"]["open"]

    def other(self):
        """A share under which everybody's document is another than it was."""
        self.up = not self.up
        return "100%" if self.up else "0%"

    def flip(self, times):
        line = self.service.line()
        for _ in range(times):
            line.set(self.other())
        self.crowd.say("quiet", 500, 30)

    def watch(self, kind, until):
        """What others wait for meanwhile."""
        for way in itertools.cycle([BESIDE] if self.short else [BESIDE, AHEAD]):
            if until() and self.told[way][kind]:
                break
            self.stretch(kind, way, until)
        self.put(BESIDE)

    def stretch(self, kind, way, until):
        self.put(way)
        asking, end, number = Asking(self.service.ports[0], way), time.time() + STRETCH, 0
        while (time.time() < end and not until()) or number < 4:
            body = json.dumps({"realtime-v2": self.other(), "reason": "proof"})
            figures = self.crowd.trigger(self.watchers, self.service.ports[1], self.service.token, "/v1/flags/build-events/set", body)
            self.told[way][kind].append(figures["ms"])
            number += 1
        self.waits[way][kind] += asking.over()

    def put(self, way):
        """The server among the others, or before them."""
        if not self.short:
            policy = {BESIDE: ["--other", "0"], AHEAD: ["--rr", "1"]}[way]
            subprocess.run(["chrt", "--all-tasks", "--pid", *policy, str(self.service.server.process.pid)], check=True)

    def for_a_while(self):
        end = time.time() + self.window
        return lambda: time.time() > end

    def attack(self, kind, readers, churners):
        before = self.open()
        if kind in ("slow", "stalled"):
            bad = self.bad("--reading", {"slow": "slow", "stalled": "never"}[kind])
            bad.say("open", readers, 60)
            self.flip(FILLING_FLIPS)
            self.watch(kind, self.for_a_while())
            self.figures.setdefault("openAtTheEnd", {})[kind] = self.open() - before
            bad.leave()
        elif kind == "vanished":
            end = self.for_a_while()
            vanishing = threading.Thread(target=self.vanish, args=(readers, end))
            vanishing.start()
            self.watch(kind, lambda: not vanishing.is_alive())
            vanishing.join()
        else:
            bad = self.bad()
            bad.begin("churn", churners, 1_000, 600)
            coming = threading.Thread(target=bad.end)
            coming.start()
            self.watch(kind, lambda: not coming.is_alive())
            coming.join()
            bad.leave()

    def vanish(self, readers, over):
        while not over():
            bad = self.bad()
            bad.say("open", readers, 60)
            time.sleep(1)
            bad.process.kill()
            bad.process.wait()

    def bad(self, *arguments):
        return Crowd(self.service.server, self.service.ports[0], "--keys", "bad-", "--at-once", "16", *arguments, apart=True,
                     built=self.service.built)

    def run(self):
        self.crowd = Crowd(self.service.server, self.service.ports[0], built=self.service.built)
        self.crowd.say("open", self.watchers, 60)
        self.flip(SETTLING_FLIPS)
        self.figures["memoryAtFirstKiB"] = round(self.taken()[0])
        for kind in KINDS:
            self.attack(kind, self.readers * 3 // 2, self.readers * 3)
        self.forget()
        self.window = SHORT_WINDOW if self.short else LONG_WINDOW
        before = self.taken()
        for kind in KINDS:
            print(kind, file=sys.stderr)
            self.watch("calm", self.for_a_while())
            self.attack(kind, self.readers, self.churners)
            after = self.taken()
            self.check(after[0] <= before[0] * 1.01, f"after {kind} readers the server takes {after[0]:.0f} KiB, and {before[0]:.0f} before")
            self.check(after[1] <= before[1] * 1.01, f"after {kind} readers {after[1]} files are open, and {before[1]} before")
            self.figures.setdefault("memoryKiB", {})[kind] = [round(before[0]), round(after[0])]
            self.figures.setdefault("openFiles", {})[kind] = [before[1], after[1]]
        self.watch("calm", self.for_a_while())
        self.compare()
        right, held = self.crowd.say("check", 60), self.crowd.say("hold")["noted"]
        self.check(right["same"] == self.watchers, f"not every watcher holds its document at the end: {right}")
        self.check(held["ended"] + held["fell"] == 0, f"watchers were cut, or their positions fell: {held}")

    def compare(self):
        def p99(waits):
            return sorted(waits)[(len(waits) - 1) * 99 // 100]

        for way in [BESIDE] if self.short else [BESIDE, AHEAD]:
            told = {kind: statistics.median(told) for kind, told in self.told[way].items()}
            asked = {kind: p99(waits) for kind, waits in self.waits[way].items()}
            self.compare_one(f"toldMs {way}", told, way == BESIDE)
            self.compare_one(f"askedP99Ms {way}", asked, True)
        self.figures |= {"flips": {way: {kind: len(told) for kind, told in of.items()} for way, of in self.told.items()},
                         "questions": {way: {kind: len(waits) for kind, waits in of.items()} for way, of in self.waits.items()},
                         "watchers": self.watchers, "badReaders": self.readers, "comeAndGo": self.churners}

    def compare_one(self, figure, of, is_judged):
        self.figures[figure] = {kind: round(value, 3) for kind, value in of.items()}
        for kind in KINDS:
            ratio = of[kind] / of["calm"]
            self.figures.setdefault(f"{figure} ratio", {})[kind] = round(ratio, 3)
            failure = f"{figure} with {kind} readers is {of[kind]:.2f}, {ratio:.2f} times that without"
            if is_judged and not self.short:
                self.check(ratio <= 1.2, failure)
            elif ratio > 1.2:
                self.not_checked.append(failure)


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--short", action="store_true")
    arguments.add_argument("--keep", type=pathlib.Path, help="a file for the raw result")
    options = arguments.parse_args()
    if not options.short and os.geteuid() != 0:
        sys.exit("prove-streams: the long form puts the server before others (chrt --rr), which only root may; try --short")
    built = build("debug" if options.short else "dist")
    began, home = time.time(), pathlib.Path(tempfile.mkdtemp(prefix="turnout-prove-"))
    service = Service(home, built, **({"TURNOUT_WRITE_TIMEOUT": "3s"} if options.short else {}))
    try:
        proof = Proof(service, options.short)
        proof.run()
    finally:
        service.server.stop()
        shutil.rmtree(home)
    result = {
        "proof": "streams", "form": "short" if options.short else "long", "program": built.name, "seconds": round(time.time() - began, 1),
        "cores": os.cpu_count(), "passed": proof.passed, "failed": len(proof.failures), "failures": proof.failures,
        "notChecked": proof.not_checked, "figures": proof.figures,
    }
    print(json.dumps(result))
    if options.keep:
        options.keep.write_text(json.dumps(result, indent=2) + "\n")
    print(f"{proof.passed} passed, {len(proof.failures)} failed")
    sys.exit(1 if proof.failures else 0)


if __name__ == "__main__":
    main()
