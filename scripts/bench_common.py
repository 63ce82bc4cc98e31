"""What the measuring scripts share: a server in a process of its own, rows with their bars, and the pages of docs/BENCHMARKS.md, of which
each mode of `scripts/bench.py` rewrites its own section and leaves the others alone."""
import json
import os
import pathlib
import platform
import queue
import re
import signal
import statistics
import subprocess
import sys
import threading
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs/BENCHMARKS.md"
BODY = '{"targetingKey":"user-%d","attributes":{"platform":"web","app_version":"2.11.0","plan":"free"}}'


class Server:
    """A server process, on free ports unless it was told others; `addresses` holds where it listens. The service says so in its folder
    `data`, a bare server on stderr."""

    def __init__(self, command, data=None, **environment):
        announced = data and pathlib.Path(data) / "addresses.json"
        if announced:
            announced.unlink(missing_ok=True)
        self.started = time.perf_counter()
        self.process = subprocess.Popen(
            command, cwd=ROOT, stderr=subprocess.PIPE, text=True, env={**os.environ, **environment})
        # Read to the end: a server with much to say would be held up by a full pipe.
        said = queue.SimpleQueue()
        threading.Thread(target=lambda: [said.put(line) for line in self.process.stderr], daemon=True).start()
        while not (found := self.announced(announced) if announced else self.said(said)):
            if self.process.poll() is not None:
                sys.exit(f"bench: {command[0]} did not start")
            time.sleep(0.0005)
        self.addresses = found
        self.address = self.addresses[0]

    @staticmethod
    def announced(path):
        """Where the service listens, once it serves."""
        try:
            told = json.loads(path.read_text())
        except FileNotFoundError:
            return None
        return [told["public"], told["admin"]]

    @staticmethod
    def said(lines):
        """Where a bare server listens."""
        try:
            return re.findall(r" on (http://\S+)$", lines.get_nowait().rstrip())
        except queue.Empty:
            return None

    def ask(self, path="/v1/strategy/build-events", body=BODY % 1, headers=None):
        request = urllib.request.Request(self.address + path, data=body and body.encode(), headers=headers or {})
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.headers, answer.read()

    def cpu_seconds(self):
        """Time on a processor, of all threads, as the scheduler counts it (nanoseconds)."""
        total = 0
        for task in pathlib.Path(f"/proc/{self.process.pid}/task").iterdir():
            try:
                total += int((task / "schedstat").read_text().split()[0])
            except (OSError, IndexError):
                pass
        return total / 1e9

    def resident_mib(self):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status).group(1)) / 1024

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Report:
    """Rows with their bar and aim; a short run is not judged."""

    def __init__(self, judged=True):
        self.judged = judged
        self.rows = []
        self.missed = False

    def row(self, what, values, bar, aim, unit="", at_most=True):
        median = statistics.median(values)
        met = median <= bar if at_most else median >= bar
        self.missed |= self.judged and not met
        sign = "≤" if at_most else "≥"
        aimed = median <= aim if at_most else median >= aim
        verdict = ("aim" if aimed else "bar" if met else "**missed**") if self.judged else "–"
        self.add(what, values, unit, f"{sign} {bar}{unit}", f"{sign} {aim}{unit}", verdict)

    def note(self, what, values, unit=""):
        """A row that has no bar."""
        self.add(what, values, unit, "–", "–", "–")

    def add(self, what, values, unit, *judgement):
        cells = (what, f"{statistics.median(values):.2f}{unit}", f"{min(values):.2f} – {max(values):.2f}", *judgement)
        self.rows.append(cells)
        print(" | ".join(cells), flush=True)

    def table(self):
        return ["| what | median | range | bar | aim | reached |", "|---|---|---|---|---|---|",
                *(f"| {' | '.join(row)} |" for row in self.rows)]


def build(profile="dist"):
    """Builds the program and what measures it; a folder of them."""
    subprocess.run([ROOT / "scripts/build.sh", profile], check=True)
    return ROOT / "target" / profile


def machine():
    cpu = next((line.split(":")[1].strip() for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")), "unknown")
    memory = int(re.search(r"MemTotal:\s+(\d+)", pathlib.Path("/proc/meminfo").read_text()).group(1)) // 1024 // 1024
    return f"{os.cpu_count()} cores ({cpu}), {memory} GiB, {platform.system()} {platform.release()}"


def write_section(heading, lines):
    """Replaces what stands under this heading, or adds it at the end."""
    title, *sections = re.split(r"^(?=## )", PAGE.read_text() if PAGE.exists() else "# Benchmarks\n\n", flags=re.MULTILINE)
    text = "\n".join([f"## {heading}", "", *lines]).rstrip() + "\n"
    named = [section.startswith(f"## {heading}\n") for section in sections]
    kept = [text if mine else section.rstrip() + "\n" for section, mine in zip(sections, named)]
    PAGE.write_text(title + "\n".join(kept if any(named) else [*kept, text]))
