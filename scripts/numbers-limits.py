#!/usr/bin/env python3
"""Measures what limits of users and held polls cost: each number beside its bar. Exits 1 where one misses its bar. Needs valgrind (Debian package
of this name), a Rust toolchain, and 12,000 open files.

    scripts/numbers-limits.py                     all of it on the build that ships; writes docs/results/limits.json
    scripts/numbers-limits.py --profile release   on the build that is quick to make
    scripts/numbers-limits.py --short             some seconds on the debug build: says whether it runs
    scripts/numbers-limits.py --without-limits PROGRAM
                                                  the instructions of an idle poll beside this build of the service, in which `quota::take` allows
                                                  everything and counts nothing, and answers have no fields of limits
"""
import argparse
import http.client
import importlib
import json
import random
import resource
import selectors
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

import instructions
from bench_common import ROOT, Report, build, machine

feeds_numbers = importlib.import_module("numbers-feeds")
KEY, STREAM, Caller, Feeds, events, session = (getattr(feeds_numbers, name) for name in ("KEY", "STREAM", "Caller", "Feeds", "events", "session"))

POLLS_OF_USER = 6
READERS_OF_STREAM = 10


class Held:
    """Polls that are held, on sockets that do not block."""

    def __init__(self, server, polls, streams):
        host, port = server.address.removeprefix("http://").split(":")
        self.waiting = selectors.DefaultSelector()
        self.heads = {}
        self.sockets = {stream: [] for stream in streams}
        for number in range(polls):
            stream = streams[number % len(streams)]
            token = session(f"user-{number // POLLS_OF_USER}")
            one = socket.create_connection((host, int(port)), 30)
            head = f"GET /v1/feeds/build-events/{stream}?cursor=now&wait=25000 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n"
            self.sockets[stream].append(one)
            self.heads[one] = head.encode()

    def begin(self):
        """Sends every poll."""
        for one, head in self.heads.items():
            one.sendall(head)

    def answers(self, stream):
        """When each poll of a stream has its answer."""
        times, left = [], {one: b"" for one in self.sockets[stream]}
        selector = selectors.DefaultSelector()
        for one in left:
            selector.register(one, selectors.EVENT_READ)
        while left:
            for key, _ in selector.select(30):
                one = key.fileobj
                left[one] += one.recv(65536)
                if left[one].endswith(b"}"):
                    assert b'"events":[{' in left[one], left[one][:400]
                    times.append(time.monotonic())
                    selector.unregister(one)
                    del left[one]
        return times

    def close(self):
        for one in self.heads:
            one.close()


def held_count(feeds, server):
    token = (feeds.data / "admin.token").read_text().strip()
    connection = http.client.HTTPConnection(server.addresses[1].removeprefix("http://"), timeout=30)
    connection.request("GET", "/metrics", headers={"Authorization": f"Bearer {token}"})
    lines = connection.getresponse().read().decode().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("turnout_polls_held "))


