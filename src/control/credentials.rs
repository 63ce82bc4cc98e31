//! Credentials as changes: committed first like anything that widens, revoked at once like a stop.
//! A revocation is known as long as any state of this node knows it: the database, the last good
//! state, or the journal.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use super::commit::{Committer, Proposal, READ};
use super::{CommandOutcome, CommandRejected, Coordinator, Inner, Problem, ProblemKind};
use crate::auth::{Credentials, random_name};
use crate::clock;
use crate::ledger::{
    Actor, Attribution, Change, ChangeSource, ContentCache, Credential, CredentialId, PendingEntry,
    Unknown,
};

/// The most living credentials there may be.
pub const MAX_CREDENTIALS: usize = 10_000;
/// The most dead ones that are remembered, because they were revoked before their own end. Over it
/// none is made; revoking goes on.
pub const MAX_REVOKED: usize = 100_000;
/// How long before its end a credential is a problem, and for how long after it.
const ENDS_SOON_MS: i64 = 14 * 86_400_000;
const ENDED_LATELY_MS: i64 = 3 * 86_400_000;
/// The most of them that are named one by one.
const NAMED: usize = 20;
/// How long making one may wait for those before it.
const QUEUE: Duration = Duration::from_millis(1200);
/// So many of the older form are brought over with one revision.
const TOGETHER: usize = 500;

impl Coordinator {
    /// The credentials as they stand, now and later.
    pub fn credentials(&self) -> watch::Receiver<Arc<Credentials>> {
        self.0.publisher.credentials.subscribe()
    }

    /// Makes a credential good from now on, and says with which revision. Its name must not be
    /// another living one's.
    pub async fn make_credential(
        &self,
        credential: Credential,
        reason: Option<String>,
    ) -> Result<u64, CommandRejected> {
        let inner = self.0.clone();
        // Carried to its end also when whoever asked goes away.
        let making = tokio::spawn(async move { inner.make_credential(credential, reason).await });
        making.await.unwrap_or(Err(CommandRejected::Unknown))
    }

    /// Ends a credential at once, also with the database away. `None` if there is none of this id
    /// that is still good.
    pub async fn revoke_credential(
        &self,
        id: &CredentialId,
        by: Actor,
        reason: Option<String>,
    ) -> Result<Option<CommandOutcome>, CommandRejected> {
        let (inner, id) = (self.0.clone(), id.clone());
        let revoking = tokio::spawn(async move { inner.revoke_credential(id, by, reason).await });
        revoking.await.map_err(|_| CommandRejected::Unknown)
    }
}

impl Inner {
    async fn make_credential(
        self: &Arc<Self>,
        credential: Credential,
        reason: Option<String>,
    ) -> Result<u64, CommandRejected> {
        let committer = timeout(QUEUE, self.committer.lock()).await;
        let mut committer = committer
            .map_err(|_| CommandRejected::Down("it does not answer in time".to_owned()))?;
        loop {
            // What narrowed meanwhile is committed first: a revision says what the one before it
            // left, and nothing that is only pending.
            self.replay(&mut committer).await?;
            self.store.open()?;
            if self.state().pending().is_empty() {
                break;
            }
        }
        let now = self.clock.wall_ms();
        let known = self.publisher.credentials.borrow().clone();
        let living = known.living(now).count();
        if living >= MAX_CREDENTIALS {
            return Err(CommandRejected::TooManyCredentials {
                what: "living tokens",
                limit: MAX_CREDENTIALS,
            });
        }
        if known.all().len() - living >= MAX_REVOKED {
            return Err(CommandRejected::TooManyCredentials {
                what: "revoked tokens before their own end",
                limit: MAX_REVOKED,
            });
        }
        if let Some(living) = known.living_alike(&credential.record.name, now).next() {
            return Err(CommandRejected::NameTaken(living.record.name.clone()));
        }
        let by = credential.record.created_by.clone();
        self.commit(
            &mut committer,
            draft(by, ChangeSource::Api, reason, vec![credential.made()]),
            None,
        )
        .await
        .map_err(CommandRejected::from)
    }

    async fn revoke_credential(
        self: &Arc<Self>,
        id: CredentialId,
        by: Actor,
        reason: Option<String>,
    ) -> Option<CommandOutcome> {
        let began = Instant::now();
        let turn = self.fast_path.turn().await;
        let at_ms = self.clock.wall_ms();
        let record = self
            .publisher
            .credentials
            .borrow()
            .get(&id)
            .filter(|record| record.is_good(at_ms))
            .cloned()?;
        let mark = Attribution {
            by: by.clone(),
            at_ms,
            reason: reason.clone(),
            unknown: Unknown::default(),
        };
        let pending = PendingEntry {
            id: random_name().unwrap_or_else(|| format!("revoke-{id}")),
            at_ms,
            actor: by,
            origin: ChangeSource::Api,
            reason,
            request: None,
            narrowed: Vec::new(),
            revoked: vec![Credential { record: record.revoked(&mark), id }],
            superseded: Vec::new(),
            unknown: Unknown::default(),
        };
        let pushed = self.apply_pending(&turn, pending).await;
        drop(turn);
        Some(self.await_commit(began, pushed, Vec::new()).await)
    }

