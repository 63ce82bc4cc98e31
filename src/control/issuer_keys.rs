//! The keys of our own issuer: where they are kept, and how they are made, rotated and revoked.
//!
//! A person's file (`TURNOUT_ISSUER_KEYS_FILE`) lists them, or they lie in the data folder, where the
//! first is made at the first start. A file that does not read is not taken for an absent one:
//! nothing is made over it, and nothing is signed until a person has decided. One that is damaged
//! while the keys are known is kept beside, and written again from them. What is revoked is
//! refused at once and written down beside that, so that a disk that hangs holds up no revocation.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::sleep;

use super::{Coordinator, Problem, ProblemKind};
use crate::auth::{BadKeyFile, Issuer, IssuerKey, KeySet, TooManyKeys};
use crate::clock::Clock;
use crate::data_dir::{DataDir, IssuerKeysFile};
use crate::ledger::ContentHash;
use crate::regular_file;
use crate::time_limit::OneAtATime;

/// How often files are read, and what could not be written is written again.
const READ_INTERVAL: Duration = Duration::from_secs(1);
/// The longest wait for the disk.
const DISK_TIMEOUT: Duration = Duration::from_secs(1);
/// The largest file of a person's keys that is read, in bytes.
const MAX_LISTED_BYTES: usize = 64 * 1024;

/// The keys of our own issuer.
#[derive(Clone, Debug)]
pub struct IssuerKeys(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    issuer: Arc<Issuer>,
    coordinator: Coordinator,
    /// The file in which a person lists the keys.
    listed: Option<PathBuf>,
    /// Locked while keys are changed.
    kept: Mutex<Kept>,
    reading: OneAtATime<(IssuerKeysFile, Option<Result<KeySet, String>>)>,
    writing: OneAtATime<Result<(), String>>,
}

/// What is kept in the data folder.
#[derive(Debug, Default)]
struct Kept {
    /// `None` before the file was read, or while it does not read.
    keys: Option<KeySet>,
    /// Whether the file holds them.
    is_saved: bool,
    /// The keys that a person listed last.
    listed: Option<KeySet>,
    /// The text that was looked at last, and read.
    good_text: Option<ContentHash>,
}

impl Kept {
    /// Whether a text is one of keys. The same text is read once.
    fn reads(&mut self, text: &[u8]) -> Result<(), BadKeyFile> {
        let hash = ContentHash::of(text);
        if self.good_text != Some(hash) {
            KeySet::from_text(text)?;
            self.good_text = Some(hash);
        }
        Ok(())
    }
}

/// What became of a change of the keys.
#[derive(Clone, Debug)]
pub struct KeysChanged {
    pub keys: Arc<KeySet>,
    /// Whether it is written down.
    pub survives_restart: bool,
}

/// Why the keys were not changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeysRefused {
    #[error(
        "the keys are listed in {0}: write a new one below the others, and after 20 minutes move it to the top"
    )]
    Listed(String),
    #[error("there is no key of this id; turnout keys list shows them")]
    NoSuchKey,
    #[error("{0}")]
    TooMany(#[from] TooManyKeys),
    #[error("what is kept of the keys does not read; turnout problems says more")]
    Unreadable,
    #[error("the system gives no randomness")]
    NoRandomness,
    #[error("the new key could not be written down: {0}")]
    NotSaved(String),
}

impl IssuerKeys {
    /// Reads the keys, or makes the first one, and keeps them up from then on, on the runtime that
    /// calls this.
    pub async fn open(
        coordinator: Coordinator,
        issuer: Arc<Issuer>,
        listed: Option<PathBuf>,
    ) -> IssuerKeys {
        let inner = Arc::new(Inner {
            issuer,
            coordinator,
            listed,
            kept: Mutex::default(),
            reading: OneAtATime::default(),
            writing: OneAtATime::default(),
        });
        inner.look().await;
        tokio::spawn(watch(Arc::downgrade(&inner)));
        IssuerKeys(inner)
    }

    pub fn issuer(&self) -> &Arc<Issuer> {
        &self.0.issuer
    }

    /// The file in which a person lists the keys.
    pub fn listed_in(&self) -> Option<&PathBuf> {
        self.0.listed.as_ref()
    }

