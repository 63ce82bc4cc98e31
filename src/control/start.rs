//! What is served first: the database, else the last good state, else the files, else nothing (`cold-start`).
//!
//! A database that is another one than before, or an older state of it, is not believed: the last good state is served, and only what
//! narrows is taken, until a person accepts it.

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::timeout;

use super::lane::Draft;
use super::quarantine;
use super::{Contact, Corridor, Database, Inner, Lane, News, Standing, Trouble, TroubleKind, lock};
use crate::clock;
use crate::data::{DataFolder, Journal, LastGood};
use crate::definition::{Contents, Library};
use crate::flag::ServerAuth;
use crate::live::Live;
use crate::public_path::PublicPath;
use crate::snapshot::Snapshot;
use crate::store::{Loaded, Store, StoreError};
use crate::token::{LocalAdmin, random_name};
use crate::truth::{Action, Book, Change, Credential, FlagRecord, Forms, Head, Origin, Truth};

/// How long a database may take at a start when there is a last good state to serve, and when there is none.
const WITH_LAST_GOOD: Duration = Duration::from_millis(800);
const WITHOUT: Duration = Duration::from_secs(3);

/// What opening takes.
#[derive(Debug)]
pub struct Opening {
    pub data: Arc<DataFolder>,
    /// What the flags folder holds. It is not served by this: what the database or the last good state speak of and it holds is not
    /// read again.
    pub contents: Contents,
    pub server_auth: ServerAuth,
    /// Where a proxy serves the public listener.
    pub public_path: PublicPath,
    /// Believe the database as it is, after the stops of the last good state are written into it.
    pub accept_database: bool,
    pub tell: fn(&News),
}

/// A database, what it holds, and what of that was here before.
pub(super) struct Opened {
    store: Store,
    pub loaded: Loaded,
    at_hand: Forms,
}

/// Why there is no start.
#[derive(Debug, thiserror::Error)]
pub enum StartFault {
    #[error("there is no database to accept: {0}")]
    NothingToAccept(String),
}

impl Corridor {
    /// Opens what there is and serves it. Its tasks live on the runtime this is called on.
    pub async fn open(opening: Opening) -> Result<Corridor, StartFault> {
        let Opening { data, contents, server_auth, public_path, accept_database, tell } = opening;
        let mut library = Library::default();
        // What is wrong with it is told when it is taken in.
        library.update(&contents);
        let (journal, pending, journal_fault) = match Journal::open(&data.journal()) {
            Ok((journal, pending)) => (Some(journal), pending, None),
            Err(error) => (None, Vec::new(), Some(error)),
        };
        let (last_good, last_good_fault) = match LastGood::read(&data.last_good()) {
            Ok(last_good) => (last_good, None),
            Err(error) => (None, Some(error)),
        };
        let kept = last_good.as_ref().map(|last_good| last_good.head);
        let epoch = last_good.as_ref().map(|last_good| last_good.epoch.clone());
        let now = clock::wall_ms();
        let kept_credentials = last_good.iter().flat_map(|last_good| last_good.tokens.clone());
        let kept_credentials = kept_credentials.filter(|credential| credential.record.is_needed(now));
        let mut truth = Truth::of(Book::empty(), pending);
        truth.know_revoked(kept_credentials);
        let inner = Arc::new(Inner {
            live: Arc::new(Live::new(Snapshot::cold(server_auth, public_path))),
            problems: Arc::default(),
            contact: Arc::new(Contact::default()),
            truth: Mutex::new(truth),
            library: Mutex::new(library),
            lane: Arc::new(tokio::sync::Mutex::new(Lane::default())),
            narrow: tokio::sync::Mutex::new(()),
            journal: Arc::new(Mutex::new(journal)),
            replayed: AtomicU64::new(0),
            untried: Mutex::default(),
            waiting: Mutex::default(),
            standing: Mutex::new(Standing { database: Database::Up, epoch, kept }),
            credentials: watch::Sender::default(),
            local_admin: LocalAdmin::default(),
            admin_token: Default::default(),
            wake: Notify::new(),
            changed: Notify::new(),
            revisions: watch::Sender::new(0),
            data,
            tell,
        });
        if let Some(error) = journal_fault {
            inner.trouble(
                TroubleKind::Journal,
                vec![trouble_of(TroubleKind::Journal, &inner.data.journal(), &error.to_string())],
            );
        }
        if let Some(error) = last_good_fault {
            let why = StoreErrorText(&error).to_string();
            inner.trouble(TroubleKind::LastGood, vec![trouble_of(TroubleKind::LastGood, &inner.data.last_good(), &why)]);
        }
        inner.open_admin_token().await;
        inner.begin(last_good, accept_database).await?;
        tokio::spawn(super::keeper::keep(Arc::downgrade(&inner)));
        tokio::spawn(super::keeper::save(Arc::downgrade(&inner)));
        tokio::spawn(super::admin_token::watch(Arc::downgrade(&inner)));
        Ok(Corridor(inner))
    }