def of_held(feeds, report, short):
    polls, publishes = (200, 10) if short else (5_000, 200)
    names = [f"held-{number}" for number in range(polls // READERS_OF_STREAM)]
    server = feeds.start()
    publisher = Caller(server, KEY)
    for name in names:
        publisher.call(f"/v1/feeds/build-events/{name}", {"readers": "verified", "events": events(0, 1)})
    # Sessions are verified once, before memory is measured.
    for user in range(polls // POLLS_OF_USER + 1):
        Caller(server, session(f"user-{user}")).call(f"/v1/feeds/build-events/{names[0]}?cursor=now")
    time.sleep(1)
    before = server.resident_mib()
    held = Held(server, polls, names)
    held.begin()
    for _ in range(50):
        if (count := held_count(feeds, server)) == polls:
            break
        time.sleep(0.1)
    else:
        sys.exit(f"numbers-limits: {count} of {polls} polls are held")
    each_kib = (server.resident_mib() - before) * 1024 / polls
    latencies, behind = [], []
    for number, name in enumerate(random.Random(21).sample(names, min(publishes, len(names)))):
        begun = time.monotonic()
        publisher.call(f"/v1/feeds/build-events/{name}", {"events": events(1 + number, 1)})
        published = time.monotonic()
        answers = held.answers(name)
        latencies += [(at - begun) * 1000 for at in answers]
        behind += [(at - published) * 1000 for at in answers]
    held.close()
    server.stop()
    latencies.sort()
    behind.sort()
    p99, p99_behind = latencies[len(latencies) * 99 // 100], behind[len(behind) * 99 // 100]
    report.row(f"memory of a held poll, {polls:,} of them", [each_kib], 6, 6, " KB")
    report.row(f"publish → a held poll has it, p99 of {len(latencies):,}", [p99], 20, 20, " ms")
    report.note("publish → a held poll has it, median", [statistics.median(latencies)], " ms")
    report.note("of that, behind the answer of the publish, p99", [p99_behind], " ms")
    return {"heldPolls": polls, "msBehindThePublish": {"p50": statistics.median(behind), "p99": p99_behind}, "kibEach": each_kib, "latencyMs": {"p50": statistics.median(latencies), "p99": p99, "most": latencies[-1]}}


def of_users(report):
    """The ignored test of the counts with a million users."""
    command = ["cargo", "test", "--locked", "--test", "logic", "many_users::a_million_users", "--", "--ignored", "--nocapture"]
    done = subprocess.run(command, check=False, cwd=ROOT, capture_output=True, text=True)
    line = next((line for line in done.stdout.splitlines() if line.startswith("{")), None)
    if line is None:
        sys.exit(f"numbers-limits: the test of a million users says nothing: {done.stderr[-500:]}")
    users = json.loads(line)
    report.row("memory of the counts of 1,000,000 users, a tenth of them noisy", [users["bytes"] / 2**20], 64, 64, " MiB")
    report.row("of their answers, those that others got", [users["answersOfHonest"] / users["asked"] * 100], 99, 99, " %", at_most=False)
    report.note("answers over the limit, of a million of the noisy", [users["answersOver"] / users["answersOfNoisy"] * 1e6])
    return {"millionUsers": users}


def of_instructions(feeds, without, report, short):
    if not shutil.which("valgrind") or not without:
        print("NOT CHECKED: instructions of an idle poll (needs valgrind and --without-limits)")
        return {}
    server = feeds.start()
    Caller(server, KEY).call(STREAM, {"readers": "verified", "events": events(0, 50)})
    cursor = Caller(server, KEY).call(STREAM + "?cursor=now")["cursor"]
    server.stop()
    requests, pairs = (200, 1) if short else (3000, 3)
    tokens = [session(f"user-{number}") for number in range(6 * requests // 50)]
    request = [instructions.request_of(f"{STREAM}?cursor={cursor}", headers=[f"Authorization: Bearer {token}"]) for token in tokens]
    limited = instructions.per_request(feeds.command, request, requests, pairs, feeds.data, feeds.environment)
    command = [without, *feeds.command[1:]]
    free = instructions.per_request(command, request, requests, pairs, feeds.data, feeds.environment)
    report.row("instructions of an idle poll, limits on ÷ off", [poll / statistics.median(free) for poll in limited], 1.05, 1.05)
    return {"instructionsWithLimits": limited, "instructionsWithoutLimits": free}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--profile", default="dist")
    parser.add_argument("--without-limits", metavar="PROGRAM")
    options = parser.parse_args()
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
    short = options.short
    profile = "debug" if short else options.profile
    programs, report = build(profile), Report(judged=not short)
    result = {"machine": machine(), "date": time.strftime("%Y-%m-%d"), "form": "short" if short else "long", "profile": profile}
    with tempfile.TemporaryDirectory() as folder:
        result |= of_held(Feeds(folder, programs), report, short)
    with tempfile.TemporaryDirectory() as folder:
        result |= of_instructions(Feeds(folder, programs), options.without_limits, report, short)
    if not short:
        result |= of_users(report)
        (ROOT / "docs/results/limits.json").write_text(json.dumps(result, indent=2) + "\n")
    print("\n".join(report.table()))
    sys.exit(1 if report.missed else 0)


if __name__ == "__main__":
    main()
