//! What clients see of a server that stops: no response is cut, no client is waited for without
//! end, and nothing is left behind.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use crate::support::raw::{Raw, ask};
use crate::support::{PATIENCE, Service, flag, wait_until};
use tokio::net::TcpStream;
use turnout::http::Limits;

/// Long enough for a response to get stuck.
const SHORT: Duration = Duration::from_millis(200);

async fn service(limits: Limits) -> Service {
    Service::start_limited(&[("chat.yaml", &flag("chat", "rollout: { realtime-v2: 50% }"))], limits)
        .await
}

#[tokio::test]
async fn twenty_server_stops_under_load_cut_no_response_and_leave_nothing() {
    for _ in 0..20 {
        let service = service(Limits::default()).await;
        let address = service.app.address();
        let mut idle = Raw::connect(&service).await;
        assert!(idle.answers().await);
        let mut under_way = Vec::new();
        for _ in 0..5 {
            let mut raw = Raw::connect(&service).await;
            // The response shows that the server has the head; the body comes after the stop.
            raw.send(ask("expect: 100-continue\r\ncontent-length: 2\r\n").as_bytes()).await;
            assert_eq!(raw.answer().await.as_deref(), Some("100"));
            under_way.push(raw);
        }
        let stopping = Arc::new(AtomicBool::new(false));
        let answered = Arc::new(AtomicUsize::new(0));
        let mut load = tokio::task::JoinSet::new();
        for _ in 0..5 {
            let mut raw = Raw::connect(&service).await;
            let (stopping, answered) = (stopping.clone(), answered.clone());
            load.spawn(async move {
                while raw.answers().await {
                    answered.fetch_add(1, Relaxed);
                }
                assert!(stopping.load(Relaxed), "hung up before the stop");
            });
        }
        wait_until("the load", async || answered.load(Relaxed) >= 50).await;
        stopping.store(true, Relaxed);
        let stop = tokio::spawn(service.app.stop());
        assert!(idle.is_closed().await, "who asks nothing is let go at once");
        for mut raw in under_way {
            raw.send(b"{}").await;
            assert_eq!(raw.answer().await.as_deref(), Some("200"), "what was asked is answered");
            assert!(raw.is_closed().await);
        }
        tokio::time::timeout(PATIENCE, stop).await.expect("it stops").unwrap();
        load.join_all().await;
        assert!(TcpStream::connect(address).await.is_err(), "the port is free");
    }
}

#[tokio::test]
async fn a_server_stop_cuts_no_response_in_two() {
    let service = service(Limits::default()).await;
    let mut slow = Raw::that_never_reads(&service).await;
    let stop = tokio::spawn(service.app.stop());
    tokio::time::sleep(SHORT).await;
    let mut answers = 0;
    while let Some(answer) = slow.answer().await {
        assert_eq!(answer, "200");
        answers += 1;
    }
    assert!(answers > 0);
    tokio::time::timeout(PATIENCE, stop).await.expect("it stops").unwrap();
}

#[tokio::test]
async fn a_server_stop_waits_for_no_client_for_ever() {
    let service = service(Limits { body: PATIENCE * 2, ..Limits::default() }).await;
    let mut never = Raw::connect(&service).await;
    never.send(ask("expect: 100-continue\r\ncontent-length: 2\r\n").as_bytes()).await;
    assert_eq!(never.answer().await.as_deref(), Some("100"));
    tokio::time::timeout(PATIENCE, service.app.stop()).await.expect("it stops");
    assert!(never.is_closed().await);
}
