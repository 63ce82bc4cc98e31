//! Any bytes as a file of the flags folder: no panic, a place inside the file for every error, and
//! the good state stays.

#[path = "../../../../crates/core/tests/pure/hostile/shipped.rs"]
mod shipped;

use turnout::definition::may_be_half_written;

use self::shipped::{BUILD_EVENTS, FLAG, INTERNAL, SEGMENT, Shipped, file};
use super::bend::made_of;

const STAFF: &[u8] = b"version: 1\nsegment: staff\nusers_file: staff.txt\nusers: [\"u 1\", 4711]\ndomains: [example.com]\n";
const IDS: &[u8] = "\u{feff}u-1\r\n\nu 2\n\u{e9}\u{301}\nu-3".as_bytes();
const TABLE: &[u8] = b"flag: build-events\ncases:\n  - name: every platform\n    each: { platform: [web, android], plan: [team, enterprise] }\n    \
    user: x\n    bucket: 99999\n    expect: realtime-v2\n    by: enterprise\n  - { user: x, bucket: 0, with: { app_version: '2.10' }, expect: realtime-v2 }\n";
/// What the format can hold besides what the shipped flag uses.
const WIDE: &[u8] = b"version: 1\nflag: wide\nenabled: true\nwhen_stopped: disabled\ndefault: disabled\nbucket_by: team\n\
    attributes: {team: text, seats: number, paid: boolean, app: version, os: [ios, web]}\n\
    deny: [{emails: [a@example.com], domains: [example.com], strategy: polling}]\n\
    allow: [{segment: [staff, internal], when: {paid: true}, strategy: realtime-v2}]\n\
    rules:\n- name: r\n  when: {not: {os: ios}, app: {at_least: 2.10, below: \"3\"}, seats: [1, 2.5], team: {starts_with: r, not: red}}\n  \
    strategy: polling\nrollout: {realtime-v2: 12.5%}\nclient: {valid_for: 60s, stale_if_error: 1d, enter_spread: 5s}\n\
    tests: [{user: u, bucket: 5, with: {team: a, seats: 1, paid: false}, identity: plain, expect: realtime-v2, by: rollout}]\n";

/// The good files, each under its path.
const FILES: [(&str, &[u8]); 6] = [
    (FLAG, BUILD_EVENTS),
    ("wide.yaml", WIDE),
    (SEGMENT, INTERNAL),
    ("segments/staff.yaml", STAFF),
    ("staff.txt", IDS),
    ("tests/build-events.yaml", TABLE),
];

/// A folder with a file of every kind.
pub struct Files(Shipped);

impl Files {
    pub fn new() -> Files {
        Files(Shipped::with(&FILES))
    }

    /// The first byte chooses the file, the rest says what to make of it. Then the good file is put
    /// back.
    pub fn save(&mut self, input: &[u8]) {
        let Some((choice, input)) = input.split_first() else { return };
        let (path, good) = FILES[usize::from(*choice) % FILES.len()];
        let originals: Vec<&[u8]> =
            [good].into_iter().chain(FILES.map(|(_, bytes)| bytes)).collect();
        let bytes = made_of(&originals, input);
        self.0.save(path, &bytes, path);
        // The watcher asks this of every save, and of its opposite.
        may_be_half_written(path, Some(&file(good)), Some(&file(&bytes)));
        may_be_half_written(path, Some(&file(&bytes)), Some(&file(good)));
        assert_eq!(self.0.save(path, good, path), [], "{path}: the good file is not good any more");
    }
}