    /// Makes a new key, which signs once it has been published for long enough.
    pub async fn rotate(&self) -> Result<KeysChanged, KeysRefused> {
        let inner = &self.0;
        if let Some(listed) = &inner.listed {
            return Err(KeysRefused::Listed(listed.display().to_string()));
        }
        let mut kept = inner.kept.lock().await;
        let keys = kept.keys.as_ref().ok_or(KeysRefused::Unreadable)?;
        let new = IssuerKey::generate().map_err(|_| KeysRefused::NoRandomness)?;
        let rotated = keys.rotated(new, inner.now_ms())?;
        // Nothing is published that a restart would forget.
        inner.save(&rotated).await.map_err(KeysRefused::NotSaved)?;
        (kept.keys, kept.is_saved) = (Some(rotated), true);
        inner.update_issuer(&kept);
        Ok(KeysChanged { keys: inner.issuer.keys(), survives_restart: true })
    }

    /// Stops believing a key at once. Where none is left that is believed, a new one is made.
    pub async fn revoke(&self, id: &str) -> Result<KeysChanged, KeysRefused> {
        let inner = &self.0;
        let now_ms = inner.now_ms();
        let mut kept = inner.kept.lock().await;
        let stored = kept.keys.as_ref().ok_or(KeysRefused::Unreadable)?;
        let listed = match &inner.listed {
            Some(_) => Some(kept.listed.as_ref().ok_or(KeysRefused::Unreadable)?),
            None => None,
        };
        let is_known = match listed {
            Some(listed) => listed.clone().less(stored.revoked()).has(id),
            None => stored.has(id),
        };
        if !is_known {
            return Err(KeysRefused::NoSuchKey);
        }
        let left = stored.revoking(id, now_ms).forgetting_all_but(listed);
        let left = if listed.is_some() { left } else { inner.with_a_signer(left) };
        (kept.keys, kept.is_saved) = (Some(left.clone()), false);
        inner.update_issuer(&kept);
        kept.is_saved = inner.save(&left).await.is_ok();
        inner.report(&kept, None);
        Ok(KeysChanged { keys: inner.issuer.keys(), survives_restart: kept.is_saved })
    }
}

/// Keeps the keys up until the service ends.
async fn watch(inner: Weak<Inner>) {
    loop {
        sleep(READ_INTERVAL).await;
        let Some(inner) = inner.upgrade() else { return };
        inner.look().await;
    }
}

impl Inner {
    /// Reads the files, and writes what is not written yet.
    async fn look(&self) {
        let (data, path) = (self.coordinator.data().clone(), self.listed.clone());
        let read = move || (data.read_issuer_keys(), path.map(|path| read_listed(&path)));
        let found = self.reading.within(DISK_TIMEOUT, read).await;
        let mut kept = self.kept.lock().await;
        let Some((file, listed)) = found else {
            // Also while the disk hangs, a key is over when its time is.
            self.update_issuer(&kept);
            self.report(&kept, Some("its disk does not answer".to_owned()));
            return;
        };
        let mut trouble = None;
        match (file, &kept.keys) {
            (IssuerKeysFile::Text(text), None) => match KeySet::from_text(&text) {
                Ok(keys) => (kept.keys, kept.is_saved) = (Some(keys), true),
                Err(why) => trouble = Some(why.to_string()),
            },
            (IssuerKeysFile::Absent, None) => kept.keys = Some(KeySet::default()),
            // The folder was moved away, or another took its place.
            (IssuerKeysFile::Absent, Some(keys)) => {
                kept.is_saved &= keys.is_empty() && keys.revoked().is_empty();
            }
            (IssuerKeysFile::Unreadable(why), _) => trouble = Some(why),
            // The keys are known: what was damaged since is kept beside, and they are written again.
            (IssuerKeysFile::Text(text), Some(_)) => match kept.reads(&text) {
                Ok(()) => {}
                Err(BadKeyFile::Unreadable) => match self.set_aside().await {
                    Ok(()) => kept.is_saved = false,
                    Err(why) => trouble = Some(why),
                },
                Err(why @ BadKeyFile::OfNewerBuild) => trouble = Some(why.to_string()),
            },
        }
        match listed {
            Some(Ok(listed)) => kept.listed = Some(listed),
            Some(Err(why)) => trouble = trouble.or(Some(why)),
            None => {}
        }
        if let Some(keys) = kept.keys.take() {
            let has_signer = self.listed.is_some() || !keys.is_empty();
            let keys = if has_signer { keys } else { self.with_a_signer(keys) };
            kept.is_saved &= has_signer;
            let has_content = !keys.is_empty() || !keys.revoked().is_empty();
            if has_content && !kept.is_saved {
                let saved = self.save(&keys).await;
                kept.is_saved = saved.is_ok();
                trouble = trouble.or(saved.err());
            }
            kept.keys = Some(keys);
        }
        self.update_issuer(&kept);
        self.report(&kept, trouble);
    }

