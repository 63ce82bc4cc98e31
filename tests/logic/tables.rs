//! Tables of tests beside the flags: `flags/tests/*.yaml`.

use turnout::definition::{Code, Contents, Library};

const FLAG: &str = "version: 1\nflag: chat\nenabled: true\ndefault: polling\nwhen_stopped: polling\n\
    attributes: { platform: [ios, web], app_version: version }\n\
    deny: [{ when: { platform: ios, app_version: { below: 2.10 } } }]\nrollout: { realtime-v2: 50% }\n";

/// The findings of a table over [`FLAG`], as code and line.
fn check(table: &str, expected: &[(Code, u32)]) -> Library {
    let mut library = Library::default();
    let findings = library.update(&Contents::of([("chat.yaml", FLAG), ("tests/chat.yaml", table)]));
    let got: Vec<(Code, u32)> =
        findings.iter().map(|finding| (finding.code, finding.place.map_or(0, |place| place.line))).collect();
    assert_eq!(got, expected, "{table}\n{findings:?}");
    library
}

#[test]
fn cases_run_and_each_makes_one_for_every_value() {
    let library = check(
        "flag: chat\ncases:\n\
         \x20 - { name: first bucket out, user: x, bucket: 50000, expect: polling, by: rollout }\n\
         \x20 - name: old iOS never ramps\n\
         \x20   each: { app_version: ['1.9.9', '2.9.0', '2.10-beta'] }\n\
         \x20   with: { platform: ios }\n\
         \x20   user: x\n\
         \x20   bucket: 0\n\
         \x20   expect: polling\n\
         \x20   by: deny\n\
         \x20 - { each: { app_version: ['1', '2'], platform: [ios, web] }, with: { platform: web }, user: x, bucket: 99999, expect: polling }\n",
        &[],
    );
    assert_eq!(library.cases("chat"), 1 + 3 + 4);
}

#[test]
fn what_is_wrong_with_a_table_is_said_with_its_place() {
    check("flag: chat\ncases: [{ expect: polling, by: nobody }]\n", &[(Code::BadCase, 2)]);
    check("flag: chat\ncases:\n  - { each: { colour: [a] }, expect: polling }\n", &[(Code::UnknownAttribute, 3)]);
    check("flag: chat\ncases:\n  - { each: { platform: ios }, expect: polling }\n", &[(Code::WrongType, 3)]);
    check("flag: chat\n", &[(Code::MissingKey, 1)]);
    check("flag: other\ncases: []\n", &[(Code::BadCase, 1)]);
    check("flag: chat\nversion: 1\ncases: []\n", &[(Code::UnknownKey, 2)]);
    check("", &[(Code::Empty, 0)]);
}

#[test]
fn a_failing_table_refuses_a_new_form_and_leaves_the_live_one() {
    let table = |share: &str| format!("flag: chat\ncases: [{{ name: mine, user: x, bucket: {share}, expect: realtime-v2 }}]\n");
    let half = FLAG.to_owned();
    let tenth = FLAG.replace("50%", "10%");
    let mut library = Library::default();
    let mut update = |flag: &str, table: &str| {
        let findings = library.update(&Contents::of([("chat.yaml", flag), ("tests/chat.yaml", table)]));
        let live = library.flags().next().unwrap().1.map(|(definition, _)| definition.rollout.unwrap().realtime().to_string());
        (findings.iter().map(|finding| (finding.code, finding.file.to_string())).collect::<Vec<_>>(), live)
    };
    let failed = vec![(Code::FailedTest, "tests/chat.yaml".to_owned())];
    assert_eq!(update(&half, &table("49999")), (vec![], Some("50%".to_owned())));
    assert_eq!(update(&tenth, &table("49999")), (failed.clone(), Some("50%".to_owned())), "the table refuses the new form");
    assert_eq!(update(&tenth, &table("9999")), (vec![], Some("10%".to_owned())), "a mended table lets it in");
    assert_eq!(update(&tenth, &table("10000")), (failed, Some("10%".to_owned())), "a live flag stays live");
    let (findings, live) = update(&half, "flag: chat\ncases: nonsense\n");
    assert_eq!((findings.len(), live), (1, Some("50%".to_owned())), "a table that cannot be read refuses nothing");
}
