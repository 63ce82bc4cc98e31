//! Segments: their ids and addresses, the files of ids they name, and flags that name segments.

use turnout_core::definition::Code::*;
use turnout_core::definition::File;

use super::harness::{Case, Expected, SEGMENT, SEGMENT_HEAD, flag, segment};

pub fn segment_files() -> Vec<Case> {
    let email = |name: &str, text: &str| {
        segment(name, &format!("emails: [{text}]"), &[(BadAddress, 3, 10)])
    };
    let domain = |name: &str, text: &str| {
        segment(name, &format!("domains: [{text}]"), &[(BadAddress, 3, 11)])
    };
    vec![
        segment("an empty id", "users: [\"\"]", &[(BadId, 3, 9)])
            .says("1 to 256 bytes, this one 0"),
        segment(
            "empty ids among others",
            "users: [a, \"\", b, '']",
            &[(BadId, 3, 12), (BadId, 3, 19)],
        ),
        segment("an id too long", &format!("users: [{}]", "é".repeat(129)), &[(BadId, 3, 9)])
            .says("this one 258"),
        segment("the longest id", &format!("users: [{}]", "é".repeat(128)), &[]),
        // In quotes the blanks are meant, as in the published vectors; in a `users_file` they would
        // be invisible.
        segment("blanks around ids", "users: [\"u-1 \", ' u-2', u 3]", &[]),
        // The same is refused in a `users_file`.
        segment("a NUL in an id", "users: [\"u\\0-1\"]", &[(BadId, 3, 9)])
            .says("a control character"),
        segment("a line break in an id", "users: [\"u-1\\nu-2\"]", &[(BadId, 3, 9)]),
        segment("an id on a line of its own", "users:\n  - a\n  - \"\"\n", &[(BadId, 5, 5)]),
        email("no at sign", "ops"),
        email("no name", "\"@example.com\""),
        email("no domain", "ops@"),
        email("an empty address", "\"\""),
        email("a blank in the domain", "ops@exam ple.com"),
        email("a blank behind it", "\"ops@example.com \""),
        email("a control character", "\"ops@example.com\\0\""),
        email("an address too long", &format!("{}@example.com", "a".repeat(245))).never_says("320"),
        // None of these would ever match an address.
        email("a blank before it", "\" ops@example.com\""),
        email("a blank in the name", "o ps@example.com"),
        email("a name before the address", "\"Ops <ops@example.com>\""),
        email("two addresses", "ops@example.com; dev@example.com"),
        domain("a domain with an at sign", "\"@example.com\"").hint("a domain has no `@`"),
        domain("an address for a domain", "ops@example.com"),
        domain("an empty domain", "''"),
        domain("a blank in a domain", "exam ple.com"),
        domain("a domain too long", &"a".repeat(257)).never_says("320"),
        // Domains match exactly.
        domain("any subdomain", "\"*.example.com\"")
            .hint("domains match exactly; list each subdomain"),
        domain("a star in a domain", "exam*.com").hint("list each subdomain"),
        domain("every domain", "\"*\"").hint("list each subdomain"),
        domain("a domain with a dot before it", ".example.com").hint("list each subdomain"),
        email("an address of any subdomain", "\"ops@*.example.com\""),
        email("an address of subdomains", "ops@.example.com"),
        segment("a star in an address's name", "emails: [\"*@example.com\"]", &[]),
        segment("a null among addresses", "emails: [~]", &[(WrongType, 3, 10)]),
        segment("a list among domains", "domains: [[a]]", &[(WrongType, 3, 11)]),
        segment("capitals in addresses", "emails: [Ops@Example.COM]\ndomains: [Example.COM]", &[]),
        segment(
            "one of each",
            "users: ['']\nemails: [a]\ndomains: [a@b]",
            &[(BadId, 3, 9), (BadAddress, 4, 10), (BadAddress, 5, 11)],
        ),
        flag(
            "one of each in a flag",
            "deny: [{users: [''], emails: [a], domains: [a@b]}]",
            &[(BadId, 6, 17), (BadAddress, 6, 31), (BadAddress, 6, 45)],
        ),
        flag(
            "one of each in a flag that could never match",
            "deny: [{users: [\"\\0\"], domains: ['*.example.com']}]",
            &[(BadId, 6, 17), (BadAddress, 6, 34)],
        )
        .hint("list each subdomain"),
    ]
}

