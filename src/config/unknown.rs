//! Names in the environment that look like a setting but are not one: most often a typing mistake,
//! which would otherwise go unnoticed.

use crate::definition::similar;

/// The prefix of all our names.
const OURS: &str = "TURNOUT_";
/// The most names that are listed.
const MOST: usize = 10;

/// Lists in one line which names of the environment are not settings; `None` where all are known.
pub fn unknown_names(names: impl Iterator<Item = String>, known: &[String]) -> Option<String> {
    let strange = |name: &String| {
        name.starts_with(OURS) && !known.contains(name) && !is_made_by_a_cluster(name)
    };
    let mut names: Vec<String> = names.filter(strange).collect();
    names.sort();
    let more = match names.len().saturating_sub(MOST) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    names.truncate(MOST);
    // The common prefix makes no two names alike.
    let own = |name: &'_ str| name.strip_prefix(OURS).unwrap_or(name).to_owned();
    let known: Vec<String> = known.iter().map(|name| own(name)).collect();
    let described = |name: &String| match similar(&own(name), known.iter().map(String::as_str)) {
        Some(meant) => format!("{name} (did you mean {OURS}{meant}?)"),
        None => name.clone(),
    };
    let described: Vec<String> = names.iter().map(described).collect();
    (!described.is_empty()).then(|| {
        format!("no setting has this name, so it does nothing: {}{more}", described.join(", "))
    })
}

/// What Kubernetes puts into every container for a service named `turnout` or `turnout-…`: its
/// address and its ports.
fn is_made_by_a_cluster(name: &str) -> bool {
    let of_a_port = |number_and_more: &str| {
        let (number, more) = number_and_more.split_once('_').unwrap_or((number_and_more, ""));
        !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()) && !more.is_empty()
    };
    name.ends_with("_SERVICE_HOST")
        || name.ends_with("_SERVICE_PORT")
        || name.contains("_SERVICE_PORT_")
        || name.ends_with("_PORT")
        || name.match_indices("_PORT_").any(|(at, port)| of_a_port(&name[at + port.len()..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_names_are_listed_except_those_of_a_cluster() {
        let known = ["TURNOUT_LISTEN", "TURNOUT_FLAGS"].map(str::to_owned);
        let unknown =
            |names: &[&str]| unknown_names(names.iter().map(|name| (*name).to_owned()), &known);
        for fine in [
            "TURNOUT_LISTEN",
            "TURNOUTS",
            "PATH",
            "turnout_listen",
            "TURNOUT_SERVICE_HOST",
            "TURNOUT_SERVICE_PORT",
            "TURNOUT_SERVICE_PORT_HTTP",
            "TURNOUT_PORT",
            "TURNOUT_PORT_7070_TCP",
            "TURNOUT_PORT_7070_TCP_PROTO",
            "TURNOUT_PORT_7070_TCP_PORT",
            "TURNOUT_PORT_7070_TCP_ADDR",
            "TURNOUT_ADMIN_SERVICE_HOST",
            "TURNOUT_ADMIN_PORT_7071_UDP_ADDR",
        ] {
            assert_eq!(unknown(&[fine]), None, "{fine}");
        }
        let line =
            unknown(&["TURNOUT_LISTN", "TURNOUT_PORT_HTTP", "TURNOUT_FLAGS", "TURNOUT_PORT_7070"])
                .unwrap_or_default();
        assert_eq!(
            line,
            "no setting has this name, so it does nothing: TURNOUT_LISTN (did you mean TURNOUT_LISTEN?), TURNOUT_PORT_7070, \
             TURNOUT_PORT_HTTP"
        );
        let many: Vec<String> = (0..30).map(|number| format!("TURNOUT_ODD_{number:02}")).collect();
        let line = unknown_names(many.into_iter(), &known).unwrap_or_default();
        assert!(
            line.contains("TURNOUT_ODD_09")
                && !line.contains("TURNOUT_ODD_10")
                && line.ends_with(" and 20 more"),
            "{line}"
        );
    }
}
