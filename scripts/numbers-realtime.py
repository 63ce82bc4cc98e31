#!/usr/bin/env python3
"""Measures what realtime streams cost, and how soon a stop closes them: each number beside its bar. Exits 1 where one misses its bar. Needs a Rust
toolchain and 22,000 open files.

    scripts/numbers-realtime.py                     10,000 streams on the build that ships; writes docs/results/realtime.json
    scripts/numbers-realtime.py --profile release   on the build that is quick to make
    scripts/numbers-realtime.py --short             200 streams on the debug build: says whether it runs
"""
import argparse
import http.client
import importlib
import json
import resource
import selectors
import socket
import sys
import tempfile
import time

from bench_common import ROOT, Report, build, machine

feeds_numbers = importlib.import_module("numbers-feeds")
KEY, STREAM, Caller, Feeds, events, session = (getattr(feeds_numbers, name) for name in ("KEY", "STREAM", "Caller", "Feeds", "events", "session"))

STREAMS_OF_USER = 8


class Streams:
    """Open streams, on sockets that do not block; their clients acknowledge nothing."""

    def __init__(self, server, count):
        host, port = server.address.removeprefix("http://").split(":")
        self.selector = selectors.DefaultSelector()
        self.open = 0
        for number in range(count):
            if number % STREAMS_OF_USER == 0:
                caller = Caller(server, session(f"user-{number // STREAMS_OF_USER}"))
                token = caller.call("/v1/token", {"flag": "build-events", "stream": "b-42"})["token"]
                caller.connection.close()
            one = socket.create_connection((host, int(port)), 30)
            path = STREAM.replace("/v1/feeds/", "/v1/realtime/")
            one.sendall(f"GET {path}?cursor=now HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n".encode())
            one.setblocking(False)
            self.selector.register(one, selectors.EVENT_READ, [b""])
            self.open += 1

    def read_until(self, wanted, everyone):
        """Reads until so many streams have these bytes, or have ended; returns when the last one had."""
        left = everyone
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


def operator(feeds, server, path, body):
    token = (feeds.data / "admin.token").read_text().strip()
    connection = http.client.HTTPConnection(server.addresses[1].removeprefix("http://"), timeout=30)
    connection.request("POST", path, body=json.dumps(body), headers={"Authorization": f"Bearer {token}"})
    answer = connection.getresponse()
    assert answer.status == 200, answer.read()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--profile", default="dist")
    options = parser.parse_args()
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
    short = options.short
    profile = "debug" if short else options.profile
    count, publishes = (200, 5) if short else (10_000, 20)
    programs, report = build(profile), Report(judged=not short)
    with tempfile.TemporaryDirectory() as folder:
        feeds = Feeds(folder, programs)
        flag = feeds.data.parent / "flags" / "build-events.yaml"
        flag.write_text(flag.read_text() + "rollout: { realtime-v2: 100% }\n")
        server = feeds.start()
        publisher = Caller(server, KEY)
        publisher.call(STREAM, {"readers": "verified", "events": events(0, 1)})
        for user in range(count // STREAMS_OF_USER):
            Caller(server, session(f"user-{user}")).call(f"{STREAM}?cursor=now")
        time.sleep(1)
        before = server.resident_mib()
        streams = Streams(server, count)
        streams.read_until(b'"up-to-date"', count)
        time.sleep(1)
        each_kib = (server.resident_mib() - before) * 1024 / count
        report.row(f"memory of an idle stream, {count:,} of them", [each_kib], 8, 5, " KB")
        cpu, took = server.cpu_seconds(), []
        for number in range(publishes):
            begun = time.monotonic()
            publisher.call(STREAM, {"events": events(1 + number, 1)})
            took.append((streams.read_until(f'"e-{1 + number}"'.encode(), count) - begun) * 1000)
        each_us = (server.cpu_seconds() - cpu) / publishes / count * 1e6
        report.note("CPU of the server a delivered message", [each_us], " µs")
        report.note("publish → the last stream has it", took, " ms")
        begun = time.monotonic()
        operator(feeds, server, "/v1/flags/build-events/stop", {})
        closed_ms = (streams.read_until(None, count) - begun) * 1000
        report.row("stop → the last stream is closed by the server", [closed_ms], 1000, 300, " ms")
        server.stop()
    if not short:
        result = {"machine": machine(), "date": time.strftime("%Y-%m-%d"), "profile": profile, "streams": count, "kibEach": each_kib,
                  "usCpuAMessage": each_us, "msUntilTheLastHasIt": took, "msUntilAllAreClosed": closed_ms}
        (ROOT / "docs/results/realtime.json").write_text(json.dumps(result, indent=2) + "\n")
    print("\n".join(report.table()))
    sys.exit(1 if report.missed else 0)


if __name__ == "__main__":
    main()
