//! `turnout follow`: polls a stream as a good client does, and prints each event once and in order.
//! It goes on over restarts of the server, and ends when the stream does or its reader leaves.

use std::time::Duration;

use clap::Args;
use hyper::StatusCode;
use serde_json::value::RawValue;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Instant, sleep};
use turnout_api::feeds::{EventPage, PageEvent};
use turnout_api::problem::Code;

use super::allowance::Allowance;
use super::arguments::{FeedArgs, stream_name};
use super::client::{FeedClient, FeedError, flag_position, tag};
use super::interval::{Heard, Interval, Polled};
use super::one_line::one_line;
use super::place::{StreamPlace, is_cursor};
use super::realtime::{Left, RealtimeTrack, Told, jitter};
use super::terms::FollowTerms;
use crate::auth::random_number;
use crate::cli::http_client::{self, CliError};
use crate::cli::{Exit, output, print_error, print_note, printed, time};
use crate::display_text;
use crate::feeds::limits::MAX_PAGE_EVENTS;
use crate::flag::FlagKey;
use crate::snapshot::Position;

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    turnout follow build-events b-42\n  \
    turnout follow build-events b-42 --json --bearer-file session.jwt\n\n\
    It polls after 4, 6, 9, 13.5 and 15 s, and after 4 s again when there were events; after errors it backs off to 60 s. Where the flag's file has `wait`, each poll waits for an event. With a session whose strategy is `realtime-v2` it follows in realtime, polls while that does not work, and says so. Followers of one user share its limit. It ends with the stream, or by Ctrl-C.")]
pub struct Follow {
    /// The flag
    flag: FlagKey,

    /// The stream
    #[arg(value_parser = stream_name)]
    stream: String,

    /// One JSON object an event and line, as the server sent it
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    feed: FeedArgs,
}

/// What ends a follower.
enum End {
    /// Nothing follows any more.
    Stream,
    Reader,
    Hopeless(CliError),
}

/// A client of one stream.
struct StreamFollower<'a> {
    follow: &'a Follow,
    client: FeedClient,
    place: StreamPlace,
    /// The tag of the last answer, where a poll may find the same again.
    held: Option<String>,
    limit: u32,
    interval: Interval,
    terms: FollowTerms,
    /// The position at which the flag had last changed, by the document that the terms are of.
    held_at: Option<Position>,
    /// Whether the terms are asked for with the next poll in any case.
    asks_anew: bool,
    begun: Instant,
    /// When the last poll began, and what it was told of the limit.
    polled_at: Instant,
    allowance: Option<Allowance>,
    realtime: RealtimeTrack,
    /// Whether a poll was ever answered.
    has_worked: bool,
    /// The trouble that was reported last.
    said: String,
}

impl Follow {
    pub fn run(&self) -> Exit {
        self.try_run().unwrap_or_else(|CliError { exit, message, .. }| {
            print_error(&message);
            exit
        })
    }