    /// Keeps the last state and lets go of the database.
    pub async fn close(&self) {
        self.0.save_last_good().await;
        if let Ok(mut lane) = timeout(Duration::from_secs(1), self.0.lane.lock()).await
            && let Some(store) = lane.store.take()
        {
            let _ = timeout(Duration::from_secs(1), store.close()).await;
        }
    }
}

impl Inner {
    async fn begin(self: &Arc<Self>, last_good: Option<LastGood>, accept: bool) -> Result<(), StartFault> {
        let mut lane = self.lane.clone().lock_owned().await;
        let may_create = last_good.is_none() || accept;
        let patience = if last_good.is_some() && !accept { WITH_LAST_GOOD } else { WITHOUT };
        let opened = timeout(patience, self.open_store(may_create)).await;
        let opened = opened.unwrap_or_else(|_| Err("it does not answer in time".to_owned()));
        let known = last_good.as_ref().map(|last_good| (last_good.epoch.as_str(), last_good.head));
        match opened {
            Ok(opened) => match (doubt(known, &opened.loaded), accept) {
                (None, _) => self.believe(&mut lane, opened, last_good.as_ref()).await,
                (Some(_), true) => {
                    self.believe(&mut lane, opened, None).await;
                    self.carry_stops(&mut lane, last_good.as_ref()).await;
                }
                (Some(why), false) => {
                    self.serve_last_good(last_good);
                    self.set_database(Database::Held { why, since_ms: clock::wall_ms() });
                }
            },
            Err(why) if accept => return Err(StartFault::NothingToAccept(why)),
            Err(why) => {
                self.serve_last_good(last_good);
                self.set_database(Database::Down { why, since_ms: clock::wall_ms() });
            }
        }
        // What was acknowledged before a crash is live before the first answer, and committed if that can be.
        let _ = self.replay(&mut lane).await;
        Ok(())
    }

    /// The database and what it holds, or why not.
    pub(super) async fn open_store(&self, may_create: bool) -> Result<Opened, String> {
        let epoch = random_name().ok_or("the system gives no randomness")?;
        let store = Store::open_sqlite(&self.data.database(), &epoch, may_create).await;
        let store = store.map_err(|error| match error {
            StoreError::NoFile => format!("{} is not there", self.data.database().display()),
            error => error.chain(),
        })?;
        let at_hand = Forms::at_hand(&lock(&self.library), &self.truth().book);
        let loaded = store.load(&at_hand.texts).await.map_err(|error| error.chain())?;
        Ok(Opened { store, loaded, at_hand })
    }

    /// Serves what a database says, and writes to it from here on.
    pub(super) async fn believe(self: &Arc<Self>, lane: &mut Lane, opened: Opened, last_good: Option<&LastGood>) {
        let Opened { store, loaded, at_hand } = opened;
        let head = loaded.head;
        let epoch = loaded.epoch.clone();
        let old_tokens = loaded.old_tokens.clone();
        let (book, poison) =
            quarantine::book_of(&store, loaded, at_hand, last_good.filter(|last_good| last_good.head == head)).await;
        lane.old_tokens = old_tokens.map(|old| not_yet_recorded(old, &book));
        let book = book.and_credentials(lane.old_tokens.iter().flatten().cloned());
        self.trouble(TroubleKind::PoisonRow, poison);
        let known = self.committed_already(&store).await;
        {
            let mut truth = self.truth();
            match truth.position() == self.live.current().position() {
                true => known.iter().for_each(|id| truth.forget(id)),
                false => truth.forget_unseen(&known),
            }
            truth.serve_recorded(book);
            self.refresh(&truth);
        }
        lock(&self.standing).epoch = Some(epoch);
        lane.store = Some(Arc::new(store));
        self.set_database(Database::Up);
        self.revisions.send_replace(head.revision);
        self.changed.notify_one();
        self.settle_credentials(lane).await;
    }

    /// The pending entries that the database has: they were read from a journal that was not cleared yet.
    async fn committed_already(&self, store: &Store) -> Vec<String> {
        let ids: Vec<String> = self.truth().pending().iter().map(|pending| pending.id.clone()).collect();
        let mut known = Vec::new();
        for id in ids {
            if let Ok(Ok(Some(_))) = timeout(super::lane::READ, store.by_idempotency_key(&id)).await {
                known.push(id);
            }
        }
        known
    }

