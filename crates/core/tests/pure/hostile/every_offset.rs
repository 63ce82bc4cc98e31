//! The shipped files, cut and altered at every byte.

use turnout_core::definition::may_be_half_written;

use super::harness::HEAD;
use super::shipped::{BUILD_EVENTS, FLAG, INTERNAL, SEGMENT, Shipped, file};

/// Saves other bytes, and checks that every finding is about them.
fn save(shipped: &mut Shipped, path: &str, bytes: &[u8], what: &str) -> bool {
    let findings = shipped.save(path, bytes, what);
    assert!(
        findings.iter().all(|finding| *finding.file == *path),
        "{what}: it breaks another file: {findings:?}"
    );
    findings.is_empty()
}

/// No reader can tell that a file cut at a line's end lacks its rest: then the watcher must wait
/// for it.
#[test]
fn a_file_cut_anywhere_is_refused_or_seen_to_be_half_written() {
    let mut taken_for_whole = Vec::new();
    for (path, whole) in [(FLAG, BUILD_EVENTS), (SEGMENT, INTERNAL)] {
        let mut shipped = Shipped::with(&[]);
        let old = file(whole);
        for end in 0..whole.len() {
            let what = format!("{path} cut to {end} bytes");
            let accepted = save(&mut shipped, path, &whole[..end], &what);
            if accepted && !may_be_half_written(path, Some(&old), Some(&file(&whole[..end]))) {
                let last = String::from_utf8_lossy(&whole[..end])
                    .lines()
                    .last()
                    .unwrap_or_default()
                    .to_owned();
                taken_for_whole.push(format!("{what}, after `{}`", last.trim()));
            }
        }
        assert!(save(&mut shipped, path, whole, "the whole"));
    }
    assert!(
        taken_for_whole.is_empty(),
        "the watcher does not wait for the rest:\n{}",
        taken_for_whole.join("\n")
    );
}

/// Entries that equal others count as entries too.
#[test]
fn an_entry_cut_off_the_end_of_a_list_is_seen_to_be_missing() {
    let lists = [
        (
            "rules:",
            "- {name: a, when: {plan: x}, strategy: polling}",
            "- {name: b, when: {plan: y}, strategy: polling}",
        ),
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
            !may_be_half_written(
                "chat.yaml",
                Some(&file(whole.as_bytes())),
                Some(&file(cut.as_bytes())),
            )
        })
        .collect();
    assert!(missed.is_empty(), "the watcher does not wait for the second entry of {missed:#?}");
}

#[test]
fn a_file_that_lacks_its_start_is_refused() {
    for (path, whole) in [(FLAG, BUILD_EVENTS), (SEGMENT, INTERNAL)] {
        let mut shipped = Shipped::with(&[]);
        // Without the head there is no version and no key; the comment before it may be cut.
        let text = std::str::from_utf8(whole).unwrap();
        for start in text.find("version").unwrap() + 1..whole.len() {
            let what = format!("{path} from byte {start}");
            assert!(!save(&mut shipped, path, &whole[start..], &what), "{what} is accepted");
        }
    }
}

fn bend(path: &'static str, whole: &[u8], bends: &[fn(u8) -> u8]) {
    let mut shipped = Shipped::with(&[]);
    let mut bytes = whole.to_vec();
    for at in 0..whole.len() {
        for bend in bends {
            bytes[at] = bend(whole[at]);
            save(&mut shipped, path, &bytes, &format!("{path}, byte {at} made {:#04x}", bytes[at]));
        }
        bytes[at] = whole[at];
    }
}

#[test]
fn a_flag_with_any_byte_changed_is_refused_or_valid() {
    bend(FLAG, BUILD_EVENTS, &[|b| b ^ 0x01, |b| b ^ 0x20, |b| b ^ 0x80]);
}

#[test]
fn a_flag_with_any_byte_made_an_indicator_is_refused_or_valid() {
    bend(FLAG, BUILD_EVENTS, &[|_| b'\n', |_| b' ', |_| b'"', |_| b':']);
}

#[test]
fn a_segment_with_any_byte_changed_is_refused_or_valid() {
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
    let mut shipped = Shipped::with(&[]);
    for at in 0..BUILD_EVENTS.len() {
        let (before, after) = BUILD_EVENTS.split_at(at);
        save(&mut shipped, FLAG, &[before, &after[1..]].concat(), &format!("without byte {at}"));
        save(
            &mut shipped,
            FLAG,
            &[before, &after[..1], after].concat(),
            &format!("with byte {at} twice"),
        );
    }
}
