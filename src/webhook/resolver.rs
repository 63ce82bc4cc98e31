//! What a name may lead to. It is asked at every connection, and what it answers is what is
//! connected to: a name that was public a moment ago and leads inside now gets nobody in.

use std::net::{IpAddr, SocketAddr};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// The system's own names.
#[derive(Clone, Copy, Debug)]
pub struct System;

/// Refuses a whole answer if any address in it is not public.
#[derive(Clone, Copy, Debug)]
pub struct PublicOnly<N>(pub N);

/// A name led somewhere it must not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("its name leads to {0}, which is not a public address")]
pub struct NotPublic(pub IpAddr);

impl Resolve for System {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            // The port is the address's own.
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
