//! How many requests each listener answered, by the template of the route and the class of the
//! status. They are counted in one place for every kind of response (`server/service.rs`): one
//! search over the templates, one addition, no lock.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use axum::http::StatusCode;

/// Stands for a path without a route: clients choose such paths, so they are not shown.
const NO_ROUTE: &str = "other";
const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

/// The counters of one listener.
#[derive(Debug)]
pub struct RequestCounts {
    listener: &'static str,
    routes: Vec<Route>,
}

#[derive(Debug)]
struct Route {
    template: &'static str,
    /// The part before the first parameter.
    begin: &'static str,
    /// The byte behind the first `/`, where there is one before the first parameter: it
    /// distinguishes most routes without comparing strings.
    second: Option<u8>,
    /// The part after the first parameter; `None` where there is no parameter.
    rest: Option<&'static str>,
    counts: [AtomicU64; CLASSES.len()],
}

/// A route that was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RouteId(usize);

impl RequestCounts {
    /// Counters for these templates; the most frequent ones should come first.
    pub fn of(
        listener: &'static str,
        templates: impl IntoIterator<Item = &'static str>,
    ) -> RequestCounts {
        let mut routes: Vec<Route> = Vec::new();
        for template in templates {
            if routes.iter().all(|route| route.template != template) {
                routes.push(Route::of(template));
            }
        }
        routes.push(Route::of(NO_ROUTE));
        RequestCounts { listener, routes }
    }

    /// The route of a path.
    pub fn find(&self, path: &str) -> RouteId {
        let last = self.routes.len() - 1;
        let second = path.as_bytes().get(1).copied();
        let is_it = |route: &Route| {
            (route.second.is_none() || route.second == second) && route.matches(path)
        };
        RouteId(self.routes[..last].iter().position(is_it).unwrap_or(last))
    }

    pub fn template(&self, RouteId(index): RouteId) -> &'static str {
        self.routes[index].template
    }

    pub fn count(&self, RouteId(index): RouteId, status: StatusCode) {
        let class = usize::from(status.as_u16() / 100).clamp(1, CLASSES.len()) - 1;
        self.routes[index].counts[class].fetch_add(1, Relaxed);
    }

    /// What was answered at least once: listener, route, class and how often.
    pub fn rows(&self) -> impl Iterator<Item = ([&'static str; 3], u64)> {
        self.routes.iter().flat_map(|route| {
            let counts = CLASSES
                .iter()
                .zip(&route.counts)
                .map(|(class, count)| (*class, count.load(Relaxed)));
            let counted = counts.filter(|(_, count)| *count > 0);
            counted.map(|(class, count)| ([self.listener, route.template, class], count))
        })
    }
}

impl Route {
    fn of(template: &'static str) -> Route {
        let (begin, rest) = match template.split_once('{') {
            Some((begin, rest)) => (begin, rest.split_once('}').map(|(_, rest)| rest)),
            None => (template, None),
        };
        Route {
            template,
            begin,
            second: begin.as_bytes().get(1).copied(),
            rest,
            counts: Default::default(),
        }
    }

    fn matches(&self, path: &str) -> bool {
        match (path.strip_prefix(self.begin), self.rest) {
            // The most frequent question: its path ends with the flag's key.
            (Some(behind), Some("")) => !behind.is_empty() && !behind.as_bytes().contains(&b'/'),
            (Some(behind), Some(rest)) => matches_parameter(behind, rest),
            (Some(behind), None) => behind.is_empty(),
            (None, _) => false,
        }
    }
}

/// Whether `text` is a non-empty parameter without `/`, followed by `rest`.
fn matches_parameter(text: &str, rest: &str) -> bool {
    let end = text.bytes().position(|byte| byte == b'/').unwrap_or(text.len());
    let (parameter, behind) = text.split_at(end);
    let matches = match rest.split_once('{') {
        None => behind == rest,
        Some((begin, more)) => {
            let rest = more.split_once('}').map_or("", |(_, rest)| rest);
            behind.strip_prefix(begin).is_some_and(|behind| matches_parameter(behind, rest))
        }
    };
    !parameter.is_empty() && matches
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_counted_at_its_template() {
        let templates = [
            "/v1/strategy/{flag}",
            "/ofrep/v1/evaluate/flags/{flag}",
            "/v1/strategy",
            "/v1/strategy/{flag}/watch",
            "/v1/feeds/{flag}/{stream}/end",
            "/healthz",
        ];
        let counts = RequestCounts::of("public", templates);
        for (path, template) in [
            ("/v1/strategy/chat", "/v1/strategy/{flag}"),
            ("/ofrep/v1/evaluate/flags/chat", "/ofrep/v1/evaluate/flags/{flag}"),
            ("/v1/strategy/a%2Fb", "/v1/strategy/{flag}"),
            ("/v1/strategy", "/v1/strategy"),
            ("/v1/strategy/chat/watch", "/v1/strategy/{flag}/watch"),
            ("/v1/feeds/chat/b-42/end", "/v1/feeds/{flag}/{stream}/end"),
            ("/healthz", "/healthz"),
            ("/v1/strategy/", "other"),
            ("/v1/strategy//watch", "other"),
            ("/v1/strategy/chat/watch/", "other"),
            ("/v1/feeds/chat/b-42", "other"),
            ("/v1/feeds/chat//end", "other"),
            ("/healthz/", "other"),
            ("/HEALTHZ", "other"),
            ("/", "other"),
            ("*", "other"),
        ] {
            assert_eq!(counts.template(counts.find(path)), template, "{path}");
        }
    }

    #[test]
    fn every_status_has_a_class() {
        let counts = RequestCounts::of("admin", ["/metrics"]);
        for status in [200, 204, 304, 404, 503, 999] {
            counts.count(counts.find("/metrics"), StatusCode::from_u16(status).unwrap_or_default());
        }
        let rows: Vec<_> = counts
            .rows()
            .map(|([listener, route, class], count)| (listener, route, class, count))
            .collect();
        assert_eq!(
            rows,
            [
                ("admin", "/metrics", "2xx", 2),
                ("admin", "/metrics", "3xx", 1),
                ("admin", "/metrics", "4xx", 1),
                ("admin", "/metrics", "5xx", 2),
            ]
        );
    }
}