    fn try_run(&self) -> Result<Exit, CliError> {
        http_client::runtime()?.block_on(async {
            let (Ok(mut terminate), Ok(mut interrupt)) =
                (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
            else {
                return Err(CliError::failed("cannot listen for signals"));
            };
            let follower = StreamFollower::new(self)?;
            tokio::select! {
                ended = follower.run() => ended.map(|()| Exit::Yes),
                _ = terminate.recv() => Ok(Exit::Yes),
                _ = interrupt.recv() => Ok(Exit::Yes),
                () = output::reader_left() => Ok(Exit::Yes),
            }
        })
    }
}

impl<'a> StreamFollower<'a> {
    fn new(follow: &'a Follow) -> Result<StreamFollower<'a>, CliError> {
        let terms = FollowTerms::default();
        let interval = Interval::new(terms.terms);
        let client = follow.feed.client()?;
        let (place, held, said) = (StreamPlace::default(), None, String::new());
        let (limit, begun) = (terms.limit, Instant::now());
        Ok(StreamFollower {
            follow,
            client,
            place,
            held,
            limit,
            interval,
            terms,
            held_at: None,
            asks_anew: true,
            begun,
            polled_at: begun,
            allowance: None,
            realtime: RealtimeTrack::default(),
            has_worked: false,
            said,
        })
    }

    async fn run(mut self) -> Result<(), CliError> {
        let Follow { flag, stream, .. } = self.follow;
        let place = self.client.place();
        print_note(&format!("following {flag}/{stream} at {place}; Ctrl-C ends it"));
        loop {
            let pause = match self.poll().await {
                Ok(page) => self.take(page),
                Err(error) => self.fail(error),
            };
            let pause = match pause {
                Ok(pause) if self.is_caught_up() => self.follow_in_realtime(pause).await,
                pause => pause,
            };
            match pause {
                Ok(pause) => sleep(pause).await,
                Err(End::Stream) => {
                    print_note("the stream has ended");
                    return Ok(());
                }
                Err(End::Reader) => return Ok(()),
                Err(End::Hopeless(error)) => {
                    return Err(self.client.with_hint(flag, error.into()).await);
                }
            }
        }
    }

    /// Whether nothing that is known of is left to poll for.
    fn is_caught_up(&self) -> bool {
        self.has_worked && self.said.is_empty() && self.limit == self.terms.limit
    }

    /// Follows in realtime where the strategy says so and it is time to; returns when to poll.
    async fn follow_in_realtime(&mut self, pause: Duration) -> Result<Duration, End> {
        let Some(terms) = self.terms.realtime.clone() else { return Ok(pause) };
        if !self.realtime.is_due(&terms) {
            return Ok(self.realtime.next().map_or(pause, |next| pause.min(next)));
        }
        let Follow { flag, stream, .. } = self.follow;
        let (mut track, mut place) =
            (std::mem::take(&mut self.realtime), std::mem::take(&mut self.place));
        let (begun_at, mut failed) = (place.cursor().map(str::to_owned), None);
        let take = |told: Told<'_>| match told {
            Told::Reset(at) => {
                place.reset(at);
                true
            }
            Told::Events(events, behind) => match self.deliver(&mut place, events, behind) {
                Ok(is_read) => is_read,
                Err(error) => {
                    failed = Some(error);
                    false
                }
            },
        };
        let live = || print_note("in realtime now");
        let names = (flag, &**stream);
        let left = track.follow(&self.client, names, begun_at.as_deref(), take, live).await;
        (self.place, self.held) = (place, None);
        let mut pause = Duration::ZERO;
        let says = match left {
            Left::Ended => return Err(End::Stream),
            Left::Reader => return Err(failed.map_or(End::Reader, End::Hopeless)),
            Left::Strategy => {
                track.leave();
                // Asked anew with the next poll.
                (self.terms.realtime, self.asks_anew) = (None, true);
                // All leave at once, and do not all ask at once.
                pause = jitter(terms.enter_spread);
                "polling from now on: the strategy is no longer `realtime-v2`".to_owned()
            }
            Left::Broken { why, after } => {
                let next = track.plan(&terms, after).as_secs_f64();
                format!("polling meanwhile: {why}; realtime is tried again in {next:.1} s")
            }
        };
        print_note(&says);
        self.realtime = track;
        Ok(pause)
    }

    /// The next page; `None` where nothing is new.
    async fn poll(&mut self) -> Result<Option<EventPage<Box<RawValue>>>, FeedError> {
        let Follow { flag, stream, .. } = self.follow;
        let mut path = format!("/v1/feeds/{flag}/{stream}?limit={}", self.limit);
        let wait = self.terms.terms.wait;
        if !wait.is_zero() {
            path.push_str(&format!("&wait={}", wait.as_millis()));
        }
        if let Some(cursor) = self.place.cursor() {
            path.push_str(&format!("&cursor={cursor}"));
        }
        self.polled_at = Instant::now();
        self.allowance = None;
        let response = self.client.poll(&path, self.held.as_deref(), wait).await?;
        self.allowance = Allowance::read(response.headers());
        self.heed(flag_position(&response)).await;
        if response.status() == StatusCode::NOT_MODIFIED {
            return Ok(None);
        }
        let page: EventPage<Box<RawValue>> = self.client.read(response.body())?;
        if !is_cursor(&page.cursor) {
            // The same words as for any other answer that is not a page.
            self.client.read::<EventPage<Box<RawValue>>>(b"")?;
        }
        self.held = if page.events.is_empty() { tag(&response) } else { None };
        Ok(Some(page))
    }

    /// Asks how to follow, where the flag has changed since. A document that is older than what is
    /// held is not taken: an answer may come late, or of a node that is behind.
    async fn heed(&mut self, changed_at: Option<Position>) {
        let Some(changed_at) = changed_at else { return };
        if !self.asks_anew && self.held_at >= Some(changed_at) {
            return;
        }
        let Some((terms, position)) = self.client.terms(&self.follow.flag).await else { return };
        let position = Some(position.unwrap_or(changed_at));
        if position < self.held_at {
            return;
        }
        self.interval.set(terms.terms);
        (self.terms, self.held_at, self.asks_anew) = (terms, position, false);
    }

