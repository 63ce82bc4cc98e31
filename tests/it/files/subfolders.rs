//! A subfolder of the flags folder that cannot be read affects only itself.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use rustix::fs::{CWD, RenameFlags, renameat_with};
use serde_json::Value as Json;

use crate::support::{Service, flag, wait_until};

const STAFF: &str = "version: 1\nsegment: staff\nusers: [u-1]\n";

type Harm = fn(&Path);

/// Ways of not being a readable folder that also affect root.
const HARMS: [(&str, &str, Harm); 4] = [
    ("tests is a file", "tests", |path| fs::write(path, "x").unwrap()),
    ("tests is a loop", "tests", |path| symlink("tests", path).unwrap()),
    ("segments is a file", "segments", |path| fs::write(path, "x").unwrap()),
    ("segments is a loop", "segments", |path| symlink("segments", path).unwrap()),
];

async fn problems(service: &Service) -> Vec<(String, String)> {
    let reply: Json = service.admin("/v1/problems").await.json().await.unwrap();
    let text = |problem: &Json, name: &str| problem[name].as_str().unwrap_or_default().to_owned();
    reply["problems"]
        .as_array()
        .unwrap()
        .iter()
        .map(|problem| (text(problem, "file"), text(problem, "message")))
        .collect()
}

fn share(share: &str) -> String {
    flag("chat", &format!("rollout: {{ realtime-v2: {share} }}"))
}

#[tokio::test]
async fn at_a_start_files_outside_an_unreadable_subfolder_go_live() {
    for (what, folder, harm) in HARMS {
        let mut service = Service::start(&[]).await;
        service.stop().await;
        fs::remove_dir_all(&service.data).unwrap();
        let _ = fs::remove_dir(service.flags.join(folder));
        harm(&service.flags.join(folder));
        fs::write(service.flags.join("chat.yaml"), share("100%")).unwrap();
        service.restart().await;
        assert_eq!(service.strategy("chat", "u-1").await, "realtime-v2", "{what}");
        let found = problems(&service).await;
        assert!(found.len() == 1 && found[0].0 == folder, "{what}: {found:?}");
    }
}

#[tokio::test]
async fn edits_outside_an_unreadable_subfolder_go_live_and_its_flags_stay() {
    for (what, folder, harm) in HARMS {
        let wide = flag(
            "wide",
            "rollout: { realtime-v2: 0% }\nallow:\n  - { segment: staff, strategy: realtime-v2 }",
        );
        let service = Service::start(&[
            ("chat.yaml", &share("100%")),
            ("wide.yaml", &wide),
            ("segments/staff.yaml", STAFF),
        ])
        .await;
        let (path, away) = (service.flags.join(folder), service.flags.join("away"));
        harm(&away);
        // In one step: a reading in between would find no folder there, and correctly report that
        // its files are gone.
        if path.exists() {
            renameat_with(CWD, &path, CWD, &away, RenameFlags::EXCHANGE).unwrap();
        } else {
            fs::rename(&away, &path).unwrap();
        }
        wait_until(what, async || problems(&service).await.iter().any(|(file, _)| file == folder))
            .await;
        let found = problems(&service).await;
        assert_eq!(found.len(), 1, "{what}: nothing is said to be gone: {found:?}");
        fs::write(service.flags.join("chat.yaml"), share("0%")).unwrap();
        wait_until(what, async || service.strategy("chat", "u-1").await == "polling").await;
        assert_eq!(
            service.strategy("wide", "u-1").await,
            "realtime-v2",
            "{what}: the segment stays as it was"
        );

        // It heals when the folder is readable again.
        fs::remove_file(&path).unwrap();
        let _ = fs::rename(&away, &path);
        wait_until(what, async || problems(&service).await.is_empty()).await;
    }
}
