#!/usr/bin/env python3
"""Measures what ships beside its limit and writes its section of docs/BENCHMARKS.md; exits 1 where a median misses its bar.

Every ratio compares two servers in the same run, taken in turn round by round: the machine's mood cancels out. It changes within
seconds, so rounds are short and many. Absolute figures are reported with the machine they were taken on. Needs wrk (Debian package
`wrk`) and a Rust toolchain.

    scripts/bench.py             questions and answers: all rows, 21 rounds of a second
    scripts/bench.py --rounds 9 --seconds 4
    scripts/bench.py streams     watching clients (scripts/bench_streams.py): 7 rounds; needs no wrk
    scripts/bench.py streams --short       500 streams and few rounds: says whether it runs, and judges nothing
"""
import argparse
import base64
import contextlib
import ctypes
import hashlib
import hmac
import json
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

import bench_streams
from bench_common import BODY, ROOT, Report, Server, build, machine, write_section

LUA = """
local n = 0
request = function()
  n = n + 1
  return wrk.format("POST", nil, nil, string.format(%r, n % 65536))
end
""".replace("%r", repr(BODY).replace("\\'", "'"))


def data_of(flags):
    """Each folder of flags has its database, which is there from the second start on, as it is for people."""
    digest = hashlib.sha256(str(flags).encode()).hexdigest()[:12]
    return pathlib.Path(tempfile.gettempdir()) / f"turnout-bench-data-{os.getpid()}-{digest}"


def turnout(flags, **environment):
    command = [ROOT / "target/dist/turnout", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0",
               "--data", data_of(flags), "--flags", flags]
    return Server([str(part) for part in command], data=data_of(flags), **environment)


def bare():
    return Server([str(ROOT / "target/dist/bare_axum")])


def load(server, seconds, script, path="/v1/strategy/build-events", headers=()):
    """One round of wrk: requests a second, p99 in ms, CPU in microseconds a request."""
    before = server.cpu_seconds()
    command = ["wrk", "-t1", "-c64", f"-d{seconds}s", "--latency", server.address + path]
    if script:
        command += ["-s", script]
    for header in headers:
        command += ["-H", header]
    out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    cpu = server.cpu_seconds() - before
    requests = int(re.search(r"(\d+) requests in", out).group(1))
    if "Non-2xx" in out or "Socket errors" in out:
        sys.exit(f"bench: not every answer was a 200:\n{out}")
    number, unit = re.search(r"99%\s+([\d.]+)(us|ms|s)", out).groups()
    p99 = float(number) * {"us": 0.001, "ms": 1, "s": 1000}[unit]
    return {"rps": float(re.search(r"Requests/sec:\s+([\d.]+)", out).group(1)), "p99": p99, "cpu": cpu / requests * 1e6}


def interleave(loads, rounds):
    """Runs every load once a round, after one uncounted round."""
    results = {name: [] for name in loads}
    for round_number in range(rounds + 1):
        for name, run in loads.items():
            result = run()
            if round_number:
                results[name].append(result)
    return results


def ratio(results, figure, above, below):
    return [a[figure] / b[figure] for a, b in zip(results[above], results[below])]


def folder(home, name, ids=0, flags=0):
    """A copy of the shipped flags with a `users_file` of so many ids, and so many flags more."""
    path = home / name
    shutil.copytree(ROOT / "flags", path, ignore=shutil.ignore_patterns("examples"))
    if ids:
        (path / "ids.txt").write_text("".join(f"listed-{number:07}\n" for number in range(ids)))
        segment = path / "segments/internal.yaml"
        segment.write_text(segment.read_text() + "users_file: ids.txt\n")
    text = (path / "build-events.yaml").read_text()
    for number in range(flags):
        key = f"flag-{number:05}"
        (path / f"{key}.yaml").write_text(text.replace("flag: build-events", f"flag: {key}"))
    return path


