//! The keys of a flag file, from the file itself down to its rollout. The reader in `flag_file` and
//! the JSON Schema both follow these tables.

use super::limits::{MAX_CASES, MAX_ENTRIES, MAX_NODES};
use super::schema_model::{
    BASELINE, ID, Key, MapSchema, MinKeys, SHARE, STRATEGY, TEXT, ValueKind, optional, required,
};
use super::test_case_reader::CASE;
use super::transports::{CLIENT, TRANSPORTS};
use super::user_lists::{DOMAIN, EMAIL};
use crate::flag::{AttributeName, FlagKey, RuleName, Salt, SegmentKey};

/// A flag file.
pub const FLAG: MapSchema = MapSchema {
    what: "a flag",
    keys: &[
        required("version", ValueKind::Version, "The version of the format.").such_as("1"),
        required(
            "flag",
            ValueKind::Pattern(FlagKey::PATTERN),
            "The flag's key: the file's name without `.yaml`.",
        ),
        optional("description", TEXT, "What the flag is for, for people."),
        optional("owner", TEXT, "Who answers for it, for people."),
        optional(
            "salt",
            ValueKind::Pattern(Salt::PATTERN),
            "Separates this flag's buckets from another's; else the flag's key. Another salt reshuffles everybody.",
        ),
        required("enabled", ValueKind::Boolean, "`false` serves `when_stopped` to everybody.")
            .such_as("true"),
        required("when_stopped", BASELINE, "Served while the flag is stopped or not enabled.")
            .such_as("polling"),
        required("default", BASELINE, "What deny, allow, rules and rollout leave over.")
            .such_as("polling"),
        optional(
            "bucket_by",
            ValueKind::Pattern(AttributeName::PATTERN),
            "A declared `text` attribute to bucket by in place of the targeting key.",
        ),
        optional(
            "attributes",
            ValueKind::Declarations,
            "What conditions may ask. `email` needs no declaring.",
        ),
        optional(
            "deny",
            ValueKind::List(&ValueKind::Record(&DENY), MAX_ENTRIES),
            "Who is kept out; comes before everything else.",
        ),
        optional(
            "allow",
            ValueKind::List(&ValueKind::Record(&ALLOW), MAX_ENTRIES),
            "Who is let in, and to what.",
        ),
        optional(
            "rules",
            ValueKind::List(&ValueKind::Record(&RULE), MAX_ENTRIES),
            "Conditions in order; the first that matches decides.",
        ),
        optional(
            "rollout",
            ValueKind::Record(&ROLLOUT),
            "The share of buckets each strategy has; the default has what is left.",
        ),
        optional(
            "transports",
            ValueKind::Record(&TRANSPORTS),
            "What a client is told beside the strategy's name.",
        ),
        optional("client", ValueKind::Record(&CLIENT), "How long a client may go by an answer."),
        optional(
            "tests",
            ValueKind::List(&ValueKind::Record(&CASE), MAX_CASES),
            "Cases the flag must answer before it goes live.",
        ),
        optional("plan", ValueKind::NotYet, "Plans are not supported yet."),
    ],
    least: MinKeys::Nothing,
};
const USERS: Key =
    optional("users", ValueKind::List(&ID, MAX_NODES), "Targeting keys, byte for byte.");
const EMAILS: Key = optional(
    "emails",
    ValueKind::List(&EMAIL, MAX_NODES),
    "Whole addresses; verified ones only, except in `deny`.",
);
const DOMAINS: Key = optional(
    "domains",
    ValueKind::List(&DOMAIN, MAX_NODES),
    "Exact domains of addresses, no subdomains.",
);
const IN_SEGMENT: Key = optional(
    "segment",
    ValueKind::OneOrMore(&ValueKind::Pattern(SegmentKey::PATTERN)),
    "In this segment, or in any of a list of them.",
);
const WHEN: Key =
    optional("when", ValueKind::Condition, "A condition; with people named too, both must match.");
const WHOM: MinKeys = MinKeys::OneOf(&["users", "emails", "domains", "segment", "when"]);
pub const DENY: MapSchema = MapSchema {
    what: "an entry of `deny`",
    keys: &[
        USERS,
        EMAILS,
        DOMAINS,
        IN_SEGMENT,
        WHEN,
        optional("strategy", BASELINE, "What is served; else `default`."),
    ],
    least: WHOM,
};
pub const ALLOW: MapSchema = MapSchema {
    what: "an entry of `allow`",
    keys: &[
        USERS,
        EMAILS,
        DOMAINS,
        IN_SEGMENT,
        WHEN,
        required("strategy", STRATEGY, "What is served.").such_as("realtime-v2"),
    ],
    least: WHOM,
};
pub const RULE: MapSchema = MapSchema {
    what: "a rule",
    keys: &[
        required(
            "name",
            ValueKind::Pattern(RuleName::PATTERN),
            "The rule's name, once in a flag and no step's code.",
        ),
        required("when", ValueKind::Condition, "The condition."),
        required("strategy", STRATEGY, "What is served when it is true.").such_as("realtime-v2"),
    ],
    least: MinKeys::Nothing,
};
pub const ROLLOUT: MapSchema = MapSchema {
    what: "`rollout`",
    keys: &[
        optional("realtime-v2", SHARE, "Grows from bucket 0 upward."),
        optional(
            "disabled",
            SHARE,
            "Grows from bucket 99999 downward; not named where it is the default.",
        ),
    ],
    least: MinKeys::AKey,
};
