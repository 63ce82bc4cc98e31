//! Which pages may ask, by headers; `tests/browser/` asks with a real browser.

use crate::support::{Service, flag};
use serde_json::Value as Json;
use turnout::config::{AuthArgs, AuthConfig};

const LISTED: &str = "https://app.example.com";

async fn service(origins: &str) -> Service {
    let settings = AuthArgs { cors_origins: origins.to_owned(), ..AuthArgs::default() };
    let access: AuthConfig = settings.check(None).unwrap();
    Service::start_guarded(&[("a.yaml", &flag("a", ""))], access).await
}

async fn ask(
    service: &Service,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
) -> reqwest::Response {
    let request = service.client.request(method.parse().unwrap(), service.url(path)).body("{}");
    headers
        .iter()
        .fold(request, |request, (name, value)| request.header(*name, *value))
        .send()
        .await
        .unwrap()
}

fn header<'r>(response: &'r reqwest::Response, name: &str) -> &'r str {
    response.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

#[tokio::test]
async fn a_listed_origin_asks_and_reads() {
    let service = service(&format!("{LISTED}, http://localhost:5173")).await;
    for origin in [LISTED, "http://localhost:5173"] {
        let before = [
            ("origin", origin),
            ("access-control-request-method", "POST"),
            (
                "access-control-request-headers",
                "authorization,content-type,if-none-match,last-event-id",
            ),
        ];
        for path in [
            "/v1/strategy/a",
            "/v1/strategy",
            "/v1/watch",
            "/v1/watch/ack",
            "/ofrep/v1/evaluate/flags",
            "/readyz",
        ] {
            let preflight = ask(&service, "OPTIONS", path, &before).await;
            assert_eq!(
                (preflight.status().as_u16(), header(&preflight, "access-control-allow-origin")),
                (204, origin),
                "{path}"
            );
            assert_eq!(header(&preflight, "access-control-allow-methods"), "GET, POST");
            let allowed = header(&preflight, "access-control-allow-headers");
            for name in
                ["content-type", "if-none-match", "authorization", "x-api-key", "last-event-id"]
            {
                assert!(allowed.split(", ").any(|one| one == name), "{allowed}");
            }
            assert!(header(&preflight, "access-control-max-age").parse::<u32>().unwrap() > 0);
        }
        // (path, method, status): the page must be able to read errors too.
        for (method, path, status) in [
            ("POST", "/v1/strategy/a", 200),
            ("GET", "/v1/strategy/a", 401),
            ("POST", "/v1/strategy/none", 404),
            ("GET", "/nowhere", 404),
            ("PUT", "/v1/strategy/a", 405),
        ] {
            let answer = ask(&service, method, path, &[("origin", origin)]).await;
            assert_eq!(
                (answer.status().as_u16(), header(&answer, "access-control-allow-origin")),
                (status, origin),
                "{path}"
            );
            let exposed = header(&answer, "access-control-expose-headers");
            for name in [
                "ETag",
                "Retry-After",
                "Turnout-Revision",
                "Turnout-Flag-Revision",
                "Turnout-Stale",
                "Turnout-Error-Attribute",
            ] {
                assert!(exposed.split(", ").any(|one| one == name), "{exposed}");
            }
            let varies: Vec<&str> = answer
                .headers()
                .get_all("vary")
                .iter()
                .map(|value| value.to_str().unwrap())
                .collect();
            assert!(varies.join(", ").contains("origin"), "{varies:?}");
            assert_eq!(
                header(&answer, "access-control-allow-credentials"),
                "",
                "nothing here goes by cookies"
            );
        }
        let first = ask(&service, "POST", "/v1/strategy/a", &[("origin", origin)]).await;
        let tag = header(&first, "etag").to_owned();
        let again =
            ask(&service, "POST", "/v1/strategy/a", &[("origin", origin), ("if-none-match", &tag)])
                .await;
        assert_eq!(
            (again.status().as_u16(), header(&again, "access-control-allow-origin")),
            (304, origin)
        );
    }
}

#[tokio::test]
async fn an_unlisted_origin_gets_nothing() {
    for (origins, origin) in [
        (LISTED, "https://evil.example.com"),
        (LISTED, "https://app.example.com.evil.com"),
        (LISTED, "http://app.example.com"),
        (LISTED, "https://app.example.com:8443"),
        (LISTED, "https://APP.example.com"),
        (LISTED, "null"),
        (LISTED, "*"),
        ("", LISTED),
    ] {
        let service = service(origins).await;
        let preflight = ask(
            &service,
            "OPTIONS",
            "/v1/strategy/a",
            &[("origin", origin), ("access-control-request-method", "POST")],
        )
        .await;
        let status = preflight.status().as_u16();
        assert_eq!(status, 403, "{origin}");
        let answer = ask(&service, "POST", "/v1/strategy/a", &[("origin", origin)]).await;
        for response in [&preflight, &answer] {
            assert!(
                !response.headers().keys().any(|name| name.as_str().starts_with("access-control-")),
                "{origin}"
            );
        }
        assert_eq!(preflight.json::<Json>().await.unwrap()["code"], "origin-not-listed");
    }
}

#[tokio::test]
async fn a_request_without_an_origin_is_served_without_cors_headers() {
    let service = service(LISTED).await;
    let answer = ask(&service, "POST", "/v1/strategy/a", &[]).await;
    assert_eq!((answer.status().as_u16(), header(&answer, "vary")), (200, "origin"));
    assert!(!answer.headers().contains_key("access-control-allow-origin"));
}

#[test]
fn origins_are_written_as_browsers_send_them() {
    for (text, good) in [
        ("https://app.example.com", 1),
        ("https://app.example.com,http://localhost:5173 , capacitor://localhost", 3),
        ("", 0),
    ] {
        let settings = AuthArgs { cors_origins: text.to_owned(), ..AuthArgs::default() };
        assert_eq!(settings.check(None).unwrap().cors_origins.len(), good, "{text}");
    }
    for text in [
        "*",
        "null",
        "app.example.com",
        "https://*.example.com",
        "https://app.example.com/",
        "https://app.example.com/path",
        "https://App.example.com",
        "https://app.example.com:443",
        "http://app.example.com:80",
        "https://",
        "https://a b",
    ] {
        let settings = AuthArgs { cors_origins: text.to_owned(), ..AuthArgs::default() };
        let error = settings.check(None).unwrap_err().to_string();
        assert!(error.contains("TURNOUT_CORS_ORIGINS"), "{text}: {error}");
    }
}
