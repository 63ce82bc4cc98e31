"""`scripts/bench.py streams`: what watching clients wait for and cost, beside bare axum that sends the same message to as many.

Both sides are measured alike: `tools/crowd` sends the call that changes something and takes the time from just before it is sent until
the last stream that is told has read its event; server and crowd share the machine. On the service that call is an operator's `set` on the
admin listener, on `tools/bare_streams` it is `POST /publish`. A narrowing `set` is live once it is journaled, before its commit; a widening
one after its commit; both have a disk's sync in them. The bars are on the narrowing one, which is what a rollback is.
"""
import http.client
import json
import statistics
import subprocess
import sys
import threading
import time

from bench_common import ROOT, Server, machine, write_section

DIST = ROOT / "target/dist"
STREAMS = 10_000
FLIPPED_STREAMS = 1_000
FLAG = """version: 1
flag: build-events
enabled: true
default: polling
when_stopped: polling
rollout: { realtime-v2: 0% }
transports:
  polling:     { url: "/v1/feeds/build-events/{stream}", start: 4s, min: 3s, max: 15s, factor: 1.5, dedupe: 2s, limit: 50 }
  realtime-v2: { kind: sse, url: "/v1/realtime/build-events/{stream}", token_ttl: 10m, retry: [2s, 4s, 8s, 16s, 32s] }
"""


class Service:
    """The service over folders of its own, which comes back on the same ports."""

    def __init__(self, home, built=DIST, **environment):
        self.built, self.environment = built, environment
        self.flags, self.data = home / "flags", home / "data"
        self.flags.mkdir()
        (self.flags / "build-events.yaml").write_text(FLAG)
        self.ports = ["127.0.0.1:0", "127.0.0.1:0"]
        self.start()

    def start(self):
        command = [self.built / "turnout", "serve", "--listen", self.ports[0], "--admin-listen", self.ports[1],
                   "--data", self.data, "--flags", self.flags]
        self.server = Server([str(part) for part in command], data=self.data, **self.environment)
        self.ports = [address.removeprefix("http://") for address in self.server.addresses]
        self.token = (self.data / "admin.token").read_text().strip()

    def line(self):
        """A kept connection to the admin listener."""
        return Line(self.ports[1], self.token)

    def end(self, signal_name):
        """How long it takes to end, and with what code."""
        start = time.perf_counter()
        getattr(self.server.process, signal_name)()
        code = self.server.process.wait(60)
        return time.perf_counter() - start, code


class Line:
    def __init__(self, address, token):
        self.connection = http.client.HTTPConnection(address, timeout=10)
        self.headers = {"Authorization": f"Bearer {token}"}

    def ask(self, path, body=None):
        self.connection.request("POST" if body else "GET", path, body and json.dumps(body), self.headers)
        answer = self.connection.getresponse()
        text = answer.read()
        if answer.status not in (200, 202):
            raise OSError(f"{path} was answered {answer.status} {text.decode()}")
        return json.loads(text)

    def set(self, share):
        return self.ask("/v1/flags/build-events/set", {"realtime-v2": share, "reason": "bench"})


class Crowd:
    """`tools/crowd`, steered."""

    def __init__(self, server, address, *arguments, apart=False, built=DIST):
        self.server = server
        # Apart: only where no other process wants to run, as if on a machine of its own (docs/decisions/0017).
        command = [*(["chrt", "--idle", "0"] if apart else []), str(built / "crowd"), address, *arguments]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def say(self, *words):
        self.begin(*words)
        return self.end()

    def begin(self, *words):
        self.asked = " ".join(map(str, words))
        self.process.stdin.write(self.asked + "\n")
        self.process.stdin.flush()

    def end(self):
        answer = json.loads(self.process.stdout.readline() or '{"fault": "the crowd has ended"}')
        if "fault" in answer or "late" in answer:
            sys.exit(f"bench: the crowd was asked to `{self.asked}` and says {json.dumps(answer)[:1000]}")
        return answer

    def trigger(self, told, address, token, path, body=""):
        """One change, told to so many streams and to no other: milliseconds until the last, and CPU of the server in all."""
        self.say("quiet", 300, 10)
        before = self.server.cpu_seconds()
        answer = self.say("trigger", told, 30, address, token, path, body)
        if answer.get("answer", {}).get("status") not in (200, 202):
            sys.exit(f"bench: {path} was answered {answer}")
        cpu = self.server.cpu_seconds() - before
        after = self.say("quiet", 300, 10)
        if after["told"] != told or after["again"]:
            sys.exit(f"bench: {told} streams were to be told once, and the crowd says {after}")
        return {"ms": answer["lastMs"], "p50": answer["p50Ms"], "cpu": cpu / told * 1e6}

    def leave(self):
        self.process.stdin.close()
        self.process.wait(30)


def measure(report, home, options):
    service = Service(home)
    room = service.line().ask("/v1/status")["streams"]["limit"]
    streams = min(500 if options.short else STREAMS, room)
    if streams < STREAMS and not options.short:
        print(f"bench: the limit of open files leaves room for {room} streams", file=sys.stderr)
    report.streams = streams
    fan_out(report, service, streams, options)
    flips(report, service, options)
    ends(report, service, streams, options)
    kills(report, service, streams, options)
    service.server.stop()


