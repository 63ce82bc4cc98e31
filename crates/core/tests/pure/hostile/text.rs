//! Files that are not text, not complete, or not YAML.

use turnout_core::definition::Code::*;

use super::harness::{Case, Expected, FLAG, HEAD, SEGMENT, flag, segment, whole};

const BUILD_EVENTS: &str = include_str!("../../../../../flags/build-events.yaml");
const INTERNAL: &str = include_str!("../../../../../flags/segments/internal.yaml");

pub fn not_text() -> Vec<Case> {
    let utf16 = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    let marked = |mark: &[u8], text: &[u8]| [mark, text].concat();
    let bytes = |more: &[u8]| [HEAD.as_bytes(), more].concat();
    vec![
        whole("an ELF program", b"\x7fELF\x02\x01\x01\0\0\0", &[(Binary, 1, 1)]),
        whole("a PNG image", b"\x89PNG\r\n\x1a\n\0\0", &[(NotUtf8, 1, 1)])
            .hint("save the file as UTF-8"),
        whole("a ZIP archive", b"PK\x03\x04\x14\0", &[(Binary, 1, 3)]),
        whole("a gzip file", b"\x1f\x8b\x08\0", &[(NotUtf8, 1, 2)]),
        whole("NULs where blocks were never written", bytes(&[0; 4096]), &[(Binary, 6, 1)]),
        whole("a NUL in a name", HEAD.replace("chat", "ch\0at"), &[(Binary, 2, 9)]),
        flag("an escape character", "owner: a\x1b[2Jb", &[(Binary, 6, 9)]),
        flag("a delete character", "owner: \u{7f}", &[(Binary, 6, 8)]),
        flag("a control character of Latin-1", "owner: é\u{80}", &[(Binary, 6, 9)]),
        flag("a vertical tab between keys", "owner: a\n\x0bsalt: b", &[(Binary, 7, 1)]),
        whole("Latin-1", bytes(b"owner: caf\xe9\n"), &[(NotUtf8, 6, 11)]),
        whole("characters of several bytes", bytes("owner: ö€😀".as_bytes()).as_slice(), &[]),
        whole(
            "a bad byte after characters of several bytes",
            bytes(b"owner: \xc3\xb6\xf0\x9f\x98\x80\xff"),
            &[(NotUtf8, 6, 10)],
        ),
        whole("half of a surrogate pair", bytes(b"owner: \xed\xa0\x80\n"), &[(NotUtf8, 6, 8)]),
        whole("an overlong slash", bytes(b"owner: ..\xc0\xaf\n"), &[(NotUtf8, 6, 10)]),
        whole("a character cut in half", bytes(b"owner: \xf0\x9f\x98"), &[(NotUtf8, 6, 8)]),
        whole("UTF-16 with a mark", marked(b"\xff\xfe", &utf16(HEAD)), &[(NotUtf8, 1, 1)]),
        whole("UTF-16 without a mark", utf16(HEAD), &[(Binary, 1, 2)]),
        whole("UTF-32", marked(b"\0\0\xfe\xff", b"\0\0\0v"), &[(NotUtf8, 1, 3)]),
        whole("a byte order mark", marked(b"\xef\xbb\xbf", HEAD.as_bytes()), &[]),
        whole(
            "a byte order mark and a typo",
            marked(b"\xef\xbb\xbf", b"verison: 1"),
            &MISSING_ALL_AND_UNKNOWN[1..],
        ),
        whole(
            "a byte order mark and a control character",
            b"\xef\xbb\xbfversion: \x01",
            &[(Binary, 1, 10)],
        ),
        whole(
            "a byte order mark and a bad byte",
            b"\xef\xbb\xbfversion: \xff",
            &[(NotUtf8, 1, 10)],
        ),
        whole(
            "a byte order mark in the middle",
            bytes("\u{feff}owner: a\n".as_bytes()),
            &[(Syntax, 6, 1)],
        ),
        flag("a byte order mark before a value", "owner: \u{feff}a", &[(Syntax, 6, 8)]),
        flag("a noncharacter", "owner: \u{fffe}", &[(Syntax, 6, 8)]),
        whole(
            "Windows line ends",
            HEAD.replace('\n', "\r\n") + "ownr: a\r\n",
            &[(UnknownKey, 6, 1)],
        ),
        whole(
            "old Macintosh line ends",
            HEAD.replace('\n', "\r") + "ownr: a\r",
            &[(UnknownKey, 6, 1)],
        ),
        whole(
            "old Macintosh line ends and a NUL",
            HEAD.replace('\n', "\r") + "owner: \0",
            &[(Binary, 6, 8)],
        ),
        flag("look-alike line ends inside a value", "owner: a\u{85}b\u{2028}c", &[]),
        whole("a web page", "<html><body>502 Bad Gateway</body></html>\n", &[(WrongType, 1, 1)]),
        Case::new("a segment that is no text", SEGMENT, b"version: 1\n\0", &[(Binary, 2, 1)]),
        Case::new(
            "a segment in Latin-1",
            SEGMENT,
            b"version: 1\nsegment: internal\nowner: \xe9\n",
            &[(NotUtf8, 3, 8)],
        ),
    ]
}

