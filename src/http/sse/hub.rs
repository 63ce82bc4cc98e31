//! Which streams are woken, and when: those that follow a flag when the flag changed, and each one
//! when its time has come. One task does the first and one ticker the second, for all streams.

use std::collections::HashSet;
use std::hash::{BuildHasher, Hasher};
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use foldhash::fast::RandomState;
use tokio::sync::{Notify, watch};
use tokio::task::yield_now;
use tokio::time::{Instant, sleep};

use super::flag_news::FlagNews;
use super::limits::{NO_ROOM_SECONDS, StreamLimits, TICK};
use super::wake_batch::WakeBatcher;
use crate::auth::{Authenticator, random_number};
use crate::clock::{self, Clock};
use crate::convergence::{
    ConvergenceTracker, Opener, Pollers, Stream, StreamHandle, Streams, Subscription,
    TooManyStreams,
};
use crate::flag::{Context, FlagKey};
use crate::http::error::ApiError;
use crate::http::public::Caller;
use crate::live::Live;
use crate::moment::{LeapWatch, Moment};
use crate::snapshot::{Position, Snapshot};

/// The kind of caller that is a session's user.
const USER: u8 = 0;
/// So many revocations of one tick are told apart; with more, every stream is looked at.
const MAX_REVOKED_AT_ONCE: usize = 1_000;

/// The streams whose callers may not be let in any more.
#[derive(Debug, Default)]
struct Revoked {
    callers: HashSet<u64>,
    all: bool,
}

/// What all streams share.
#[derive(Debug)]
pub struct Hub {
    live: Arc<Live>,
    streams: Arc<Streams>,
    landed: ConvergenceTracker,
    pollers: Pollers,
    limits: StreamLimits,
    opened: Instant,
    wake_batcher: WakeBatcher,
    authenticator: Arc<Authenticator>,
    clock: Clock,
    /// How often the accepted credentials changed, or the clock leapt.
    credential_version: AtomicU64,
    credentials_changed: Notify,
    flag_news: FlagNews,
    /// Whose sessions were revoked since the last tick.
    revoked: Mutex<Revoked>,
    /// A random seed, so that callers are distinguished by numbers that none of them can choose.
    seed: RandomState,
}

impl Hub {
    /// Starts the hub. Its tasks run on the runtime that calls this, for as long as that runtime
    /// does.
    pub fn start(
        live: Arc<Live>,
        limits: StreamLimits,
        authenticator: Arc<Authenticator>,
        clock: Clock,
    ) -> Arc<Hub> {
        let is_cold = live.current().is_cold();
        let positions = live.positions();
        let hub = Arc::new(Hub {
            landed: ConvergenceTracker::from(&live.current()),
            live,
            streams: Arc::new(Streams::new(limits.all())),
            pollers: Pollers::default(),
            limits,
            opened: Instant::now(),
            wake_batcher: WakeBatcher::default(),
            authenticator,
            clock,
            credential_version: AtomicU64::new(1),
            credentials_changed: Notify::new(),
            flag_news: FlagNews::default(),
            revoked: Mutex::default(),
            seed: RandomState::default(),
        });
        tokio::spawn(announce(Arc::downgrade(&hub), positions, is_cold));
        tokio::spawn(tick(Arc::downgrade(&hub)));
        hub
    }

    /// Opens a stream, if there is room for one.
    pub(super) fn open(
        &self,
        follows: Subscription,
        opener: Opener,
    ) -> Result<StreamHandle, ApiError> {
        let secret = random_number().ok_or(ApiError::NoRandomness)?;
        self.streams
            .open(follows, opener, secret, self.now_ms())
            .map_err(|bound| no_room(bound, secret))
    }

    /// Whether there is room for one more stream.
    pub(super) fn check(&self, opener: &Opener) -> Result<(), ApiError> {
        self.streams
            .check(opener)
            .map_err(|bound| no_room(bound, random_number().unwrap_or_default()))
    }

    /// Who opens a stream, as far as bounds are concerned: a user, a server, or strangers of one
    /// address where that is known.
    pub(super) fn opener(&self, caller: &Caller, address: Option<IpAddr>, bytes: usize) -> Opener {
        let number = |kind: u8, who: &[u8]| self.number(kind, who);
        let caller_share = match caller {
            Caller::User(session) => {
                let subject = session.subject();
                subject.map(|subject| {
                    (number(USER, subject.as_str().as_bytes()), self.limits.of_caller())
                })
            }
            Caller::Server(pass) => Some((number(1, pass.fingerprint()), self.limits.of_server())),
            Caller::Plain => address.map(|address| {
                let number = match address {
                    IpAddr::V4(address) => number(2, &address.octets()),
                    // A network of this size belongs to one customer.
                    IpAddr::V6(address) => number(3, &address.octets()[..8]),
                };
                (number, self.limits.of_caller())
            }),
        };
        // Where no caller can have a credential, nothing is kept free for callers with one.
        let of_strangers = || {
            if self.authenticator.knows_credentials() {
                self.limits.of_strangers()
            } else {
                self.limits.all()
            }
        };
        Opener { stranger: caller.is_stranger().then(of_strangers), caller: caller_share, bytes }
    }

