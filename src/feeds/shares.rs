//! How many bytes kept events take, in all, by flag and by stream, and what each may take.

use std::collections::BTreeMap;

use super::limits::{EVENT_BYTES, FLAG_PART, STREAM_BYTES, STREAM_PART};
use super::readers::Readers;
use crate::flag::FlagKey;

/// The bytes that are kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeptBytes {
    all: u64,
    by_flag: BTreeMap<FlagKey, FlagBytes>,
}

/// What one flag's streams take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FlagBytes {
    pub bytes: u64,
    pub streams: u64,
}

/// The bound that leaves no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EventsFull {
    #[error("the stream holds as many bytes of events as one may ({0})")]
    Stream(u64),
    #[error("the flag's streams hold as many bytes of events as one flag's may ({0})")]
    Flag(u64),
    #[error("as many bytes of events are kept as may be ({0}, TURNOUT_EVENTS_MAX_BYTES)")]
    All(u64),
    #[error("the disk of the events is full")]
    Disk,
}

impl KeptBytes {
    pub fn new(by_flag: impl IntoIterator<Item = (FlagKey, FlagBytes)>, doomed: u64) -> KeptBytes {
        let by_flag: BTreeMap<FlagKey, FlagBytes> = by_flag.into_iter().collect();
        let all = by_flag.values().map(|flag| flag.bytes).sum::<u64>() + doomed;
        KeptBytes { all, by_flag }
    }

    pub fn all(&self) -> u64 {
        self.all
    }

    pub fn by_flag(&self) -> impl Iterator<Item = (&FlagKey, &FlagBytes)> {
        self.by_flag.iter()
    }

    /// The flags that take most, the largest first.
    pub fn largest(&self, count: usize) -> Vec<(&FlagKey, u64)> {
        let mut all: Vec<_> = self.by_flag.iter().map(|(key, of)| (key, of.bytes)).collect();
        all.sort_by_key(|(key, bytes)| (std::cmp::Reverse(*bytes), *key));
        all.truncate(count);
        all
    }

    /// Whether a stream of so many bytes may take more.
    pub fn check(
        &self,
        flag: &FlagKey,
        stream_bytes: u64,
        more: u64,
        max: u64,
    ) -> Result<(), EventsFull> {
        let of_flag = self.by_flag.get(flag).map_or(0, |flag| flag.bytes);
        if stream_bytes + more > max / STREAM_PART {
            Err(EventsFull::Stream(max / STREAM_PART))
        } else if of_flag + more > max / FLAG_PART {
            Err(EventsFull::Flag(max / FLAG_PART))
        } else if self.all + more > max {
            Err(EventsFull::All(max))
        } else {
            Ok(())
        }
    }

    pub fn add(&mut self, flag: &FlagKey, bytes: u64) {
        self.all += bytes;
        self.by_flag.entry(flag.clone()).or_default().bytes += bytes;
    }

    pub fn add_stream(&mut self, flag: &FlagKey) {
        self.by_flag.entry(flag.clone()).or_default().streams += 1;
    }

    pub fn remove(&mut self, flag: &FlagKey, bytes: u64) {
        self.all = self.all.saturating_sub(bytes);
        self.take(flag, bytes, 0);
    }

    /// A stream was removed; its bytes lie there until they are cleared away.
    pub fn doom_stream(&mut self, flag: &FlagKey, bytes: u64) {
        self.take(flag, bytes, 1);
    }

    pub fn clear_doomed(&mut self, bytes: u64) {
        self.all = self.all.saturating_sub(bytes);
    }

    fn take(&mut self, flag: &FlagKey, bytes: u64, streams: u64) {
        if let Some(of) = self.by_flag.get_mut(flag) {
            of.bytes = of.bytes.saturating_sub(bytes);
            of.streams = of.streams.saturating_sub(streams);
            if of.streams == 0 {
                self.by_flag.remove(flag);
            }
        }
    }
}

/// The bytes of a stream beside its events.
pub fn stream_bytes(name: &str, readers: &Readers) -> u64 {
    STREAM_BYTES + (name.len() + readers.bytes()) as u64
}

/// The bytes of an event's row without its data: they stay while its id is remembered.
pub fn row_bytes(id: &str, kind: &str) -> u64 {
    EVENT_BYTES + (id.len() + kind.len()) as u64
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn each_bound_has_its_own_refusal() {
        let (one, other): (FlagKey, FlagKey) = ("one".parse().unwrap(), "other".parse().unwrap());
        let max = 3_200;
        let mut kept = KeptBytes::default();
        for _ in 0..8 {
            kept.add_stream(&one);
            assert_eq!(kept.check(&one, 0, 201, max), Err(EventsFull::Stream(200)));
            assert_eq!(kept.check(&one, 0, 200, max), Ok(()));
            kept.add(&one, 200);
            assert_eq!(kept.check(&one, 200, 1, max), Err(EventsFull::Stream(200)));
        }
        assert_eq!(kept.check(&one, 0, 1, max), Err(EventsFull::Flag(1_600)));
        for _ in 0..8 {
            assert_eq!(kept.check(&other, 0, 200, max), Ok(()));
            kept.add_stream(&other);
            kept.add(&other, 200);
        }
        let third = "third".parse().unwrap();
        assert_eq!(kept.check(&third, 0, 1, max), Err(EventsFull::All(max)));
        kept.doom_stream(&one, 200);
        assert_eq!(kept.check(&third, 0, 1, max), Err(EventsFull::All(max)), "not cleared yet");
        kept.clear_doomed(200);
        assert_eq!(kept.check(&third, 0, 200, max), Ok(()));
        assert_eq!(kept.largest(1), [(&other, 1_600)]);
    }
}
