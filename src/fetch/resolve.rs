//! The seam through which names become addresses.

use std::fmt;
use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;

use crate::hostname::Hostname;

/// A name that is being resolved. The error says in words what went wrong.
pub type Resolving<'a> = Pin<Box<dyn Future<Output = Result<Vec<IpAddr>, String>> + Send + 'a>>;

/// Finds the addresses of names. Ends in bounded time.
pub trait Resolve: fmt::Debug + Send + Sync + 'static {
    /// The addresses of a name, those to be dialled first first.
    fn resolve(&self, name: &Hostname) -> Resolving<'_>;
}
