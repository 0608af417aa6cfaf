//! The pieces of work that servers are compared by, and the bars set for waypost.

use std::fmt;

use rustls::NamedGroup;

/// One piece of work: a closed loop over [`CONNECTIONS`] connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Work {
    /// Connect, full handshake, one request, close.
    Cold,
    /// The same with the key exchange that browsers offer first.
    ColdHybrid,
    /// Requests one after the other on connections that stay.
    WarmHttp1,
    /// The same, with [`STREAMS`] requests in progress on each connection.
    WarmHttp2,
    /// One connection, one request at a time: what a lone click waits.
    Lone,
}

/// The protocol that ALPN agrees on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Protocol {
    /// HTTP/1.1.
    Http1,
    /// HTTP/2.
    Http2,
}

/// What waypost must reach and what it wants to reach, as a multiple of bare's CPU time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bar {
    /// At most this.
    pub(crate) must: f64,
    /// At most this, if all goes well.
    pub(crate) goal: f64,
}

impl Work {
    pub(crate) const ALL: [Self; 5] =
        [Self::Cold, Self::ColdHybrid, Self::WarmHttp1, Self::WarmHttp2, Self::Lone];

    pub(crate) fn protocol(self) -> Protocol {
        if self == Self::WarmHttp2 { Protocol::Http2 } else { Protocol::Http1 }
    }

    pub(crate) fn group(self) -> NamedGroup {
        if self == Self::ColdHybrid { NamedGroup::X25519MLKEM768 } else { NamedGroup::X25519 }
    }

    pub(crate) fn connections(self) -> usize {
        if self == Self::Lone { 1 } else { CONNECTIONS }
    }

    pub(crate) fn bar(self) -> Option<Bar> {
        match self {
            Self::Cold | Self::ColdHybrid => Some(Bar { must: 1.20, goal: 1.07 }),
            Self::WarmHttp1 => Some(Bar { must: 1.45, goal: 1.20 }),
            Self::WarmHttp2 => Some(Bar { must: 1.70, goal: 1.35 }),
            Self::Lone => None,
        }
    }
}

impl Protocol {
    pub(crate) fn alpn(self) -> &'static [u8] {
        match self {
            Self::Http1 => b"http/1.1",
            Self::Http2 => b"h2",
        }
    }

    /// The bar for the memory of one idle connection, in kB.
    pub(crate) fn idle_bar(self) -> Bar {
        match self {
            Self::Http1 => Bar { must: 12.0, goal: 8.0 },
            Self::Http2 => Bar { must: 28.0, goal: 8.0 },
        }
    }
}

impl fmt::Display for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Cold => "cold",
            Self::ColdHybrid => "cold-mlkem",
            Self::WarmHttp1 => "warm-h1",
            Self::WarmHttp2 => "warm-h2",
            Self::Lone => "lone",
        })
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Http1 => "h1",
            Self::Http2 => "h2",
        })
    }
}

/// Connections of every piece of work but [`Work::Lone`].
pub(crate) const CONNECTIONS: usize = 128;
/// Requests in progress on one HTTP/2 connection.
pub(crate) const STREAMS: usize = 8;
