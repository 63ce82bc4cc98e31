//! What a listener serves: its routes, as the connections see them.

use std::net::IpAddr;
use std::pin::Pin;

use axum::Router;
use axum::body::Body as AnyBody;
use hyper::{Request, Response, StatusCode, Uri};
use tower_service::Service;

use crate::http::requests::RequestCounts;

/// What answers the requests of a listener.
pub trait Routes: Send + Sync {
    /// Where the requests of this listener are counted.
    fn counts(&self) -> &RequestCounts;

    /// The path that a request is for.
    fn path<'u>(&self, uri: &'u Uri) -> &'u str {
        uri.path()
    }

    /// Answers a request; `peer` is the other end of the connection.
    fn answer(&self, request: Request<AnyBody>, peer: IpAddr) -> ResponseFuture;

    /// The response to a request that does not say which host it is for, or says so more than once.
    fn refuse_host(&self, _uri: &Uri) -> Response<AnyBody> {
        let mut response = Response::new(AnyBody::empty());
        *response.status_mut() = StatusCode::BAD_REQUEST;
        response
    }
}

/// A response in the making.
pub type ResponseFuture = Pin<Box<dyn Future<Output = Response<AnyBody>> + Send>>;

/// The response of a router.
pub fn by_router(router: &Router, request: Request<AnyBody>) -> ResponseFuture {
    let answer = router.clone().call(request);
    Box::pin(async move {
        let Ok(response) = answer.await;
        response
    })
}
