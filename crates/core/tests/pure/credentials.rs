//! When a credential is accepted, listed, and kept.

use turnout_core::ledger::{Attribution, ContentHash, CredentialRecord, Role};

const DAY: i64 = 86_400_000;

fn record(expires_at_ms: Option<i64>, revoked_at_ms: Option<i64>) -> CredentialRecord {
    CredentialRecord {
        name: "ci".to_owned(),
        role: Role::Viewer,
        flags: None,
        hash: ContentHash::of(b"secret"),
        created_at_ms: 0,
        created_by: "local-admin".into(),
        expires_at_ms,
        revoked_at_ms,
        revoked_by: None,
        revoked_by_id: None,
        unknown: Default::default(),
    }
}

/// A dead credential leaves the list after 30 days, and memory too unless it was revoked and has
/// not reached its expiry.
#[test]
fn a_dead_credential_is_listed_for_30_days_and_a_revocation_kept_until_its_end() {
    for (expires, revoked, now, good, shown, needed) in [
        (Some(90), None, 0, true, true, true),
        (Some(90), None, 89, true, true, true),
        (Some(90), None, 90, false, true, true),
        (Some(90), None, 119, false, true, true),
        (Some(90), None, 120, false, false, false),
        (Some(90), Some(10), 0, false, true, true),
        (Some(90), Some(10), 39, false, true, true),
        (Some(90), Some(10), 40, false, false, true),
        (Some(90), Some(10), 89, false, false, true),
        (Some(90), Some(10), 90, false, false, false),
        // Revoked after it had expired.
        (Some(10), Some(80), 39, false, true, true),
        (Some(10), Some(80), 40, false, false, false),
        // Without an expiry its revocation is remembered for ever.
        (None, None, 100_000, true, true, true),
        (None, Some(1), 100_000, false, false, true),
    ] {
        let record = record(expires.map(|day| day * DAY), revoked.map(|day| day * DAY));
        let now_ms = now * DAY;
        let seen = (record.is_good(now_ms), record.is_shown(now_ms), record.is_needed(now_ms));
        assert_eq!(
            seen,
            (good, shown, needed),
            "expires {expires:?}, revoked {revoked:?}, day {now}"
        );
    }
}

/// A record reads back as it was written, by older and newer builds: newer members are left out
/// where they are not needed.
#[test]
fn a_credential_record_keeps_its_format() {
    let living = record(Some(5), None);
    let text = r#"{"name":"ci","role":"viewer","flags":null,"hash":"2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b","createdAtMs":0,"createdBy":"local-admin","expiresAtMs":5,"revokedAtMs":null}"#;
    assert_eq!(serde_json::to_string(&living).unwrap(), text);
    assert_eq!(serde_json::from_str::<CredentialRecord>(text).unwrap(), living);
    let by = turnout_core::ledger::Actor { name: "mallory".to_owned(), id: Some("0a".to_owned()) };
    let revoked =
        living.revoked(&Attribution { by, at_ms: 3, reason: None, unknown: Default::default() });
    let text = serde_json::to_string(&revoked).unwrap();
    assert!(
        text.ends_with(r#""revokedAtMs":3,"revokedBy":"mallory","revokedById":"0a"}"#),
        "{text}"
    );
    assert_eq!(serde_json::from_str::<CredentialRecord>(&text).unwrap(), revoked);
    let later = revoked.revoked(&Attribution {
        by: "another".into(),
        at_ms: 4,
        reason: None,
        unknown: Default::default(),
    });
    assert_eq!(later, revoked, "it was revoked once");
}
