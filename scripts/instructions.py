#!/usr/bin/env python3
"""Instructions (user space) that a server spends on one request, counted by valgrind's callgrind with one worker thread of tokio: the difference
of two runs, of N and of 6 N requests one after the other on one kept connection, divided by 5 N. Start, stop and warm-up cancel out, and the
load on the machine does not matter. Counts no work of the kernel. Compare only figures of one machine.

    scripts/instructions.py --path /v1/strategy/build-events --get --data DATA -- target/dist/turnout serve --data DATA …

Prints the median of three pairs of runs. Needs valgrind (Debian package `valgrind`). Every answer must be 200 or 304."""
import argparse
import json
import os
import pathlib
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

START_SECONDS = 90


def address(process, data):
    """The port of a server: the service says it in its folder `data`, a bare server on stderr."""
    end = time.monotonic() + START_SECONDS
    if data is None:
        for line in process.stderr:
            if found := re.search(r" on http://127\.0\.0\.1:(\d+)", line):
                threading.Thread(target=process.stderr.read, daemon=True).start()
                return int(found.group(1))
    else:
        threading.Thread(target=process.stderr.read, daemon=True).start()
        while time.monotonic() < end and process.poll() is None:
            try:
                return int(json.loads((pathlib.Path(data) / "addresses.json").read_text())["public"].rsplit(":", 1)[1])
            except (FileNotFoundError, json.JSONDecodeError):
                time.sleep(0.1)
    sys.exit("instructions: the program does not listen")


def ask(port, requests, count):
    """Sends a request, or several in turn, so many times."""
    requests = requests if isinstance(requests, list) else [requests]
    connection = socket.create_connection(("127.0.0.1", port), 60)
    answers = connection.makefile("rb")
    for number in range(count):
        connection.sendall(requests[number % len(requests)])
        status, length = int(answers.readline().split()[1]), 0
        while (line := answers.readline()) not in (b"\r\n", b""):
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        answers.read(0 if status == 304 else length)
        if status not in (200, 304):
            sys.exit(f"instructions: answered {status}")
    connection.close()


def of_run(command, request, count, data, environment):
    """All instructions of one run."""
    if data:
        (pathlib.Path(data) / "addresses.json").unlink(missing_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={folder}/out", f"--log-file={folder}/log", *map(str, command)]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                                   env={**os.environ, **environment, "TOKIO_WORKER_THREADS": "1"})
        try:
            ask(address(process, data), request, count)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)
        log = pathlib.Path(folder, "log").read_text()
        return int(re.search(r"(?:Collected|refs:)\s*:?\s*([\d,]+)", log).group(1).replace(",", ""))


def request_of(path, body=None, headers=()):
    """Head and body in one write, so that the number of reads does not depend on load."""
    body = body and body.encode()
    lines = [f"{'POST' if body else 'GET'} {path} HTTP/1.1", "Host: 127.0.0.1", "Accept-Encoding: identity", *headers]
    if body:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + (body or b"")


def per_request(command, request, requests=2000, pairs=3, data=None, environment=None):
    """The figures of all pairs."""
    def total(count):
        return of_run(command, request, count, data, environment or {})
    return [(total(6 * requests) - total(requests)) / (5 * requests) for _ in range(pairs)]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--path", required=True)
    question = parser.add_mutually_exclusive_group(required=True)
    question.add_argument("--body")
    question.add_argument("--get", action="store_true")
    parser.add_argument("--header", action="append", default=[])
    parser.add_argument("--data", help="the data folder of the service; without it the program says on stderr where it listens")
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("program", nargs="+")
    options = parser.parse_args()
    request = request_of(options.path, options.body, options.header)
    print(round(statistics.median(per_request(options.program, request, options.requests, options.pairs, options.data))))


if __name__ == "__main__":
    main()
