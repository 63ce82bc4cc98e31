//! Changes of credentials. Making one is committed first, like every widening; revoking one takes
//! effect at once, like a stop. A revocation holds as long as any state of this node has it: the
//! database, the last good state, or the journal.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use super::committer::{Committer, LATE, Proposal, READ_TIMEOUT};
use super::{CommandOutcome, CommandRejected, Coordinator, Inner, Problem, ProblemKind};
use crate::auth::{Credentials, random_name};
use crate::clock;
use crate::ledger::{
    Actor, Attribution, Change, ChangeSource, ContentCache, Credential, CredentialId, PendingEntry,
    Unknown,
};

/// The most living credentials.
pub const MAX_CREDENTIALS: usize = 10_000;
/// The most credentials that are remembered because they were revoked before their expiry. Above it
/// no credential can be made; revoking still works.
pub const MAX_REVOKED: usize = 100_000;
/// How long before its expiry a credential is reported as a problem, and for how long after it.
const ENDS_SOON_MS: i64 = 14 * 86_400_000;
const ENDED_LATELY_MS: i64 = 3 * 86_400_000;
/// The most credentials that a problem names one by one.
const MAX_NAMED: usize = 20;
/// The longest wait of a new credential for the commits before it.
const QUEUE_TIMEOUT: Duration = Duration::from_millis(1200);
/// The most credentials that one revision brings over.
const MAX_CHANGES_PER_REVISION: usize = 500;

impl Coordinator {
    /// The current credentials, and each later state.
    pub fn credentials(&self) -> watch::Receiver<Arc<Credentials>> {
        self.0.served.credentials.subscribe()
    }

    /// Makes a credential valid from now on, and returns its revision. Its name must differ from
    /// those of all living credentials.
    pub async fn make_credential(
        &self,
        credential: Credential,
        reason: Option<String>,
    ) -> Result<u64, CommandRejected> {
        let inner = self.0.clone();
        // A task of its own, so that it finishes also when the caller goes away.
        let making = tokio::spawn(async move { inner.make_credential(credential, reason).await });
        making.await.unwrap_or(Err(CommandRejected::Unknown))
    }

    /// Ends a credential at once, also without the database. Returns `None` if no valid credential
    /// has this id.
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
        let committer = timeout(QUEUE_TIMEOUT, self.committer.lock()).await;
        let mut committer = committer.map_err(|_| CommandRejected::Down(LATE.to_owned()))?;
        let settled = || self.state().pending().is_empty().then_some(());
        self.decide_settled(&mut committer, settled).await?;
        self.store.require()?;
        let now = self.clock.wall_ms();
        let known = self.served.credentials.borrow().clone();
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
        let fast_path = self.fast_path.lock().await;
        let at_ms = self.clock.wall_ms();
        let record = self
            .served
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
        let pushed = self.apply_pending(&fast_path, pending).await;
        drop(fast_path);
        Some(self.await_commit(began, pushed, Vec::new()).await)
    }

    /// Writes to the database what it lacks: credentials it has in the form of older builds, and
    /// revocations that only the last good state knew. What cannot be written now is in force all
    /// the same, and is tried again.
    pub(super) async fn settle_credentials(&self, committer: &mut Committer) {
        if self.store.is_open() && self.bring_old_tokens_over(committer).await {
            self.carry_revocations(committer).await;
        }
    }

    /// Returns whether all of them are subjects of revisions.
    async fn bring_old_tokens_over(&self, committer: &mut Committer) -> bool {
        let Some(old) = committer.old_tokens.take() else { return true };
        for (done, together) in old.chunks(MAX_CHANGES_PER_REVISION).enumerate() {
            let changes: Vec<Change> = {
                let state = self.state();
                // The current state: the credential may have been revoked meanwhile.
                let now = |id: &CredentialId| state.catalog.credential(id).cloned();
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
                committer.old_tokens = Some(old[done * MAX_CHANGES_PER_REVISION..].to_vec());
                return false;
            }
        }
        let forgotten = match self.store.get() {
            Some(store) => {
                matches!(timeout(READ_TIMEOUT, store.forget_old_tokens()).await, Ok(Ok(())))
            }
            None => false,
        };
        committer.old_tokens = (!forgotten).then(Vec::new);
        forgotten
    }

    /// Reports which credentials expire soon, and which have expired without a replacement: a hook
    /// that stops flags must not find out by being refused.
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
            hint: "make another one (turnout token create) for its user, and revoke this one"
                .to_owned(),
        };
        let mut troubles: Vec<Problem> = Vec::new();
        for (end, Credential { id, record }) in ends.iter().take(MAX_NAMED) {
            let (name, role, at) = (&record.name, record.role, clock::utc(*end));
            let ends = if *end > now { "ends" } else { "has ended" };
            troubles.push(trouble(
                Some(name.clone()),
                format!("the token `{name}` ({role}, {id}) {ends}: {at}"),
            ));
        }
        if ends.len() > MAX_NAMED {
            troubles.push(trouble(
                None,
                format!("{} more tokens end soon or have ended", ends.len() - MAX_NAMED),
            ));
        }
        self.trouble(ProblemKind::TokenEnds, troubles);
    }

    async fn carry_revocations(&self, committer: &mut Committer) {
        let changes: Vec<Change> = {
            let state = self.state();
            let missing = state.revocations_to_carry(self.clock.wall_ms());
            missing
                .iter()
                .map(|credential| credential.revoked_over(state.catalog.credential(&credential.id)))
                .collect()
        };
        for together in changes.chunks(MAX_CHANGES_PER_REVISION) {
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
        content: ContentCache::default(),
    }
}