def start_ms(start):
    server = start()
    server.ask()
    elapsed = (time.perf_counter() - server.started) * 1000
    server.stop()
    return elapsed


def save_to_served_ms(server, path, saves, wait):
    """From before the save to the first answer that was made from it."""
    times = []
    text = path.read_text()
    for number in range(saves):
        temporary = path.with_suffix(".tmp")
        temporary.write_text(re.sub(r"description: .*", f"description: save {number}", text))
        revision = server.ask()[1]["Turnout-Revision"]
        start = time.perf_counter()
        temporary.rename(path)
        while server.ask()[1]["Turnout-Revision"] == revision:
            if time.perf_counter() - start > 30:
                sys.exit("bench: a save never went live")
        times.append((time.perf_counter() - start) * 1000)
        time.sleep(wait)
    return times


def token(secret):
    """A session token that outlives the run."""
    def part(data):
        return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

    claims = {"iss": "bench", "aud": "turnout", "sub": "user-1", "exp": int(time.time()) + 3600, "plan": "free"}
    signed = part(b'{"alg":"HS256","typ":"JWT"}') + "." + part(json.dumps(claims).encode())
    return signed + "." + part(hmac.new(secret.encode(), signed.encode(), hashlib.sha256).digest())


@contextlib.contextmanager
def no_inotify():
    """Takes every inotify instance this user may have."""
    libc = ctypes.CDLL(None)
    taken = []
    while (instance := libc.inotify_init1(os.O_CLOEXEC)) >= 0:
        taken.append(instance)
    try:
        yield
    finally:
        for instance in taken:
            os.close(instance)


def evaluation_ratio():
    subprocess.run(["cargo", "bench", "--locked", "--quiet", "--bench", "evaluate"], cwd=ROOT, check=True, capture_output=True)
    groups = ROOT / "target/criterion"

    def nanoseconds(name):
        estimates = next(groups.glob(f"*/{name}*/new/estimates.json"))
        return json.loads(estimates.read_text())["median"]["point_estimate"]

    return nanoseconds("one evaluation") / nanoseconds("floor")


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("mode", nargs="?", choices=["requests", "streams"], default="requests")
    arguments.add_argument("--rounds", type=int)
    arguments.add_argument("--seconds", type=int, default=1, help="for each round of requests")
    arguments.add_argument("--short", action="store_true", help="streams: few and small, not judged, and nothing is written")
    arguments.add_argument("--no-write", action="store_true", help="leave docs/BENCHMARKS.md alone")
    options = arguments.parse_args()
    options.rounds = options.rounds or (2 if options.short else 7 if options.mode == "streams" else 21)
    if options.mode == "requests" and not shutil.which("wrk"):
        sys.exit("bench: wrk is not installed (apt-get install wrk)")
    build()

    report = Report(judged=not options.short)
    home = pathlib.Path(tempfile.mkdtemp(prefix="turnout-bench-"))
    try:
        if options.mode == "streams":
            bench_streams.measure(report, home, options)
        else:
            script = home / "post.lua"
            script.write_text(LUA)
            measure(report, home, str(script), options)
    finally:
        shutil.rmtree(home)
    if not options.no_write and not options.short:
        (bench_streams.write if options.mode == "streams" else write)(report, options)
    sys.exit(1 if report.missed else 0)


