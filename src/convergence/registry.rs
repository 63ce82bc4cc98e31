//! The open streams: which flags each follows, which are woken by a change, and which client
//! acknowledges.
//!
//! One lock guards the list of streams. It is taken for moments: to open or close a stream, to find
//! one by its name, and to go through all. The progress of each stream has a lock of its own.

use std::collections::{HashMap, HashSet, VecDeque};
use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use super::Progress;
use super::shares::{Amount, Opener, StreamShare, TooManyStreams};
use crate::flag::FlagKey;
use crate::snapshot::Position;

/// What a stream follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subscription {
    Flag(FlagKey),
    /// The events of a stream of this flag, for as long as its user's strategy is `realtime-v2`.
    Realtime(FlagKey),
    All,
    /// Follows no user: reports only that anything changed.
    Changes,
}

impl Subscription {
    /// Whether a change of any of these flags concerns this stream.
    pub fn covers(&self, flags: &HashSet<FlagKey>) -> bool {
        match self {
            Subscription::Flag(key) | Subscription::Realtime(key) => flags.contains(key),
            Subscription::All | Subscription::Changes => !flags.is_empty(),
        }
    }
}

/// The open streams, and how many there may be.
#[derive(Debug)]
pub struct Streams {
    most: Amount,
    slots: Mutex<Slots>,
    opened: AtomicU64,
    /// How many were refused, by the bound that left no room.
    refused: [AtomicU64; TooManyStreams::ALL.len()],
}

#[derive(Debug, Default)]
struct Slots {
    taken: StreamShare,
    streams: Vec<Option<Arc<Stream>>>,
    free: Vec<usize>,
    /// The realtime streams of each user, the oldest first.
    realtime: HashMap<u64, VecDeque<Arc<Stream>>>,
}

/// One open stream. It leaves the list when its `StreamHandle` is dropped.
#[derive(Debug)]
pub struct Stream {
    name: AckId,
    follows: Subscription,
    opener: Opener,
    opened_at_ms: u64,
    progress: Mutex<Progress>,
    waker: Mutex<Option<Waker>>,
    /// When the stream next has something to do by itself.
    due_at_ms: AtomicU64,
    /// Whether a newer stream of the same user takes its place.
    is_replaced: AtomicBool,
}

/// The most realtime streams of one user.
pub const REALTIME_OF_USER: usize = 8;

/// Why an acknowledgement does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadAck {
    /// The stream has ended.
    NoSuchStream,
    /// The position was never sent on this stream.
    NeverTold,
}

/// The name under which a stream is acknowledged: its slot, and a number that cannot be guessed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AckId {
    index: usize,
    secret: u64,
}

impl Streams {
    pub fn new(most: Amount) -> Streams {
        Streams {
            most,
            slots: Mutex::default(),
            opened: AtomicU64::new(0),
            refused: Default::default(),
        }
    }

    /// Opens a stream; `secret` is a random number. A realtime stream of a user who has as many as a
    /// user may have takes the place of the oldest.
    pub fn open(
        self: &Arc<Self>,
        follows: Subscription,
        opener: Opener,
        secret: u64,
        now_ms: u64,
    ) -> Result<StreamHandle, TooManyStreams> {
        let mut slots = lock(&self.slots);
        let user = user_of_realtime(&follows, &opener);
        let oldest = user.and_then(|user| slots.oldest_to_leave(user, &opener, self.most));
        // Its place is free before the new one is counted.
        if let Some(oldest) = &oldest {
            slots.taken.give_back(&oldest.opener);
        }
        if let Err(no_room) = slots.taken.take(&opener, self.most) {
            if let Some(oldest) = &oldest {
                slots.taken.add(&oldest.opener);
            }
            self.count_refused(no_room);
            return Err(no_room);
        }
        if let Some(oldest) = oldest {
            slots.leaves_realtime(&oldest);
            oldest.is_replaced.store(true, Relaxed);
            oldest.wake();
        }
        let index = slots.free.pop().unwrap_or(slots.streams.len());
        let stream = Arc::new(Stream {
            name: AckId { index, secret },
            follows,
            opener,
            opened_at_ms: now_ms,
            progress: Mutex::default(),
            waker: Mutex::default(),
            due_at_ms: AtomicU64::new(0),
            is_replaced: AtomicBool::new(false),
        });
        if let Some(user) = user {
            slots.realtime.entry(user).or_default().push_back(stream.clone());
        }
        match slots.streams.get_mut(index) {
            Some(slot) => *slot = Some(stream.clone()),
            None => slots.streams.push(Some(stream.clone())),
        }
        drop(slots);
        self.opened.fetch_add(1, Relaxed);
        Ok(StreamHandle { stream, list: self.clone() })
    }