    /// Prints the events of a batch that are new, and goes on behind it; false where they have no
    /// reader any more.
    fn deliver(
        &self,
        place: &mut StreamPlace,
        events: &[Box<RawValue>],
        behind: String,
    ) -> Result<bool, CliError> {
        let new = place.new_of(events);
        let lines: String =
            new.into_iter().map(|event| self.shown(event)).collect::<Result<_, _>>()?;
        let is_read = lines.is_empty() || printed(&lines);
        if is_read {
            place.take(events, behind);
        }
        Ok(is_read)
    }

    /// Prints a page, and goes on behind it; returns when to poll again.
    fn take(&mut self, page: Option<EventPage<Box<RawValue>>>) -> Result<Duration, End> {
        let has_worked = std::mem::replace(&mut self.has_worked, true);
        if !std::mem::take(&mut self.said).is_empty() {
            let again = if has_worked { " again" } else { "" };
            print_note(&format!("the stream answers{again}"));
        }
        let Some(page) = page else { return Ok(self.pause(Polled::Empty, None)) };
        let mut place = std::mem::take(&mut self.place);
        let is_read = self.deliver(&mut place, &page.events, page.cursor);
        self.place = place;
        if !is_read.map_err(End::Hopeless)? {
            return Err(End::Reader);
        }
        // Another limit is another answer, so a tag holds for polls of one limit.
        let limit = if page.has_more { MAX_PAGE_EVENTS } else { self.terms.limit };
        if std::mem::replace(&mut self.limit, limit) != limit {
            self.held = None;
        }
        let polled = match (page.events.is_empty(), page.has_more) {
            _ if page.ended => return Err(End::Stream),
            (_, true) => Polled::More,
            (false, false) => Polled::Events,
            (true, false) => Polled::Empty,
        };
        Ok(self.pause(polled, None))
    }

    /// What to do after an error: wait, go on from elsewhere, or end.
    fn fail(&mut self, failed: FeedError) -> Result<Duration, End> {
        let FeedError { error, status, cursor, retry_after, allowance } = failed;
        self.allowance = allowance;
        let Follow { flag, stream, .. } = self.follow;
        let is_reset = matches!(error.code, Some(Code::StreamReset | Code::CursorExpired));
        let (polled, says) = match (error.code, cursor.filter(|cursor| is_cursor(cursor))) {
            (code, Some(cursor)) if is_reset => {
                self.place.reset(cursor);
                self.held = None;
                let what = if code == Some(Code::StreamReset) {
                    "the stream is another one than before (stream-reset); going on from its start"
                } else {
                    "events were removed before they were read (cursor-expired); going on from the oldest that is kept"
                };
                print_note(&format!("{flag}/{stream}: {what}"));
                return Ok(self.pause(Polled::Moved, retry_after));
            }
            (Some(Code::StreamNotFound), _) => (
                Polled::NoStream,
                format!("{flag}/{stream}: there is no such stream yet, or it is not yours to read"),
            ),
            _ if status == Some(StatusCode::TOO_MANY_REQUESTS) => (Polled::Limited, error.message),
            _ if error.exit == Exit::Failed || self.has_worked => {
                // A server that was started again may listen elsewhere.
                if status.is_none()
                    && let Ok(client) = self.follow.feed.client()
                {
                    self.client = client;
                }
                (Polled::Failed, error.message)
            }
            _ => return Err(End::Hopeless(error)),
        };
        let pause = self.pause(polled, retry_after);
        // A refusal may be worded differently each time, and is reported once.
        let what = error.code.map_or_else(|| says.clone(), |code| code.to_string());
        if self.said != what {
            print_note(&format!("{says}; asking again in {:.1} s", pause.as_secs_f64()));
            self.said = what;
        }
        Ok(pause)
    }

    fn pause(&mut self, polled: Polled, floor: Option<Duration>) -> Duration {
        let chance = random_number().unwrap_or(500) % 1_001;
        let heard = Heard {
            now: self.begun.elapsed(),
            took: self.polled_at.elapsed(),
            floor,
            allowance: self.allowance,
        };
        self.interval.after(polled, heard, u32::try_from(chance).unwrap_or(500))
    }

    /// One line of an event.
    fn shown(&self, raw: &RawValue) -> Result<String, CliError> {
        if self.follow.json {
            return Ok(format!("{}\n", display_text::line(&one_line(raw.get()))));
        }
        let PageEvent { id, kind, at, data, .. } = self.client.read(raw.get().as_bytes())?;
        let at = time::parse_moment(&at).map_or(at, time::to_the_millisecond);
        let [at, kind, id] = [&at, &kind, &id].map(|text| display_text::line(text).into_owned());
        let data = one_line(data.get());
        Ok(format!("{at}  {kind}  {id}  {}\n", display_text::line(&data)))
    }
}
