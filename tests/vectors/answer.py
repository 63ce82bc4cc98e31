#!/usr/bin/env python3
"""A slow, clear evaluator of Turnout flags, to be read beside docs/EVALUATION.md. It needs Python 3.9 and nothing else.

    python3 answer.py                  answer every case of the JSON files beside it, print each mismatch and a count
    python3 answer.py --explain NAME   print one case of evaluations.json and its answer

It is an example for implementers in other languages: a definition is checked anew for every case, because that is
obvious, not because it is fast.
"""

import json
import re
import sys
from pathlib import Path

STRATEGIES = ("polling", "realtime-v2", "disabled")
STEPS = (
    "stop", "off", "deny", "allow", "rule", "rollout", "default", "no-unit", "server-auth", "error", "cold-start",
)
KEY, SALT = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}"), re.compile(r"[a-z0-9._-]{1,64}")
SHARE = re.compile(r"(0|[1-9][0-9]{0,2})(?:\.([0-9]{1,3}))?%")
PARTS = r"[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*"
VERSION = re.compile(rf"([0-9]+(?:\.[0-9]+)*)(?:-({PARTS}))?(?:\+{PARTS})?")
TRUE, FALSE, MISSING, ERROR = "true", "false", "missing", "error"  # what a condition can come to
OPERATIONS = {  # what each type can be asked beside equality
    "words": {"not"}, "boolean": {"not"},
    "text": {"not", "starts_with", "ends_with"}, "email": {"not", "starts_with", "ends_with"},
    "number": {"not", "below", "at_least"}, "version": {"not", "below", "at_least"},
}


class Refused(Exception):
    """A definition has no good form."""


class CannotCompare(Exception):
    """A comparison that was reached cannot be made."""


def need(condition, why):
    if not condition:
        raise Refused(why)


# --- Hash, shares, split, versions -----------------------------------------------------------------------------------

def murmur3_x86_32(data, seed=0):
    """Python's integers do not wrap, hence the masks."""
    def mix(k):
        k = k * 0xCC9E2D51 & 0xFFFFFFFF
        k = (k << 15 | k >> 17) & 0xFFFFFFFF
        return k * 0x1B873593 & 0xFFFFFFFF

    h, whole = seed, len(data) // 4 * 4
    for i in range(0, whole, 4):
        h ^= mix(int.from_bytes(data[i:i + 4], "little"))
        h = (h << 13 | h >> 19) & 0xFFFFFFFF
        h = (h * 5 + 0xE6546B64) & 0xFFFFFFFF
    h ^= mix(int.from_bytes(data[whole:], "little")) ^ len(data)  # an empty tail mixes to 0
    h = (h ^ h >> 16) * 0x85EBCA6B & 0xFFFFFFFF
    h = (h ^ h >> 13) * 0xC2B2AE35 & 0xFFFFFFFF
    return h ^ h >> 16


def hash_and_bucket(salt, unit):
    h = murmur3_x86_32(f"{salt}:{unit}".encode())
    return h, h * 100_000 >> 32


def millipercent(text):
    """Digits are moved, nothing is rounded: no float comes near a share."""
    found = isinstance(text, str) and SHARE.fullmatch(text)
    need(found, f"not a share: {text!r}")
    share = int(found[1]) * 1000 + int((found[2] or "").ljust(3, "0"))
    need(share <= 100_000, f"over 100%: {text!r}")
    return share


def split(default, realtime, disabled):
    """The two shares, and whether the split is real. A side that is None is not named."""
    need(disabled is None or default == "polling", "`disabled` is named beside a default of disabled")
    a, d = (0 if share is None else millipercent(share) for share in (realtime, disabled))
    need(a + d <= 100_000, "the sides add up to over 100%")
    return a, d, sum(share > 0 for share in (a, d, 100_000 - a - d)) >= 2


def side(a, d, default, bucket):
    return "realtime-v2" if bucket < a else "disabled" if bucket >= 100_000 - d else default


def version(text):
    """A key that Python orders as versions are ordered, or None if the text is not a version."""
    found = VERSION.fullmatch(text)
    if not found or len(text) > 128:
        return None
    numbers = [int(part) for part in found[1].split(".")]
    while numbers and numbers[-1] == 0:  # missing parts are 0, so trailing zeros say nothing
        numbers.pop()
    if found[2] is None:
        return numbers, 1, []
    return numbers, 0, [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in found[2].split(".")]


