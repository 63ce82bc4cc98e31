//! The reader of server-sent events, compared with the rules of the standard and with every way of
//! cutting bytes into pieces.

use proptest::prelude::*;
use turnout::cli::events::{Event, Events, MOST_BYTES, TooLong};

fn event(data: &str, id: &str, name: &str) -> Event {
    Event { data: data.to_owned(), id: id.to_owned(), name: name.to_owned() }
}

fn read(text: &str) -> Vec<Event> {
    Events::default().feed(text.as_bytes()).unwrap()
}

/// (the bytes, the events in them)
#[test]
fn event_lines_are_parsed_as_the_standard_says() {
    let table: &[(&str, &[Event])] = &[
        ("data: a\n\n", &[event("a", "", "")]),
        ("data: a\r\n\r\n", &[event("a", "", "")]),
        ("data: a\r\r", &[event("a", "", "")]),
        ("data:a\n\n", &[event("a", "", "")]),
        ("data:  a\n\n", &[event(" a", "", "")]),
        ("data: a\ndata: b\ndata\ndata:c\n\n", &[event("a\nb\n\nc", "", "")]),
        ("data\n\n", &[event("", "", "")]),
        ("data: {\"a\":\"b: c\"}\n\n", &[event("{\"a\":\"b: c\"}", "", "")]),
        (":\n\n: a comment\ndata: a\n:data: b\n\n", &[event("a", "", "")]),
        (
            "id: 213+2\nevent: tick\ndata: a\n\ndata: b\n\n",
            &[event("a", "213+2", "tick"), event("b", "213+2", "")],
        ),
        ("id: 1\n\ndata: a\n\nid\ndata: b\n\n", &[event("a", "1", ""), event("b", "", "")]),
        ("id: 1\ndata: a\n\nid: \0\ndata: b\n\n", &[event("a", "1", ""), event("b", "1", "")]),
        ("event: tick\n\ndata: a\n\n", &[event("a", "", "")]),
        ("unknown: x\nDATA: x\n data: x\ndata: a\n\n", &[event("a", "", "")]),
        ("\u{feff}data: a\n\n\u{feff}data: b\n\n", &[event("a", "", "")]),
        ("data: a\n", &[]),
        ("\n\n\r\n", &[]),
    ];
    for (text, events) in table {
        assert_eq!(read(text), *events, "{text:?}");
    }
}

#[test]
fn the_retry_time_of_a_stream_is_kept() {
    let retry = |text: &str| {
        let mut events = Events::default();
        events.feed(text.as_bytes()).unwrap();
        events.retry_ms()
    };
    let table = [
        ("data: a\n\n", None),
        ("retry: 2713\n", Some(2713)),
        ("retry:2713\nretry: \n", Some(2713)),
        ("retry: 2713\nretry: 1.5\nretry: -1\nretry: +1\nretry: 1s\n", Some(2713)),
        ("retry: 1\nretry: 99999999999999999999999\n", Some(1)),
        ("retry: 1\nretry: 0\n", Some(0)),
    ];
    for (text, ms) in table {
        assert_eq!(retry(text), ms, "{text:?}");
    }
}

#[test]
fn an_event_without_an_end_is_given_up() {
    fn feed(mut pieces: impl Iterator<Item = Vec<u8>>) -> Result<(), TooLong> {
        let mut events = Events::default();
        pieces.try_for_each(|piece| events.feed(&piece).map(drop))
    }
    assert_eq!(feed(std::iter::repeat_n(vec![b'x'; 1000], MOST_BYTES / 1000)), Ok(()));
    assert_eq!(feed(std::iter::repeat(vec![b'x'; 1000])), Err(TooLong), "a line");
    let line = || format!("data: {}\n", "x".repeat(1000)).into_bytes();
    assert_eq!(feed(std::iter::repeat_with(line)), Err(TooLong), "an event of many lines");
    let empty = || b"data\n".to_vec();
    assert_eq!(
        feed(std::iter::repeat_with(empty).take(3 * MOST_BYTES)),
        Err(TooLong),
        "an event of many empty lines"
    );
    let whole = || format!("data: {}\n\n", "x".repeat(1000)).into_bytes();
    assert_eq!(
        feed(std::iter::repeat_with(whole).take(2 * MOST_BYTES / 1000)),
        Ok(()),
        "many events"
    );
}

proptest! {
    /// The same events are read however the bytes are cut.
    #[test]
    fn event_parsing_does_not_depend_on_where_the_bytes_are_cut(
        lines in prop::collection::vec(prop_oneof![
            "data: ?[a-zäöü€ :]{0,6}", "id: [0-9+]{0,3}", "event: [a-z]{0,3}", ":[ a-z]{0,3}", "retry: [0-9a]{0,3}", Just(String::new()),
        ], 0..24),
        ends in prop::collection::vec(prop_oneof![Just("\n"), Just("\r\n"), Just("\r")], 24),
        cuts in prop::collection::vec(0usize..200, 0..12),
    ) {
        let text: String = lines.iter().zip(&ends).flat_map(|(line, end)| [line.as_str(), end]).collect();
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(text.len())).chain([0, text.len()]).collect();
        cuts.sort_unstable();
        let mut events = Events::default();
        let in_pieces: Vec<Event> =
            cuts.windows(2).flat_map(|cut| events.feed(&text.as_bytes()[cut[0]..cut[1]]).unwrap()).collect();
        prop_assert_eq!(in_pieces, read(&text));
    }
}
