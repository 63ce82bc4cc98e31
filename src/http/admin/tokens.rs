//! Credentials: made, listed and revoked. The secret is shown once, and only its hash is kept.

use axum::Extension;
use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::{Response, StatusCode};
use serde_json::{Value as Json, json};

use super::AdminSurface;
use super::answer::{json as answer, refuse};
use super::members::{Members, bad_order};
use crate::clock;
use crate::flag::FlagKey;
use crate::http::error::Refusal;
use crate::http::question::body as read_body;
use crate::token::{Caller, Credential, Role, random_name, random_secret};
use crate::truth::ContentId;

/// The longest name, in bytes.
pub const MAX_NAME_BYTES: usize = 64;
/// The most credentials there may be, revoked ones among them.
pub const MAX_TOKENS: usize = 10_000;
const DAY_MS: i64 = 86_400_000;
/// Unless another time is asked for.
const EXPIRES_AFTER_MS: i64 = 90 * DAY_MS;
/// The longest a credential may live.
pub const MAX_EXPIRES_AFTER_MS: i64 = 3_660 * DAY_MS;

/// Who is named in the history without a credential of this list.
const OUR_OWN_NAMES: [&str; 4] = ["local-admin", "file", "expiry", "accept-database"];

struct Wanted {
    name: String,
    role: Role,
    flags: Option<Vec<FlagKey>>,
    expires_after_ms: i64,
}

pub async fn list(State(surface): State<AdminSurface>) -> Response<Body> {
    let tokens = surface.corridor.tokens().borrow().clone();
    let tokens: Vec<Json> = tokens.iter().map(shown).collect();
    answer(&surface, StatusCode::OK, &json!({ "tokens": tokens }))
}

pub async fn create(State(surface): State<AdminSurface>, Extension(caller): Extension<Caller>, body: Body) -> Response<Body> {
    match wanted(body).await {
        Ok(wanted) => make(&surface, caller, wanted).await,
        Err(refusal) => refuse(&surface, &refusal),
    }
}

pub async fn revoke(State(surface): State<AdminSurface>, path: Result<Path<String>, PathRejection>) -> Response<Body> {
    let Ok(Path(id)) = path else { return refuse(&surface, &Refusal::UnknownToken) };
    match surface.corridor.revoke_token(&id).await {
        Ok(true) => answer(&surface, StatusCode::OK, &json!({ "revoked": id })),
        Ok(false) => refuse(&surface, &Refusal::UnknownToken),
        Err(rejected) => refuse(&surface, &rejected.into()),
    }
}

async fn wanted(body: Body) -> Result<Wanted, Refusal> {
    let bytes = read_body(body).await?;
    let mut told = Members::read(&bytes, &["name", "role", "flags", "expiresAfterMs"])?;
    let name = told.line("name", MAX_NAME_BYTES)?.filter(|name| !name.trim().is_empty());
    let name = name.ok_or_else(|| bad_order("a token needs a `name`, which the history will show"))?;
    if OUR_OWN_NAMES.contains(&name.trim()) {
        return Err(bad_order("this `name` stands in the history for Turnout itself; choose another"));
    }
    let roles = Role::ALL.map(Role::as_str).join(", ");
    let role = told.take("role", &format!("one of {roles}"))?;
    let role = role.ok_or_else(|| bad_order(format!("a token needs a `role`: one of {roles}")))?;
    let flags = told.take("flags", "a list of flags' keys")?;
    if flags.is_some() && !matches!(role, Role::Stopper | Role::Operator) {
        return Err(bad_order("`flags` limits what a stopper or an operator may change; the other roles cannot be limited"));
    }
    let expires_after_ms = told.take("expiresAfterMs", "a time in milliseconds")?.unwrap_or(EXPIRES_AFTER_MS);
    if !(1..=MAX_EXPIRES_AFTER_MS).contains(&expires_after_ms) {
        return Err(bad_order("`expiresAfterMs` is a time from 1 ms to ten years"));
    }
    Ok(Wanted { name, role, flags, expires_after_ms })
}

async fn make(surface: &AdminSurface, caller: Caller, wanted: Wanted) -> Response<Body> {
    if surface.corridor.tokens().borrow().len() >= MAX_TOKENS {
        return refuse(surface, &Refusal::BadOrder(format!("there are {MAX_TOKENS} tokens already, the most there may be")));
    }
    let (Some(id), Some(secret)) = (random_name(), random_secret()) else {
        return refuse(surface, &Refusal::NoRandomness);
    };
    // Told apart at sight from every other secret somebody may have at hand.
    let secret = format!("turnout-{}-{secret}", wanted.role);
    let now = clock::wall_ms();
    let credential = Credential {
        id: id.chars().take(12).collect(),
        name: wanted.name,
        role: wanted.role,
        flags: wanted.flags.map(|flags| flags.iter().map(ToString::to_string).collect()),
        hash: ContentId::of(secret.as_bytes()),
        created_at_ms: now,
        created_by: caller.name,
        expires_at_ms: Some(now + wanted.expires_after_ms),
        revoked_at_ms: None,
    };
    match surface.corridor.add_token(credential.clone()).await {
        Ok(()) => {
            let mut body = shown(&credential);
            body["secret"] = secret.into();
            answer(surface, StatusCode::CREATED, &body)
        }
        Err(rejected) => refuse(surface, &rejected.into()),
    }
}

/// Everything but the hash.
fn shown(credential: &Credential) -> Json {
    json!({
        "id": credential.id,
        "name": credential.name,
        "role": credential.role,
        "flags": credential.flags,
        "createdAtMs": credential.created_at_ms,
        "createdBy": credential.created_by,
        "expiresAtMs": credential.expires_at_ms,
        "revokedAtMs": credential.revoked_at_ms,
    })
}