def fan_out(report, service, streams, options):
    """A flip, beside one message of bare axum; and what the streams cost at rest."""
    document = service.server.ask()[2].decode()
    bare = Server([str(DIST / "bare_streams"), document])
    bare_address = bare.address.removeprefix("http://")
    memory = [service.server.resident_mib()]
    crowd, beside = Crowd(service.server, service.ports[0]), Crowd(bare, bare_address)
    opened = crowd.say("open", streams, 120)["tookMs"]
    memory.append(service.server.resident_mib())
    bare_memory = bare.resident_mib()
    bare_opened = beside.say("open", streams, 120)["tookMs"]
    bare_memory = (bare.resident_mib() - bare_memory) / streams * 1024
    time.sleep(3 if options.short else 30)
    memory.append(service.server.resident_mib())

    def flip(share, told):
        body = json.dumps({"realtime-v2": share, "reason": "bench"})
        return crowd.trigger(told, service.ports[1], service.token, "/v1/flags/build-events/set", body)

    service.line().set("20%")
    crowd.say("quiet", 1000, 20)
    crowd.say("mark")
    service.line().set("10%")
    some = crowd.say("quiet", 2000, 20)["told"]
    results = {}
    for acks in ("off", 500):
        rounds = {name: [] for name in ("bare", "up", "down", "ten up", "ten down")}
        crowd.say("acks", acks)
        for number in range(options.rounds + 1):
            service.line().set("0%")
            crowd.say("quiet", 1000, 20)
            figures = {
                "bare": beside.trigger(streams, bare_address, "-", "/publish"),
                "up": flip("100%", streams),
                "down": flip("0%", streams),
            }
            service.line().set("10%")
            crowd.say("quiet", 500, 20)
            figures |= {"ten up": flip("20%", some), "ten down": flip("10%", some)}
            # The first round warms up and does not count.
            for name in rounds if number else ():
                rounds[name].append(figures[name])
        results[acks] = rounds
    memory.append(service.server.resident_mib())
    right = crowd.say("check", 60)
    held = crowd.say("hold")["noted"]

    def ratio(figure, above, below, acks="off"):
        return [a[figure] / b[figure] for a, b in zip(results[acks][above], results[acks][below])]

    report.row(f"{streams:,} streams, all change, narrowing: sent → last told ÷ bare axum", ratio("ms", "down", "bare"), 1.2, 1.0)
    report.note("the same, widening (after its commit)", ratio("ms", "up", "bare"))
    report.note("the same, narrowing, while all acknowledge", ratio("ms", "down", "bare", 500))
    report.note("CPU of the server for each stream told ÷ bare axum", ratio("cpu", "down", "bare"))
    report.row("only 10 % change, narrowing: time ÷ all change", ratio("ms", "ten down", "down"), 0.3, 0.15)
    report.note("the same, widening", ratio("ms", "ten up", "up"))
    report.row("streams told a document that they held already", [held["needless"]], 0, 0)
    report.row("streams that hold another document than their user is answered", [right["old"] + right["failed"]], 0, 0)
    per_stream = [(now - memory[0]) * 1024 / streams for now in memory[1:]]
    report.row(f"memory of an idle stream, after {3 if options.short else 30} s", [per_stream[1]], 14, 11, " KB")
    report.row("memory of a stream after all these flips", [per_stream[2]], 14, 11, " KB")
    report.note("memory of a stream of bare axum", [bare_memory], " KB")
    report.absolute = {
        "bare axum, one message": results["off"]["bare"], "all change, narrowing": results["off"]["down"],
        "all change, widening": results["off"]["up"], "10 % change, narrowing": results["off"]["ten down"],
        "10 % change, widening": results["off"]["ten up"], "all change, narrowing, all acknowledge": results[500]["down"],
    }
    report.opened = {"the service": opened, "bare axum": bare_opened}
    report.mib = (memory[0], memory[3])
    landing(report, service, crowd, streams, options)
    crowd.leave()
    beside.leave()
    bare.stop()


def landing(report, service, crowd, streams, options):
    """From a flip to the proof that it landed."""
    line, reached = service.line(), []
    for share in ["100%", "0%"] * (1 if options.short else 3):
        line.set(share)
        crowd.say("quiet", 1000, 20)
        for _ in range(50):
            landed = line.ask("/v1/flags/build-events/convergence")
            if landed["reached"]["p99Ms"] is not None:
                break
            time.sleep(0.2)
        # Infinite is what never came within the time that is left it.
        reached.append(landed["reached"]["p99Ms"] or float("inf"))
    report.note(f"flip → 99 % of {streams:,} streams confirmed (each acknowledges within 500 ms)", reached, " ms")
    said = crowd.say("hold")["noted"]["acknowledged"]
    report.note("acknowledgements that were refused, of each 100", [100 - said.get("204", 0) * 100 / max(sum(said.values()), 1)])


