//! Readings that hang until they are released, in the place of slow ones.

use tokio::sync::watch;
use tokio::task::JoinSet;
use turnout::http::Source;

use super::{Service, wait_until};

/// How many readings of one source work at once, and how many may wait per credential.
pub const AT_ONCE: usize = 2;
pub const WAITING_OF_CALLER: usize = 64;

/// Readings that hang for as long as this is kept.
pub struct Hanging {
    let_go: watch::Sender<bool>,
    readings: JoinSet<()>,
}

impl Service {
    /// Makes this many readings of a source hang, asked for with the data folder's own credential;
    /// those that can work at once have begun.
    pub async fn hang_readings(&self, source: Source, count: usize) -> Hanging {
        let readings = self.app.readings();
        let (before, working) = (readings.begun(), count.min(AT_ONCE));
        let let_go = watch::Sender::new(false);
        let mut hanging = JoinSet::new();
        for _ in 0..count {
            let (readings, mut is_let_go) = (readings.clone(), let_go.subscribe());
            hanging.spawn(async move {
                let until = async move { drop(is_let_go.wait_for(|is_let_go| *is_let_go).await) };
                readings.answer(source, None, until).await.unwrap();
            });
        }
        wait_until("the readings to hang", async || {
            readings.begun() == before + working as u64 && readings.waiting() >= count - working
        })
        .await;
        Hanging { let_go, readings: hanging }
    }
}

impl Hanging {
    pub async fn let_go(self) {
        self.let_go.send_replace(true);
        self.readings.join_all().await;
    }
}
