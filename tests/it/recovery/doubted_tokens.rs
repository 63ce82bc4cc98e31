//! A revocation that was said to survive a restart, and whose entry in the journal does not read:
//! no credential that it may have ended does more than narrow, and none is good again.

use std::fs;
use std::path::Path;

use serde_json::json;
use sha2::{Digest, Sha256};

use crate::support::{Service, flag};

const MAGIC: &[u8] = b"\0Entry\x01\xff";

/// What becomes of the entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Damage {
    Body,
    /// A build before named no credential beside the body.
    BodyOfBuildBefore,
    Zeroed,
    Truncated,
    /// Whole, and with a member that this build does not know.
    OfNewerBuild,
}

#[tokio::test]
async fn a_revocation_that_does_not_read_revives_nothing() {
    use Damage::{Body, BodyOfBuildBefore, OfNewerBuild, Truncated, Zeroed};
    for (damage, state, others_are_good) in [
        (Body, "held", true),
        (OfNewerBuild, "up", true),
        (BodyOfBuildBefore, "held", false),
        (Zeroed, "held", false),
        (Truncated, "held", false),
    ] {
        check(damage, state, others_are_good).await;
    }
}

async fn check(damage: Damage, state: &str, others_are_good: bool) {
    let rollout = "rollout: { realtime-v2: 10% }";
    let mut service = Service::start(&[("chat.yaml", &flag("chat", rollout))]).await;
    let leaked = service.make_token("leaked", "admin", json!({})).await;
    let hook = service.make_token("hook", "stopper", json!({})).await;
    service.take_database_away().await;
    let (status, told) =
        service.ordered(&format!("/v1/tokens/{}/revoke", leaked.id), json!({})).await;
    assert_eq!((status, &told["survivesRestart"]), (202, &json!(true)), "{damage:?}: {told}");
    service.crash().await;
    for ending in ["-wal", "-shm", ""] {
        let _ = fs::rename(
            service.data.join(format!("away.db{ending}")),
            service.data.join(format!("turnout.db{ending}")),
        );
    }
    bend(&service.data.join("pending.journal"), damage);
    service.restart().await;
    assert_eq!(service.database_state().await, state, "{damage:?}");
    assert_eq!(service.status_as(&service.token()).await, 200, "{damage:?}: admin.token");
    let is_refused = async |service: &Service, when: &str| {
        assert_eq!(service.status_as(&leaked.secret).await, 401, "{damage:?}, {when}");
        for (path, body) in [
            ("/v1/flags/chat/set".to_owned(), json!({ "realtime-v2": "100%", "reason": "x" })),
            (format!("/v1/tokens/{}/revoke", hook.id), json!({})),
            ("/v1/tokens".to_owned(), json!({ "name": "more", "role": "admin" })),
        ] {
            let (status, told) = service.order_as(&leaked.secret, &path, body).await;
            assert!(matches!(status, 401 | 403), "{damage:?}, {when}, {path}: {status} {told}");
        }
    };
    is_refused(&service, "as it was found").await;
    let looks = if others_are_good { 200 } else { 401 };
    assert_eq!(service.status_as(&hook.secret).await, looks, "{damage:?}");
    if state == "held" {
        service.stop().await;
        service.accept_database().await;
        is_refused(&service, "accepted").await;
        assert_eq!(service.status_as(&hook.secret).await, looks, "{damage:?}, accepted");
        service.stop().await;
        service.restart().await;
        is_refused(&service, "after it").await;
    }
    assert_eq!(service.database_state().await, "up", "{damage:?}");
}

/// A credential that may have been revoked stops and lowers until a person decides.
#[tokio::test]
async fn a_token_in_doubt_stops_and_does_no_more() {
    let rollout = "rollout: { realtime-v2: 50% }";
    let mut service = Service::start(&[("chat.yaml", &flag("chat", rollout))]).await;
    let secrets = [
        service.make_token("pager", "stopper", json!({})).await.secret,
        service.make_token("person", "operator", json!({})).await.secret,
        service.make_token("screen", "viewer", json!({})).await.secret,
    ];
    service.take_database_away().await;
    service.ordered("/v1/flags/chat/set", json!({ "realtime-v2": "40%" })).await;
    service.crash().await;
    for ending in ["-wal", "-shm", ""] {
        let _ = fs::rename(
            service.data.join(format!("away.db{ending}")),
            service.data.join(format!("turnout.db{ending}")),
        );
    }
    bend(&service.data.join("pending.journal"), Damage::Zeroed);
    service.restart().await;
    for (secret, narrows) in secrets.iter().zip([true, true, false]) {
        assert_eq!(service.status_as(secret).await, 401);
        let (status, told) = service.order_as(secret, "/v1/flags/chat/stop", json!({})).await;
        assert_eq!(matches!(status, 200 | 202), narrows, "{status} {told}");
        let (status, told) =
            service.order_as(secret, "/v1/flags/chat/resume", json!({ "reason": "x" })).await;
        assert!(matches!(status, 401 | 403), "{status} {told}");
    }
    let why = service.admin("/v1/problems").await.text().await.unwrap();
    assert!(why.contains("every token may have been revoked"), "{why}");
    service.app.stop().await;
}

fn bend(journal: &Path, damage: Damage) {
    let mut bytes = fs::read(journal).unwrap();
    let at = bytes.windows(MAGIC.len()).position(|window| window == MAGIC).unwrap();
    let number = |from: usize| {
        u32::from_le_bytes(bytes[at + from..at + from + 4].try_into().unwrap()) as usize
    };
    let (of_keys, of_body) = (number(12), number(16));
    let body = bytes[at + 64 + of_keys..at + 64 + of_keys + of_body].to_vec();
    match damage {
        Damage::Body => bytes[at + 64 + of_keys + of_body / 2] ^= 1,
        Damage::Zeroed => bytes[at..at + 4096].fill(0),
        Damage::Truncated => bytes.truncate(at),
        Damage::BodyOfBuildBefore => {
            write_entry(&mut bytes[at..], "", &body);
            bytes[at + 64 + of_body / 2] ^= 1;
        }
        Damage::OfNewerBuild => {
            let keys = String::from_utf8(bytes[at + 64..at + 64 + of_keys].to_vec()).unwrap();
            let newer = [&b"{\"lane\":\"fast\","[..], &body[1..]].concat();
            write_entry(&mut bytes[at..], &keys, &newer);
        }
    }
    fs::write(journal, bytes).unwrap();
}

/// With these keys and this body, all checksums right.
fn write_entry(at: &mut [u8], keys: &str, body: &[u8]) {
    let mut entry = at[..56].to_vec();
    entry[12..16].copy_from_slice(&(keys.len() as u32).to_le_bytes());
    entry[16..20].copy_from_slice(&(body.len() as u32).to_le_bytes());
    entry[32..40].copy_from_slice(&Sha256::digest(keys)[..8]);
    entry[40..56].copy_from_slice(&Sha256::digest(body)[..16]);
    let sum = Sha256::digest(&entry);
    entry.extend_from_slice(&sum[..8]);
    entry.extend_from_slice(keys.as_bytes());
    entry.extend_from_slice(body);
    at[..4096].fill(0);
    at[..entry.len()].copy_from_slice(&entry);
}
