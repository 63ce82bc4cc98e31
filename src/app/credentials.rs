//! Who may ask: session keys and server keys, and what is said of them.

use std::sync::Arc;

use crate::auth::{
    AdminCredentials, Authenticator, Issuer, KeyRefresher, Report, ServerKeys, Sessions,
};
use crate::config::{AuthConfig, SessionKeys};
use crate::control::{Coordinator, Problem, ProblemKind};
use crate::telemetry;

/// Reads the session keys and server keys, and keeps them fresh. Without good keys the
/// authenticator accepts none of the credentials they would check.
pub(super) async fn open_authenticator(
    access: &AuthConfig,
    operators: AdminCredentials,
    issuer: Arc<Issuer>,
    coordinator: &Coordinator,
) -> (Authenticator, Vec<KeyRefresher>) {
    let mut authenticator = Authenticator {
        unverified: access.unverified,
        operators: Some(operators),
        issuer: Some(issuer),
        revoked: coordinator.revoked_sessions().clone(),
        ..Authenticator::default()
    };
    let mut fresh = Vec::new();
    if let Some(SessionKeys { source, pins }) = &access.session_keys {
        let sessions = Arc::new(Sessions::new(pins.clone()));
        fresh.push(
            KeyRefresher::sessions(
                sessions.clone(),
                source,
                note_keys(coordinator, ProblemKind::SessionKeys),
            )
            .await,
        );
        authenticator.sessions = Some(sessions);
    }
    if let Some(source) = &access.server_keys {
        let keys = Arc::new(ServerKeys::default());
        fresh.push(
            KeyRefresher::server_keys(
                keys.clone(),
                source,
                note_keys(coordinator, ProblemKind::ServerKeys),
            )
            .await,
        );
        authenticator.server_keys = Some(keys);
    }
    (authenticator, fresh)
}

/// A key source that cannot be read or used is a problem until it can be; accepted keys are a line
/// in the log.
pub(super) fn note_keys(
    coordinator: &Coordinator,
    kind: ProblemKind,
) -> impl Fn(Report) + Send + 'static + use<> {
    let coordinator = coordinator.clone();
    move |report| {
        let fault = report.fault();
        if fault.is_none() || report.was_asked_for {
            telemetry::keys(&report);
        }
        let trouble = |(message, hint): (String, &str)| Problem {
            kind,
            subject: Some(report.setting.to_owned()),
            message,
            hint: hint.to_owned(),
        };
        coordinator.report(kind, fault.map(trouble).into_iter().collect());
    }
}
