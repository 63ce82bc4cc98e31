//! Held splits reach their end: at once where that narrows, else by the lane like any other change.

use std::sync::Arc;

use super::lane::Draft;
use super::{Inner, Trouble, TroubleKind, lock};
use crate::clock;
use crate::token::random_name;
use crate::truth::{Decided, Forms, Mark, Origin, Pending, Unknown, expire};

const ACTOR: &str = "expiry";

impl Inner {
    /// Makes what ends now end, and says when to look again.
    pub(super) async fn expire(self: &Arc<Self>) -> Option<i64> {
        let now = clock::wall_ms();
        let expiry = expire(&self.truth(), now);
        let refused = expiry.refused.iter().map(|flag| Trouble {
            kind: TroubleKind::ExpiryWouldWiden,
            subject: Some(flag.to_string()),
            message: format!(
                "the split held on `{flag}` has reached its end, and ending it would open realtime-v2 to more users"
            ),
            hint: format!("set it by hand, or `turnout unset {flag}`; named with --then, an end happens by itself"),
        });
        self.trouble(TroubleKind::ExpiryWouldWiden, refused.collect());
        if expiry.decided.parts.is_empty() {
            return expiry.next_ms;
        }
        let mut widening = false;
        for part in expiry.decided.parts {
            let mark = Mark { by: ACTOR.into(), at_ms: now, reason: None, unknown: Unknown::default() };
            match (Decided { parts: vec![part], ..Decided::default() }).narrowed(&mark) {
                Some(narrowed) => {
                    let _narrow = self.narrow.lock().await;
                    let id = random_name().unwrap_or_else(|| format!("{ACTOR}-{now}"));
                    let (actor, origin) = (mark.by, Origin::Expire);
                    let (reason, request, revoked) = (None, None, Vec::new());
                    self.push(Pending {
                        id: id.clone(),
                        at_ms: now,
                        actor,
                        origin,
                        reason,
                        request,
                        narrowed,
                        revoked,
                        unknown: Unknown::default(),
                    })
                    .await;
                    lock(&self.waiting).remove(&id);
                }
                None => widening = true,
            }
        }
        let done = !widening || self.end_by_the_lane().await;
        // Out of reach: it is tried again. What was done may have brought the next end nearer.
        Some(if done { now } else { now + 2_000 }.max(clock::wall_ms() + 50))
    }

    async fn end_by_the_lane(self: &Arc<Self>) -> bool {
        let mut lane = self.lane.clone().lock_owned().await;
        let settled = || {
            let truth = self.truth();
            truth.pending().is_empty().then(|| expire(&truth, clock::wall_ms()).decided)
        };
        let Ok(decided) = self.decide_settled(&mut lane, settled).await else { return false };
        let draft = Draft {
            actor: ACTOR.into(),
            origin: Origin::Expire,
            reason: None,
            effective_at_ms: None,
            key: None,
            changes: decided.changes(),
            forms: Forms::default(),
        };
        decided.parts.is_empty() || self.commit(&mut lane, draft, None).await.is_ok()
    }
}
