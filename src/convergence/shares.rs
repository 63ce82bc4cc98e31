//! How much of the room for streams each caller may take: slots, and bytes of what is kept of the
//! callers. Strangers have a share of their own, and so has each caller that can be distinguished
//! from others.

use std::collections::HashMap;

/// A number of streams and a number of bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amount {
    pub streams: usize,
    pub bytes: usize,
}

/// Who opens a stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Opener {
    /// If the opener is a stranger: what all strangers together may take.
    pub stranger: Option<Amount>,
    /// A number that distinguishes callers, and what one caller of this kind may take; `None` where
    /// callers cannot be distinguished.
    pub caller: Option<(u64, Amount)>,
    /// Bytes kept of this caller.
    pub bytes: usize,
}

/// Which bound leaves no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TooManyStreams {
    Streams,
    StreamsOfStrangers,
    StreamsOfCaller,
    Bytes,
    BytesOfStrangers,
    BytesOfCaller,
}

impl TooManyStreams {
    pub const ALL: [TooManyStreams; 6] = [
        TooManyStreams::Streams,
        TooManyStreams::StreamsOfStrangers,
        TooManyStreams::StreamsOfCaller,
        TooManyStreams::Bytes,
        TooManyStreams::BytesOfStrangers,
        TooManyStreams::BytesOfCaller,
    ];

    /// The name of the bound, as counters show it.
    pub const fn as_str(self) -> &'static str {
        match self {
            TooManyStreams::Streams => "streams",
            TooManyStreams::StreamsOfStrangers => "streams-of-strangers",
            TooManyStreams::StreamsOfCaller => "streams-of-caller",
            TooManyStreams::Bytes => "stream-bytes",
            TooManyStreams::BytesOfStrangers => "stream-bytes-of-strangers",
            TooManyStreams::BytesOfCaller => "stream-bytes-of-caller",
        }
    }
}

/// What is taken, and by whom.
#[derive(Debug, Default)]
pub struct StreamShare {
    all: Amount,
    strangers: Amount,
    callers: HashMap<u64, Amount>,
}

impl StreamShare {
    /// Takes a slot for a stream, out of `most` in total.
    pub fn take(&mut self, opener: &Opener, most: Amount) -> Result<(), TooManyStreams> {
        self.check(opener, most)?;
        self.add(opener);
        Ok(())
    }

    /// Counts a stream, whether there is a slot free or not.
    pub fn add(&mut self, opener: &Opener) {
        self.all.add(opener.bytes);
        if opener.stranger.is_some() {
            self.strangers.add(opener.bytes);
        }
        if let Some((caller, _)) = opener.caller {
            self.callers.entry(caller).or_default().add(opener.bytes);
        }
    }

    /// Whether there is a slot free.
    pub fn check(&self, opener: &Opener, most: Amount) -> Result<(), TooManyStreams> {
        let fits = |taken: Amount, most: Amount, streams: TooManyStreams, bytes: TooManyStreams| {
            match () {
                () if taken.streams >= most.streams => Err(streams),
                () if taken.bytes + opener.bytes > most.bytes => Err(bytes),
                () => Ok(()),
            }
        };
        fits(self.all, most, TooManyStreams::Streams, TooManyStreams::Bytes)?;
        if let Some(most) = opener.stranger {
            fits(
                self.strangers,
                most,
                TooManyStreams::StreamsOfStrangers,
                TooManyStreams::BytesOfStrangers,
            )?;
        }
        if let Some((caller, most)) = opener.caller {
            let taken = self.callers.get(&caller).copied().unwrap_or_default();
            fits(taken, most, TooManyStreams::StreamsOfCaller, TooManyStreams::BytesOfCaller)?;
        }
        Ok(())
    }

    /// Gives a slot back.
    pub fn give_back(&mut self, opener: &Opener) {
        self.all.remove(opener.bytes);
        if opener.stranger.is_some() {
            self.strangers.remove(opener.bytes);
        }
        if let Some((caller, _)) = opener.caller
            && let Some(taken) = self.callers.get_mut(&caller)
        {
            taken.remove(opener.bytes);
            if taken.streams == 0 {
                self.callers.remove(&caller);
            }
        }
    }

    pub fn all(&self) -> Amount {
        self.all
    }

    pub fn of_strangers(&self) -> Amount {
        self.strangers
    }
}

impl Amount {
    fn add(&mut self, bytes: usize) {
        self.streams += 1;
        self.bytes += bytes;
    }

    fn remove(&mut self, bytes: usize) {
        self.streams -= 1;
        self.bytes -= bytes;
    }
}

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use super::*;

    const MOST: Amount = Amount { streams: 6, bytes: 1_000 };
    const OF_STRANGERS: Amount = Amount { streams: 3, bytes: 500 };
    const OF_CALLER: Amount = Amount { streams: 2, bytes: 400 };

    fn opener(stranger: bool, caller: Option<u64>, bytes: usize) -> Opener {
        Opener {
            stranger: stranger.then_some(OF_STRANGERS),
            caller: caller.map(|caller| (caller, OF_CALLER)),
            bytes,
        }
    }

    fn check(
        what: &str,
        before: &[Opener],
        newcomer: Opener,
        expected: Result<(), TooManyStreams>,
    ) {
        let mut taken = StreamShare::default();
        before.iter().for_each(|opener| taken.take(opener, MOST).expect("there is room"));
        assert_eq!(taken.take(&newcomer, MOST), expected, "{what}");
        before.iter().for_each(|opener| taken.give_back(opener));
        if expected.is_ok() {
            taken.give_back(&newcomer);
        }
        assert_eq!(
            (taken.all(), taken.of_strangers(), taken.callers.len()),
            Default::default(),
            "{what}: all is given back"
        );
    }

    #[test]
    fn strangers_and_each_caller_have_a_share() {
        let (stranger, server) = (opener(true, None, 10), opener(false, None, 10));
        let user = |bytes| opener(false, Some(7), bytes);
        check("the first", &[], stranger, Ok(()));
        check("the last of the strangers", &[stranger; 2], stranger, Ok(()));
        check(
            "one stranger too many",
            &[stranger; 3],
            stranger,
            Err(TooManyStreams::StreamsOfStrangers),
        );
        check("a caller with a credential finds room then", &[stranger; 3], server, Ok(()));
        check("everything is taken", &[server; 6], server, Err(TooManyStreams::Streams));
        check(
            "a caller with as many as one may have",
            &[user(10); 2],
            user(10),
            Err(TooManyStreams::StreamsOfCaller),
        );
        check("another caller then", &[user(10); 2], opener(false, Some(8), 10), Ok(()));
        check(
            "a caller with too many bytes",
            &[user(300)],
            user(101),
            Err(TooManyStreams::BytesOfCaller),
        );
        check(
            "strangers with too many bytes",
            &[opener(true, None, 450)],
            opener(true, None, 51),
            Err(TooManyStreams::BytesOfStrangers),
        );
        check(
            "too many bytes of all",
            &[opener(false, None, 990)],
            opener(false, None, 11),
            Err(TooManyStreams::Bytes),
        );
    }
}