    /// Whether there is room for one more stream, for callers that have work to do before they open
    /// it.
    pub fn check(&self, opener: &Opener) -> Result<(), TooManyStreams> {
        let room = lock(&self.slots).taken.check(opener, self.most);
        room.inspect_err(|bound| self.count_refused(*bound))
    }

    fn count_refused(&self, bound: TooManyStreams) {
        self.refused[bound as usize].fetch_add(1, Relaxed);
    }

    /// How many streams are open.
    pub fn count(&self) -> usize {
        lock(&self.slots).taken.all().streams
    }

    /// How many streams are open and the bytes kept for them: of all callers, and of strangers.
    pub fn taken(&self) -> (Amount, Amount) {
        let taken = &lock(&self.slots).taken;
        (taken.all(), taken.of_strangers())
    }

    /// The most streams that may be open.
    pub fn most(&self) -> usize {
        self.most.streams
    }

    /// How many streams were ever opened.
    pub fn opened(&self) -> u64 {
        self.opened.load(Relaxed)
    }

    /// How many streams were refused for lack of room, by the bound.
    pub fn refused(&self) -> impl Iterator<Item = (TooManyStreams, u64)> {
        TooManyStreams::ALL
            .into_iter()
            .map(|bound| (bound, self.refused[bound as usize].load(Relaxed)))
    }

    /// Records that a client says which position it holds.
    pub fn acknowledge(&self, name: AckId, position: Position, now_ms: u64) -> Result<(), BadAck> {
        let stream = lock(&self.slots).streams.get(name.index).cloned().flatten();
        let stream = stream.filter(|stream| stream.name == name).ok_or(BadAck::NoSuchStream)?;
        let known = stream.progress().acknowledged(position, now_ms);
        if known { Ok(()) } else { Err(BadAck::NeverTold) }
    }

    /// Wakes up to `at_most` streams that match `which`, starting at slot `from`. Returns the next
    /// slot to scan, or `None` at the end.
    pub fn wake(
        &self,
        from: usize,
        at_most: usize,
        which: impl Fn(&Stream) -> bool,
    ) -> Option<usize> {
        let slots = lock(&self.slots);
        let mut woken = 0;
        for (index, stream) in slots.streams.iter().enumerate().skip(from) {
            let Some(stream) = stream.as_deref().filter(|stream| which(stream)) else { continue };
            stream.wake();
            woken += 1;
            if woken == at_most {
                return Some(index + 1);
            }
        }
        None
    }

    /// Calls `visit` for every open stream.
    pub fn each(&self, mut visit: impl FnMut(&Stream)) {
        lock(&self.slots).streams.iter().flatten().for_each(|stream| visit(stream));
    }
}

impl Slots {
    /// The stream whose place a new realtime stream of this user takes: the oldest, where the user has
    /// as many realtime streams as a user may have, or no room for a further stream of any kind.
    fn oldest_to_leave(&self, user: u64, opener: &Opener, most: Amount) -> Option<Arc<Stream>> {
        let of_user = self.realtime.get(&user)?;
        let is_full = of_user.len() >= REALTIME_OF_USER
            || self.taken.check(opener, most) == Err(TooManyStreams::StreamsOfCaller);
        of_user.front().filter(|_| is_full).cloned()
    }

