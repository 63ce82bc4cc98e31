//! An answer of HTTP/1.1 with a length, as soon as it is whole.

pub struct Answer {
    pub status: u16,
    pub tag: Option<String>,
    pub body: String,
}

impl Answer {
    pub fn whole(bytes: &[u8]) -> Option<Answer> {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
        let head = std::str::from_utf8(&bytes[..end]).ok()?;
        let header = |name: &str| {
            head.lines()
                .filter_map(|line| line.split_once(": "))
                .find(|(known, _)| known.eq_ignore_ascii_case(name))
                .map(|(_, value)| value)
        };
        let length: usize =
            header("content-length").map_or(Some(0), |length| length.parse().ok())?;
        let body = bytes.get(end..end + length)?;
        Some(Answer {
            status: head.split(' ').nth(1)?.parse().ok()?,
            tag: header("etag").map(str::to_owned),
            body: String::from_utf8_lossy(body).into_owned(),
        })
    }
}
