//! Why nothing was fetched.

use std::io;
use std::net::IpAddr;

use thiserror::Error;

use crate::hostname::Hostname;

/// Why nothing was fetched.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum FetchError {
    /// None of the addresses may be dialled: the fault of whoever named them.
    #[error("{0} is no address that may be asked")]
    Forbidden(IpAddr),
    /// The URL is none that may be asked: not absolute, another scheme, credentials in it.
    #[error("the URL {0} may not be asked")]
    Url(String),
    /// The name could not be resolved. Worth a retry.
    #[error("{name} could not be resolved: {reason}")]
    Name {
        /// The name.
        name: Hostname,
        /// What went wrong, in words.
        reason: String,
    },
    /// The name has no address, or does not exist. A moment later it may.
    #[error("{0} has no address")]
    Unaddressed(Hostname),
    /// No connection was made. Worth a retry.
    #[error("no connection: {0}")]
    Connect(String),
    /// The server's certificate is not trusted: the server's fault, or the roots are not its own.
    #[error("the server's certificate is not trusted: {0}")]
    Untrusted(String),
    /// A step, or all of them together, took too long. Worth a retry.
    #[error("no answer in time ({0})")]
    TimedOut(&'static str),
    /// The connection broke, or what came was no HTTP. Worth a retry.
    #[error("the answer broke off: {0}")]
    Broken(String),
    /// The content is larger than it may be: the server's fault.
    #[error("the answer is larger than {0} bytes")]
    TooLarge(usize),
    /// The content is packed as nobody asked for: the server's fault.
    #[error("the answer is encoded as {0}, which was not asked for")]
    Encoded(String),
    /// The content cannot be unpacked: the server's fault.
    #[error("the answer's gzip cannot be unpacked")]
    Packed,
    /// Redirected more often than is followed, or to what may not be asked: the server's fault.
    #[error("redirected too often, or nowhere")]
    Redirected,
}

impl FetchError {
    /// Whether the same request may go well the next time.
    pub fn is_worth_a_retry(&self) -> bool {
        matches!(
            self,
            Self::Name { .. }
                | Self::Unaddressed(_)
                | Self::Connect(_)
                | Self::TimedOut(_)
                | Self::Broken(_)
        )
    }

    /// A short stable word, for metrics.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Forbidden(_) => "forbidden",
            Self::Url(_) => "url",
            Self::Name { .. } => "name",
            Self::Unaddressed(_) => "unaddressed",
            Self::Connect(_) => "connect",
            Self::Untrusted(_) => "untrusted",
            Self::TimedOut(_) => "timed_out",
            Self::Broken(_) => "broken",
            Self::TooLarge(_) => "too_large",
            Self::Encoded(_) => "encoded",
            Self::Packed => "packed",
            Self::Redirected => "redirected",
        }
    }

    /// What the chain of causes behind an error of the HTTP library comes to.
    pub(super) fn of(error: &(dyn std::error::Error + 'static), is_connect: bool) -> Self {
        let mut next = Some(error);
        let mut last = error.to_string();
        while let Some(cause) = next {
            if let Some(own) = cause.downcast_ref::<Self>() {
                return own.clone();
            }
            if let Some(tls) = cause.downcast_ref::<rustls::Error>() {
                return match tls {
                    rustls::Error::InvalidCertificate(_) => Self::Untrusted(tls.to_string()),
                    _ => Self::Connect(tls.to_string()),
                };
            }
            // An io::Error hides its content from `source`.
            if let Some(inner) = cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
                let found = Self::of(inner, is_connect);
                if !matches!(found, Self::Connect(_) | Self::Broken(_)) {
                    return found;
                }
            }
            last = cause.to_string();
            next = cause.source();
        }
        if is_connect { Self::Connect(last) } else { Self::Broken(last) }
    }
}
