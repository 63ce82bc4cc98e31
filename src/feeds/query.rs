//! What a poll asks for.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use super::limits::{MAX_PAGE_EVENTS, MAX_TAIL, MAX_WAIT_MS, PAGE_EVENTS};

/// What a poll asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PollQuery<'q> {
    pub from: From<'q>,
    pub limit: u32,
    pub wait_ms: u32,
}

/// Where a page begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum From<'q> {
    Start,
    /// Behind the newest event.
    Now,
    /// So many events before the end.
    Tail(u32),
    /// Behind a cursor's text, which only its stream can read.
    After(Cow<'q, str>),
}

/// The query does not say what is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadQuery {
    #[error("`limit` is one number from 1 to {MAX_PAGE_EVENTS}")]
    Limit,
    #[error("`tail` is one number from 1 to {MAX_TAIL}, and comes without `cursor`")]
    Tail,
    #[error("`wait` is one number of milliseconds from 0 to {MAX_WAIT_MS}")]
    Wait,
    #[error("`cursor` is one cursor of this stream, or `now`; to begin at the start, leave it out")]
    Cursor,
}

impl<'q> PollQuery<'q> {
    /// Reads a query string. Names it does not know are for later versions.
    pub fn read(query: Option<&'q str>) -> Result<PollQuery<'q>, BadQuery> {
        use BadQuery::{Cursor, Limit, Tail, Wait};
        const PARAMETERS: [(&str, BadQuery); 4] =
            [("cursor", Cursor), ("limit", Limit), ("tail", Tail), ("wait", Wait)];
        let [cursor, limit, tail, wait] =
            parameters(query, PARAMETERS.map(|(name, _)| name)).map_err(|at| PARAMETERS[at].1)?;
        let limit = limit.map_or(Ok(PAGE_EVENTS), |text| {
            number(&text, 1, MAX_PAGE_EVENTS).ok_or(BadQuery::Limit)
        })?;
        let wait_ms =
            wait.map_or(Ok(0), |text| number(&text, 0, MAX_WAIT_MS).ok_or(BadQuery::Wait))?;
        let from = match (cursor, tail) {
            (None, None) => From::Start,
            (Some(text), _) if text.is_empty() => return Err(BadQuery::Cursor),
            (Some(text), None) if text == "now" => From::Now,
            (Some(text), None) => From::After(text),
            (None, Some(text)) => From::Tail(number(&text, 1, MAX_TAIL).ok_or(BadQuery::Tail)?),
            (Some(_), Some(_)) => return Err(BadQuery::Tail),
        };
        Ok(PollQuery { from, limit, wait_ms })
    }
}

/// The values of these parameters of a query, decoded; a parameter without a value has an empty
/// one. The error is which of them stands there twice, or is not UTF-8.
pub fn parameters<'q, const COUNT: usize>(
    query: Option<&'q str>,
    names: [&str; COUNT],
) -> Result<[Option<Cow<'q, str>>; COUNT], usize> {
    let mut found = [const { None }; COUNT];
    for pair in query.unwrap_or_default().split('&') {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        // A name that is no text is none of these.
        let Ok(name) = percent_decode_str(name).decode_utf8() else { continue };
        let Some(at) = names.iter().position(|known| *known == name) else { continue };
        let value = percent_decode_str(value).decode_utf8().map_err(|_| at)?;
        if found[at].replace(value).is_some() {
            return Err(at);
        }
    }
    Ok(found)
}

/// A number as digits alone.
fn number(text: &str, least: u32, most: u32) -> Option<u32> {
    let digits = text.len() <= 6 && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = digits.then(|| text.parse().ok())??;
    (least..=most).contains(&number).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_read_strictly() {
        let usual = PollQuery { from: From::Start, limit: 50, wait_ms: 0 };
        let after = |text: &'static str| From::After(text.into());
        for (query, read) in [
            ("", Ok(usual.clone())),
            ("&&", Ok(usual.clone())),
            ("cursor=now&limit=1", Ok(PollQuery { from: From::Now, limit: 1, ..usual })),
            ("limit=1000&later=x", Ok(PollQuery { limit: 1000, ..usual.clone() })),
            ("cursor=abc&wait=25000", {
                Ok(PollQuery { from: after("abc"), wait_ms: 25_000, ..usual })
            }),
            ("tail=1000", Ok(PollQuery { from: From::Tail(1000), ..usual })),
            // Any character may stand encoded, in a name too.
            ("cursor=%6Eow&limit=%31%30", Ok(PollQuery { from: From::Now, limit: 10, ..usual })),
            ("%63ursor=a%2Db%5fc", Ok(PollQuery { from: after("a-b_c"), ..usual })),
            ("cursor=a%2", Ok(PollQuery { from: after("a%2"), ..usual })),
            ("cursor=a=b", Ok(PollQuery { from: after("a=b"), ..usual })),
            ("later=%ff&%ff=now", Ok(usual.clone())),
            ("cursor=", Err(BadQuery::Cursor)),
            ("cursor", Err(BadQuery::Cursor)),
            ("cursor=&tail=5", Err(BadQuery::Cursor)),
            ("cursor=a&cursor=b", Err(BadQuery::Cursor)),
            ("cursor=a&cursor=", Err(BadQuery::Cursor)),
            ("cursor=a&%63ursor=a", Err(BadQuery::Cursor)),
            ("cursor=%ff", Err(BadQuery::Cursor)),
            ("limit=0", Err(BadQuery::Limit)),
            ("limit=1001", Err(BadQuery::Limit)),
            ("limit=1e9", Err(BadQuery::Limit)),
            ("limit=1000000000", Err(BadQuery::Limit)),
            ("limit=+5", Err(BadQuery::Limit)),
            ("limit=%2B5", Err(BadQuery::Limit)),
            ("limit=5%20", Err(BadQuery::Limit)),
            ("limit=٥", Err(BadQuery::Limit)),
            ("limit=", Err(BadQuery::Limit)),
            ("limit", Err(BadQuery::Limit)),
            ("limit=5&limit=5", Err(BadQuery::Limit)),
            ("limit=5&limit=", Err(BadQuery::Limit)),
            ("tail=", Err(BadQuery::Tail)),
            ("tail", Err(BadQuery::Tail)),
            ("tail=-1", Err(BadQuery::Tail)),
            ("tail=0", Err(BadQuery::Tail)),
            ("tail=1001", Err(BadQuery::Tail)),
            ("tail=5&tail=5", Err(BadQuery::Tail)),
            ("tail=5&cursor=now", Err(BadQuery::Tail)),
            ("wait=", Err(BadQuery::Wait)),
            ("wait", Err(BadQuery::Wait)),
            ("wait=25001", Err(BadQuery::Wait)),
            ("wait=-1", Err(BadQuery::Wait)),
            ("wait=1&wait=1", Err(BadQuery::Wait)),
        ] {
            assert_eq!(PollQuery::read(Some(query)), read, "{query}");
        }
        assert_eq!(PollQuery::read(None), Ok(usual));
    }
}