const MISSING_ALL_AND_UNKNOWN: [Expected; 6] = [
    (MissingKey, 1, 1),
    (MissingKey, 1, 1),
    (MissingKey, 1, 1),
    (MissingKey, 1, 1),
    (MissingKey, 1, 1),
    (UnknownKey, 1, 1),
];

/// A shipped file up to and including some text of it. The findings are at these texts; `""` means
/// the whole file.
fn cut(file: &str, end: &str, expect: &[(turnout_core::definition::Code, &str)]) -> Case {
    let text = if file == SEGMENT { INTERNAL } else { BUILD_EVENTS };
    let at = |part: &str| text.find(part).unwrap_or_else(|| panic!("{file} has no `{part}`"));
    let place = |part: &str| match part {
        "" => (0, 0),
        part => {
            let before = &text[..at(part)];
            let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
            (
                before.matches('\n').count() as u32 + 1,
                before[line_start..].chars().count() as u32 + 1,
            )
        }
    };
    let expect: Vec<Expected> =
        expect.iter().map(|(code, part)| (*code, place(part).0, place(part).1)).collect();
    let case = Case::new(
        &format!("{file} cut after `{end}`"),
        file,
        &text.as_bytes()[..at(end) + end.len()],
        &expect,
    );
    if file == SEGMENT { case } else { case.called("build-events.yaml").with(SEGMENT, INTERNAL) }
}

pub fn empty_and_truncated() -> Vec<Case> {
    let build_events = |end: &str, expect: &[_]| cut(FLAG, end, expect);
    let missing = |keys: usize| vec![(MissingKey, "version"); keys];
    vec![
        whole("no byte", "", &[(Empty, 0, 0)]).hint("takes nothing out of service"),
        whole("one blank", " ", &[(Empty, 0, 0)]),
        whole("only line ends", "\n\r\n\n", &[(Empty, 0, 0)]),
        whole("only tabs", "\t\t\n", &[(Empty, 0, 0)]),
        whole("only comments", "# version: 1\n# flag: chat\n", &[(Empty, 0, 0)]),
        whole("only a byte order mark", "\u{feff}", &[(Empty, 0, 0)]),
        whole("a document of nothing", "---\n...\n", &[(Empty, 0, 0)]),
        whole("a null", "null\n", &[(Empty, 0, 0)]),
        whole("a tilde", "~", &[(Empty, 0, 0)]),
        whole("an empty text", "''\n", &[(WrongType, 1, 1)]),
        whole("an empty list", "[]", &[(WrongType, 1, 1)]),
        whole("an empty map", "{}\n", &MISSING_ALL_AND_UNKNOWN[..5]),
        whole("a key and no more", "version", &[(WrongType, 1, 1)]),
        Case::new("an empty segment", SEGMENT, b"", &[(Empty, 0, 0)]),
        Case::new("a segment of comments", SEGMENT, b"# nosuch\n", &[(Empty, 0, 0)]),
        build_events("versi", &[(WrongType, "version")]),
        build_events("version: 1\n", &missing(4)),
        build_events("flag: build-events ", &missing(3)),
        build_events(
            "flag: build-e",
            &[missing(3), vec![(NameMismatch, "build-events ")]].concat(),
        ),
        build_events("owner: realtime-team\nsal", &[(Syntax, "salt:")]),
        build_events("salt: build", &missing(3)),
        build_events("attributes: {", &[(Syntax, "{ platform")]),
        build_events("[ios, and", &[(Syntax, "[ios")]),
        build_events("plan: te", &[(Syntax, "{ platform")]),
        build_events("enabled: t", &[missing(2), vec![(WrongType, "true")]].concat()),
        build_events("when_stopped: poll", &[missing(1), vec![(BadStrategy, "polling ")]].concat())
            .hint("did you mean `polling`?"),
        build_events("default: pol", &[(BadStrategy, "polling         #")]),
        build_events("deny:", &[(WrongType, ":                    # strategy")]),
        build_events("{ users: [u-4711", &[(Syntax, "[u-4711")]),
        build_events("below: \"2.", &[(Syntax, "\"2.10")]),
        build_events("{ segment: internal, strategy: realtime-", &[(Syntax, "{ segment")]),
        build_events("rules:\n  -", &[(WrongType, " { name: enterprise")]),
        build_events("rollout:\n", &[(WrongType, ":\n  realtime-v2")]),
        build_events("realtime-v2: 1", &[(BadShare, "10%")]).hint("write 1%"),
        build_events("url: \"/v1/fe", &[(Syntax, "\"/v1/fe")]),
        build_events("tests:", &[(WrongType, ":                   # against")]),
        cut(SEGMENT, "version: 1\n", &[(MissingKey, "version")]),
        cut(SEGMENT, "segment: inter", &[(NameMismatch, "internal\n")]),
        cut(SEGMENT, "users: [u-7", &[(Syntax, "[u-7")]),
        cut(SEGMENT, "emails: [ops@", &[(Syntax, "[ops")]),
        cut(SEGMENT, "domains:", &[(WrongType, ": [example")]),
    ]
}

