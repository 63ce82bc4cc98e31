#!/usr/bin/env python3
"""Measures what feeds cost, and proves that they lose nothing: every number that feeds promise, each beside its bar. Exits 1 where one misses
its bar. Needs valgrind and strace (Debian packages of these names) and a Rust toolchain.

    scripts/numbers-feeds.py             all of it on the build that ships (15 minutes); writes docs/results/feeds.json and the section of
                                         docs/BENCHMARKS.md
    scripts/numbers-feeds.py --without-proofs      the costs alone (8 minutes)
    scripts/numbers-feeds.py --short     some seconds of each on the debug build: says whether it runs, and judges only the queries; the proofs'
                                         short forms are those of scripts/prove.sh
"""
import argparse
import base64
import concurrent.futures
import hashlib
import hmac
import http.client
import json
import pathlib
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time

import instructions
from bench_common import ROOT, Report, Server, build, machine, write_section

FLAG = "version: 1\nflag: build-events\nenabled: true\ndefault: polling\nwhen_stopped: polling\n"
SECRET = "a secret of thirty-two bytes and more"
KEY = "numbers"
STREAM = "/v1/feeds/build-events/b-42"
SESSION_BYTES = 230
INTERVALS = [4, 6, 9, 13.5, 15]


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def session(user):
    """A session token of 230 bytes."""
    filler = ""
    while True:
        claims = {"iss": "numbers", "aud": "turnout", "sub": user, "exp": 4102444800, "plan": filler}
        signed = base64url(b'{"alg":"HS256","typ":"JWT"}') + "." + base64url(json.dumps(claims).encode())
        token = signed + "." + base64url(hmac.new(SECRET.encode(), signed.encode(), hashlib.sha256).digest())
        if len(token) >= SESSION_BYTES:
            return token
        filler += "x"


class Feeds:
    """The service over folders of its own, which stay while it is started again."""

    def __init__(self, folder, programs):
        self.data = pathlib.Path(folder) / "data"
        flags = pathlib.Path(folder) / "flags"
        flags.mkdir(parents=True)
        (flags / "build-events.yaml").write_text(FLAG)
        secret, servers = pathlib.Path(folder) / "secret", pathlib.Path(folder) / "servers"
        secret.write_text(SECRET + "\n")
        servers.write_text(f"numbers {hashlib.sha256(KEY.encode()).hexdigest()}\n")
        self.environment = {"TURNOUT_SESSION_KEYS": str(secret), "TURNOUT_SESSION_ALGORITHM": "HS256", "TURNOUT_SESSION_ISSUER": "numbers",
                            "TURNOUT_SESSION_AUDIENCE": "turnout", "TURNOUT_SERVER_KEYS_FILE": str(servers), "TURNOUT_UNVERIFIED": "allow"}
        self.command = [str(programs / "turnout"), "serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0",
                        "--data", str(self.data), "--flags", str(flags)]

    def start(self):
        return Server(self.command, data=self.data, **self.environment)

    def queries(self, server):
        """Queries of the database of events so far."""
        token = (self.data / "admin.token").read_text().strip()
        connection = http.client.HTTPConnection(server.addresses[1].removeprefix("http://"), timeout=30)
        connection.request("GET", "/metrics", headers={"Authorization": f"Bearer {token}"})
        lines = connection.getresponse().read().decode().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("turnout_events_queries_total "))


class Caller:
    """One kept connection with a credential."""

    def __init__(self, server, credential):
        self.connection = http.client.HTTPConnection(server.address.removeprefix("http://"), timeout=30)
        self.headers = {"Authorization": f"Bearer {credential}"}

    def call(self, path, body=None):
        self.connection.request("POST" if body else "GET", path, body=body and json.dumps(body), headers=self.headers)
        answer = self.connection.getresponse()
        text = answer.read()
        if answer.status != 200:
            sys.exit(f"numbers-feeds: {path} was answered {answer.status} {text[:200]!r}")
        return json.loads(text)


def events(first, count):
    return [{"id": f"e-{number}", "type": "build.step", "data": {"step": number}} for number in range(first, first + count)]