# --- Comparing -------------------------------------------------------------------------------------------------------

def fold(text):
    """ASCII only: bytes.lower() leaves other letters alone, str.lower() would not."""
    return text.encode().lower().decode()


def readable(kind, value):
    """The value as it is compared, or None if it is of another type. In Python a bool is an int."""
    if kind == "boolean":
        return value if isinstance(value, bool) else None
    if kind == "number":
        return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None
    if not isinstance(value, str):
        return None
    return version(value) if kind == "version" else fold(value) if kind == "email" else value


def truth(holds):
    return TRUE if holds else FALSE


def opposite(result):
    return {TRUE: FALSE, FALSE: TRUE}.get(result, result)


def every(results):
    """All parts are compared, so their order cannot matter."""
    results = set(results)
    return next((result for result in (FALSE, ERROR, MISSING) if result in results), TRUE)


def compare(kind, comparison, value):
    """One comparison with a readable value."""
    if isinstance(comparison, list):
        return truth(any(value == readable(kind, one) for one in comparison))
    if not isinstance(comparison, dict):
        return truth(value == readable(kind, comparison))
    hold = {
        "not": lambda operand: opposite(compare(kind, operand, value)),
        "below": lambda operand: truth(value < readable(kind, operand)),
        "at_least": lambda operand: truth(value >= readable(kind, operand)),
        "starts_with": lambda operand: truth(value.startswith(readable(kind, operand))),
        "ends_with": lambda operand: truth(value.endswith(readable(kind, operand))),
    }
    return every(hold[operation](operand) for operation, operand in comparison.items())


class Asker:
    """Compares the conditions of one flag with one context. In `deny` any address counts, elsewhere a verified one."""

    def __init__(self, flag, context, in_deny=False):
        self.kinds, self.segments = flag["kinds"], flag["segments"]
        self.attributes, self.key = context["attributes"], context.get("targetingKey") or None
        claim = self.attributes.get("email_verified")
        verified = context["identity"] in ("verified", "server") and (claim is None or claim is True or claim == "true")
        email = self.attributes.get("email")
        too_long = isinstance(email, str) and len(email.encode()) > 320
        self.sees_email = (verified or in_deny) and not too_long
        self.address = readable("email", email) if self.sees_email else None

    def who(self, entry):
        """Any one of users, emails, domains and segment; the members of a segment are asked for in the same way."""
        _, at, domain = (self.address or "").rpartition("@")
        return (self.key is not None and self.key in entry.get("users", ())
                or self.address is not None and self.address in map(fold, entry.get("emails", ()))
                or at == "@" and domain in map(fold, entry.get("domains", ()))
                or "segment" in entry and self.who(self.segments[entry["segment"]]))

    def attribute(self, name, comparison):
        value = self.attributes.get(name)
        if value is None or name == "email" and not self.sees_email:
            return MISSING
        value = readable(self.kinds[name], value)
        return ERROR if value is None else compare(self.kinds[name], comparison, value)

    def part(self, name, part):
        if name == "not":
            return opposite(self.condition(part))
        if name == "segment":
            return truth(any(self.who(self.segments[one]) for one in ([part] if isinstance(part, str) else part)))
        return self.attribute(name, part)

    def condition(self, when):
        return every(self.part(name, part) for name, part in when.items())

    def matches(self, entry):
        """`when` is only compared if who matched, so a bad attribute affects no other user."""
        if {"users", "emails", "domains", "segment"} & set(entry) and not self.who(entry):
            return False
        result = self.condition(entry.get("when", {}))
        if result == ERROR:
            raise CannotCompare
        return result == TRUE


# --- Definitions: only what has a good form is evaluated -------------------------------------------------------------

def shape(value, required, optional):
    need(isinstance(value, dict), "not a map")
    need(set(required.split()) <= set(value), "a key is missing")
    need(set(value) <= set(f"{required} {optional}".split()), "an unknown key")
    for key in {"users", "emails", "domains"} & set(value):
        need(isinstance(value[key], list) and all(isinstance(one, str) for one in value[key]), "not a list of text")


