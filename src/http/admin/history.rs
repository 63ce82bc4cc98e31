//! What was changed, by whom and why; and whether any row was tampered with.

use std::time::Duration;

use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::{Response, StatusCode};
use tokio::time::timeout;
use turnout_api::admin::history::{History, HistoryParams, VerifyReport};
use turnout_api::bounds::{MAX_PAGE, PAGE};

use super::answer::{json as answer, refuse};
use super::readings::{SLOW, Verified};
use super::revisions::revision;
use super::state::AdminState;
use crate::control::{CommandRejected, Database};
use crate::flag::FlagKey;
use crate::http::error::ApiError;
use crate::ledger::{ContentCache, referenced_blobs};
use crate::store::HistoryQuery;

/// The most bytes of definitions that are read to say what the changes of a page meant; a meaning
/// beyond that is `null`.
const TEXT_BYTES: usize = 16 * 1024 * 1024;
const PATIENCE: Duration = Duration::from_secs(2);
/// A verification that reads nothing more for this long is ended; one that goes on has no limit.
const SILENCE: Duration = Duration::from_secs(60);

pub async fn history(
    State(state): State<AdminState>,
    which: Result<Query<HistoryParams>, axum::extract::rejection::QueryRejection>,
) -> Response<Body> {
    let is_valid = |which: &HistoryParams| {
        which.limit.is_none_or(|limit| (1..=MAX_PAGE).contains(&limit))
            && which.flag.as_ref().is_none_or(|flag| flag.parse::<FlagKey>().is_ok())
    };
    let Some(which) = which.ok().map(|Query(which)| which).filter(is_valid) else {
        let error =
            format!("the query may have `flag`, `before`, `after` and `limit` (1 to {MAX_PAGE})");
        return refuse(&state, &ApiError::InvalidRequest(error));
    };
    let limit = which.limit.unwrap_or(PAGE);
    // One row more than is shown, to know whether there are more.
    let page = HistoryQuery {
        flag: which.flag,
        before: which.before,
        after: which.after,
        limit: limit + 1,
        whole: false,
    };
    let read = async {
        let store =
            state.coordinator.store().ok_or_else(|| CommandRejected::Down(why_down(&state)))?;
        let found =
            store.history(&page).await.map_err(|error| CommandRejected::Down(error.chain()))?;
        let ids: Vec<_> =
            found.iter().flat_map(|stored| referenced_blobs(&stored.revision)).collect();
        // What a definition meant then is said as far as it can be read.
        let blobs = store.blobs_up_to(&ids, TEXT_BYTES).await.unwrap_or_default();
        Ok((found, ContentCache { blobs, ..ContentCache::default() }))
    };
    match timeout(PATIENCE, read)
        .await
        .unwrap_or_else(|_| Err(CommandRejected::Down(SLOW.to_owned())))
    {
        Ok((found, mut content)) => {
            let more = found.len() > limit as usize;
            let shown = found.iter().take(limit as usize);
            let revisions = shown.map(|stored| revision(stored, &mut content)).collect();
            answer(&state, StatusCode::OK, &History { revisions, more })
        }
        Err(rejected) => refuse(&state, &rejected.into()),
    }
}

pub async fn verify(State(state): State<AdminState>) -> Response<Body> {
    let (readings, verified) = (state.readings.clone(), state.clone());
    match readings.verify(|| verify_database(verified)).await {
        Ok(Verified { verdict: Ok(verdict), compared_with }) => {
            let body = VerifyReport {
                sound: verdict.faults.is_empty(),
                revisions: verdict.revisions,
                faults: verdict.faults,
                compared_with_revision: compared_with,
            };
            answer(&state, StatusCode::OK, &body)
        }
        Ok(Verified { verdict: Err(why), .. }) => {
            refuse(&state, &CommandRejected::Down(why).into())
        }
        Err(rejected) => refuse(&state, &rejected.into()),
    }
}

async fn verify_database(state: AdminState) -> Verified {
    let kept = state.coordinator.last_known();
    let store = state.coordinator.store();
    let verdict = match store {
        Some(store) => store.verify(&kept, SILENCE).await.map_err(|error| error.chain()),
        None => Err(why_down(&state)),
    };
    Verified { verdict, compared_with: kept.head.map(|head| head.revision) }
}

fn why_down(state: &AdminState) -> String {
    match state.coordinator.store_status().database {
        Database::Up => SLOW.to_owned(),
        Database::Down { why, .. } | Database::Held { why, .. } => why,
    }
}
