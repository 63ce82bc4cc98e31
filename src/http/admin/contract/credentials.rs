//! The calls of credentials, of the keys that sessions are signed with, and of sessions.

use turnout_api::admin::keys::{ChangeKeys, Keys, KeysChanged};
use turnout_api::admin::tokens::{CreateToken, NewToken, RevokeToken, Revoked, Tokens};
use turnout_api::sessions::{NewSession, RevokeSessions, Session, SessionsRevoked};

use super::call::{found, look, reading, with_a_body};
use crate::http::admin::errors::{no_room_for_a_token, without_a_database};
use crate::http::error::ApiError;
use crate::http::openapi::{Operation, Parameter, text};
use crate::http::public::issuer_contract as sessions;

pub fn tokens() -> Operation {
    reading(
        "tokens",
        "The credentials there are, without their secrets",
        found::<Tokens>("All of them."),
        vec![ApiError::OtherFlags],
    )
}

pub fn create_token() -> Operation {
    let made = found::<NewToken>("The credential, with its secret for this once.").status(201);
    let mut refusals = with_a_body();
    refusals.extend(without_a_database());
    refusals.extend(no_room_for_a_token());
    refusals.extend([ApiError::OtherFlags, ApiError::NoRandomness]);
    let mut operation =
        look("createToken", "Make a credential; its secret is shown once", made, refusals);
    operation.says = "`flags` limits what a stopper or an operator may change. No two living tokens have one name, in whatever case.";
    operation.taking::<CreateToken>()
}

pub fn revoke_token() -> Operation {
    let mut refusals = with_a_body();
    refusals.extend([ApiError::UnknownToken]);
    let mut operation = look(
        "revokeToken",
        "Revoke a credential",
        found::<Revoked>("It is no longer good."),
        refusals,
    );
    operation.says = "Everybody may revoke the credential they show (`self`, or its id); those of others take an admin. It narrows: it is live \
        at once, also with the database away.";
    let live = found::<Revoked>("It is no longer good, and that is not yet in the database.");
    operation.answers.insert(1, live.status(202));
    let named = "The credential's id, the name of a living one, `self`, or `local-admin` for the data folder's own.";
    operation.parameters = vec![Parameter::in_path("id", named, text())];
    operation.perhaps_taking::<RevokeToken>()
}

pub fn keys() -> Operation {
    look(
        "keys",
        "The keys that sessions and tokens are signed with",
        found::<Keys>("The keys, in the order in which they sign."),
        vec![ApiError::Busy],
    )
}

pub fn rotate_keys() -> Operation {
    let mut refusals = with_a_body();
    refusals.extend([ApiError::TooManyKeys, ApiError::IssuerUnavailable, ApiError::NoRandomness]);
    let done = found::<KeysChanged>("The new key is published; it signs in 20 minutes.");
    let mut operation = look("rotateKeys", "Make a new key", done, refusals);
    operation.says = "The key before it is believed for 25 hours after it signed last.";
    operation.perhaps_taking::<ChangeKeys>()
}

pub fn revoke_key() -> Operation {
    let mut refusals = with_a_body();
    refusals.extend([ApiError::NoSuchKey, ApiError::IssuerUnavailable]);
    let done = found::<KeysChanged>("What it signed is no longer accepted.");
    let mut operation = look("revokeKey", "Stop believing a key", done, refusals);
    operation.says = "At once, and also with the database away; streams that its tokens opened end. Where no key is left, a new one is made.";
    let live = found::<KeysChanged>(
        "What it signed is no longer accepted, and that is not written down yet.",
    );
    operation.answers.insert(1, live.status(202));
    operation.parameters = vec![Parameter::in_path("id", "The key's id.", text())];
    operation.perhaps_taking::<ChangeKeys>()
}

pub fn create_session() -> Operation {
    let mut refusals = sessions::session_refusals();
    refusals.push(ApiError::OtherFlags);
    let mut operation =
        look("createSession", "A session for a user", found::<Session>("The session."), refusals);
    operation.says = "For trying things: the same as on the public listener.";
    operation.taking::<NewSession>()
}

pub fn revoke_sessions() -> Operation {
    let mut refusals = sessions::session_refusals();
    refusals.retain(|refusal| !matches!(refusal, ApiError::IssuerUnavailable));
    refusals.push(ApiError::OtherFlags);
    let done = found::<SessionsRevoked>("They are refused.");
    let mut operation =
        look("revokeSessions", "Refuse whatever was issued to a user until now", done, refusals);
    operation.says = "The same as on the public listener. Works with the database away.";
    let live = found::<SessionsRevoked>(
        "They are refused, and that is not durable: it is written as soon as the disk takes it.",
    );
    operation.answers.insert(1, live.status(202));
    operation.taking::<RevokeSessions>()
}
