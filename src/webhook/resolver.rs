//! What a host name may resolve to. It is resolved at every connection, and the result is what is
//! connected to: a name that was public a moment ago and leads inside now does not get in.

use std::net::{IpAddr, SocketAddr};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// The system's own resolver.
#[derive(Clone, Copy, Debug)]
pub struct System;

/// Refuses a whole answer if any address in it is not public.
#[derive(Clone, Copy, Debug)]
pub struct PublicOnly<N>(pub N);

/// A name resolved to an address that is not allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("its name leads to {0}, which is not a public address")]
pub struct NotPublic(pub IpAddr);

impl Resolve for System {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            // Port 0 means the port of the URL.
            let found: Vec<SocketAddr> =
                tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

impl<N: Resolve> Resolve for PublicOnly<N> {
    fn resolve(&self, name: Name) -> Resolving {
        let resolving = self.0.resolve(name);
        Box::pin(async move {
            let found: Vec<SocketAddr> = resolving.await?.collect();
            match found.iter().map(SocketAddr::ip).find(|address| !super::is_public(*address)) {
                Some(inside) => Err(NotPublic(inside).into()),
                None => Ok(Box::new(found.into_iter()) as Addrs),
            }
        })
    }
}
