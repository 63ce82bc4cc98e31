//! A response to a credential ends with the credential: while its reading waits for its turn,
//! works, or is written.

use std::sync::atomic::Ordering::Relaxed;

use reqwest::Method;
use serde_json::json;
use tokio::net::TcpSocket;
use tokio::task::JoinSet;
use turnout::clock::Clock;
use turnout::http::{Source, Verified, permissions};
use turnout::store::VerifyReport;

use crate::support::operators::Token;
use crate::support::readings::AT_ONCE;
use crate::support::{Service, flag, wait_until};

const HOUR: i64 = 3_600_000;
/// The number of flags, and the length of each flag's owner in bytes.
const LONG: (usize, usize) = (400, 2_000);

/// How a credential ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Revoked,
    Expired,
    Not,
}

/// A service, a credential, and a function that ends the credential.
async fn with_token(end: End) -> (Service, Token, impl AsyncFn()) {
    let (clock, set_by_ms) = Clock::that_can_be_set();
    let chat = flag("chat", "rollout: { realtime-v2: 50% }");
    // Many flags, so that the response is not written at once.
    let others = (0..LONG.0).map(|n| {
        (format!("f{n}.yaml"), flag(&format!("f{n}"), &format!("owner: {}", "o".repeat(LONG.1))))
    });
    let files: Vec<_> = others.chain([("chat.yaml".to_owned(), chat)]).collect();
    let files: Vec<_> = files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let service = Service::start_by(clock, &files).await;
    let token = service.make_token("leaving", "admin", json!({ "expiresAfterMs": HOUR / 2 })).await;
    let (admin, secret) = (service.admin_url(""), service.token());
    let (client, shown) = (service.client.clone(), token.clone());
    let ends = async move || match end {
        End::Revoked => {
            let revoke =
                client.post(format!("{admin}/v1/tokens/{}/revoke", shown.id)).bearer_auth(&secret);
            assert_eq!(revoke.body("{}").send().await.unwrap().status(), 200);
        }
        End::Expired => set_by_ms.store(HOUR, Relaxed),
        End::Not => {}
    };
    (service, token, ends)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_waiting_reading_is_judged_again_when_its_turn_comes() {
    for end in [End::Revoked, End::Expired, End::Not] {
        let (service, token, ends) = with_token(end).await;
        assert_eq!(service.order("/v1/feeds/chat/b-1", json!({})).await.status(), 200);
        let of_database = service.hang_readings(Source::Database, AT_ONCE).await;
        let of_memory = service.hang_readings(Source::Memory, AT_ONCE).await;
        // A verification does not wait for a turn, but for the verification that runs.
        let (let_go, is_let_go) = tokio::sync::oneshot::channel::<()>();
        let readings = service.app.readings().clone();
        let begun = readings.verifications();
        let verifying = tokio::spawn(async move {
            let begin = || async move {
                drop(is_let_go.await);
                Verified {
                    verdict: Ok(VerifyReport { revisions: 1, faults: Vec::new() }),
                    compared_with: None,
                }
            };
            readings.verify(begin).await.unwrap();
        });
        wait_until("a verification", async || service.app.readings().verifications() > begun).await;
        let looks =
            |(_, path, takes): &(&str, &str, &str)| *takes == "read" || *path == "/v1/tokens";
        let calls: Vec<_> = permissions()
            .into_iter()
            .filter(looks)
            .filter(|call| call.0 == "get" || call.2 == "read")
            .collect();
        assert!(calls.len() >= 11, "{calls:?}");
        let mut asked = JoinSet::new();
        for (method, path, _) in &calls {
            let (method, path) = (
                method.to_uppercase().parse::<Method>().unwrap(),
                path.replace("{flag}", "chat").replace("{stream}", "b-1"),
            );
            let request =
                service.client.request(method, service.admin_url(&path)).bearer_auth(&token.secret);
            let request = if path.ends_with("/explain") {
                request.body(r#"{"targetingKey":"u-1"}"#)
            } else {
                request
            };
            asked.spawn(async move {
                let answer = request.send().await.unwrap();
                (path, answer.status().as_u16(), answer.text().await.unwrap())
            });
        }
        // All but the verification, which waits on the listener's thread.
        wait_until("all to wait", async || service.app.readings().waiting() == calls.len() - 1)
            .await;
        ends().await;
        assert!(let_go.send(()).is_ok());
        verifying.await.unwrap();
        of_database.let_go().await;
        of_memory.let_go().await;
        for (path, status, reply) in asked.join_all().await {
            match end {
                End::Not => assert_eq!(status, 200, "{path}: {reply}"),
                _ => assert!(
                    status == 401 && reply.contains("unauthenticated"),
                    "{end:?} {path}: {status} {reply}"
                ),
            }
        }
    }
}

/// A viewer who takes a response slowly: after the credential ended nothing more is written than
/// was already on its way.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_answer_breaks_off_when_its_credential_ends() {
    for end in [End::Revoked, End::Expired, End::Not] {
        let (service, token, ends) = with_token(end).await;
        let whole = service.admin("/v1/status").await.text().await.unwrap().len();
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4 * 1024).unwrap();
        let stream = socket.connect(service.app.admin_address()).await.unwrap();
        let request = format!(
            "GET /v1/status HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {}\r\nconnection: close\r\n\r\n",
            token.secret
        );
        stream.writable().await.unwrap();
        assert_eq!(stream.try_write(request.as_bytes()).unwrap(), request.len());
        stream.readable().await.unwrap();
        ends().await;
        let mut read = Vec::new();
        loop {
            stream.readable().await.unwrap();
            match stream.try_read_buf(&mut read) {
                Ok(0) => break,
                Err(error) if error.kind() != std::io::ErrorKind::WouldBlock => break,
                _ => {}
            }
        }
        let head = read.windows(4).position(|bytes| bytes == b"\r\n\r\n").map_or(0, |at| at + 4);
        assert!(read.starts_with(b"HTTP/1.1 200"), "it began before the end");
        let body = read.len() - head;
        match end {
            End::Not => assert_eq!(body, whole),
            _ => assert!(body < whole / 2, "{end:?}: {body} of {whole} bytes came"),
        }
    }
}