    fn serve_last_good(&self, last_good: Option<LastGood>) {
        let at_hand = Forms::at_hand(&lock(&self.library), &self.truth().book);
        let book = last_good.map(|last_good| book_of_last_good(last_good, at_hand)).transpose();
        if let Err(error) = &book {
            let path = self.data.last_good();
            self.trouble(TroubleKind::LastGood, vec![trouble_of(TroubleKind::LastGood, &path, &error.to_string())]);
        }
        let mut truth = self.truth();
        if let Ok(Some(book)) = book {
            truth.serve_recorded(book);
        }
        if truth.position() != Default::default() {
            self.refresh(&truth);
        }
    }

    /// The stops of the last good state go into a database that knows nothing of them: accepting it lifts none.
    async fn carry_stops(self: &Arc<Self>, lane: &mut Lane, last_good: Option<&LastGood>) {
        let Some(last_good) = last_good else { return };
        let changes: Vec<Change> = {
            let truth = self.truth();
            let stopped = last_good.flags.iter().filter_map(|(key, record, _)| Some((key, record.stop.clone()?)));
            let carried = stopped.filter_map(|(key, stop)| {
                let before = truth.book.flag(key.as_str()).map(|entry| entry.record.clone());
                let stands = before.as_ref().is_some_and(|record| record.stop.is_some());
                let after = FlagRecord { stop: Some(stop), ..before.clone().unwrap_or_default() };
                (!stands).then(|| Change::of_flag(key, Action::Stop, before, Some(after)))
            });
            carried.collect()
        };
        if changes.is_empty() {
            return;
        }
        let draft = Draft {
            actor: "accept-database".into(),
            origin: Origin::Accept,
            reason: Some("stops of the state before".to_owned()),
            effective_at_ms: None,
            key: None,
            changes,
            forms: Forms::default(),
        };
        if let Err(not) = self.commit(lane, draft, None).await {
            self.lose(lane, &not.to_string());
        }
    }
}

/// Why a database is not the one that was known.
pub(super) fn doubt(known: Option<(&str, Head)>, loaded: &Loaded) -> Option<String> {
    let (epoch, head) = known?;
    let now = loaded.head;
    if loaded.epoch != epoch {
        return Some(format!("the database is another one than the one this node served revision {} from", head.revision));
    }
    if now.revision < head.revision {
        let (now, then) = (now.revision, head.revision);
        return Some(format!(
            "the database is at revision {now}, and this node has served revision {then}: it is an older state"
        ));
    }
    (now.revision == head.revision && now.hash != head.hash)
        .then(|| format!("revision {} of the database is not the one this node served", now.revision))
}

fn book_of_last_good(last_good: LastGood, at_hand: Forms) -> std::io::Result<Book> {
    let texts = last_good.texts(|_| true, &at_hand.texts)?;
    let mut forms = Forms { texts, ..at_hand };
    let LastGood { head, flags, segments, tokens, .. } = last_good;
    // What was live read then; if it does not now, it has no good form.
    flags.iter().for_each(|(key, record, _)| drop(forms.read_flag(key, record)));
    segments.iter().for_each(|(key, record, _)| drop(forms.read_segment(key, record)));
    Ok(Book::of(head, flags, segments, forms).and_credentials(tokens))
}

fn trouble_of(kind: TroubleKind, path: &std::path::Path, why: &str) -> Trouble {
    let message = format!("{}: {why}", path.display());
    let hint = match kind {
        TroubleKind::Journal => {
            "make room on the disk, or mend its rights; until then a stop made while the database is out of reach is lost by a restart"
        }
        _ => "it is written anew from the database; without one, the files are served",
    };
    Trouble { kind, subject: None, message, hint: hint.to_owned() }
}

/// The credentials in the form of older builds that are in no revision yet, as far as anything is lost without them.
fn not_yet_recorded(old: Vec<Credential>, book: &Book) -> Vec<Credential> {
    let now = clock::wall_ms();
    let is_new = |old: &Credential| old.record.is_needed(now) && book.credential(&old.id).is_none();
    old.into_iter().filter(is_new).collect()
}

/// An error and its causes on one line.
struct StoreErrorText<'a>(&'a dyn std::error::Error);

impl std::fmt::Display for StoreErrorText<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)?;
        std::iter::successors(self.0.source(), |error| error.source()).try_for_each(|cause| write!(f, ": {cause}"))
    }
}