def flips(report, service, options):
    """Flips as fast as they are accepted: a stream may miss what was in between, and never the last."""
    streams, count = (200, 50) if options.short else (FLIPPED_STREAMS, 1_000)
    crowd, line = Crowd(service.server, service.ports[0]), service.line()
    crowd.say("acks", 500)
    crowd.say("open", streams, 60)
    start = time.perf_counter()
    for number in range(count):
        line.set(("0%", "50%", "10%", "100%", "30%")[number % 5])
    took = time.perf_counter() - start
    crowd.say("quiet", 1000, 30)
    right, held = crowd.say("check", 60), crowd.say("hold")["noted"]
    crowd.leave()
    what = f"{count:,} flips in {took:.0f} s under {streams:,} streams"
    report.row(f"{what}: streams that end on an old state", [right["old"] + right["failed"]], 0, 0)
    report.row(f"{what}: positions that fell within a stream", [held["fell"]], 0, 0)
    report.note(f"{what}: documents told to each stream", [held["documents"] / streams])


def ends(report, service, streams, options):
    """SIGTERM, with a flip on its way."""
    crowd = Crowd(service.server, service.ports[0])
    crowd.say("acks", 500)
    crowd.say("open", streams, 120)
    times, codes, back = [], [], []
    for number in range(2 if options.short else 20):
        flip = threading.Thread(target=flip_anyhow, args=(service.line(), ("100%", "0%")[number % 2]))
        flip.start()
        took, code = service.end("terminate")
        times.append(took)
        codes.append(code)
        flip.join()
        start = time.perf_counter()
        service.start()
        crowd.say("back", streams, 60)
        back.append(time.perf_counter() - start)
    held = crowd.say("hold")["noted"]
    crowd.leave()
    report.row(f"SIGTERM under {streams:,} streams, {len(times)} times: exits other than 0", [sum(code != 0 for code in codes)], 0, 0)
    report.row("SIGTERM → exit, the slowest", [max(times)], 5, 2, " s")
    report.note("SIGTERM → exit", times, " s")
    report.note("started again → all are back, as they were asked to", back, " s")
    report.note("streams told goodbye, of each 100 that ended", [held["goodbyes"].get("stopping", 0) * 100 / max(held["ended"], 1)])


def flip_anyhow(line, share):
    try:
        line.set(share)
    except (OSError, http.client.HTTPException):
        pass


def kills(report, service, streams, options):
    """kill -9, and everybody comes back; beside that the admin listener is asked all the time."""
    for rude in (0, 10):
        crowd = Crowd(service.server, service.ports[0], "--rude", str(rude))
        crowd.say("acks", 500)
        crowd.say("open", streams, 120)
        back, slowest = [], []
        for _ in range(1 if options.short else 3):
            time.sleep(1 if options.short else 3)
            start = time.perf_counter()
            service.end("kill")
            service.start()
            with Asking(service) as asking:
                crowd.say("back", streams, 60)
                back.append(time.perf_counter() - start)
            slowest.append(max(asking.waits))
        crowd.leave()
        who = f", {rude} % of whom come every 100 ms" if rude else ""
        row = report.note if rude else report.row
        row(f"kill -9 → {streams:,} clients are back{who}", back, *(() if rude else (30, 10)), unit=" s")
        row(f"slowest answer of the admin listener meanwhile{who}", slowest, *(() if rude else (200, 50)), unit=" ms")


class Asking:
    """The admin listener, asked 20 times a second from a thread; `waits` are in milliseconds."""

    def __init__(self, service):
        self.line, self.waits, self.done = service.line(), [], threading.Event()
        self.thread = threading.Thread(target=self.run)

    def run(self):
        while not self.done.wait(0.05):
            start = time.perf_counter()
            self.line.ask("/v1/status")
            self.waits.append((time.perf_counter() - start) * 1000)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.done.set()
        self.thread.join()


def write(report, options):
    def cells(rows):
        return [statistics.median(row[figure] for row in rows) for figure in ("p50", "ms", "cpu")]

    opened = ", ".join(f"{ms / 1000:.1f} s ({name})" for name, ms in report.opened.items())
    write_section("Streams", [
        f"Made by `scripts/bench.py streams` on {time.strftime('%Y-%m-%d')}: {options.rounds} rounds, {report.streams:,} streams unless said, `tools/crowd` on the same machine,",
        f"{machine()}. Ratios are medians over rounds in which both",
        "servers were measured in turn; the range is that of the rounds. A flip is a `set` on the admin listener; its time has a disk's sync in it, that of bare axum has none.", "",
        *report.table(), "",
        "### Absolute figures of that run, streams", "",
        f"All streams were open after {opened}; the service took {report.mib[0]:.1f} MiB without them and {report.mib[1]:.1f} MiB with them.", "",
        "| what is sent | half told | all told | CPU a stream told |", "|---|---|---|---|",
        *("| {} | {:.1f} ms | {:.1f} ms | {:.1f} µs |".format(name, *cells(rows)) for name, rows in report.absolute.items()),
    ])