/// A segment that names `ids.txt`, and the content of that file.
fn ids(name: &str, bytes: &[u8], expect: &[Expected]) -> Case {
    let case =
        segment(name, "users_file: ids.txt", &[]).with("ids.txt", bytes).and("ids.txt", expect);
    if expect.is_empty() { case } else { case.spoiled() }
}

pub fn users_files() -> Vec<Case> {
    let path = |name: &str, path: &str| {
        segment(name, &format!("users_file: {path}"), &[(UsersFile, 3, 13)])
    };
    let ids_file = |name: &str, file: File| path(name, "ids.txt").with_file("ids.txt", file);
    vec![
        path("a path above the folder", "../ids.txt").says("not a path inside the flags folder"),
        path("an absolute path", "/etc/passwd").hint("without `..`"),
        path("a path above in the middle", "ids/../../ids.txt"),
        path("a path that stays inside by way of above", "ids/../ids.txt"),
        path("the folder above", ".."),
        path("the folder itself", "."),
        path("a path of here", "./ids.txt"),
        path("a path with a hole", "ids//ids.txt"),
        path("a folder", "ids/"),
        path("a path of Windows", "C:\\ids.txt"),
        path("a path above, of Windows", "..\\ids.txt"),
        path("a share of Windows", "\\\\host\\ids.txt"),
        path("an address", "https://example.com/ids.txt"),
        path("an address of a file", "file:///etc/passwd"),
        path("an empty path", "\"\""),
        path("a home", "~/ids.txt"),
        path("a file that is not there", "ids.txt").says("there is no file `ids.txt`"),
        path("a file in a folder that is not there", "ids/a/b/c.txt"),
        path("a path with a NUL", "\"ids\\0.txt\""),
        segment("a null path", "users_file: ~", &[(WrongType, 3, 13)]),
        segment("a list of paths", "users_file: [ids.txt]", &[(WrongType, 3, 13)]),
        ids_file(
            "a file that cannot be read",
            File::Unreadable { why: "may not be read by this user".into() },
        )
        .hint("check its permissions"),
        ids_file("a file too large to be read", File::TooLarge { bytes: 1 << 40 })
            .says("1099511627776 bytes"),
        ids("an empty file", b"", &[]),
        ids("only empty lines", b"\n\r\n\n", &[]),
        ids("a byte order mark and line ends of Windows", b"\xef\xbb\xbfu-1\r\nu-2\r\n", &[]),
        ids(
            "a fault behind a byte order mark",
            b"\xef\xbb\xbf u-1\nu-2 \n",
            &[(BadId, 1, 1), (BadId, 2, 1)],
        ),
        ids("no line end at the end", b"u-1\nu-2", &[]),
        ids(
            "blanks around ids",
            b"u-1\n u-2\nu-3 \n\tu-4\n",
            &[(BadId, 2, 1), (BadId, 3, 1), (BadId, 4, 1)],
        )
        .hint("byte for byte"),
        ids("a line of blanks", b"u-1\n  \n", &[(BadId, 2, 1)]),
        ids(
            "blanks of other scripts",
            "u-1\u{a0}\n\u{3000}u-2\n".as_bytes(),
            &[(BadId, 1, 1), (BadId, 2, 1)],
        ),
        ids("commas are part of an id", b"u-1,u-2\n", &[]),
        ids("old Macintosh line ends", b"u-1\ru-2\r", &[(BadId, 1, 1)]),
        ids("a NUL in an id", b"u-1\nu\x00-2\n", &[(BadId, 2, 1)]),
        ids("a NUL after empty lines", b"\n\n\nu\x00-2\n", &[(BadId, 4, 1)]),
        ids("an id too long", format!("u-1\n{}\n", "u".repeat(257)).as_bytes(), &[(BadId, 2, 1)])
            .says("this one 257"),
        ids("the longest id", "u".repeat(256).as_bytes(), &[]),
        ids("Latin-1", b"u-1\nu-2\ncaf\xe9\n", &[(NotUtf8, 3, 1)])
            .hint("save the file as UTF-8, one id a line"),
        ids("UTF-16", b"\xff\xfeu\x00\n\x00", &[(NotUtf8, 1, 1)]),
        ids("a binary", b"\x7fELF\x02\x01\x01\0\n\0\0", &[(BadId, 1, 1), (BadId, 2, 1)]),
        ids("a hundred faults are enough", " a\n".repeat(1000).as_bytes(), &hundred_lines()),
        segment("a bad file and a bad list", "users_file: ids.txt\nusers: ['']", &[(BadId, 4, 9)])
            .with("ids.txt", b" a\n")
            .and("ids.txt", &[(BadId, 1, 1)]),
        segment(
            "a bad path and a bad list",
            "users_file: ../a\nemails: [a]",
            &[(UsersFile, 3, 13), (BadAddress, 4, 10)],
        ),
    ]
}

