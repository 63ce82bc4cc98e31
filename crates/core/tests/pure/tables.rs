//! Test tables beside the flags: `flags/tests/*.yaml`.

use turnout_core::definition::limits::{MAX_CHECKS, MAX_TABLES, MAX_TABLES_OF_FLAG};
use turnout_core::definition::{Code, DefinitionSet, FlagFiles};

const FLAG: &str = "version: 1\nflag: chat\nenabled: true\ndefault: polling\nwhen_stopped: polling\n\
    attributes: { platform: [ios, web], app_version: version }\n\
    deny: [{ when: { platform: ios, app_version: { below: 2.10 } } }]\nrollout: { realtime-v2: 50% }\n";

/// The findings of a table over [`FLAG`], as code and line.
fn check(table: &str, expected: &[(Code, u32)]) -> DefinitionSet {
    let mut definitions = DefinitionSet::default();
    let findings =
        definitions.update(&FlagFiles::of([("chat.yaml", FLAG), ("tests/chat.yaml", table)]));
    let got: Vec<(Code, u32)> = findings
        .iter()
        .map(|finding| (finding.code, finding.place.map_or(0, |place| place.line)))
        .collect();
    assert_eq!(got, expected, "{table}\n{findings:?}");
    definitions
}

#[test]
fn test_cases_run_and_each_expands_to_one_per_value() {
    let definitions = check(
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
    assert_eq!(definitions.cases("chat"), 1 + 3 + 4);
}

#[test]
fn an_error_in_a_test_table_is_reported_with_its_place() {
    check("flag: chat\ncases: [{ expect: polling, by: nosuch }]\n", &[(Code::BadCase, 2)]);
    check(
        "flag: chat\ncases:\n  - { each: { colour: [a] }, expect: polling }\n",
        &[(Code::UnknownAttribute, 3)],
    );
    check(
        "flag: chat\ncases:\n  - { each: { platform: ios }, expect: polling }\n",
        &[(Code::WrongType, 3)],
    );
    check("flag: chat\n", &[(Code::MissingKey, 1)]);
    check("flag: other\ncases: []\n", &[(Code::BadCase, 1)]);
    check("flag: chat\nversion: 1\ncases: []\n", &[(Code::UnknownKey, 2)]);
    check("", &[(Code::Empty, 0)]);
}

#[test]
fn a_failing_test_table_refuses_the_new_definition_and_keeps_the_live_one() {
    let table = |share: &str| {
        format!(
            "flag: chat\ncases: [{{ name: mine, user: x, bucket: {share}, expect: realtime-v2 }}]\n"
        )
    };
    let half = FLAG.to_owned();
    let tenth = FLAG.replace("50%", "10%");
    let mut definitions = DefinitionSet::default();
    let mut update = |flag: &str, table: &str| {
        let findings =
            definitions.update(&FlagFiles::of([("chat.yaml", flag), ("tests/chat.yaml", table)]));
        let live = definitions
            .flags()
            .next()
            .unwrap()
            .1
            .map(|(definition, _)| definition.rollout.unwrap().realtime().to_string());
        (
            findings
                .iter()
                .map(|finding| (finding.code, finding.file.to_string()))
                .collect::<Vec<_>>(),
            live,
        )
    };
    let failed = vec![(Code::FailedTest, "tests/chat.yaml".to_owned())];
    assert_eq!(update(&half, &table("49999")), (vec![], Some("50%".to_owned())));
    assert_eq!(
        update(&tenth, &table("49999")),
        (failed.clone(), Some("50%".to_owned())),
        "the table refuses the new form"
    );
    assert_eq!(
        update(&tenth, &table("9999")),
        (vec![], Some("10%".to_owned())),
        "a fixed table lets it in"
    );
    assert_eq!(
        update(&tenth, &table("10000")),
        (failed, Some("10%".to_owned())),
        "a live flag stays live"
    );
    let (findings, live) = update(&half, "flag: chat\ncases: nonsense\n");
    assert_eq!(
        (findings.len(), live),
        (1, Some("50%".to_owned())),
        "a table that cannot be read refuses nothing"
    );
}

/// [`FLAG`] with so many rules, all of which each case must evaluate.
fn with_rules(count: usize, share: &str) -> String {
    let rule = |n: usize| {
        format!("  - {{ name: r{n}, when: {{ app_version: '{n}.0' }}, strategy: realtime-v2 }}\n")
    };
    let rules: String = (0..count).map(rule).collect();
    format!("{}rules:\n{rules}", FLAG.replace("50%", share))
}

/// A table of so many cases, which all pass or all fail.
fn table_of(count: usize, passes: bool) -> String {
    let versions: Vec<String> = (0..count).map(|n| format!("'9.{n}'")).collect();
    let expect = if passes { "polling" } else { "realtime-v2" };
    format!(
        "flag: chat\ncases:\n  - {{ user: x, bucket: 99999, expect: {expect}, each: {{ app_version: [{}] }} }}\n",
        versions.join(", ")
    )
}

fn contents(files: &[(&str, &str)]) -> FlagFiles {
    FlagFiles::of(files.iter().copied())
}

/// The share of the flag that is live.
fn live(definitions: &DefinitionSet) -> Option<String> {
    let form = definitions.flags().find(|(key, _)| key.as_str() == "chat")?.1;
    form.map(|(definition, _)| definition.rollout.unwrap().realtime().to_string())
}

/// Which tests are still to be run.
fn pending(definitions: &DefinitionSet) -> Vec<String> {
    definitions.pending_tests().iter().map(|run| run.file().to_string()).collect()
}

/// Runs the first pending tests, in steps of this size.
fn run(definitions: &mut DefinitionSet, count: usize, checks: u64) {
    for mut run in definitions.pending_tests().into_iter().take(count) {
        while !run.is_done() {
            run.step(checks);
        }
        definitions.take_tests(&run);
    }
}

#[test]
fn a_test_runs_only_when_it_or_its_flag_changed() {
    let mut definitions = DefinitionSet::default();
    let (half, other) = (FLAG.to_owned(), FLAG.replace("chat", "other"));
    let (one, two) = (table_of(3, true), table_of(4, true));
    let files = |flag: &str, other: &str, one: &str| {
        let files = [
            ("chat.yaml", flag),
            ("other.yaml", other),
            ("tests/one.yaml", one),
            ("tests/two.yaml", &*two),
        ];
        contents(&files)
    };
    definitions.read(&files(&half, &other, &one), 0);
    assert_eq!(pending(&definitions), ["tests/one.yaml", "tests/two.yaml"]);
    run(&mut definitions, 2, 1);
    assert_eq!((pending(&definitions), live(&definitions)), (vec![], Some("50%".to_owned())));

    definitions.read(&files(&half, &other.replace("50%", "60%"), &one), 0);
    assert_eq!(pending(&definitions), Vec::<String>::new(), "another flag was saved");
    definitions.read(&files(&half, &other, &format!("{one}# said again\n")), 0);
    assert_eq!(pending(&definitions), ["tests/one.yaml"], "one table was saved");
    run(&mut definitions, 1, 1);
    definitions
        .read(&files(&format!("# said again\n{half}"), &other, &format!("{one}# said again\n")), 0);
    assert_eq!(pending(&definitions), Vec::<String>::new(), "a save that means the same");
    definitions
        .read(&files(&FLAG.replace("50%", "60%"), &other, &format!("{one}# said again\n")), 0);
    assert_eq!(pending(&definitions), ["tests/one.yaml", "tests/two.yaml"], "the flag was saved");
}

#[test]
fn a_new_definition_waits_only_for_its_own_tests() {
    let mut definitions = DefinitionSet::default();
    let tests =
        ["tests/a.yaml", "tests/b.yaml", "tests/c.yaml"].map(|path| (path, table_of(5, true)));
    let read =
        |definitions: &mut DefinitionSet, flag: &str, other: &str, tables: &[(&str, String)]| {
            let tables = tables.iter().map(|(path, table)| (*path, &**table));
            let files: Vec<(&str, &str)> =
                [("chat.yaml", flag), ("other.yaml", other)].into_iter().chain(tables).collect();
            definitions.read(&contents(&files), 0);
        };
    let other = FLAG.replace("chat", "other");
    let waits = |definitions: &DefinitionSet| {
        definitions
            .waiting()
            .map(|waiting| (waiting.progress.tables_done, waiting.progress.tables))
            .next()
    };
    read(&mut definitions, FLAG, &other, &[]);
    assert_eq!(live(&definitions).unwrap(), "50%");

    read(&mut definitions, &FLAG.replace("50%", "60%"), &other.replace("50%", "70%"), &tests);
    run(&mut definitions, 1, 1);
    assert_eq!(waits(&definitions), Some((0, 3)), "of the form in force the tables were run first");
    let mut of_sixty = definitions
        .pending_tests()
        .into_iter()
        .find(|run| run.definition().rollout.unwrap().realtime().to_string() == "60%")
        .unwrap();
    of_sixty.step(u64::MAX);
    definitions.take_tests(&of_sixty);
    assert_eq!((live(&definitions).unwrap().as_str(), waits(&definitions)), ("50%", Some((1, 3))));
    let shares: Vec<String> = definitions
        .flags()
        .filter_map(|(_, form)| Some(form?.0.rollout?.realtime().to_string()))
        .collect();
    assert_eq!(shares, ["50%", "70%"], "the other flag is live");

    // Another save while the tests of this one run: their result is then about nothing.
    let mut begun = definitions.pending_tests();
    begun.iter_mut().for_each(|run| run.step(2));
    read(&mut definitions, &FLAG.replace("50%", "65%"), &other, &tests);
    begun.iter_mut().for_each(|run| run.step(u64::MAX));
    begun
        .iter()
        .filter(|run| run.definition().rollout.unwrap().realtime().to_string() == "60%")
        .for_each(|run| {
            assert!(!definitions.take_tests(run));
        });
    assert_eq!((live(&definitions).unwrap().as_str(), waits(&definitions)), ("50%", Some((0, 3))));

    // Two tables are removed while they run, and the third one passes.
    let mut begun = definitions.pending_tests();
    begun.iter_mut().for_each(|run| run.step(2));
    read(&mut definitions, &FLAG.replace("50%", "65%"), &other, &tests[..1]);
    begun.iter_mut().for_each(|run| run.step(u64::MAX));
    for run in &begun {
        definitions.take_tests(run);
    }
    assert_eq!((live(&definitions).unwrap().as_str(), waits(&definitions)), ("65%", None));
    assert_eq!((pending(&definitions), definitions.findings()), (vec![], vec![]));
}

#[test]
fn a_definition_that_waits_for_its_tests_is_dropped_with_its_file() {
    let mut definitions = DefinitionSet::default();
    let table = table_of(3, true);
    definitions.read(&contents(&[("chat.yaml", FLAG), ("tests/t.yaml", &table)]), 0);
    let mut begun = definitions.pending_tests();
    definitions.read(&contents(&[("tests/t.yaml", &table)]), 0);
    begun.iter_mut().for_each(|run| run.step(u64::MAX));
    for run in &begun {
        definitions.take_tests(run);
    }
    assert_eq!((live(&definitions), definitions.findings()[0].code), (None, Code::BadCase));
    assert_eq!(definitions.update(&contents(&[("chat.yaml", FLAG), ("tests/t.yaml", &table)])), []);
    assert_eq!(live(&definitions).unwrap(), "50%", "and comes back with it");
}

#[test]
fn tests_have_the_same_result_in_one_go_and_in_steps() {
    let flag = FLAG.to_owned()
        + "tests: [{ user: x, bucket: 0, expect: polling }, { user: x, bucket: 1, expect: polling }]\n";
    for (good, bad) in [(3, 2), (0, 150), (120, 120)] {
        let (good, bad) = (table_of(good, true), table_of(bad, false));
        let files = contents(&[
            ("chat.yaml", &flag),
            ("tests/bad.yaml", &bad),
            ("tests/good.yaml", &good),
            ("tests/no.yaml", "flag: no\ncases: []\n"),
        ]);
        let (mut at_once, mut step_by_step) = (DefinitionSet::default(), DefinitionSet::default());
        let findings = at_once.update(&files);
        step_by_step.read(&files, 0);
        assert_eq!(live(&step_by_step), None);
        run(&mut step_by_step, usize::MAX, 1);
        assert_eq!(step_by_step.findings(), findings);
        assert_eq!((live(&at_once), live(&step_by_step)), (None, None));
        // The same bad files at run time, over a form that is live.
        let mut running = DefinitionSet::default();
        assert_eq!(running.update(&contents(&[("chat.yaml", FLAG)])), []);
        running.read(&files, 0);
        run(&mut running, usize::MAX, 7);
        let found: Vec<_> = running
            .findings()
            .into_iter()
            .filter(|finding| finding.file.starts_with("chat"))
            .collect();
        assert_eq!(
            found,
            findings
                .iter()
                .filter(|finding| finding.file.starts_with("chat"))
                .cloned()
                .collect::<Vec<_>>()
        );
        assert_eq!(live(&running).unwrap(), "50%");
    }
}

#[test]
fn cheap_tests_run_at_once_and_do_not_wait_for_expensive_ones() {
    let mut definitions = DefinitionSet::default();
    let (heavy, cheap) = (table_of(1_000, true), table_of(2, true).replace("chat", "other"));
    let chat = with_rules(100, "50%");
    let files = contents(&[
        ("chat.yaml", &chat),
        ("other.yaml", &FLAG.replace("chat", "other")),
        ("tests/a.yaml", &heavy),
        ("tests/b.yaml", &cheap),
    ]);
    definitions.read(&files, 1_000);
    assert_eq!(pending(&definitions), ["tests/a.yaml"]);
    assert_eq!(
        definitions.flags().map(|(_, form)| form.is_some()).collect::<Vec<_>>(),
        [false, true]
    );
}

#[test]
fn the_cost_of_tests_is_bounded_and_the_error_names_the_bound() {
    let found = |files: &[(&str, &str)]| {
        let mut definitions = DefinitionSet::default();
        let findings = definitions.update(&contents(files));
        let codes: Vec<(Code, String)> =
            findings.iter().map(|finding| (finding.code, finding.file.to_string())).collect();
        (
            codes,
            findings.first().map(|finding| finding.message.clone()).unwrap_or_default(),
            live(&definitions),
        )
    };
    // Five hundred small tables of one flag.
    let paths: Vec<String> = (0..500).map(|n| format!("tests/t{n:03}.yaml")).collect();
    let table = table_of(1, true);
    let tables = paths.iter().map(|path| (&**path, &*table));
    let files: Vec<(&str, &str)> = [("chat.yaml", FLAG)].into_iter().chain(tables).collect();
    let (codes, message, live) = found(&files);
    assert_eq!(
        (codes.len(), live),
        (500 - MAX_TABLES_OF_FLAG, None),
        "what is over the budget counts as failed"
    );
    assert_eq!(codes[0], (Code::TooMany, format!("tests/t{MAX_TABLES_OF_FLAG}.yaml")));
    assert!(message.contains("500 tables") && message.contains("100 may be run"), "{message}");
    assert_eq!(
        found(&files[..=MAX_TABLES_OF_FLAG]),
        (vec![], String::new(), Some("50%".to_owned()))
    );

    // One table that is too expensive, next to one that is not: the cost is cases times compared
    // values.
    let (chat, dear, cheap) = (with_rules(999, "50%"), table_of(10_000, true), table_of(2, true));
    let paths: Vec<String> = (0..11).map(|n| format!("tests/t{n:02}.yaml")).collect();
    let mut files = vec![("chat.yaml", &*chat)];
    files.extend(
        paths
            .iter()
            .map(|path| (&**path, if path.ends_with("10.yaml") { &*cheap } else { &*dear })),
    );
    let mut definitions = DefinitionSet::default();
    definitions.read(&contents(&files), 0);
    let findings: Vec<(Code, String)> = definitions
        .findings()
        .iter()
        .map(|finding| (finding.code, finding.file.to_string()))
        .collect();
    assert_eq!(findings, [], "nothing is said before the others have run");
    assert_eq!(pending(&definitions).len(), 10, "nine dear ones and the cheap one");
    let left: u64 = definitions.pending_tests().iter().map(|run| run.checks_left()).sum();
    assert!((MAX_CHECKS * 9 / 10..=MAX_CHECKS).contains(&left), "{left}");

    // The tests in the flag's own file count, too.
    let own = vec!["{ user: x, bucket: 99999, expect: polling }"; 10_000].join(",");
    let words: Vec<String> = (0..11_000).map(|n| format!("'{n}.0'")).collect();
    let chat = FLAG.to_owned()
        + &format!(
            "rules: [{{ name: a, when: {{ app_version: [{}] }}, strategy: realtime-v2 }}]\ntests: [{own}]\n",
            words.join(",")
        );
    let (codes, message, live) = found(&[("chat.yaml", &chat)]);
    assert_eq!((codes, live), (vec![(Code::TooMany, "chat.yaml".to_owned())], None), "{message}");
}

#[test]
fn a_test_table_over_the_bound_is_refused_and_others_are_not() {
    let tables =
        (0..=MAX_TABLES).map(|n| (format!("tests/t{n:05}.yaml"), "flag: chat\ncases: []\n"));
    let files: Vec<(String, &str)> =
        [("chat.yaml".to_owned(), FLAG)].into_iter().chain(tables).collect();
    let mut definitions = DefinitionSet::default();
    definitions.read(&FlagFiles::of(files.iter().map(|(path, text)| (&**path, *text))), 0);
    let findings = definitions.findings();
    let last = format!("tests/t{MAX_TABLES:05}.yaml");
    assert_eq!(
        findings
            .iter()
            .filter(|finding| *finding.file == *last)
            .map(|finding| finding.code)
            .collect::<Vec<_>>(),
        [Code::TooMany]
    );
}

/// A failed test says what a person would ask next: the bucket, and that segments are not read.
#[test]
fn a_failed_test_says_what_decided() {
    let head = "version: 1\nflag: f\nenabled: true\ndefault: polling\nwhen_stopped: polling\n";
    let said = |more: &str| {
        let text = format!("{head}{more}\n");
        let segment = "version: 1\nsegment: s\nusers: [u-1]\n";
        let files = [("f.yaml", &*text), ("segments/s.yaml", segment)];
        let findings = DefinitionSet::default().update(&FlagFiles::of(files));
        assert_eq!(findings.len(), 1, "{findings:?}");
        findings[0].hint.clone()
    };
    let rollout = "rollout: { realtime-v2: 40% }\n";
    let allow = "allow: [{ segment: s, strategy: realtime-v2 }]\n";
    for (more, says) in [
        (
            format!("{rollout}tests: [{{ user: u, bucket: 5, expect: polling }}]"),
            "bucket 5 of 100000 decided, and realtime-v2 has the first 40%",
        ),
        (
            format!("{allow}tests: [{{ user: u-1, expect: realtime-v2 }}]"),
            "tests do not read segments: if the user is in one, say so with `segments: [s]`",
        ),
        (
            "tests: [{ user: u, expect: disabled }]".to_owned(),
            "if the flag is right, write `expect: polling`",
        ),
        // In no segment of the flag would the user be disabled.
        (
            format!("{allow}tests: [{{ user: u-1, expect: disabled }}]"),
            "if the flag is right, write `expect: polling`",
        ),
        (
            "allow: [{ domains: ['@acme.com'], strategy: polling }]".to_owned(),
            "leave out the `@`: ",
        ),
    ] {
        let hint = said(&more);
        assert!(hint.starts_with(says), "{more}: {hint}");
    }
}

/// A flag is switched off in its file by one word, whatever its tests and tables expect of it. Its
/// tests go on saying what it will serve when it is enabled again.
#[test]
fn a_flag_is_switched_off_in_its_file_whatever_its_tests_expect() {
    let shipped = std::fs::read_to_string("../../flags/build-events.yaml").unwrap();
    let segment = "version: 1\nsegment: internal\nusers: [u-1]\n";
    let table =
        "flag: build-events\ncases: [{ user: x, bucket: 0, expect: realtime-v2, by: rollout }]\n";
    let mut definitions = DefinitionSet::default();
    let mut save = |text: &str| {
        let files = [
            ("build-events.yaml", text),
            ("segments/internal.yaml", segment),
            ("tests/build-events.yaml", table),
        ];
        let found = definitions.update(&FlagFiles::of(files));
        let enabled = definitions.flags().next().unwrap().1.unwrap().0.enabled;
        let found: Vec<Code> = found.iter().map(|finding| finding.code).collect();
        (found, enabled)
    };
    let off = shipped.replace("enabled: true", "enabled: false");
    assert_ne!(off, shipped);
    assert_eq!(save(&shipped), (vec![], true));
    assert_eq!(save(&off), (vec![], false));
    assert_eq!(save(&shipped), (vec![], true));
    // What it would serve is tested while it is off.
    let raised = off.replace("realtime-v2: 10%", "realtime-v2: 0%");
    assert_ne!(raised, off);
    assert!(save(&raised).0.contains(&Code::FailedTest));
}