    /// A number that distinguishes callers.
    fn number(&self, kind: u8, who: &[u8]) -> u64 {
        let mut hasher = self.seed.build_hasher();
        hasher.write_u8(kind);
        hasher.write(who);
        hasher.finish()
    }

    /// Looks soon whether the streams and held polls of a user are still let in, or with `None` all streams.
    pub fn look_at_streams_of(&self, user: Option<&str>) {
        let mut revoked = self.revoked.lock().unwrap_or_else(PoisonError::into_inner);
        match user {
            Some(user) if revoked.callers.len() < MAX_REVOKED_AT_ONCE => {
                revoked.callers.insert(self.number(USER, user.as_bytes()));
            }
            _ => revoked.all = true,
        }
    }

    /// Records a request that came without a stream.
    pub fn record_poller(&self, flag: &str, context: &Context<'_>) {
        if let Some(user) = context.targeting_key() {
            self.pollers.record(flag, user.as_str());
        }
    }

    pub fn live(&self) -> &Live {
        &self.live
    }

    pub fn streams(&self) -> &Streams {
        &self.streams
    }

    pub fn landed(&self) -> &ConvergenceTracker {
        &self.landed
    }

    pub fn pollers(&self) -> &Pollers {
        &self.pollers
    }

    pub fn limits(&self) -> StreamLimits {
        self.limits
    }

    /// Milliseconds since the hub was started.
    pub fn now_ms(&self) -> u64 {
        self.opened.elapsed().as_millis() as u64
    }

    /// Records a snapshot that is live and returns the flags that changed with it.
    fn note(&self, snapshot: &Snapshot) -> HashSet<FlagKey> {
        self.landed.note(snapshot, self.now_ms(), clock::wall_ms())
    }

    /// Counts what became of the streams that are woken.
    pub(super) fn wake_batcher(&self) -> &WakeBatcher {
        &self.wake_batcher
    }

    /// How many flags were ever evaluated for streams.
    pub fn decisions(&self) -> u64 {
        self.wake_batcher.ever_decided() as u64
    }

    /// The current moment, as credentials count time.
    pub(super) fn moment(&self) -> Moment {
        self.clock.now()
    }

    pub(super) fn authenticator(&self) -> &Authenticator {
        &self.authenticator
    }

    /// Notified when the accepted credentials change, or the clock leapt.
    pub fn credentials_changed(&self) -> &Notify {
        &self.credentials_changed
    }

    /// Whom changes of flags wake.
    pub fn flag_news(&self) -> &FlagNews {
        &self.flag_news
    }

    /// A number that changes when the accepted credentials change; never 0.
    pub(super) fn credential_version(&self) -> u64 {
        self.credential_version.load(Relaxed)
    }

    /// Wakes the streams that match `which`, in batches.
    async fn wake(&self, which: impl Fn(&Stream) -> bool) {
        let (mut batches, mut from) = (self.wake_batcher.batches(), 0);
        while let Some(next) = self.streams.wake(from, batches.next(), &which) {
            from = next;
            yield_now().await;
        }
    }
}

fn no_room(bound: TooManyStreams, chance: u64) -> ApiError {
    let (least, most) = NO_ROOM_SECONDS;
    ApiError::TooManyStreams { bound, retry_after_seconds: least + chance % (most - least + 1) }
}

/// Announces every position that goes live; of several at once, only the last.
async fn announce(hub: Weak<Hub>, mut positions: watch::Receiver<Position>, mut was_cold: bool) {
    while positions.changed().await.is_ok() {
        let Some(hub) = hub.upgrade() else { return };
        let snapshot = hub.live.current().clone();
        let changed = hub.note(&snapshot);
        hub.flag_news
            .announce(|flag| changed.contains(flag) || snapshot.flag(flag.as_str()).is_none());
        // A stream of before anything was known may follow a flag that turns out not to exist.
        let is_first = was_cold && !snapshot.is_cold();
        was_cold = snapshot.is_cold();
        if is_first || !changed.is_empty() {
            hub.wake(|stream| is_first || stream.follows().covers(&changed)).await;
        }
    }
}

async fn tick(hub: Weak<Hub>) {
    let begin = hub
        .upgrade()
        .map(|hub| (hub.authenticator.credential_version(), LeapWatch::new(hub.clock.now())));
    let Some((mut seen, mut leaps)) = begin else { return };
    loop {
        sleep(TICK).await;
        let Some(hub) = hub.upgrade() else { return };
        let version = hub.authenticator.credential_version();
        // A clock that leapt forward may have passed the end of some credentials.
        let is_other = version != seen || leaps.look(hub.clock.now());
        seen = version;
        let revoked =
            std::mem::take(&mut *hub.revoked.lock().unwrap_or_else(PoisonError::into_inner));
        let all = is_other || revoked.all;
        if all || !revoked.callers.is_empty() {
            hub.credential_version.fetch_add(1, Relaxed);
            hub.credentials_changed.notify_waiters();
            let is_of = |caller| revoked.callers.contains(&caller);
            hub.wake(|stream| all || stream.caller().is_some_and(is_of)).await;
        }
        let now_ms = hub.now_ms();
        hub.pollers.tick(now_ms);
        hub.wake(|stream| stream.is_due(now_ms)).await;
    }
}

/// A duration in whole milliseconds.
pub(super) fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
