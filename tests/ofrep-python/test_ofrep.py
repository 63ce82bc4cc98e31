"""OpenFeature's Python SDK and its OFREP provider, as PyPI has them, against the real binary: what a backend in Python would see.

    pip install -r requirements.txt && python test_ofrep.py
"""

import json
import os
import re
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

from openfeature import api
from openfeature.contrib.provider.ofrep import OFREPProvider
from openfeature.evaluation_context import EvaluationContext

BINARY = Path(os.environ.get("TURNOUT_BIN") or Path(__file__).parents[2] / "target/debug/turnout").resolve()

# The server is on this machine, so no proxy is used, whatever the environment says.
os.environ["no_proxy"] = "127.0.0.1"

# No test waits for a fixed time: this is only how long an expected state may take on a slow machine.
DEADLINE_S = 15

CALLERS_DEFAULT = "none of the strategies"


def flag(key, *rest):
    return "\n".join(["version: 1", f"flag: {key}", "enabled: true", "when_stopped: polling", *rest, ""])


# With the salt `build-events`, u-4711 is in bucket 6764 and u-1 in bucket 13639 of 100000: 10 % lies between them.
SPLIT = flag("build-events", "salt: build-events", "default: polling", "rollout: { realtime-v2: 10% }")
SAME_FOR_ALL = flag("banner", "default: polling")