def check_comparison(kind, comparison):
    if isinstance(comparison, dict):
        for operation, operand in comparison.items():
            need(operation in OPERATIONS[kind], f"`{operation}` does not fit {kind}")
            need(operation == "not" or readable(kind, operand) is not None, f"not a {kind}")
            if operation == "not":
                check_comparison(kind, operand)
    else:
        need(kind != "boolean" or not isinstance(comparison, list), "a boolean has no lists")
        for literal in comparison if isinstance(comparison, list) else [comparison]:
            need(readable(kind, literal) is not None, f"not a {kind}")


def check_condition(when, kinds, segments):
    need(isinstance(when, dict), "a condition is a map")
    for name, part in when.items():
        if name == "not":
            check_condition(part, kinds, segments)
        elif name == "segment":
            need(set([part] if isinstance(part, str) else part) <= set(segments), "an unknown segment")
        else:
            need(name in kinds, f"`{name}` is not declared")
            check_comparison(kinds[name], part)


def check_flag(raw, segments):
    """The flag with what follows from it, or Refused. A segment whose own file is broken is known, as None."""
    shape(raw, "version flag enabled default when_stopped",
          "description owner salt attributes bucket_by deny allow rules rollout transports tests")
    need(raw["version"] == 1 and KEY.fullmatch(raw["flag"]) and isinstance(raw["enabled"], bool), "a wrong value")
    need({raw["default"], raw["when_stopped"]} <= {"polling", "disabled"}, "`default` and `when_stopped` never widen")
    kinds = {name: "words" if isinstance(kind, list) else kind for name, kind in raw.get("attributes", {}).items()}
    need(set(kinds.values()) <= set(OPERATIONS) - {"email"}, "an unknown type")
    need("bucket_by" not in raw or kinds.get(raw["bucket_by"]) == "text", "`bucket_by` names a text attribute")
    flag = dict(raw, salt=raw.get("salt", raw["flag"]), kinds=dict(kinds, email="email"), segments=segments)
    need(SALT.fullmatch(flag["salt"]), "a salt of other characters")
    people = "users emails domains segment when"
    for step, required, optional in (("deny", "", people + " strategy"), ("allow", "strategy", people),
                                     ("rules", "name when strategy", "")):
        for entry in raw.get(step, []):
            shape(entry, required, optional)
            need(set(entry) - {"strategy"}, "neither who nor when")
            need(entry.get("strategy", "polling") in STRATEGIES, "not a strategy")
            need("segment" not in entry or entry["segment"] in segments, "an unknown segment")
            if step == "rules":
                need(KEY.fullmatch(entry["name"]) and entry["name"] not in STEPS, "not a name for a rule")
            check_condition(entry.get("when", {}), flag["kinds"], segments)
    if "rollout" in raw:
        shape(raw["rollout"], "", "realtime-v2 disabled")
        flag["split"] = split(raw["default"], raw["rollout"].get("realtime-v2"), raw["rollout"].get("disabled"))
    return flag


def members(raw, users_files):
    """Who is in a segment, or None if its file has no good form."""
    try:
        shape(raw, "version segment", "users emails domains users_file")
        need(raw["version"] == 1 and raw.get("users_file") in [None, *users_files], "a wrong value")
    except Refused:
        return None
    users = raw.get("users", []) + users_files.get(raw.get("users_file"), [])
    return {"users": users, "emails": raw.get("emails", []), "domains": raw.get("domains", [])}


def all_segments(folder):
    segments = {name: members(raw, folder["usersFiles"]) for name, raw in folder["segments"].items()}
    if folder["internalUserIds"] and segments.setdefault("internal", {"users": []}) is not None:
        segments["internal"]["users"] += folder["internalUserIds"]
    return segments


def segments_named(part):
    """Every segment a flag names, however deep and whether or not it is reached."""
    if not isinstance(part, (dict, list)):
        return set()
    own = part.get("segment", []) if isinstance(part, dict) else []
    inner = part.values() if isinstance(part, dict) else part
    return set([own] if isinstance(own, str) else own).union(*map(segments_named, inner))


# --- The ladder ------------------------------------------------------------------------------------------------------

