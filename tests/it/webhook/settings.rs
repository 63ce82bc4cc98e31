//! Which settings are accepted, and when a failed delivery is tried again.

use std::time::Duration;

use tempfile::TempDir;
use turnout::clock::utc;
use turnout::config::WebhookArgs;
use turnout::webhook::{longest_wait, wait};

#[test]
fn a_webhook_needs_both_an_address_and_a_secret() {
    let home = TempDir::new().unwrap();
    let file = |name: &str, text: &str| {
        std::fs::write(home.path().join(name), text).unwrap();
        home.path().join(name).to_str().unwrap().to_owned()
    };
    let (good, url) = (
        file("good", &format!("  {}\n", "s".repeat(32))),
        "https://hooks.example.com/sentinel-path",
    );
    let (short, long) =
        (file("short", &format!("{} \n\n", "s".repeat(31))), file("long", &"s".repeat(4097)));
    // (address, file, what the lines say, one each)
    let table: [(&str, &str, &[&str]); 9] = [
        ("", "", &[]),
        (url, &good, &[]),
        ("https://hooks.example.com:8443/?a=b", &good, &[]),
        (url, "", &["TURNOUT_WEBHOOK_URL: a webhook also needs TURNOUT_WEBHOOK_SECRET_FILE"]),
        ("", &good, &["TURNOUT_WEBHOOK_SECRET_FILE: a webhook also needs TURNOUT_WEBHOOK_URL"]),
        (url, &short, &["short: it has fewer than 32 bytes; make one with: openssl rand -hex 32"]),
        (url, &long, &["long: it has more than 4096 bytes"]),
        (url, "/not/there", &["/not/there: cannot read it"]),
        (
            "http://sentinel@127.0.0.1",
            &short,
            &["TURNOUT_WEBHOOK_URL: ", "TURNOUT_WEBHOOK_SECRET_FILE: "],
        ),
    ];
    for (url, file, words) in table {
        let result =
            WebhookArgs { webhook_url: url.to_owned(), webhook_secret_file: file.to_owned() }
                .check();
        match result {
            Ok(hook) => {
                assert!(words.is_empty() && hook.is_some() != url.is_empty(), "{url} {file}");
                let shown = format!("{hook:?}");
                assert!(
                    !shown.contains("sentinel")
                        && !shown.contains("ssss")
                        && !shown.contains("a=b"),
                    "{shown}"
                );
            }
            Err(errors) => {
                assert_eq!(errors.0.len(), words.len(), "{url} {file}: {errors}");
                assert!(
                    errors.0.iter().zip(words).all(|(error, words)| error.contains(words)),
                    "{url} {file}: {errors}"
                );
                assert!(!errors.to_string().contains("sentinel"), "{errors}");
            }
        }
    }
}

#[test]
fn webhook_waits_double_up_to_a_minute_and_are_random() {
    for (failures, seconds) in
        [(1, 1), (2, 2), (3, 4), (6, 32), (7, 60), (8, 60), (33, 60), (u32::MAX, 60)]
    {
        let longest = Duration::from_secs(seconds);
        assert_eq!(longest_wait(failures), longest, "after {failures}");
        let waits: Vec<Duration> = (0..200).map(|_| wait(failures)).collect();
        assert!(waits.iter().all(|wait| *wait < longest), "{waits:?}");
        // The odds against either are 2 to the 200th.
        assert!(
            waits.iter().any(|wait| *wait < longest / 2)
                && waits.iter().any(|wait| *wait > longest / 2),
            "{waits:?}"
        );
    }
}

#[test]
fn webhook_times_are_written_in_full() {
    for (milliseconds, text) in [
        (0, "1970-01-01T00:00:00Z"),
        (-1, "1969-12-31T23:59:59Z"),
        (951_782_399_999, "2000-02-28T23:59:59Z"),
        (951_782_400_000, "2000-02-29T00:00:00Z"),
        (1_709_251_199_000, "2024-02-29T23:59:59Z"),
        (1_735_689_600_000, "2025-01-01T00:00:00Z"),
        (4_107_542_400_000, "2100-03-01T00:00:00Z"),
        (253_402_300_799_000, "9999-12-31T23:59:59Z"),
    ] {
        assert_eq!(utc(milliseconds), text);
    }
}
