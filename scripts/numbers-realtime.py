#!/usr/bin/env python3
"""Measures what realtime costs: each number beside its bar. Exits 1 where one misses its bar. Needs a Rust toolchain, 22,000 open files in two
processes (each 11,000), and for `tokens` valgrind (Debian package of this name).

    scripts/numbers-realtime.py                     all but `herd`, 10,000 streams on the build that ships; writes docs/results/realtime.json
    scripts/numbers-realtime.py delivery tokens     these alone: `streams`, `delivery`, `wakes`, `tokens`, `herd`
    scripts/numbers-realtime.py herd                10,000 clients go from realtime to polling and back, 20 times (15 minutes)
    scripts/numbers-realtime.py --profile release   on the build that is quick to make
    scripts/numbers-realtime.py --short             200 streams, and 1,000 clients to and fro twice, on the debug build: says whether it runs, and
                                                    judges the answers of the herd
"""
import argparse
import http.client
import importlib
import json
import multiprocessing
import os
import pathlib
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
from bench_common import ROOT, Report, Server, build, machine

feeds_numbers = importlib.import_module("numbers-feeds")
KEY, STREAM, Caller, Feeds, events, session = (getattr(feeds_numbers, name) for name in ("KEY", "STREAM", "Caller", "Feeds", "events", "session"))

STREAMS_OF_USER = 8
REALTIME = STREAM.replace("/v1/feeds/", "/v1/realtime/")
TOKEN_BODY = json.dumps({"flag": "build-events", "stream": "b-42"})
ROUNDS = 7


def host_of(server):
    host, port = server.address.removeprefix("http://").split(":")
    return host, int(port)


def heads_of_service(server, count, name="user"):
    """What opens so many streams: eight of each user."""
    for number in range(count):
        if number % STREAMS_OF_USER == 0:
            caller = Caller(server, session(f"{name}-{number // STREAMS_OF_USER}"))
            token = caller.call("/v1/token", json.loads(TOKEN_BODY))["token"]
            caller.connection.close()
        yield f"GET {REALTIME}?cursor=now HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n".encode()


class Streams:
    """Open streams, on sockets that do not block; their clients acknowledge nothing."""

    def __init__(self, address, heads):
        self.selector = selectors.DefaultSelector()
        self.open = 0
        for head in heads:
            one = socket.create_connection(address, 30)
            one.sendall(head)
            one.setblocking(False)
            self.selector.register(one, selectors.EVENT_READ, [b""])
            self.open += 1

    def read_until(self, wanted):
        """Reads until each stream has these bytes, or has ended; returns when the last one had."""
        left = everyone = self.open
        while left:
            ready = self.selector.select(30)
            if not ready:
                sys.exit(f"numbers-realtime: {left} of {everyone} streams never had {wanted!r}")
            for key, _ in ready:
                piece = key.fileobj.recv(262144)
                if not piece:
                    self.selector.unregister(key.fileobj)
                    key.fileobj.close()
                    self.open -= 1
                    left -= wanted is None
                    continue
                text = key.data[0] + piece
                if wanted and wanted in text:
                    left -= 1
                    text = b""
                key.data[0] = text[-4096:]
        return time.monotonic()


class Readers:
    """Streams in a process of their own, so that each process has files enough for its own."""

    def __init__(self, address, heads, first):
        self.pipe, theirs = multiprocessing.Pipe()
        self.process = multiprocessing.Process(target=self.serve, args=(theirs, address, list(heads), first), daemon=True)
        self.process.start()
        self.count = self.pipe.recv()

    @staticmethod
    def serve(pipe, address, heads, first):
        streams = Streams(address, heads)
        streams.read_until(first)
        pipe.send(streams.open)
        for wanted in iter(pipe.recv, b""):
            pipe.send(streams.read_until(wanted))

    def has(self, wanted):
        self.pipe.send(wanted)

    def had(self):
        if not self.pipe.poll(60):
            sys.exit("numbers-realtime: the readers say nothing")
        return self.pipe.recv()

    def end(self):
        self.pipe.send(b"")
        self.process.join()


