//! Evaluates every flag for one caller, in turn.

use std::sync::Arc;

use bytes::Bytes;
use tokio::task::yield_now;

use super::outcomes::Every;
use crate::convergence::EVERY_FLAG;
use crate::document::Form;
use crate::http::bad_request::BadRequest;
use crate::http::error::ApiError;
use crate::http::public::caller::Caller;
use crate::http::public::evaluation_request::EvaluationRequest;
use crate::http::public::kept_context::KeptContext;
use crate::http::state::PublicState;
use crate::snapshot::Snapshot;

/// How many flags are evaluated in a row before other tasks have a turn.
const IN_A_ROW: usize = 256;

impl PublicState {
    /// Evaluates every flag for the sender of a body. With many flags that waits for a turn, and
    /// meanwhile only the part of the question that flags need is kept.
    pub async fn decide_every(
        &self,
        form: Form,
        body: Bytes,
        caller: &Caller,
        beside: Bytes,
    ) -> Result<(Arc<Snapshot>, Every), ApiError> {
        let snapshot = self.live.current().clone();
        let kept = {
            let question = EvaluationRequest::read(form, &body)?;
            let context = question.context(caller)?;
            self.hub.record_poller(EVERY_FLAG, &context);
            if snapshot.flags().len() <= IN_A_ROW {
                let mut every = Every::of(&snapshot, form, beside);
                every.decide_some(snapshot.server_auth(), &context, IN_A_ROW);
                return Ok((snapshot, every));
            }
            KeptContext::of(question, caller, snapshot.context_needs())
        };
        drop(body);
        self.decide_for(snapshot, &kept, form, beside).await
    }

    /// Evaluates every flag for a kept context, by the snapshot that is live when its turn comes.
    /// Until then the question counts among the incoming bodies.
    pub async fn decide_for(
        &self,
        kept_at: Arc<Snapshot>,
        kept: &KeptContext,
        form: Form,
        beside: Bytes,
    ) -> Result<(Arc<Snapshot>, Every), ApiError> {
        let stranger = kept.caller().is_stranger();
        let mut coming = self.incoming_questions.in_line(kept.bytes(), stranger);
        let decide = async {
            let _permit = self.all_flags_limit.acquire(stranger).await;
            let now = self.live.current().clone();
            // What was kept is enough for the flags of that snapshot.
            let snapshot = if kept.lacks(now.context_needs()) { kept_at } else { now };
            let mut every = Every::of(&snapshot, form, beside);
            if let Some(context) = kept.context() {
                while !every.decide_some(snapshot.server_auth(), &context, IN_A_ROW) {
                    yield_now().await;
                }
            }
            (snapshot, every)
        };
        tokio::select! {
            biased;
            decided = decide => Ok(decided),
            () = coming.cut() => Err(BadRequest::Crowded.into()),
        }
    }
}