def of_instructions(feeds, programs, report, short):
    if not shutil.which("valgrind"):
        print("NOT CHECKED: instructions of an idle poll (needs valgrind)")
        return {}
    server = feeds.start()
    Caller(server, KEY).call(STREAM, {"readers": "verified", "events": events(0, 50)})
    cursor = Caller(server, KEY).call(STREAM + "?cursor=now")["cursor"]
    server.stop()
    requests, pairs = (200, 1) if short else (6000, 3)
    # So many users that none reaches its limit.
    tokens = [session(f"user-{number}") for number in range(6 * requests // 50)]
    request = [instructions.request_of(f"{STREAM}?cursor={cursor}", headers=[f"Authorization: Bearer {token}"]) for token in tokens]
    polls = instructions.per_request(feeds.command, request, requests, pairs, feeds.data, feeds.environment)
    bare = instructions.per_request([programs / "bare_axum"], request, requests, pairs)
    report.row("instructions an idle poll ÷ bare axum with SHA-256", [poll / statistics.median(bare) for poll in polls], 1.6, 1.3)
    return {"instructionsOfPolls": polls, "instructionsOfBareAxum": bare}


def of_queries(feeds, _programs, report, short):
    server, (idle, found) = feeds.start(), (500, 50) if short else (10_000, 1_000)
    publisher, reader = Caller(server, KEY), Caller(server, KEY)
    publisher.call(STREAM, {"readers": "verified", "events": events(1_000, 1)})
    cursor = reader.call(STREAM + "?cursor=now")["cursor"]
    before = feeds.queries(server)
    for _ in range(idle):
        assert not reader.call(f"{STREAM}?cursor={cursor}")["events"]
    during_idle = feeds.queries(server) - before
    for number in range(found):
        publisher.call(STREAM, {"events": events(2_000 + number, 1)})
        page = reader.call(f"{STREAM}?cursor={cursor}")
        assert len(page["events"]) == 1
        cursor = page["cursor"]
    from_memory = feeds.queries(server) - before - during_idle
    server.stop()
    # What memory does not hold any longer: the start of a long stream.
    server, cursor, pages = feeds.start(), "", 0
    reader = Caller(server, KEY)
    reader.call(STREAM + "?cursor=now")
    before = feeds.queries(server)
    for _ in range(found):
        page = reader.call(f"{STREAM}?limit=1" + (f"&cursor={cursor}" if cursor else ""))
        cursor, pages = (page["cursor"] if page["hasMore"] else ""), pages + 1
    from_disk = feeds.queries(server) - before
    server.stop()
    judged, report.judged = report.judged, True
    report.row(f"queries, {idle:,} idle polls of a warm stream", [during_idle], 0, 0)
    report.row(f"queries, {found:,} polls that find events just published", [from_memory], found, 0)
    report.row(f"queries, {pages:,} polls that find old events", [from_disk], pages, pages)
    report.judged = judged
    return {"queriesOfIdlePolls": during_idle, "queriesOfNewEvents": from_memory, "queriesOfOldEvents": from_disk}


def polling(server, users, seconds, backs_off):
    """Polls as this many users, and returns the server's share of a core in per cent, and its polls a second."""
    callers = [(Caller(server, session(f"user-{number}")), random.uniform(0, INTERVALS[0])) for number in range(users)]
    cursors = [caller.call(STREAM + "?cursor=now")["cursor"] for caller, _ in callers]
    counts, end = [0] * users, threading.Event()

    def user(number):
        (caller, first), step = callers[number], 0
        wait = first
        while not end.wait(wait):
            caller.call(f"{STREAM}?cursor={cursors[number]}")
            counts[number] += 1
            step += 1
            wait = INTERVALS[min(step, len(INTERVALS) - 1)] * random.uniform(0.95, 1.05) if backs_off else INTERVALS[0]

    with concurrent.futures.ThreadPoolExecutor(users) as pool:
        running = [pool.submit(user, number) for number in range(users)]
        time.sleep(INTERVALS[0])
        before, begun, polls = server.cpu_seconds(), time.monotonic(), sum(counts)
        time.sleep(seconds)
        used, took, polls = server.cpu_seconds() - before, time.monotonic() - begun, sum(counts) - polls
        end.set()
        for one in running:
            one.result()
    return used / took * 100, polls / took


def of_cpu(feeds, programs, report, short):
    seconds, (few, many) = (2, (10, 20)) if short else (60, (100, 500))
    server = feeds.start()
    Caller(server, KEY).call(STREAM, {"readers": "verified", "events": events(5_000, 1)})
    time.sleep(2)
    before = server.cpu_seconds()
    time.sleep(seconds)
    idle = (server.cpu_seconds() - before) / seconds * 100
    at_four, four_rate = polling(server, few, seconds, False)
    backing_off, off_rate = polling(server, many, seconds, True)
    server.stop()
    # What such polls cost on this machine whatever answers them.
    bare = Server([str(programs / "bare_axum")])
    bare_at_four, _ = polling(bare, few, seconds, False)
    bare_off, _ = polling(bare, many, seconds, True)
    bare.stop()
    report.row(f"CPU of a core, {few} users every 4 s ({four_rate:.0f} polls/s)", [at_four], 0.1, 0.1, " %")
    report.row(f"CPU of a core, {many} users backing off ({off_rate:.0f} polls/s)", [backing_off], 0.15, 0.15, " %")
    report.note("CPU of a core, without polls", [idle], " %")
    report.note(f"CPU of a core of bare axum, {few} users every 4 s", [bare_at_four], " %")
    report.note(f"CPU of a core of bare axum, {many} users backing off", [bare_off], " %")
    return {"cpuPercentIdle": idle, "cpuPercentOfBareAxum": [bare_at_four, bare_off], "cpuPercentEvery4s": at_four, "cpuPercentBackingOff": backing_off, "pollsPerSecond": [four_rate, off_rate]}


def of_memory(feeds, _programs, report, short):
    streams, warm = (300, 10) if short else (10_000, 100)
    server = feeds.start()
    Caller(server, KEY).call(STREAM, {"readers": "verified", "events": events(0, 1)})
    Caller(server, session("user-1")).call(STREAM)
    time.sleep(2)
    idle = server.resident_mib()
    publisher = Caller(server, KEY)
    for number in range(streams):
        publisher.call(f"/v1/feeds/build-events/kept-{number}", {"readers": "verified", "events": events(0, 3)})
    published = server.resident_mib() - idle
    server.stop()
    server = feeds.start()
    reader = Caller(server, KEY)
    for round_number in range(3):
        for number in range(warm):
            reader.call(f"/v1/feeds/build-events/kept-{number}?tail=2")
    time.sleep(2)
    restarted = server.resident_mib() - idle
    server.stop()
    report.row(f"memory above idle, {streams:,} streams just published to", [published], 24, 24, " MiB")
    report.row(f"memory above idle, {streams:,} streams kept, {warm} warm", [restarted], 24, 24, " MiB")
    return {"idleMib": idle, "publishedMib": published, "restartedMib": restarted}


def of_proof(programs, report, what, proof):
    """Runs a proof of tools/prove, and returns its line."""
    done = subprocess.run([programs / "prove", proof], check=False, cwd=ROOT, capture_output=True, text=True)
    line = json.loads(next(line for line in done.stdout.splitlines() if line.startswith("{")))
    for missing in line["notChecked"]:
        print(f"NOT CHECKED: {missing}")
    figures = line["figures"]
    if figures:
        if "syncsPerPublish" in figures:
            report.row(what, [figures["syncsPerPublish"]], 0.1, 0.03)
        else:
            report.row(what, [line["failed"]], 0, 0)
    return line


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--without-proofs", action="store_true")
    options = parser.parse_args()
    short = options.short
    programs, report = build("debug" if short else "dist"), Report(judged=not short)
    result = {"machine": machine(), "date": time.strftime("%Y-%m-%d"), "form": "short" if short else "long"}
    for measure in (of_instructions, of_queries, of_cpu, of_memory):
        with tempfile.TemporaryDirectory() as folder:
            result |= measure(Feeds(folder, programs), programs, report, short)
    if not options.without_proofs and not short:
        result["syncs"] = of_proof(programs, report, "syncs a durable publish, 64 publishers", "events-syncs")
        result["kills"] = of_proof(programs, report, "faults in 1,000 kills during publishes", "events-kills")
        result["resumes"] = of_proof(programs, report, "missed or repeated of 1,000,000 events, retention on", "events-resumes")
    if not short:
        (ROOT / "docs/results/feeds.json").write_text(json.dumps(result, indent=2) + "\n")
        write_section("Feeds", [f"Made by `scripts/numbers-feeds.py` on {result['date']}: {result['machine']} ([raw](results/feeds.json)).", "", *report.table()])
    sys.exit(1 if report.missed else 0)


if __name__ == "__main__":
    main()
