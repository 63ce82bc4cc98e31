//! What clients do wrong, as problems.

use std::time::Duration;

use crate::control::Coordinator;
use crate::http::PublicState;

/// How often mistakes of clients are reported.
const CLIENT_MISTAKES_INTERVAL: Duration = Duration::from_secs(1);

/// Reports what clients do wrong.
pub(super) async fn report_client_mistakes(coordinator: Coordinator, public: PublicState) {
    loop {
        tokio::time::sleep(CLIENT_MISTAKES_INTERVAL).await;
        public.client_mistakes.report(&coordinator, coordinator.clock().now().steady_ms);
    }
}