pub fn syntax() -> Vec<Case> {
    vec![
        flag("a list that never ends", "owner: [a", &[(Syntax, 6, 8)]).says("unclosed bracket"),
        flag("a map that never ends", "rollout: {realtime-v2: 1%", &[(Syntax, 6, 10)]),
        flag("a text that never ends", "owner: \"a\nsalt: b", &[(Syntax, 6, 8)])
            .says("unclosed quote"),
        flag("a quote too many", "owner: 'it's'", &[(Syntax, 6, 12)]),
        flag("quotes inside quotes", "owner: \"say \"hi\"\"", &[(Syntax, 6, 14)]),
        flag("two texts beside each other", "owner: 'a' 'b'", &[(Syntax, 6, 12)]),
        flag("a bracket too many", "deny: [a]]", &[(Syntax, 6, 10)]),
        flag("the wrong bracket", "deny: [}", &[(Syntax, 6, 7)]),
        flag("a bracket without a list", "owner: ]", &[(Syntax, 6, 8)]),
        flag("two colons", "owner: a: b", &[(Syntax, 6, 9)]),
        flag("no colon", "owner a", &[(Syntax, 6, 1)]),
        flag("no blank after the colon", "rollout: {realtime-v2:10%}", &[(UnknownKey, 6, 11)])
            .hint("did you mean `realtime-v2`?"),
        flag("no comma in a map", "rollout: {realtime-v2: 1% disabled: 0%}", &[(Syntax, 6, 35)]),
        flag("two commas in a list", "deny: [a,,b]", &[(Syntax, 6, 10)]),
        flag("a line indented too far", " owner: a", &[(Syntax, 6, 7)]),
        flag(
            "an entry indented too far",
            "deny:\n- {users: [a]}\n - {users: [b]}",
            &[(Syntax, 8, 2)],
        ),
        flag("a key indented too little", "deny:\n  - a\n owner: b", &[(Syntax, 8, 2)]),
        flag("keys under a text", "owner: a\n  salt: b", &[(Syntax, 7, 7)]),
        flag("a tab after a colon", "owner:\ta", &[]),
        flag("a tab before a block text", "owner: |\n\ta", &[(Syntax, 6, 8)]),
        flag("an entry where a key should be", "- owner", &[(Syntax, 6, 3)]),
        flag("an entry behind a key", "deny: - a", &[(Syntax, 6, 7)]),
        flag("a name that starts with an at sign", "owner: @team", &[(Syntax, 6, 8)]),
        flag("a name that starts with a backtick", "owner: `team`", &[(Syntax, 6, 8)]),
        flag("a name that starts with a per cent sign", "owner: %team", &[(Syntax, 6, 8)]),
        flag("an unknown escape", "owner: \"\\q\"", &[(Syntax, 6, 8)]),
        flag("half an escape", "owner: \"\\x4\"", &[(Syntax, 6, 8)]),
        flag("an escaped half of a pair", "owner: \"\\ud800\"", &[(Syntax, 6, 8)]),
        flag("an escape beyond Unicode", "owner: \"\\U00110000\"", &[(Syntax, 6, 8)]),
        flag("a block text with a wrong mark", "owner: >x\n  a", &[(Syntax, 6, 8)]),
        flag("a block text indented too little", "owner: |5\n  a", &[(Syntax, 7, 3)]),
        flag(
            "marks of a merge",
            "<<<<<<< HEAD\nowner: a\n=======\nowner: b\n>>>>>>> b",
            &[(Syntax, 6, 1)],
        ),
        flag("a template never filled in", "owner: {{ .Values.owner }}", &[(WrongType, 6, 9)])
            .says("a key must be a single word"),
        flag("a list as a key", "? [a]\n: b", &[(WrongType, 6, 3)]),
        flag("a map as a key", "{a: b}: c", &[(WrongType, 6, 1)]),
        whole(
            "a list of flags",
            format!("- {}", HEAD.trim_end().replace('\n', "\n  ")),
            &[(WrongType, 1, 1)],
        ),
        whole(
            "JSON",
            r#"{"version":1,"flag":"chat","enabled":true,"default":"polling","when_stopped":"polling"}"#,
            &[],
        ),
        whole("JSON with a comma too many", "{\"version\": 1,}", &MISSING_ALL_AND_UNKNOWN[..4]),
        whole("JSON that never ends", "{\"version\": 1, \"flag\": \"chat\"", &[(Syntax, 1, 1)]),
        segment("an entry on the key's line", "users: - a", &[(Syntax, 3, 8)]),
        segment("a domain written with its at sign", "domains: [@example.com]", &[(Syntax, 3, 11)]),
        segment("a list closed twice", "users: [a]]", &[(Syntax, 3, 11)]),
    ]
}
