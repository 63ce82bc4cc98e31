//! `INTERNAL_USER_IDS`: users that the environment added leave with the environment, whatever
//! happened to the file.

use std::fs;

use turnout::flag::ServerAuth;

use crate::support::{Service, flag, wait_until};

const NAMES_INTERNAL: &str =
    "rollout: { realtime-v2: 0% }\nallow:\n  - { segment: internal, strategy: realtime-v2 }";
const FILE: &str = "version: 1\nsegment: internal\nusers: [u-file]\n";

async fn start(file: Option<&str>, ids: &[&str]) -> Service {
    let chat = flag("chat", NAMES_INTERNAL);
    let files = file.map(|text| ("segments/internal.yaml", text));
    let files: Vec<_> = [("chat.yaml", &*chat)].into_iter().chain(files).collect();
    Service::start_with(&files, ServerAuth::Off, ids).await
}

/// Which of three users are let in, once everything is ingested.
async fn let_in(service: &Service) -> Vec<&'static str> {
    let mut found = Vec::new();
    for user in ["u-gone", "u-stays", "u-file"] {
        if service.strategy("chat", user).await == "realtime-v2" {
            found.push(user);
        }
    }
    found
}

async fn restart(service: &mut Service, ids: &[&str]) {
    service.stop().await;
    service.config.internal_user_ids = ids.iter().map(|id| (*id).to_owned()).collect();
    service.restart().await;
}

#[tokio::test]
async fn internal_users_leave_with_the_environment_variable() {
    let mut service = start(None, &["u-gone", "u-stays"]).await;
    assert_eq!(let_in(&service).await, ["u-gone", "u-stays"]);
    restart(&mut service, &["u-stays"]).await;
    assert_eq!(let_in(&service).await, ["u-stays"]);
    restart(&mut service, &[]).await;
    assert!(let_in(&service).await.is_empty());
    // The segment is known and empty: the flag is live as its file says, later edits too.
    service.reach_problems(|count| count == 0).await;
    fs::write(service.flags.join("chat.yaml"), flag("chat", &NAMES_INTERNAL.replace("0%", "100%")))
        .unwrap();
    wait_until("the edit", async || service.strategy("chat", "u-gone").await == "realtime-v2")
        .await;
    assert_eq!(service.ask("chat", "u-gone").await["rule"], "rollout");
    // The user comes back with the environment too.
    restart(&mut service, &["u-gone"]).await;
    assert_eq!(service.ask("chat", "u-gone").await["rule"], "allow");
}

/// The users leave although the segment file beside them cannot be read just now; the users that
/// the file lists stay.
#[tokio::test]
async fn internal_users_leave_even_if_the_segment_file_is_unreadable() {
    type Harm = fn(&Service);
    let harms: [(&str, Harm); 4] = [
        ("the file is there", |_| {}),
        ("the file is gone", |service| {
            fs::remove_file(service.flags.join("segments/internal.yaml")).unwrap();
        }),
        ("the file is broken", |service| {
            fs::write(service.flags.join("segments/internal.yaml"), "version: 1\nsegm").unwrap();
        }),
        ("the folder is gone", |service| {
            fs::rename(&service.flags, service.flags.with_extension("away")).unwrap();
        }),
    ];
    for (what, harm) in harms {
        let mut service = start(Some(FILE), &["u-gone", "u-stays"]).await;
        assert_eq!(let_in(&service).await, ["u-gone", "u-stays", "u-file"]);
        service.stop().await;
        harm(&service);
        service.config.internal_user_ids = vec!["u-stays".to_owned()];
        service.restart().await;
        assert_eq!(let_in(&service).await, ["u-stays", "u-file"], "{what}");
        restart(&mut service, &[]).await;
        assert_eq!(let_in(&service).await, ["u-file"], "{what}");
    }
}
