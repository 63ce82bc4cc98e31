//! Who may make which call. What is not declared is denied, in the same shape as everything else
//! that is refused.

use std::net::IpAddr;

use axum::Extension;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{ALLOW, HOST};
use axum::http::{HeaderMap, Method, Response, StatusCode, Uri};
use axum::middleware::{Next, from_fn};

use super::answer::refuse;
use super::readings::Source;
use super::state::AdminState;
use super::while_good::Shown;
use crate::auth::Caller;
use crate::http::bearer::bearer;
use crate::http::error::ApiError;
use crate::http::openapi::Endpoint;
use crate::http::other_listener::is_of_clients;
use crate::http::request_body::{MAX_BODY_BYTES, body_up_to};
use crate::ledger::{ContentHash, Role};

/// What a call takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permission {
    /// No credential at all.
    Anyone,
    /// Any good credential, for what is done to the credential that is shown.
    Own,
    Read,
    /// Stop and lower; a command that turns out to widen takes `Write`.
    Narrow,
    Write,
    Admin,
}

impl Permission {
    pub fn as_str(self) -> &'static str {
        match self {
            Permission::Anyone => "anyone",
            Permission::Own => "own",
            Permission::Read => "read",
            Permission::Narrow => "narrow",
            Permission::Write => "write",
            Permission::Admin => "admin",
        }
    }

    /// Whether what it permits opens nothing and tells of nothing: it narrows, or ends the very
    /// credential that is shown.
    fn only_narrows(self) -> bool {
        match self {
            Permission::Anyone | Permission::Own | Permission::Narrow => true,
            Permission::Read | Permission::Write | Permission::Admin => false,
        }
    }

    /// The refusal, which says whom to ask.
    pub fn denied_to(self, role: Role) -> ApiError {
        let takes = match self {
            Permission::Anyone | Permission::Own | Permission::Read => {
                "viewer, stopper, operator or admin"
            }
            Permission::Narrow => "stopper (to stop and lower), operator or admin",
            Permission::Write => "operator or admin",
            Permission::Admin => "admin",
        };
        ApiError::NotPermitted { role, takes }
    }

    /// The one table of who may do what.
    pub fn is_given_to(self, role: Role) -> bool {
        match (self, role) {
            (Permission::Anyone | Permission::Own, _) => true,
            // A server asks for users, on the other listener.
            (_, Role::Server) => false,
            (Permission::Read, _) => true,
            (Permission::Narrow, Role::Stopper | Role::Operator | Role::Admin) => true,
            (Permission::Write, Role::Operator | Role::Admin) => true,
            (Permission::Admin, Role::Admin) => true,
            _ => false,
        }
    }
}

/// Where a call is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunsOn {
    /// On the listener's own thread, which must be done in a moment: commands go through it.
    Listener,
    /// Among the readings, in turn.
    Readings(Source),
}

/// A call with its permission.
pub struct ProtectedEndpoint {
    permission: Permission,
    runs_on: RunsOn,
    max_body: usize,
    endpoint: Endpoint<AdminState>,
}

impl ProtectedEndpoint {
    pub fn new(permission: Permission, endpoint: Endpoint<AdminState>) -> ProtectedEndpoint {
        // A call that only looks is a reading, unless its row says otherwise.
        let is_reading = permission == Permission::Read;
        let runs_on = if is_reading { RunsOn::Readings(Source::Memory) } else { RunsOn::Listener };
        ProtectedEndpoint { permission, runs_on, max_body: MAX_BODY_BYTES, endpoint }
    }

    /// The same call, answered elsewhere.
    pub fn at(self, runs_on: RunsOn) -> ProtectedEndpoint {
        ProtectedEndpoint { runs_on, ..self }
    }

    /// The same call, with a body of so many bytes at most.
    pub fn with_body(self, max_body: usize) -> ProtectedEndpoint {
        ProtectedEndpoint { max_body, ..self }
    }

    pub fn row(&self) -> (&'static str, &'static str, &'static str) {
        let (method, path) = self.endpoint.address();
        (method, path, self.permission.as_str())
    }

    /// The call as it is served, behind a check of its permission.
    pub fn into_checked(self) -> Endpoint<AdminState> {
        let (permission, runs_on, max_body) = (self.permission, self.runs_on, self.max_body);
        self.endpoint.with_layer(from_fn(move |request: Request, next: Next| {
            check((permission, runs_on, max_body), request, next)
        }))
    }

    /// The call as it is described.
    pub fn into_described(self) -> Endpoint<AdminState> {
        self.endpoint
    }
}

/// Who calls; `None` for an unknown caller.
#[derive(Clone)]
pub struct Identified {
    shown: Option<Shown>,
    state: AdminState,
}

/// Identifies the caller, before anything else is looked at.
pub async fn identify(
    State(state): State<AdminState>,
    mut request: Request,
    next: Next,
) -> Response<Body> {
    if state.on_loopback && !asks_for_loopback(request.headers()) {
        return refuse(&state, &ApiError::WrongHost);
    }
    let shown = authenticate(&state, request.headers());
    if let Some(Shown { caller, .. }) = &shown {
        request.extensions_mut().insert(caller.clone());
    }
    request.extensions_mut().insert(Identified { shown, state });
    next.run(request).await
}