    /// Brings into the database what it does not know of credentials: those it has in the form of
    /// older builds, and revocations that only the last good state knew. What cannot be written now
    /// holds all the same, and is tried again.
    pub(super) async fn settle_credentials(&self, committer: &mut Committer) {
        if self.store.is_open() && self.bring_old_tokens_over(committer).await {
            self.carry_revocations(committer).await;
        }
    }

    /// Whether all of them are subjects of revisions.
    async fn bring_old_tokens_over(&self, committer: &mut Committer) -> bool {
        let Some(old) = committer.old_tokens.take() else { return true };
        for (done, together) in old.chunks(TOGETHER).enumerate() {
            let changes: Vec<Change> = {
                let truth = self.state();
                // As it stands by now: it may have been revoked meanwhile.
                let now = |id: &CredentialId| truth.book.credential(id).cloned();
                let credential = |Credential { id, record }: &Credential| Credential {
                    id: id.clone(),
                    record: now(id).unwrap_or_else(|| record.clone()),
                };
                together.iter().map(|old| credential(old).made()).collect()
            };
            let reason = Some("tokens of an older build".to_owned());
            if self
                .commit(
                    committer,
                    draft("turnout".into(), ChangeSource::Upgrade, reason, changes),
                    None,
                )
                .await
                .is_err()
            {
                committer.old_tokens = Some(old[done * TOGETHER..].to_vec());
                return false;
            }
        }
        let forgotten = match self.store.get() {
            Some(store) => matches!(timeout(READ, store.forget_old_tokens()).await, Ok(Ok(()))),
            None => false,
        };
        committer.old_tokens = (!forgotten).then(Vec::new);
        forgotten
    }

    /// Says which credentials end soon, and which have ended and were not replaced: a hook that
    /// stops flags must not find out by being refused.
    pub(super) fn look_at_ends(&self, credentials: &Credentials) {
        let now = self.clock.wall_ms();
        let replaced = |name: &str| credentials.living_named(name, now).next().is_some();
        let mut ends: Vec<(i64, &Credential)> = credentials
            .all()
            .iter()
            .filter(|credential| credential.record.revoked_at_ms.is_none())
            .filter_map(|credential| Some((credential.record.expires_at_ms?, credential)))
            .filter(|(end, _)| *end < now + ENDS_SOON_MS && *end > now - ENDED_LATELY_MS)
            .filter(|(end, credential)| *end > now || !replaced(&credential.record.name))
            .collect();
        ends.sort_by_key(|(end, _)| *end);
        let trouble = |subject: Option<String>, message: String| Problem {
            kind: ProblemKind::TokenEnds,
            subject,
            message,
            hint:
                "make another one (turnout token create) for whoever uses it, and revoke this one"
                    .to_owned(),
        };
        let mut troubles: Vec<Problem> = Vec::new();
        for (end, Credential { id, record }) in ends.iter().take(NAMED) {
            let (name, role, at) = (&record.name, record.role, clock::utc(*end));
            let ends = if *end > now { "ends" } else { "has ended" };
            troubles.push(trouble(
                Some(name.clone()),
                format!("the token `{name}` ({role}, {id}) {ends}: {at}"),
            ));
        }
        if ends.len() > NAMED {
            troubles.push(trouble(
                None,
                format!("{} more tokens end soon or have ended", ends.len() - NAMED),
            ));
        }
        self.trouble(ProblemKind::TokenEnds, troubles);
    }

    async fn carry_revocations(&self, committer: &mut Committer) {
        let changes: Vec<Change> = {
            let truth = self.state();
            let missing = truth.revocations_to_carry(self.clock.wall_ms());
            missing
                .iter()
                .map(|credential| credential.revoked_over(truth.book.credential(&credential.id)))
                .collect()
        };
        for together in changes.chunks(TOGETHER) {
            let reason = Some("revocations of the state before".to_owned());
            let draft =
                draft("accept-database".into(), ChangeSource::Accept, reason, together.to_vec());
            if self.commit(committer, draft, None).await.is_err() {
                return;
            }
        }
    }
}

fn draft(
    actor: Actor,
    origin: ChangeSource,
    reason: Option<String>,
    changes: Vec<Change>,
) -> Proposal {
    Proposal {
        actor,
        origin,
        reason,
        effective_at_ms: None,
        key: None,
        changes,
        forms: ContentCache::default(),
    }
}