def measure(report, home, script, options):
    shipped, thousand, million, many = (
        folder(home, "shipped"), folder(home, "100k", ids=100_000), folder(home, "1m", ids=1_000_000), folder(home, "flags", flags=10_000))
    servers = {"limit": bare(), "shipped": turnout(shipped), "million": turnout(million), "many": turnout(many)}
    runs = {name: lambda server=server: load(server, options.seconds, script) for name, server in servers.items()}
    results = interleave(runs, options.rounds)
    for server in servers.values():
        server.stop()
    report.row("CPU per POST ÷ bare axum", ratio(results, "cpu", "shipped", "limit"), 1.25, 1.05)
    report.row("requests/s ÷ bare axum", ratio(results, "rps", "shipped", "limit"), 0.80, 0.95, at_most=False)
    report.row("p99 ÷ bare axum", ratio(results, "p99", "shipped", "limit"), 1.5, 1.2)
    report.row("CPU per POST with 1,000,000 ids ÷ shipped", ratio(results, "cpu", "million", "shipped"), 1.10, 1.03)
    report.row("CPU per POST with 10,000 flags ÷ shipped", ratio(results, "cpu", "many", "shipped"), 1.10, 1.03)
    report.results = results

    secret = home / "secret"
    secret.write_text("a secret of thirty-two bytes and more\n")
    server = turnout(shipped, TURNOUT_SESSION_KEYS=str(secret), TURNOUT_SESSION_ALGORITHM="HS256", TURNOUT_SESSION_ISSUER="bench",
                     TURNOUT_SESSION_AUDIENCE="turnout", TURNOUT_UNVERIFIED="allow")
    bearer = [f"Authorization: Bearer {token(secret.read_text().strip())}"]
    verified = interleave({
        "get": lambda: load(server, options.seconds, None, headers=bearer),
        "post": lambda: load(server, options.seconds, script),
    }, options.rounds)
    server.stop()
    report.row("CPU per verified GET, session seen before ÷ plain POST", ratio(verified, "cpu", "get", "post"), 1.3, 1.1)

    report.row("one evaluation ÷ hash set + murmur3", [evaluation_ratio() for _ in range(3)], 2.5, 1.4)

    for what, flags, bar, aim in [("shipped flags", shipped, 13, 8), ("100,000 ids", thousand, 24, 14), ("1,000,000 ids", million, 60, 40)]:
        figures = []
        for _ in range(3):
            server = turnout(flags)
            server.ask()
            figures.append(server.resident_mib())
            server.stop()
        report.row(f"idle memory, {what}", figures, bar, aim, " MiB")

    starts = interleave({
        "limit": lambda: {"ms": start_ms(bare)},
        "shipped": lambda: {"ms": start_ms(lambda: turnout(shipped))},
        "100k": lambda: {"ms": start_ms(lambda: turnout(thousand))},
    }, options.rounds)
    report.row("start to first answer ÷ bare axum", ratio(starts, "ms", "shipped", "limit"), 5, 2)
    report.row("start to first answer, 100,000 ids", [start["ms"] for start in starts["100k"]], 300, 60, " ms")

    server = turnout(shipped)
    times = sorted(save_to_served_ms(server, shipped / "build-events.yaml", 100, 0.25))
    server.stop()
    report.row("save → served, p50", [statistics.median(times)], 35, 30, " ms")
    report.row("save → served, p99", [times[98]], 250, 60, " ms")

    with no_inotify():
        server = turnout(shipped)
        times = save_to_served_ms(server, shipped / "build-events.yaml", 10, 0.1)
        server.stop()
    report.row("save → served, polling, slowest", [max(times)], 2000, 1500, " ms")


def write(report, options):
    figures = {name: {key: statistics.median(row[key] for row in rows) for key in rows[0]} for name, rows in report.results.items()}
    write_section("Requests", [
        f"Made by `scripts/bench.py` on {time.strftime('%Y-%m-%d')}: {options.rounds} rounds of {options.seconds} s, wrk with 64 connections on the same machine,",
        f"{machine()}. Ratios are medians over rounds in which both",
        "servers were measured in turn; the range is that of the rounds.", "",
        *report.table(), "",
        "### Absolute figures of that run", "",
        "Client and server share the machine's cores, so requests a second are of the pair.", "",
        "| server | requests/s | p99 | CPU a request |", "|---|---|---|---|",
        *(f"| {name} | {row['rps']:,.0f} | {row['p99']:.2f} ms | {row['cpu']:.1f} µs |" for name, row in figures.items()),
    ])


if __name__ == "__main__":
    main()
