//! The shipped files, cut and bent at every byte.

use turnout::definition::{Contents, File, Finding, Library, Text, may_be_half_written};

use crate::harness::{Form, HEAD, SEGMENT, form};

const FLAG: &str = "build-events.yaml";
const BUILD_EVENTS: &[u8] = include_bytes!("../../flags/build-events.yaml");
const INTERNAL: &[u8] = include_bytes!("../../flags/segments/internal.yaml");

fn file(bytes: &[u8]) -> File {
    File::Text(Text::new(bytes.to_vec()))
}

fn folder(path: &str, bytes: &[u8]) -> Contents {
    let mut contents = Contents::default();
    contents.files.insert(FLAG.to_owned(), file(BUILD_EVENTS));
    contents.files.insert(SEGMENT.to_owned(), file(INTERNAL));
    contents.files.insert(path.to_owned(), file(bytes));
    contents
}

/// A library that has the shipped files.
struct Shipped {
    library: Library,
    path: &'static str,
    good: Form,
}

impl Shipped {
    fn new(path: &'static str) -> Shipped {
        let mut library = Library::default();
        let whole = if path == FLAG { BUILD_EVENTS } else { INTERNAL };
        assert_eq!(library.update(&folder(path, whole)), []);
        let good = form(&library, path).unwrap();
        Shipped { library, path, good }
    }

    /// Saves other bytes: the old form stays, or a completely valid new one is in force.
    fn save(&mut self, bytes: &[u8], what: &str) -> Vec<Finding> {
        let contents = folder(self.path, bytes);
        let findings = self.library.update(&contents);
        let now = form(&self.library, self.path).unwrap_or_else(|| panic!("{what}: the good form is gone"));
        if findings.is_empty() {
            let mut fresh = Library::default();
            assert_eq!(fresh.update(&contents), [], "{what}: a fresh library refuses it");
            assert_eq!(Some(&now), form(&fresh, self.path).as_ref(), "{what}: the new form depends on the old one");
            self.good = now;
        } else {
            assert!(now.is(&self.good), "{what}: it was refused, and yet it is in force");
            assert!(findings.iter().all(|finding| *finding.file == *self.path), "{what}: it breaks another file: {findings:?}");
        }
        findings
    }
}

/// No reader can tell that a file cut at a line's end lacks its rest: then whoever watches must wait for it.
#[test]
fn a_file_cut_anywhere_is_refused_or_seen_to_be_half_written() {
    let mut taken_for_whole = Vec::new();
    for (path, whole) in [(FLAG, BUILD_EVENTS), (SEGMENT, INTERNAL)] {
        let mut shipped = Shipped::new(path);
        let old = file(whole);
        for end in 0..whole.len() {
            let what = format!("{path} cut to {end} bytes");
            let findings = shipped.save(&whole[..end], &what);
            if findings.is_empty() && !may_be_half_written(path, Some(&old), Some(&file(&whole[..end]))) {
                let last = String::from_utf8_lossy(&whole[..end]).lines().last().unwrap_or_default().to_owned();
                taken_for_whole.push(format!("{what}, after `{}`", last.trim()));
            }
        }
        assert_eq!(shipped.save(whole, "the whole"), []);
    }
    assert!(taken_for_whole.is_empty(), "nobody waits for the rest:\n{}", taken_for_whole.join("\n"));
}

/// Entries that look like others are entries all the same.
#[test]
fn an_entry_cut_off_the_end_of_a_list_is_seen_to_be_missing() {
    let lists = [
        ("rules:", "- {name: a, when: {plan: x}, strategy: polling}", "- {name: b, when: {plan: y}, strategy: polling}"),
        ("deny:", "- {users: [u-1]}", "- {users: [u-2]}"),
        ("deny:", "- {segment: a}", "- {segment: b}"),
        ("deny:", "- {when: {plan: x}}", "- {when: {plan: y}}"),
        ("deny:", "- {when: {plan: x}, strategy: disabled}", "- {when: {plan: y}}"),
        ("allow:", "- {segment: a, strategy: polling}", "- {segment: b, strategy: realtime-v2}"),
        ("tests:", "- {user: a, expect: polling}", "- {expect: polling}"),
    ];
    let missed: Vec<_> = lists
        .iter()
        .filter(|(list, first, second)| {
            let whole = format!("{HEAD}{list}\n{first}\n{second}\n");
            let cut = format!("{HEAD}{list}\n{first}\n");
            !may_be_half_written("chat.yaml", Some(&file(whole.as_bytes())), Some(&file(cut.as_bytes())))
        })
        .collect();
    assert!(missed.is_empty(), "nobody waits for the second entry of {missed:#?}");
}

#[test]
fn a_file_that_lacks_its_start_is_refused() {
    for (path, whole) in [(FLAG, BUILD_EVENTS), (SEGMENT, INTERNAL)] {
        let mut shipped = Shipped::new(path);
        // Without the head there is no version and no key; the comment before it may go.
        let text = std::str::from_utf8(whole).unwrap();
        for start in text.find("version").unwrap() + 1..whole.len() {
            let findings = shipped.save(&whole[start..], &format!("{path} from byte {start}"));
            assert_ne!(findings, [], "{path} from byte {start}");
        }
    }
}

fn bend(path: &'static str, whole: &[u8], bends: &[fn(u8) -> u8]) {
    let mut shipped = Shipped::new(path);
    let mut bytes = whole.to_vec();
    for at in 0..whole.len() {
        for bend in bends {
            bytes[at] = bend(whole[at]);
            shipped.save(&bytes, &format!("{path}, byte {at} made {:#04x}", bytes[at]));
        }
        bytes[at] = whole[at];
    }
}

#[test]
fn a_flag_with_any_byte_bent_is_refused_or_valid() {
    bend(FLAG, BUILD_EVENTS, &[|b| b ^ 0x01, |b| b ^ 0x20, |b| b ^ 0x80]);
}

#[test]
fn a_flag_with_any_byte_made_an_indicator_is_refused_or_valid() {
    bend(FLAG, BUILD_EVENTS, &[|_| b'\n', |_| b' ', |_| b'"', |_| b':']);
}

#[test]
fn a_segment_with_any_byte_bent_is_refused_or_valid() {
    let bends: [fn(u8) -> u8; 12] = [
        |b| b ^ 0x01,
        |b| b ^ 0x02,
        |b| b ^ 0x20,
        |b| b ^ 0x80,
        |_| 0,
        |_| b'\n',
        |_| b'\t',
        |_| b'"',
        |_| b':',
        |_| b']',
        |_| b'*',
        |_| 0xff,
    ];
    bend(SEGMENT, INTERNAL, &bends);
}

#[test]
fn a_flag_with_any_byte_missing_or_doubled_is_refused_or_valid() {
    let mut shipped = Shipped::new(FLAG);
    for at in 0..BUILD_EVENTS.len() {
        let (before, after) = BUILD_EVENTS.split_at(at);
        shipped.save(&[before, &after[1..]].concat(), &format!("without byte {at}"));
        shipped.save(&[before, &after[..1], after].concat(), &format!("with byte {at} twice"));
    }
}
