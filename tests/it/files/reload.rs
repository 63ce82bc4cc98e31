//! Saves go live: every way of saving, under load, with broken saves in between.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use crate::support::{Save, Service, flag, wait_until};
use turnout::flag::{Unit, bucket, hash};

const USERS: u32 = 500;
const SAVES: usize = 20;
const BROKEN_SAVES: usize = 50;

fn at(share: &str) -> String {
    flag("build-events", &format!("salt: build-events\nrollout:\n  realtime-v2: {share}"))
}

/// Files that must change nothing.
fn broken(number: usize) -> String {
    match number % 7 {
        0 => at("30").clone(),
        1 => String::new(),
        2 => at("30%").replace("enabled: true", "enabled: yes"),
        3 => at("30%")[..60].to_owned(),
        4 => format!("{}rollout: {{ realtime-v2: 30% }}\n", at("30%")),
        5 => "\u{0}\u{1}\u{2}".to_owned(),
        _ => at("30%").replace("default: polling", "default: realtime-v2"),
    }
}

async fn strategies(service: &Service) -> Vec<bool> {
    let mut realtime = Vec::new();
    for user in 0..USERS {
        realtime
            .push(service.strategy("build-events", &format!("u-{user}")).await == "realtime-v2");
    }
    realtime
}

fn expected(share: u32) -> Vec<bool> {
    let salt = "build-events".parse().unwrap();
    (0..USERS)
        .map(|user| bucket(hash(&salt, Unit::new(&format!("u-{user}")).unwrap())).number() < share)
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_way_of_saving_goes_live_and_broken_saves_change_nothing() {
    let service = Arc::new(Service::start(&[("build-events.yaml", &at("10%"))]).await);
    let path = service.flags.join("build-events.yaml");
    let (asked, refused, done) = (
        Arc::new(AtomicU32::new(0)),
        Arc::new(AtomicU32::new(0)),
        Arc::new(AtomicBool::new(false)),
    );
    let load = tokio::spawn({
        let (service, asked, refused, done) =
            (service.clone(), asked.clone(), refused.clone(), done.clone());
        async move {
            let mut tick = tokio::time::interval(Duration::from_millis(5));
            while !done.load(Ordering::Relaxed) {
                tick.tick().await;
                let response =
                    service.post("/v1/strategy/build-events", r#"{"targetingKey":"u-1"}"#).await;
                asked.fetch_add(1, Ordering::Relaxed);
                refused.fetch_add(u32::from(response.status() != 200), Ordering::Relaxed);
            }
        }
    });

    let mut broken_saves = 0;
    for way in Save::ALL {
        for round in 0..SAVES {
            let (share, buckets) = if round % 2 == 0 { ("50%", 50_000) } else { ("10%", 10_000) };
            let revision = service.revision();
            way.save(&path, &at(share));
            service.reach(revision + 1).await;
            assert_eq!(strategies(&service).await, expected(buckets), "{way:?}, round {round}");
            if broken_saves < BROKEN_SAVES && round % 3 != 2 {
                let revision = service.revision();
                way.save(&path, &broken(broken_saves));
                if broken_saves % 10 == 0 {
                    service.reach_problems(|count| count > 0).await;
                }
                assert_eq!(
                    strategies(&service).await,
                    expected(buckets),
                    "{way:?}, broken save {broken_saves}"
                );
                assert_eq!(service.revision(), revision, "{way:?}, broken save {broken_saves}");
                broken_saves += 1;
            }
        }
    }
    assert_eq!(broken_saves, BROKEN_SAVES);
    done.store(true, Ordering::Relaxed);
    load.await.unwrap();
    assert!(asked.load(Ordering::Relaxed) > 1_000);
    assert_eq!(refused.load(Ordering::Relaxed), 0, "of {} requests", asked.load(Ordering::Relaxed));
}

#[test]
fn ten_to_fifty_per_cent_moves_exactly_the_buckets_between() {
    let salt = "build-events".parse().unwrap();
    let forms = ["10%", "50%"].map(|share| {
        let mut definitions = turnout::definition::DefinitionSet::default();
        let findings = definitions
            .update(&turnout::definition::FlagFiles::of([("build-events.yaml", &*at(share))]));
        assert_eq!(findings, []);
        let (_, form) = definitions.flags().next().unwrap();
        let (definition, segments) = form.unwrap();
        turnout::flag::Flag::as_written(definition, segments)
    });
    let mut moved = 0;
    for number in 0..100_000 {
        let user = format!("u-{number}");
        let key = turnout::flag::TargetingKey::parse(&user).unwrap();
        let context = turnout::flag::Context::new(turnout::flag::Identity::Plain, key, &[]);
        let [before, after] = forms
            .each_ref()
            .map(|flag| turnout::flag::evaluate(flag, &context, Default::default()).strategy);
        let bucket = bucket(hash(&salt, Unit::new(&user).unwrap())).number();
        assert_eq!(before != after, (10_000..50_000).contains(&bucket), "{user}");
        moved += u32::from(before != after);
    }
    assert_eq!(moved, 40_061);
}

#[tokio::test]
async fn a_flags_folder_that_appears_later_is_found() {
    let service = Service::start_without_folder().await;
    let ready = service.client.get(service.url("/readyz")).send().await.unwrap();
    assert_eq!(ready.status(), 503);
    let answer = service.ask("anything", "u-1").await;
    assert_eq!((&answer["strategy"], &answer["rule"]), (&"polling".into(), &"cold-start".into()));

    std::fs::create_dir_all(service.flags.join("segments")).unwrap();
    std::fs::write(service.flags.join("build-events.yaml"), at("100%")).unwrap();
    service.reach(1).await;
    assert_eq!(service.strategy("build-events", "u-1").await, "realtime-v2");
    assert_eq!(service.client.get(service.url("/readyz")).send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_vanished_file_or_folder_removes_no_live_flag() {
    let service =
        Service::start(&[("build-events.yaml", &at("100%")), ("chat.yaml", &flag("chat", ""))])
            .await;
    std::fs::remove_file(service.flags.join("build-events.yaml")).unwrap();
    service.reach_problems(|count| count == 1).await;
    assert_eq!(service.strategy("build-events", "u-1").await, "realtime-v2");
    std::fs::remove_dir_all(&service.flags).unwrap();
    wait_until("the lost folder to be noticed", async || {
        let problems = service.app.coordinator().problems().current();
        problems.iter().any(|finding| finding.code == turnout::definition::Code::FolderMissing)
    })
    .await;
    assert_eq!(service.strategy("build-events", "u-1").await, "realtime-v2");

    std::fs::create_dir_all(&service.flags).unwrap();
    let revision = service.revision();
    std::fs::write(service.flags.join("build-events.yaml"), at("0%")).unwrap();
    service.reach(revision + 1).await;
    assert_eq!(service.strategy("build-events", "u-1").await, "polling");
}

#[tokio::test]
async fn one_bad_file_never_holds_back_another() {
    let members = |user: &str| format!("version: 1\nsegment: staff\nusers: [{user}]\n");
    let service = Service::start(&[
        ("a.yaml", &flag("a", "allow: [{ segment: staff, strategy: realtime-v2 }]")),
        ("b.yaml", &flag("b", "rollout: { realtime-v2: 0% }")),
        ("segments/staff.yaml", &members("u-1")),
    ])
    .await;
    std::fs::write(service.flags.join("a.yaml"), "version: 1\nflag: a\n").unwrap();
    std::fs::write(
        service.flags.join("segments/staff.yaml"),
        "version: 1\nsegment: staff\nusers: u-1\n",
    )
    .unwrap();
    service.reach_problems(|count| count > 0).await;
    let revision = service.revision();
    std::fs::write(service.flags.join("b.yaml"), flag("b", "rollout: { realtime-v2: 100% }"))
        .unwrap();
    service.reach(revision + 1).await;
    assert_eq!(service.strategy("b", "u-1").await, "realtime-v2");
    assert_eq!(service.strategy("a", "u-1").await, "realtime-v2", "both last good forms stay");

    let revision = service.revision();
    std::fs::write(service.flags.join("segments/staff.yaml"), members("u-2")).unwrap();
    service.reach(revision + 1).await;
    assert_eq!(
        service.strategy("a", "u-1").await,
        "polling",
        "the fixed segment is live, the bad flag's old form names it"
    );
}

#[tokio::test]
async fn a_users_file_is_part_of_its_segment() {
    let service = Service::start(&[
        ("a.yaml", &flag("a", "allow: [{ segment: staff, strategy: realtime-v2 }]")),
        (
            "segments/staff.yaml",
            "version: 1\nsegment: staff\nusers: [u-0]\nusers_file: lists/staff.txt\n",
        ),
    ])
    .await;
    assert_eq!(
        service.ask("a", "u-1").await["rule"],
        "error",
        "no form of its segment is good yet"
    );
    std::fs::create_dir(service.flags.join("lists")).unwrap();
    let revision = service.revision();
    std::fs::write(service.flags.join("lists/staff.txt"), "u-1\r\n\nu-2\n").unwrap();
    service.reach(revision + 1).await;
    for (user, strategy) in
        [("u-0", "realtime-v2"), ("u-1", "realtime-v2"), ("u-2", "realtime-v2"), ("u-3", "polling")]
    {
        assert_eq!(service.strategy("a", user).await, strategy, "{user}");
    }
    let revision = service.revision();
    std::fs::write(service.flags.join("lists/staff.txt"), "u-1\nu-2\nu-3\n").unwrap();
    service.reach(revision + 1).await;
    assert_eq!(service.strategy("a", "u-3").await, "realtime-v2");
}