    /// Takes a stream out of its user's realtime streams, if it is one.
    fn leaves_realtime(&mut self, stream: &Arc<Stream>) {
        if let Some(user) = user_of_realtime(&stream.follows, &stream.opener)
            && let Some(of_user) = self.realtime.get_mut(&user)
        {
            of_user.retain(|other| !Arc::ptr_eq(other, stream));
            if of_user.is_empty() {
                self.realtime.remove(&user);
            }
        }
    }
}

/// Whose stream it is, if it is one of the realtime streams that are counted by user.
fn user_of_realtime(follows: &Subscription, opener: &Opener) -> Option<u64> {
    let (user, _) = opener.caller?;
    matches!(follows, Subscription::Realtime(_)).then_some(user)
}

/// A stream, as the task that serves it holds it. Dropping the handle closes the stream.
#[derive(Debug)]
pub struct StreamHandle {
    stream: Arc<Stream>,
    list: Arc<Streams>,
}

impl std::ops::Deref for StreamHandle {
    type Target = Stream;

    fn deref(&self) -> &Stream {
        &self.stream
    }
}

impl Drop for StreamHandle {
    fn drop(&mut self) {
        let mut slots = lock(&self.list.slots);
        let index = self.stream.name.index;
        // The place of a stream that was replaced is another's already.
        if !self.stream.is_replaced() {
            slots.taken.give_back(&self.stream.opener);
            slots.leaves_realtime(&self.stream);
        }
        if let Some(slot) = slots.streams.get_mut(index) {
            *slot = None;
            slots.free.push(index);
        }
    }
}

impl Stream {
    pub fn name(&self) -> AckId {
        self.name
    }

    pub fn follows(&self) -> &Subscription {
        &self.follows
    }

    /// The number that distinguishes its caller, where callers can be distinguished.
    pub fn caller(&self) -> Option<u64> {
        self.opener.caller.map(|(number, _)| number)
    }

    pub fn opened_at_ms(&self) -> u64 {
        self.opened_at_ms
    }

    /// What is known of the stream. Hold the guard for moments only.
    pub fn progress(&self) -> MutexGuard<'_, Progress> {
        lock(&self.progress)
    }

    /// Sets whom to wake from now on.
    pub fn set_waker(&self, waker: &Waker) {
        let mut known = lock(&self.waker);
        if !known.as_ref().is_some_and(|known| known.will_wake(waker)) {
            *known = Some(waker.clone());
        }
    }

    /// Sets when the stream has something to do by itself, if nothing happens until then.
    pub fn schedule_at(&self, at_ms: u64) {
        self.due_at_ms.store(at_ms, Relaxed);
    }

    /// Whether a newer stream of its user took its place.
    pub fn is_replaced(&self) -> bool {
        self.is_replaced.load(Relaxed)
    }

    /// Whether the stream's scheduled time has come.
    pub fn is_due(&self, now_ms: u64) -> bool {
        self.due_at_ms.load(Relaxed) <= now_ms
    }

    fn wake(&self) {
        if let Some(waker) = &*lock(&self.waker) {
            waker.wake_by_ref();
        }
    }
}

impl fmt::Display for AckId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}-{:016x}", self.index, self.secret)
    }
}

impl FromStr for AckId {
    type Err = BadAck;

    fn from_str(text: &str) -> Result<AckId, BadAck> {
        let (index, secret) = text.split_once('-').ok_or(BadAck::NoSuchStream)?;
        let index = usize::from_str_radix(index, 16).map_err(|_| BadAck::NoSuchStream)?;
        let secret = u64::from_str_radix(secret, 16).map_err(|_| BadAck::NoSuchStream)?;
        Ok(AckId { index, secret })
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
