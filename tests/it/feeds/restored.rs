//! A database that is put back from a backup: streams whose head fell have a new epoch, so that no
//! reader takes new events for those it has.

use std::fs;
use std::path::Path;

use serde_json::json;

use super::{Feeds, event, numbered};
use crate::support::wait_until;

const COMPANIONS: [&str; 3] = ["events.db", "events.db-wal", "events.db-shm"];
const RECORD: [&str; 3] = ["events-heads.db", "events-heads.db-wal", "events-heads.db-shm"];

/// Puts the files of one folder into another, without what was there.
fn copy(names: [&str; 3], from: &Path, to: &Path) {
    for name in names {
        let _ = fs::remove_file(to.join(name));
        if from.join(name).exists() {
            fs::copy(from.join(name), to.join(name)).unwrap();
        }
    }
}

/// How the service ends before the backup is put back, and what becomes of the record of heads.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Way {
    Stopped,
    Killed,
    /// While it serves: the database is opened again.
    Serving,
    /// On a machine that has nothing but the backup.
    Elsewhere,
    /// The record does not read.
    Damaged,
}

#[tokio::test]
async fn a_stream_whose_head_fell_has_a_new_epoch() {
    for way in [Way::Stopped, Way::Killed, Way::Serving, Way::Elsewhere, Way::Damaged] {
        eprintln!("row: {way:?}");
        restored(way).await;
    }
}

async fn restored(way: Way) {
    let mut feeds = Feeds::start().await;
    feeds.publish_ids("fell", numbered(1..=10)).await;
    feeds.publish_ids("stayed", numbered(1..=10)).await;
    feeds.publish_ids("deleted", numbered(1..=10)).await;
    let data = feeds.guarded.service.data.clone();
    let backup = feeds.guarded.home.path().join("backup");
    fs::create_dir(&backup).unwrap();
    feeds.guarded.service.stop().await;
    copy(COMPANIONS, &data, &backup);
    feeds.guarded.service.restart().await;
    let early = feeds.poll("fell", "?limit=5").await.cursor();
    let kept = feeds.poll("stayed", "?limit=5").await.cursor();
    feeds.publish_ids("fell", numbered(11..=15)).await;
    let late = feeds.poll("fell", "?cursor=now").await.cursor();
    let deleted = feeds.poll("deleted", "").await.cursor();
    feeds.delete("deleted").await;
    match way {
        Way::Serving => {
            copy(COMPANIONS, &backup, &data);
            wait_until("the backup is open", async || {
                let page = feeds.poll("fell", "").await;
                page.status == 200 && page.ids() == numbered(1..=10)
            })
            .await;
        }
        _ => {
            if way == Way::Killed {
                feeds.guarded.service.crash().await;
            } else {
                feeds.guarded.service.stop().await;
            }
            copy(COMPANIONS, &backup, &data);
            match way {
                Way::Elsewhere => copy(RECORD, &backup, &data),
                Way::Damaged => fs::write(data.join(RECORD[0]), [7; 8192]).unwrap(),
                _ => {}
            }
            feeds.guarded.service.restart().await;
        }
    }
    let reset = async |stream: &str, cursor: &str| {
        let answer = feeds.poll(stream, &format!("?cursor={cursor}")).await;
        assert_eq!((answer.status, answer.code()), (409, "stream-reset"), "{way:?} {stream}");
        answer.cursor()
    };
    let known = !matches!(way, Way::Elsewhere | Way::Damaged);
    for published in [false, true] {
        if published {
            feeds.publish_ids("fell", numbered(21..=28)).await;
        }
        let start = reset("fell", &late).await;
        assert_eq!(reset("fell", &early).await, start);
        reset("deleted", &deleted).await;
        let ids = feeds.drain("fell", &start, 3).await;
        let new = if published { numbered(21..=28) } else { vec![] };
        assert_eq!(ids, [numbered(1..=10), new].concat(), "{way:?}");
        if known {
            assert_eq!(feeds.drain("stayed", &kept, 50).await, numbered(6..=10), "{way:?}");
        } else {
            reset("stayed", &kept).await;
        }
    }
    let now = feeds.poll("fell", "?cursor=now").await.cursor();
    for killed in [false, true] {
        if killed {
            feeds.guarded.service.crash().await;
        } else {
            feeds.guarded.service.stop().await;
        }
        feeds.guarded.service.restart().await;
        let answer = feeds.poll("fell", &format!("?cursor={now}")).await;
        assert_eq!(answer.status, 200, "{way:?}: a restart changes no epoch");
    }
    // The same backup once more: what was read of the first restore is not what follows now.
    feeds.guarded.service.stop().await;
    copy(COMPANIONS, &backup, &data);
    feeds.guarded.service.restart().await;
    feeds.publish("fell", json!({ "events": [event("other")] })).await;
    for cursor in [&now, &late, &early] {
        let answer = feeds.poll("fell", &format!("?cursor={cursor}")).await;
        assert_eq!(answer.code(), "stream-reset", "{way:?}: restored twice");
    }
}