/// The router reveals the methods of every address there is, also to strangers: this hides them
/// from callers who may not read.
pub async fn hide_methods(request: Request, next: Next) -> Response<Body> {
    let mut response = next.run(request).await;
    if response.status() != StatusCode::METHOD_NOT_ALLOWED {
        response.headers_mut().remove(ALLOW);
    }
    response
}

async fn check(
    (permission, runs_on, max_body): (Permission, RunsOn, usize),
    request: Request,
    next: Next,
) -> Response<Body> {
    let Some(Identified { shown, state }) = request.extensions().get().cloned() else {
        // Without `identify` before it the caller is unknown, so no request passes.
        let mut refused = Response::default();
        *refused.status_mut() = StatusCode::UNAUTHORIZED;
        return refused;
    };
    match (permission, shown) {
        (Permission::Anyone, _) => next.run(request).await,
        (_, None) => refuse(&state, &ApiError::NoToken),
        // It may be the one that leaked: what it may know and do ends here.
        (permission, Some(shown)) if shown.caller.is_in_doubt && !permission.only_narrows() => {
            refuse(&state, &ApiError::TokenInDoubt)
        }
        // A caller who makes credentials makes them for every flag.
        (
            Permission::Admin,
            Some(Shown { caller: Caller { role: Role::Admin, flags: Some(_), .. }, .. }),
        ) => refuse(&state, &ApiError::OtherFlags),
        (permission, Some(shown)) if permission.is_given_to(shown.caller.role) => {
            match when_whole(&state, &shown, max_body, request).await {
                Ok(request) if permission == Permission::Read || runs_on != RunsOn::Listener => {
                    look(state, shown, runs_on, request, next).await
                }
                // The command is executed, and its caller gets the response.
                Ok(request) => next.run(request).await,
                Err(refusal) => refuse(&state, &refusal),
            }
        }
        (_, Some(shown)) => refuse(&state, &permission.denied_to(shown.caller.role)),
    }
}

/// The request once its body has arrived, if its credential is still what it was when the head
/// arrived: a token that was revoked or has expired meanwhile commands nothing. A request without a
/// body was judged whole.
async fn when_whole(
    state: &AdminState,
    shown: &Shown,
    max_body: usize,
    request: Request,
) -> Result<Request, ApiError> {
    if request.method() != Method::POST {
        return Ok(request);
    }
    let (head, body) = request.into_parts();
    let bytes = body_up_to(max_body, &state.public.incoming_commands, false, body).await?;
    if shown.is_still_good(state) {
        Ok(Request::from_parts(head, Body::from(bytes)))
    } else {
        Err(ApiError::NoToken)
    }
}

/// A call that reads. It may wait for its turn, work, and be written for long: its credential is
/// judged after each of these.
async fn look(
    state: AdminState,
    shown: Shown,
    runs_on: RunsOn,
    request: Request,
    next: Next,
) -> Response<Body> {
    let answered = match runs_on {
        RunsOn::Listener => next.run(request).await,
        RunsOn::Readings(source) => {
            let (reader, waiting, of) = (shown.caller.id.clone(), shown.clone(), state.clone());
            let work = async move {
                if waiting.is_still_good(&of) {
                    next.run(request).await
                } else {
                    refuse(&of, &ApiError::NoToken)
                }
            };
            match state.readings.answer(source, reader, work).await {
                Ok(answered) => answered,
                Err(_) => refuse(&state, &ApiError::Busy),
            }
        }
    };
    shown.only_while_good(&state, answered)
}

/// Whose credential these headers show, as it is now.
fn authenticate(state: &AdminState, headers: &HeaderMap) -> Option<Shown> {
    let secret = bearer(headers).ok()??;
    let caller = state.operators.authenticate(secret, state.coordinator.clock().now()).ok()?;
    Some(Shown { hash: ContentHash::of(secret.as_bytes()), caller })
}

pub async fn no_such_route(
    Extension(identified): Extension<Identified>,
    uri: Uri,
) -> Response<Body> {
    // Which addresses the public listener has is known to everyone.
    if is_of_clients(&uri) {
        let port = identified.state.public_address.port();
        return refuse(&identified.state, &ApiError::OfClients { port });
    }
    nothing_here(&identified, ApiError::of_no_route(&uri))
}

pub async fn no_such_method(Extension(identified): Extension<Identified>) -> Response<Body> {
    nothing_here(&identified, ApiError::NoSuchMethod)
}

/// Strangers do not learn what exists.
fn nothing_here(Identified { shown, state }: &Identified, refusal: ApiError) -> Response<Body> {
    match shown.as_ref().map(|shown| &shown.caller) {
        None => refuse(state, &ApiError::NoToken),
        Some(caller) if !Permission::Read.is_given_to(caller.role) => {
            refuse(state, &Permission::Read.denied_to(caller.role))
        }
        Some(_) => refuse(state, &refusal),
    }
}

fn asks_for_loopback(headers: &HeaderMap) -> bool {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let name = host
        .rsplit_once(':')
        .map_or(host, |(name, port)| if port.ends_with(']') { host } else { name });
    let address = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    name == "localhost" || address.is_ok_and(|address| address.is_loopback())
}
