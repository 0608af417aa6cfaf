//! Who may ask what of the operator's door: pure rules.
//!
//! A page in somebody's browser can send requests to loopback, under a name that resolves there.
//! So the `Host` must be one of ours, an `Origin` too, and a change needs a secret or the socket.

use std::net::SocketAddr;

use aws_lc_rs::constant_time::verify_slices_are_equal;

/// What the rules look at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked<'a> {
    pub(super) host: Option<&'a str>,
    pub(super) origin: Option<&'a str>,
    pub(super) authorization: Option<&'a [u8]>,
    pub(super) path: &'a str,
    /// Whether the method may change something: any but GET and HEAD.
    pub(super) is_change: bool,
    /// Whether it came over the Unix socket, which only the node's own user can open.
    pub(super) is_socket: bool,
}

/// The rules of one door.
#[derive(Clone, Debug)]
pub(super) struct Rules {
    address: SocketAddr,
    hosts: Vec<String>,
    token: Option<Vec<u8>>,
}

/// Why a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Denied {
    /// 403: the request is for another name.
    Host,
    /// 403: a page of another site sent it.
    Origin,
    /// 401: it needs the bearer token.
    Token,
}

impl Rules {
    pub(super) fn new(address: SocketAddr, hosts: Vec<String>, token: Option<Vec<u8>>) -> Self {
        Self { address, hosts, token }
    }

    pub(super) fn judge(&self, asked: &Asked<'_>) -> Result<(), Denied> {
        if asked.is_socket {
            return Ok(());
        }
        if !asked.host.is_some_and(|host| self.is_ours(host)) {
            return Err(Denied::Host);
        }
        if asked.origin.is_some_and(|origin| !self.is_our_origin(origin)) {
            return Err(Denied::Origin);
        }
        let is_open = self.address.ip().is_loopback() || matches!(asked.path, "/livez" | "/readyz");
        if (is_open && !asked.is_change) || self.has_token(asked) {
            return Ok(());
        }
        Err(Denied::Token)
    }

    /// Our address, `localhost` or a configured name, with our port or none.
    fn is_ours(&self, host: &str) -> bool {
        let port = format!(":{}", self.address.port());
        let name = host.strip_suffix(&port).unwrap_or(host);
        let ip = self.address.ip();
        let own = if ip.is_ipv6() { format!("[{ip}]") } else { ip.to_string() };
        let loopback = ip.is_loopback() && matches!(name, "127.0.0.1" | "[::1]");
        name.eq_ignore_ascii_case("localhost")
            || loopback
            || name == own
            || self.hosts.iter().any(|host| host.eq_ignore_ascii_case(name))
    }

    fn is_our_origin(&self, origin: &str) -> bool {
        let host = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
        let port = format!(":{}", self.address.port());
        // Another port of this machine is another site.
        host.is_some_and(|host| host.ends_with(&port) && self.is_ours(host))
    }

    fn has_token(&self, asked: &Asked<'_>) -> bool {
        let (Some(token), Some(given)) = (&self.token, asked.authorization) else { return false };
        let given = given.strip_prefix(b"Bearer ").or_else(|| given.strip_prefix(b"bearer "));
        given.is_some_and(|given| verify_slices_are_equal(given, token).is_ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &[u8] = b"Bearer 0123456789abcdef";

    fn judge(address: &str, change: &dyn Fn(&mut Asked<'_>)) -> Result<(), Denied> {
        let token = Some(b"0123456789abcdef".to_vec());
        let rules = Rules::new(address.parse().unwrap(), vec!["ops.example".to_owned()], token);
        let mut asked = Asked {
            host: Some("localhost:9180"),
            origin: None,
            authorization: None,
            path: "/metrics",
            is_change: false,
            is_socket: false,
        };
        change(&mut asked);
        rules.judge(&asked)
    }

    #[test]
    fn only_our_names_are_answered() {
        for (host, expected) in [
            (Some("127.0.0.1:9180"), Ok(())),
            (Some("127.0.0.1"), Ok(())),
            (Some("LOCALHOST:9180"), Ok(())),
            (Some("[::1]:9180"), Ok(())),
            (Some("ops.example:9180"), Ok(())),
            (Some("localhost:80"), Err(Denied::Host)),
            (Some("evil.example:9180"), Err(Denied::Host)),
            (Some("127.0.0.1.evil.example"), Err(Denied::Host)),
            (None, Err(Denied::Host)),
        ] {
            let found = judge("127.0.0.1:9180", &|asked| asked.host = host);
            assert_eq!(found, expected, "{host:?}");
        }
    }

    #[test]
    fn a_page_of_another_site_is_refused() {
        for (origin, expected) in [
            ("http://localhost:9180", Ok(())),
            ("http://127.0.0.1:9180", Ok(())),
            ("http://localhost:8080", Err(Denied::Origin)),
            ("http://localhost", Err(Denied::Origin)),
            ("https://evil.example", Err(Denied::Origin)),
            ("null", Err(Denied::Origin)),
        ] {
            let found = judge("127.0.0.1:9180", &|asked| asked.origin = Some(origin));
            assert_eq!(found, expected, "{origin}");
        }
    }

    #[test]
    fn a_change_needs_the_token_or_the_socket() {
        let change = |authorization: Option<&'static [u8]>, is_socket| {
            judge("127.0.0.1:9180", &move |asked| {
                asked.is_change = true;
                asked.authorization = authorization;
                asked.is_socket = is_socket;
            })
        };
        assert_eq!(change(None, false), Err(Denied::Token));
        assert_eq!(change(Some(b"Bearer 0123456789abcdeg"), false), Err(Denied::Token));
        assert_eq!(change(Some(b"0123456789abcdef"), false), Err(Denied::Token));
        assert_eq!(change(Some(TOKEN), false), Ok(()));
        assert_eq!(change(None, true), Ok(()));
    }

    #[test]
    fn beyond_loopback_everything_but_health_needs_the_token() {
        let ask = |path: &'static str, authorization: Option<&'static [u8]>| {
            judge("192.0.2.1:9180", &move |asked| {
                asked.host = Some("192.0.2.1:9180");
                asked.path = path;
                asked.authorization = authorization;
            })
        };
        assert_eq!(ask("/livez", None), Ok(()));
        assert_eq!(ask("/readyz", None), Ok(()));
        assert_eq!(ask("/metrics", None), Err(Denied::Token));
        assert_eq!(ask("/metrics", Some(TOKEN)), Ok(()));
    }
}