    /// The issuer signs and believes by what is kept, from now on.
    fn update_issuer(&self, kept: &Kept) {
        let keys = match (&kept.keys, &self.listed) {
            (None, _) => return,
            (Some(keys), None) => keys.clone(),
            (Some(keys), Some(_)) => {
                let Some(listed) = &kept.listed else { return };
                listed.clone().less(keys.revoked())
            }
        };
        self.issuer.take(keys, self.now_ms());
    }

    /// The keys, and a new one where there is none.
    fn with_a_signer(&self, keys: KeySet) -> KeySet {
        if !keys.is_empty() {
            return keys;
        }
        let new = IssuerKey::generate().ok();
        new.and_then(|new| keys.rotated(new, self.now_ms()).ok()).unwrap_or(keys)
    }

    async fn set_aside(&self) -> Result<(), String> {
        let data: Arc<DataDir> = self.coordinator.data().clone();
        let aside = move || data.set_issuer_keys_aside().map_err(|error| error.to_string());
        let done = self.writing.within(DISK_TIMEOUT, aside).await;
        done.unwrap_or_else(|| Err("its disk does not answer".to_owned()))
    }

    async fn save(&self, keys: &KeySet) -> Result<(), String> {
        let text = keys.to_text().ok_or("a key cannot be written")?;
        let data: Arc<DataDir> = self.coordinator.data().clone();
        let write = move || data.write_issuer_keys(&text).map_err(|error| error.to_string());
        let done = self.writing.within(DISK_TIMEOUT, write).await;
        done.unwrap_or_else(|| Err("its disk does not answer".to_owned()))
    }

    fn report(&self, kept: &Kept, trouble: Option<String>) {
        let place = match &self.listed {
            Some(listed) if kept.keys.is_some() => listed.display().to_string(),
            _ => self.coordinator.data().issuer_keys().display().to_string(),
        };
        let signs = self.issuer.keys().signer(self.now_ms()).is_some();
        let (outcome, hint) = match (signs, kept.keys.is_some()) {
            (true, _) => (
                "the keys known before stay; a change of them may not survive a restart",
                "see to the disk or the file; it is tried again by itself",
            ),
            (false, true) => (
                "no session and no token is signed or accepted",
                "write an EC key of P-256 into it (openssl ecparam -name prime256v1 -genkey -noout); it is read again by itself",
            ),
            (false, false) => (
                "no session and no token of Turnout's own is signed or accepted",
                "bring the file back from a backup, or remove it: then a new key is made, and all sessions end",
            ),
        };
        let trouble = trouble.or_else(|| (!signs).then(|| "it holds no key".to_owned()));
        let trouble = trouble.or_else(|| {
            let keys = kept.keys.as_ref()?;
            let has_content = !keys.is_empty() || !keys.revoked().is_empty();
            (has_content && !kept.is_saved).then(|| "it could not be written".to_owned())
        });
        let problem = |why: String| Problem {
            kind: ProblemKind::IssuerKeys,
            subject: Some("issuer-keys".to_owned()),
            message: format!("{place}: {why}; {outcome}"),
            hint: hint.to_owned(),
        };
        self.coordinator
            .report(ProblemKind::IssuerKeys, trouble.map(problem).into_iter().collect());
    }

    fn now_ms(&self) -> i64 {
        let clock: &Clock = self.coordinator.clock();
        clock.wall_ms()
    }
}

fn read_listed(path: &Path) -> Result<KeySet, String> {
    let bytes = regular_file::read(path, MAX_LISTED_BYTES).map_err(|error| error.to_string())?;
    let bytes = bytes.ok_or("it is too large to be a file of keys")?;
    let text = String::from_utf8(bytes).map_err(|_| "it is not text")?;
    let keys = KeySet::listed(&text).map_err(|error| error.to_string())?;
    if keys.is_empty() { Err("it holds no key".to_owned()) } else { Ok(keys) }
}