class Server:
    """The binary over a folder of its own holding `files` (name to YAML)."""

    def __init__(self, files):
        self.home = tempfile.TemporaryDirectory(prefix="turnout-ofrep-")
        self.flags = Path(self.home.name, "flags")
        self.flags.mkdir()
        for name, yaml in files.items():
            self.save(name, yaml)
        command = [BINARY, "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--flags", self.flags]
        self.log = Path(self.home.name, "log")
        # Neither the settings nor the folder of the user who runs the test may affect the answers.
        with self.log.open("w") as log:
            self.process = subprocess.Popen(command, cwd=self.home.name, env={}, stdout=subprocess.DEVNULL, stderr=log)

    def save(self, name, yaml):
        (self.flags / f"{name}.yaml").write_text(yaml)

    def says(self, pattern):
        """Waits until the log has a line that matches."""
        deadline = time.monotonic() + DEADLINE_S
        while True:
            over = self.process.poll() is not None or time.monotonic() > deadline
            said = self.log.read_text()
            if match := re.search(f"^{pattern}\n", said, re.MULTILINE):
                return match
            assert not over, f"the server never said {pattern}; it said:\n{said}"
            time.sleep(0.005)

    def url(self):
        """Where clients ask, once it serves."""
        deadline = time.monotonic() + DEADLINE_S
        addresses = Path(self.home.name, "data", "addresses.json")
        while not addresses.exists():
            over = self.process.poll() is not None or time.monotonic() > deadline
            assert not over, f"the server does not serve; it said:\n{self.log.read_text()}"
            time.sleep(0.005)
        return json.loads(addresses.read_text())["public"]

    def stop(self):
        """Asks it to end, as a deployment would, and checks that it does so in order."""
        self.process.terminate()
        try:
            code = self.process.wait(DEADLINE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        said = self.log.read_text()
        self.home.cleanup()
        assert code == 0, f"ended with {code}:\n{said}"


class Ofrep(unittest.TestCase):
    def connect(self, files):
        self.server = Server(files)
        self.addCleanup(self.server.stop)
        url = self.server.url()
        provider = OFREPProvider(url)
        self.addCleanup(provider.session.close)
        self.addCleanup(api.clear_providers)
        # A domain to each server keeps one test's client out of the next one's.
        api.set_provider(provider, url)
        self.client = api.get_client(url)

    def ask(self, key, user=None, **attributes):
        return self.client.get_string_details(key, CALLERS_DEFAULT, EvaluationContext(user, attributes))

    def gets(self, expected, *question, **attributes):
        got = self.ask(*question, **attributes)
        self.assertEqual((got.value, got.variant, got.reason, got.error_code), expected)

    def answers(self, value, reason, *question, **attributes):
        self.gets((value, value, reason, None), *question, **attributes)

    def fails(self, code, *question, **attributes):
        self.gets((CALLERS_DEFAULT, None, "ERROR", code), *question, **attributes)

    def test_value_variant_reason_and_flat_metadata_arrive(self):
        allowed = flag(
            "allowed",
            "default: polling",
            "allow: [{ users: [u-4711], strategy: realtime-v2 }]",
            "transports:",
            '  polling: { url: "/feed/{stream}", start: 4s, min: 3s, max: 15s, factor: 1.5, dedupe: 2s, limit: 50 }',
            '  realtime-v2: { kind: sse, url: "/live/{stream}", token_ttl: 10m, retry: [2s, 4s] }',
        )
        self.connect({"allowed": allowed, "banner": SAME_FOR_ALL, "build-events": SPLIT})
        self.answers("realtime-v2", "TARGETING_MATCH", "allowed", "u-4711")
        self.answers("polling", "STATIC", "allowed", "u-1")
        self.answers("realtime-v2", "SPLIT", "build-events", "u-4711")
        self.answers("polling", "SPLIT", "build-events", "u-1")
        self.answers("polling", "STATIC", "banner", "u-1")
        # This provider passes metadata on unchanged.
        self.assertEqual(self.ask("allowed", "u-4711").flag_metadata, {
            "rule": "allow", "validForMs": 60_000, "staleIfErrorMs": 86_400_000, "enterSpreadMs": 5_000,
            "watch.kind": "sse", "watch.url": "/v1/strategy/allowed/watch", "watch.ackUrl": "/v1/watch/ack",
            "polling.url": "/feed/{stream}", "polling.startMs": 4_000, "polling.minMs": 3_000, "polling.maxMs": 15_000,
            "polling.factor": 1.5, "polling.dedupeMs": 2_000, "polling.limit": 50, "polling.waitMs": 0,
            "realtime.kind": "sse", "realtime.url": "/live/{stream}", "realtime.tokenUrl": "/v1/token", "realtime.tokenTtlMs": 600_000, "realtime.retryMs": "2000,4000",
            "realtime.connectMs": 10_000, "realtime.fallbackMs": 300_000,
            "report.url": "/v1/reports", "report.everyMs": 60_000,
        })

    def test_disabled_is_a_value_like_any_other(self):
        self.connect({
            "off-by-default": flag("off-by-default", "default: disabled"),
            "off-by-name": flag("off-by-name", "default: polling", "allow: [{ users: [u-1], strategy: disabled }]"),
            "off-for-most": flag("off-for-most", "salt: build-events", "default: polling", "rollout: { disabled: 90% }"),
            "off": "version: 1\nflag: off\nenabled: false\nwhen_stopped: disabled\ndefault: polling\n",
        })
        self.answers("disabled", "STATIC", "off-by-default", "u-1")
        self.answers("disabled", "TARGETING_MATCH", "off-by-name", "u-1")
        self.answers("disabled", "SPLIT", "off-for-most", "u-1")
        self.answers("disabled", "STATIC", "off", "u-1")

    def test_without_a_targeting_key_only_a_flag_that_needs_one_fails(self):
        self.connect({"build-events": SPLIT, "banner": SAME_FOR_ALL})
        for attributes in [{}, {"plan": "team"}]:
            self.fails("TARGETING_KEY_MISSING", "build-events", **attributes)
            self.answers("polling", "STATIC", "banner", **attributes)

    def test_an_attribute_of_a_wrong_type_is_invalid_context_where_it_is_compared(self):
        rules = 'rules: [{ name: modern, when: { app_version: { at_least: "2.10" } }, strategy: realtime-v2 }]'
        modern = flag("modern", "default: polling", "attributes: { app_version: version }", rules)
        self.connect({"modern": modern, "banner": SAME_FOR_ALL})
        self.fails("INVALID_CONTEXT", "modern", "u-1", app_version=2.1)
        self.answers("polling", "STATIC", "banner", "u-1", app_version=2.1)
        self.answers("realtime-v2", "TARGETING_MATCH", "modern", "u-1", app_version="2.10")

    def test_an_unknown_flag_is_flag_not_found(self):
        self.connect({"banner": SAME_FOR_ALL})
        self.fails("FLAG_NOT_FOUND", "bannner", "u-1")

    def test_a_save_is_seen_by_the_next_evaluation(self):
        self.connect({"build-events": SPLIT, "banner": SAME_FOR_ALL})
        self.answers("polling", "SPLIT", "build-events", "u-1")
        self.server.save("build-events", SPLIT.replace("10%", "20%"))
        self.server.says(".* revision 2 is live: build-events")
        self.answers("realtime-v2", "SPLIT", "build-events", "u-1")

    def test_before_any_flag_is_known_every_name_gets_polling_reason_error(self):
        self.connect({})
        self.answers("polling", "ERROR", "build-events", "u-4711")
        self.assertEqual(self.ask("build-events").flag_metadata["rule"], "cold-start")
        self.server.save("build-events", SPLIT)
        self.server.says(".* revision 1 is live: build-events")
        self.answers("realtime-v2", "SPLIT", "build-events", "u-4711")


if __name__ == "__main__":
    unittest.main()
