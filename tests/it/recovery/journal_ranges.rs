//! A range of the journal that reads as zeros loses no acknowledged stop, whichever range it is.

use std::fs;

use serde_json::json;

use crate::support::{Service, flag};

const SLOT: usize = 4096;

#[tokio::test]
async fn zeroing_any_range_of_the_journal_lifts_no_acknowledged_stop() {
    let ranges = [0..SLOT, SLOT..2 * SLOT, SLOT..3 * SLOT, 2 * SLOT..3 * SLOT, 0..3 * SLOT];
    for (stops, range) in (1..=2).flat_map(|stops| ranges.clone().map(|range| (stops, range))) {
        let keys = ["one", "two"];
        let files =
            keys.map(|key| (format!("{key}.yaml"), flag(key, "rollout: { realtime-v2: 100% }")));
        let files: Vec<(&str, &str)> =
            files.iter().map(|(name, text)| (&**name, &**text)).collect();
        let mut service = Service::start(&files).await;
        service.take_database_away().await;
        for key in &keys[..stops] {
            let (status, reply) =
                service.ordered(&format!("/v1/flags/{key}/stop"), json!({})).await;
            assert_eq!((status, &reply["survivesRestart"]), (202, &json!(true)));
        }
        service.crash().await;
        let path = service.data.join("pending.journal");
        let mut bytes = fs::read(&path).unwrap();
        bytes[range.clone()].fill(0);
        fs::write(&path, bytes).unwrap();
        service.restart().await;
        for key in &keys[..stops] {
            assert_eq!(
                service.strategy(key, "u-1").await,
                "polling",
                "{stops} stops, zeros at {range:?}"
            );
        }
        service.app.stop().await;
    }
}