def walk(flag, context, stopped, bucket):
    """Steps 1 to 9: the first that decides returns strategy, reason, rule and perhaps the rule's name."""
    default = flag["default"]
    if stopped or not flag["enabled"]:
        return flag["when_stopped"], "STATIC", "stop" if stopped else "off"
    named = segments_named([flag.get(step) for step in ("deny", "allow", "rules")])
    if any(flag["segments"][name] is None for name in named):
        raise CannotCompare
    for entry in flag.get("deny", []):
        if Asker(flag, context, in_deny=True).matches(entry):
            return entry.get("strategy", default), "TARGETING_MATCH", "deny"
    for entry in flag.get("allow", []):
        if Asker(flag, context).matches(entry):
            return entry["strategy"], "TARGETING_MATCH", "allow"
    for rule in flag.get("rules", []):
        if Asker(flag, context).matches(rule):
            return rule["strategy"], "TARGETING_MATCH", "rule", rule["name"]
    if "split" not in flag:
        return default, "STATIC", "default"
    a, d, real = flag["split"]
    if not real:
        return side(a, d, default, 0), "STATIC", "rollout"  # one strategy has every bucket: any will do
    if bucket is None:
        return default, "DEFAULT", "no-unit"
    return side(a, d, default, bucket), "SPLIT", "rollout"


def unit_of(flag, context):
    unit = context["attributes"].get(flag["bucket_by"]) if "bucket_by" in flag else context.get("targetingKey")
    return unit if isinstance(unit, str) and 0 < len(unit.encode()) <= 256 else None


def evaluate(folder, case):
    """The answer to one case of evaluations.json. A folder of None: nothing is known yet."""
    h = bucket = None
    if folder is None:
        found = "polling", "ERROR", "cold-start"
    else:
        try:
            flag = check_flag(folder["flags"][case["flag"]], all_segments(folder))
            unit = unit_of(flag, case["context"])
            if unit is not None:
                h, bucket = hash_and_bucket(flag["salt"], unit)
            found = walk(flag, case["context"], case["stopped"], bucket)
        except Refused:
            found = ("polling", "STATIC", "stop") if case["stopped"] else ("polling", "ERROR", "error")
        except CannotCompare:
            found = "polling", "ERROR", "error"
    if case["serverAuth"] and found[0] == "realtime-v2":
        found = "polling", "STATIC", "server-auth"
    return dict(zip(("strategy", "reason", "rule", "name"), found), hash=h, bucket=bucket)


# --- The files -------------------------------------------------------------------------------------------------------

def load(file):
    return json.loads(Path(__file__).with_name(file).read_text(encoding="utf-8"))


def share_or_none(text):
    try:
        return millipercent(text)
    except Refused:
        return None


def split_answer(case):
    a, d, real = split(case["default"], case["realtime-v2"], case["disabled"])
    return side(a, d, case["default"], case["bucket"]), real


def order(one, other):
    one, other = version(one), version(other)
    return None if None in (one, other) else "less" if one < other else "greater" if one > other else "equal"


def evaluations():
    data = load("evaluations.json")
    for case in data["cases"]:
        folder = None if case["folder"] is None else data["folders"][case["folder"]]
        yield case, folder, evaluate(folder, case)


def questions():
    """(file, case, expected, answered) for everything in the files."""
    for case in load("hash.json")["cases"]:
        yield "hash.json", case, (case["hash"], case["bucket"]), hash_and_bucket(case["salt"], case["unit"])
    for case in load("split.json")["cases"]:
        yield "split.json", case, (case["strategy"], case["real"]), split_answer(case)
    shares, versions = load("shares.json"), load("versions.json")
    for case in shares["good"] + shares["bad"]:
        yield "shares.json", case, case.get("millipercent"), share_or_none(case["text"])
    for case in versions["cases"]:
        yield "versions.json", case, case["order"], order(case["a"], case["b"])
    for text in versions["unreadable"]:
        yield "versions.json", text, None, version(text)
    for case, _, answered in evaluations():
        yield "evaluations.json", case, case["expect"], answered


def explain(name):
    for case, folder, answered in evaluations():
        if case["name"] == name:
            print("flag   ", json.dumps(folder and folder["flags"][case["flag"]]))
            print("case   ", json.dumps(case))
            print("answer ", json.dumps(answered))
            return 0
    print(f"no case is named {name!r}", file=sys.stderr)
    return 2


def main(arguments):
    if len(arguments) == 2 and arguments[0] == "--explain":
        return explain(arguments[1])
    if arguments:
        print(__doc__, file=sys.stderr)
        return 2
    asked = list(questions())
    wrong = [question for question in asked if question[2] != question[3]]
    for file, case, expected, answered in wrong:
        print(f"{file}: {json.dumps(case)}\n  expected {expected}\n  answered {answered}")
    print(f"{len(asked) - len(wrong)} passed, {len(wrong)} failed")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