def operator(feeds, server, path, body):
    token = (feeds.data / "admin.token").read_text().strip()
    connection = http.client.HTTPConnection(server.addresses[1].removeprefix("http://"), timeout=30)
    connection.request("POST", path, body=json.dumps(body), headers={"Authorization": f"Bearer {token}"})
    answer = connection.getresponse()
    assert answer.status == 200, answer.read()


def open_to_all(folder, programs):
    """A service whose users are all in realtime, with a stream that each verified user may read."""
    feeds = Feeds(folder, programs)
    flag = feeds.data.parent / "flags" / "build-events.yaml"
    flag.write_text(flag.read_text() + "rollout: { realtime-v2: 100% }\n")
    server = feeds.start()
    publisher = Caller(server, KEY)
    publisher.call(STREAM, {"readers": "verified", "events": events(0, 1)})
    return feeds, server, publisher


def of_streams(programs, report, short):
    """Memory of idle streams, and how soon a publish has reached and a stop has closed all."""
    count, publishes = (200, 5) if short else (10_000, 20)
    with tempfile.TemporaryDirectory() as folder:
        feeds, server, publisher = open_to_all(folder, programs)
        for user in range(count // STREAMS_OF_USER):
            Caller(server, session(f"user-{user}")).call(f"{STREAM}?cursor=now")
        time.sleep(1)
        before = server.resident_mib()
        streams = Streams(host_of(server), heads_of_service(server, count))
        streams.read_until(b'"up-to-date"')
        time.sleep(1)
        each_kib = (server.resident_mib() - before) * 1024 / count
        report.row(f"memory of an idle stream, {count:,} of them", [each_kib], 8, 5, " KB")
        took = []
        for number in range(1, publishes + 1):
            begun = time.monotonic()
            publisher.call(STREAM, {"events": events(number, 1)})
            took.append((streams.read_until(f'"e-{number}"'.encode()) - begun) * 1000)
        report.note("publish → the last stream has it", took, " ms")
        begun = time.monotonic()
        operator(feeds, server, "/v1/flags/build-events/stop", {})
        closed_ms = (streams.read_until(None) - begun) * 1000
        report.row("stop → the last stream is closed by the server", [closed_ms], 1000, 300, " ms")
        server.stop()
    return {"streams": count, "kibEach": each_kib, "msUntilTheLastHasIt": took, "msUntilAllAreClosed": closed_ms}


class Bare:
    """Bare axum, which sends one framed message of `size` bytes to all who watch."""

    # What stands around the document.
    AROUND = len('id: 100\ndata: {"type":"strategy","etag":"\\"\\"","document":}\n\n') + 32

    def __init__(self, programs, size):
        self.server = Server([str(programs / "bare_streams"), '"' + "x" * (size - self.AROUND - 2) + '"'])
        self.connection = http.client.HTTPConnection(self.server.address.removeprefix("http://"), timeout=30)

    @staticmethod
    def heads(count):
        return [b"POST /v1/strategy/a/watch HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"] * count

    def publish(self):
        self.connection.request("POST", "/publish")
        return f"id: {self.connection.getresponse().read().decode()}\n".encode()


def of_delivery(programs, report, short):
    """CPU of the server for each message that a stream got, beside bare axum, in turn."""
    count, publishes = (200, 2) if short else (10_000, 10)
    with tempfile.TemporaryDirectory() as folder:
        _, server, publisher = open_to_all(folder, programs)
        ours = Readers(host_of(server), heads_of_service(server, count), b'"up-to-date"')
        one = Streams(host_of(server), heads_of_service(server, 1, "other"))
        one.read_until(b'"up-to-date"')
        published = 0

        def publish():
            nonlocal published
            published += 1
            publisher.call(STREAM, {"events": events(published, 1)})
            return f'"e-{published}"'.encode()

        wanted = publish()
        size = message_bytes(one, wanted)
        ours.has(wanted)
        ours.had()
        bare = Bare(programs, size)
        theirs = Readers(host_of(bare.server), bare.heads(count), b"id: 1\n")

        def round_of(process, readers, publish):
            cpu = process.cpu_seconds()
            for _ in range(publishes):
                readers.has(publish())
                readers.had()
            return (process.cpu_seconds() - cpu) / publishes / count * 1e6

        rounds = []
        for _ in range(ROUNDS):
            rounds.append((round_of(server, ours, publish), round_of(bare.server, theirs, bare.publish)))
        for readers, process in ((ours, server), (theirs, bare.server)):
            readers.end()
            process.stop()
    report.note(f"CPU of the server a delivered message of {size} bytes", [mine for mine, _ in rounds], " µs")
    report.note("the same of bare axum", [other for _, other in rounds], " µs")
    report.row(f"the first ÷ the second, {count:,} streams", [mine / other for mine, other in rounds], 1.3, 1.0)
    return {"bytesOfMessage": size, "usCpuAMessage": [mine for mine, _ in rounds], "usCpuAMessageOfBareAxum": [other for _, other in rounds]}


def message_bytes(streams, wanted):
    """How long the message with these bytes is."""
    (key, _), text = streams.selector.select(30)[0], b""
    while wanted not in text or not text.endswith(b"\n\n"):
        streams.selector.select(30)
        text += key.fileobj.recv(65536)
    return len(next(part for part in text.split(b"\n\n") if wanted in part)) + 2


def of_wakes(programs, report, short):
    """How long another request waits while a publish wakes all streams."""
    count, publishes = (200, 10) if short else (10_000, 60)
    with tempfile.TemporaryDirectory() as folder:
        _, server, publisher = open_to_all(folder, programs)
        readers = Readers(host_of(server), heads_of_service(server, count), b'"up-to-date"')
        first(server.process.pid)
        pipe, theirs = multiprocessing.Pipe()
        probe = multiprocessing.Process(target=ask_on, args=(theirs, host_of(server)), daemon=True)
        probe.start()
        time.sleep(5 if short else 20)
        spans = []
        for number in range(1, publishes + 1):
            begun = time.monotonic()
            publisher.call(STREAM, {"events": events(number, 1)})
            readers.has(f'"e-{number}"'.encode())
            spans.append((begun, readers.had()))
            time.sleep(0.3)
        pipe.send("end")
        asked = pipe.recv()
        readers.end()
        server.stop()
    began = spans[0][0]
    alone = sorted(took for at, took in asked if at < began)
    beside = sorted(took for at, took in asked if any(at <= end and at + took / 1000 >= begin for begin, end in spans))
    result = {}
    for name, what, times in (("alone", "no event comes", alone), ("beside", f"an event wakes {count:,} streams", beside)):
        result[name] = {"asked": len(times), "p50Ms": at(times, 0.5), "p99Ms": at(times, 0.99), "maxMs": times[-1]}
        report.note(f"a question waits while {what}, {len(times):,} asked: p99 (p50 – longest)", [at(times, 0.5), at(times, 0.99), times[-1]], " ms")
    return {"questions": result}


def at(times, share):
    return times[min(len(times) - 1, int(len(times) * share))]


def first(pid):
    """Puts a server before all other processes, as one that shares its machine with no client is."""
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        try:
            os.setpriority(os.PRIO_PROCESS, int(task.name), -15)
        except OSError:
            print("NOT CHECKED: the server before all other processes (needs root)")
            return


def ask_on(pipe, address):
    """Asks for a strategy every few milliseconds until it is told to end."""
    try:
        os.setpriority(os.PRIO_PROCESS, 0, -20)
    except OSError:
        pass
    one, body, asked = socket.create_connection(address, 30), b'{"targetingKey":"u-1"}', []
    one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    head = f"POST /v1/strategy/build-events HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    while not pipe.poll(0.003):
        begun = time.monotonic()
        one.sendall(head + body)
        assert one.recv(65536).startswith(b"HTTP/1.1 200")
        asked.append((begun, (time.monotonic() - begun) * 1000))
    pipe.send(asked)


def of_tokens(programs, report, short):
    """Instructions of a whole request for a token, beside the least it takes: bare axum, and the signature."""
    if not shutil.which("valgrind"):
        print("NOT CHECKED: instructions of a request for a token (needs valgrind)")
        return {}
    with tempfile.TemporaryDirectory() as folder:
        feeds, server, _ = open_to_all(folder, programs)
        server.stop()
        requests, pairs = (50, 1) if short else (600, 3)
        # As many users as requests of the shorter run: each is verified once in both, and gets six tokens in a minute at most.
        tokens = [session(f"user-{number}") for number in range(requests)]
        request = [instructions.request_of("/v1/token", TOKEN_BODY, headers=[f"Authorization: Bearer {token}"]) for token in tokens]
        whole = instructions.per_request(feeds.command, request, requests, pairs, feeds.data, feeds.environment)
    bare = instructions.per_request([programs / "bare_axum"], request, requests, pairs)
    report.note("instructions of a request for a token", whole)
    report.note("instructions of bare axum with one ES256 signature", bare)
    report.row("the first ÷ the second", [one / statistics.median(bare) for one in whole], 1.3, 1.15)
    return {"instructionsOfToken": whole, "instructionsOfBareAxumWithSignature": bare}


def of_herd(programs, report, short):
    """All clients leave realtime at once and come back, again and again."""
    count, rounds, settle = (1_000, 2, 12) if short else (10_000, 20, 16)
    with tempfile.TemporaryDirectory() as folder:
        feeds, server, publisher = open_to_all(folder, programs)
        publisher.connection.close()
        path = pathlib.Path(folder) / "sessions"
        path.write_text("".join(session(f"user-{number}") + "\n" for number in range(count)))
        addresses = [address.removeprefix("http://") for address in server.addresses]
        environment = {**os.environ, "HERD_ADMIN": (feeds.data / "admin.token").read_text().strip(), "HERD_SERVER": KEY}
        command = [programs / "herd", *addresses, path, str(rounds), str(settle)]
        done = subprocess.run(list(map(str, command)), env=environment, stdout=subprocess.PIPE, text=True, check=False)
        server.stop()
    if done.returncode:
        sys.exit("numbers-realtime: the herd did not end well")
    found = json.loads(done.stdout)
    bad = {what: times for what, times in found["answers"].items() if int(what.split()[1]) >= 500 or what.split()[1] == "0"}
    report.row(f"{count:,} clients to and fro {rounds} times: answers that are errors of the server, or none", [sum(bad.values())], 0, 0)
    report.missed |= bool(bad)
    report.row("most polls in a second ÷ polls a second while all poll", [one["peakToSteady"] for one in found["rounds"]], 2, 1.7)
    report.note("stop → 99 % are on polls", [one["secondsUntil99PercentLeft"] for one in found["rounds"]], " s")
    report.note("resume → 99 % are in realtime", [one["secondsUntil99PercentAreBack"] for one in found["rounds"]], " s")
    return {"herd": found}


PARTS = {"streams": of_streams, "delivery": of_delivery, "wakes": of_wakes, "tokens": of_tokens, "herd": of_herd}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], metavar="PART")
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--profile", default="dist")
    options = parser.parse_args()
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
    profile = "debug" if options.short else options.profile
    programs, report = build(profile), Report(judged=not options.short)
    path = ROOT / "docs/results/realtime.json"
    for part in options.parts or [part for part in PARTS if options.short or part != "herd"]:
        load = os.getloadavg()[0]
        found = PARTS[part](programs, report, options.short)
        if not options.short:
            about = {"machine": machine(), "date": time.strftime("%Y-%m-%d"), "profile": profile, "loadBefore": load}
            # Read anew: another part may have been measured meanwhile.
            path.write_text(json.dumps(json.loads(path.read_text()) | {part: about | found}, indent=2) + "\n")
    print("\n".join(report.table()))
    sys.exit(1 if report.missed else 0)


if __name__ == "__main__":
    main()
