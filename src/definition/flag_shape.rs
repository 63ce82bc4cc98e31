//! The keys of a flag file, from the file itself down to its rollout: what the reader in `flag_file` goes by, and the schema.

use super::limits::{MAX_CASES, MAX_ENTRIES, MAX_NODES};
use super::segment::{DOMAIN, EMAIL};
use super::shape::{BASELINE, Holds, ID, Key, Least, SHARE, STRATEGY, Shape, TEXT, may, needs};
use super::test_case::CASE;
use super::transports::{CLIENT, TRANSPORTS};
use crate::flag::{AttributeName, FlagKey, RuleName, Salt, SegmentKey};

/// A flag file.
pub const FLAG: Shape = Shape {
    what: "a flag",
    keys: &[
        needs("version", Holds::Version, "The version of the format."),
        needs("flag", Holds::Pattern(FlagKey::PATTERN), "The flag's key: the file's name without `.yaml`."),
        may("description", TEXT, "What the flag is for, for people."),
        may("owner", TEXT, "Who answers for it, for people."),
        may(
            "salt",
            Holds::Pattern(Salt::PATTERN),
            "Separates this flag's buckets from another's; else the flag's key. Another salt reshuffles everybody.",
        ),
        needs("enabled", Holds::Boolean, "`false` serves `when_stopped` to everybody."),
        needs("when_stopped", BASELINE, "Served while the flag is stopped or not enabled."),
        needs("default", BASELINE, "What deny, allow, rules and rollout leave over."),
        may(
            "bucket_by",
            Holds::Pattern(AttributeName::PATTERN),
            "A declared `text` attribute to bucket by in place of the targeting key.",
        ),
        may("attributes", Holds::Declarations, "What conditions may ask. `email` needs no declaring."),
        may("deny", Holds::List(&Holds::Record(&DENY), MAX_ENTRIES), "Who is kept out; comes before everything else."),
        may("allow", Holds::List(&Holds::Record(&ALLOW), MAX_ENTRIES), "Who is let in, and to what."),
        may("rules", Holds::List(&Holds::Record(&RULE), MAX_ENTRIES), "Conditions in order; the first that matches decides."),
        may("rollout", Holds::Record(&ROLLOUT), "The share of buckets each strategy has; the default has what is left."),
        may("transports", Holds::Record(&TRANSPORTS), "What a client is told beside the strategy's name."),
        may("client", Holds::Record(&CLIENT), "How long a client may go by an answer."),
        may("tests", Holds::List(&Holds::Record(&CASE), MAX_CASES), "Cases the flag must answer before it goes live."),
        may("plan", Holds::NotYet, "Plans are not supported yet."),
    ],
    least: Least::Nothing,
};
const USERS: Key = may("users", Holds::List(&ID, MAX_NODES), "Targeting keys, byte for byte.");
const EMAILS: Key = may("emails", Holds::List(&EMAIL, MAX_NODES), "Whole addresses; verified ones only, except in `deny`.");
const DOMAINS: Key = may("domains", Holds::List(&DOMAIN, MAX_NODES), "Exact domains of addresses, no subdomains.");
const IN_SEGMENT: Key =
    may("segment", Holds::OneOrMore(&Holds::Pattern(SegmentKey::PATTERN)), "In this segment, or in any of a list of them.");
const WHEN: Key = may("when", Holds::Condition, "A condition; with people named too, both must match.");
const WHOM: Least = Least::OneOf(&["users", "emails", "domains", "segment", "when"]);
pub const DENY: Shape = Shape {
    what: "an entry of `deny`",
    keys: &[USERS, EMAILS, DOMAINS, IN_SEGMENT, WHEN, may("strategy", BASELINE, "What is served; else `default`.")],
    least: WHOM,
};
pub const ALLOW: Shape = Shape {
    what: "an entry of `allow`",
    keys: &[USERS, EMAILS, DOMAINS, IN_SEGMENT, WHEN, needs("strategy", STRATEGY, "What is served.")],
    least: WHOM,
};
pub const RULE: Shape = Shape {
    what: "a rule",
    keys: &[
        needs("name", Holds::Pattern(RuleName::PATTERN), "The rule's name, once in a flag and no step's code."),
        needs("when", Holds::Condition, "The condition."),
        needs("strategy", STRATEGY, "What is served when it is true."),
    ],
    least: Least::Nothing,
};
pub const ROLLOUT: Shape = Shape {
    what: "`rollout`",
    keys: &[
        may("realtime-v2", SHARE, "Grows from bucket 0 upward."),
        may("disabled", SHARE, "Grows from bucket 99999 downward; not named where it is the default."),
    ],
    least: Least::AKey,
};