fn hundred_lines() -> Vec<Expected> {
    (1..=100).map(|line| (BadId, line, 1)).collect()
}

pub fn named_segments() -> Vec<Case> {
    let unknown = |name: &str, more: &str, expect: &[Expected]| {
        flag(name, more, expect).with(SEGMENT, SEGMENT_HEAD)
    };
    vec![
        unknown("in deny", "deny: [{segment: staff}]", &[(UnknownSegment, 6, 18)])
            .hint("no file segments/staff.yaml"),
        unknown(
            "in allow",
            "allow: [{segment: staff, strategy: polling}]",
            &[(UnknownSegment, 6, 19)],
        ),
        unknown(
            "in a rule",
            "rules: [{name: a, strategy: polling, when: {segment: staff}}]",
            &[(UnknownSegment, 6, 54)],
        ),
        unknown("under not", "deny: [{when: {not: {segment: staff}}}]", &[(UnknownSegment, 6, 31)]),
        unknown("mistyped", "deny: [{segment: internl}]", &[(UnknownSegment, 6, 18)])
            .hint("similar name exists: `internal`"),
        unknown(
            "among known ones",
            "deny: [{segment: [internal, staff]}]",
            &[(UnknownSegment, 6, 29)],
        ),
        unknown(
            "named twice, reported once",
            "deny: [{segment: staff}, {segment: staff}]",
            &[(UnknownSegment, 6, 18)],
        ),
        unknown(
            "several",
            "deny: [{segment: [a, b]}]\nallow: [{segment: [b, c], strategy: polling}]",
            &[(UnknownSegment, 6, 19), (UnknownSegment, 6, 22), (UnknownSegment, 7, 23)],
        ),
        unknown("in capitals", "deny: [{segment: Internal}]", &[(BadName, 6, 18)]),
        unknown("as a path", "deny: [{segment: segments/internal.yaml}]", &[(BadName, 6, 18)]),
        // All faults are reported together, and `internal` counts as named nevertheless.
        unknown(
            "two bad names",
            "deny: [{segment: [A, B, internal]}]\ntests: [{user: u, segments: [internal], expect: polling}]",
            &[(BadName, 6, 19), (BadName, 6, 22)],
        ),
        unknown("an empty name", "deny: [{segment: \"\"}]", &[(BadName, 6, 18)]),
        unknown("no name", "deny: [{segment: }]", &[(WrongType, 6, 16)]),
        unknown("a list in a list", "deny: [{segment: [[internal]]}]", &[(WrongType, 6, 19)]),
        unknown("an empty list matches no user", "deny: [{segment: []}]", &[]),
        flag("no segments at all", "deny: [{segment: internal}]", &[(UnknownSegment, 6, 18)]),
        flag(
            "only under the other ending",
            "deny: [{segment: internal}]",
            &[(UnknownSegment, 6, 18)],
        )
        .with("segments/internal.yml", SEGMENT_HEAD)
        .and("segments/internal.yml", &[(BadFileName, 0, 0)]),
        flag("only in the flags' place", "deny: [{segment: internal}]", &[(UnknownSegment, 6, 18)])
            .with("internal.yaml", SEGMENT_HEAD)
            .and(
                "internal.yaml",
                &[
                    (MissingKey, 1, 1),
                    (MissingKey, 1, 1),
                    (MissingKey, 1, 1),
                    (MissingKey, 1, 1),
                    (UnknownKey, 2, 1),
                ],
            ),
        flag("a segment that is broken is known", "deny: [{segment: internal}]", &[])
            .with(SEGMENT, "version: 1\nsegment: [\n")
            .and(SEGMENT, &[(Syntax, 2, 10)]),
        flag("a segment whose ids are missing is known", "deny: [{segment: internal}]", &[])
            .with(SEGMENT, format!("{SEGMENT_HEAD}users_file: ids.txt\n"))
            .and(SEGMENT, &[(UsersFile, 3, 13)]),
        flag(
            "a broken flag beside a broken segment",
            "deny: [{segment: staff}]",
            &[(UnknownSegment, 6, 18)],
        )
        .with(SEGMENT, "")
        .and(SEGMENT, &[(Empty, 0, 0)]),
    ]
}
