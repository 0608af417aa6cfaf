//! Which of our pages a request asks for, and on which name.

use std::borrow::Cow;

use http::header::{CONTENT_LENGTH, HOST, TRANSFER_ENCODING};
use http::{HeaderMap, Method, Uri, Version};

use crate::hostname::{Hostname, HostnameError};

/// What is judged of a request. Its cookies and credentials are in `headers`, and nothing reads
/// them.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The method.
    pub method: &'a Method,
    /// The target, in any of its forms (RFC 9112 §3.2).
    pub uri: &'a Uri,
    /// The protocol version.
    pub version: Version,
    /// The header fields.
    pub headers: &'a HeaderMap,
    /// Whether content follows the header (HTTP/2: a DATA frame that is not empty).
    pub has_body: bool,
    /// The name of the TLS connection; `None` on a plain one.
    pub sni: Option<&'a Hostname>,
}

/// Why a request is not answered with what it asks for. Always the client's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// No `Host`, several, one unlike the target's authority, or one that is no name: 400.
    BadHost,
    /// It brings content, which nothing here takes: 413, and the connection ends.
    HasBody,
    /// The name is not this connection's, or is an address: 421.
    Misdirected,
    /// Another site's page sent it, which may change nothing here: 403.
    CrossSite,
    /// The method is not one of ours; with those that are: 405.
    Method(&'static str),
}

/// What a path names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Route<'a> {
    /// `/c/{token}`.
    Click(&'a str),
    /// `/o/{token}`, without `.gif`.
    Open(&'a str),
    /// `/.well-known/acme-challenge/{token}`, its syntax checked.
    Challenge(&'a str),
    /// `/d/{pass}`.
    Page(&'a str),
    /// `/d/{pass}/check`.
    Check(&'a str),
    /// `/robots.txt`.
    Robots,
    /// `/`.
    Home,
    /// Anything else.
    Unknown,
}

/// The first segments of links and pages.
#[derive(Clone, Debug)]
pub(super) struct Prefixes {
    pub(super) click: Vec<String>,
    pub(super) open: Vec<String>,
    pub(super) page: Vec<String>,
}

/// The name that was asked, or why the request is refused whatever its path is.
pub(super) fn host<'a>(asked: &Asked<'a>) -> Result<Cow<'a, Hostname>, Refusal> {
    let host = authority(asked)?;
    if let Some(sni) = asked.sni {
        // The common case costs no allocation.
        if is_same(host, sni) {
            return Ok(Cow::Borrowed(sni));
        }
        return Err(match Hostname::from_authority(host) {
            Ok(name) if name == *sni => return Ok(Cow::Borrowed(sni)),
            Ok(_) | Err(HostnameError::Address) => Refusal::Misdirected,
            Err(_) => Refusal::BadHost,
        });
    }
    match Hostname::from_authority(host) {
        Ok(name) => Ok(Cow::Owned(name)),
        Err(HostnameError::Address) => Err(Refusal::Misdirected),
        Err(_) => Err(Refusal::BadHost),
    }
}

/// Whether the request brings content, or says that it will.
///
/// hyper drops a `Content-Length` beside a `Transfer-Encoding`, so either of them is enough.
pub(super) fn takes_no_body(asked: &Asked<'_>) -> Result<(), Refusal> {
    let has_content = asked.has_body || announces_content(asked.headers);
    if has_content { Err(Refusal::HasBody) } else { Ok(()) }
}

/// Whether it is not another site's page that sends a request which changes something. Browsers say
/// so; one that says nothing of it is let in, since it knows an address that cannot be guessed.
///
/// Since our pages tell no referrer, browsers send `Origin: null` with their forms (Fetch §3.2), so
/// that alone is no sign of a stranger.
pub(super) fn is_of_one_site(asked: &Asked<'_>) -> Result<(), Refusal> {
    let field = |name: &str| asked.headers.get(name).map(http::HeaderValue::as_bytes);
    let is_ours = match (field("sec-fetch-site"), field("origin")) {
        (Some(site), _) => matches!(site, b"same-origin" | b"none"),
        (None, None | Some(b"null")) => true,
        (None, Some(origin)) => {
            let authority = authority(asked)?.as_bytes();
            origin.strip_prefix(b"https://").is_some_and(|own| own.eq_ignore_ascii_case(authority))
        }
    };
    if is_ours { Ok(()) } else { Err(Refusal::CrossSite) }
}

/// Whether a header says that content follows it.
pub(super) fn announces_content(headers: &HeaderMap) -> bool {
    let is_empty = |length: &http::HeaderValue| length.as_bytes().iter().all(|byte| *byte == b'0');
    headers.contains_key(TRANSFER_ENCODING) || !headers.get_all(CONTENT_LENGTH).iter().all(is_empty)
}

impl Prefixes {
    /// What `path` names for `method`; pages are named on the platform's own host alone, of which
    /// is asked only then. A trailing slash means nothing: mail programs append them.
    pub(super) fn route<'a>(
        &self,
        method: &Method,
        path: &'a str,
        is_platform: impl FnOnce() -> bool,
    ) -> Result<Route<'a>, Refusal> {
        let mut route = self.named(path);
        if matches!(route, Route::Page(_) | Route::Check(_)) && !is_platform() {
            route = Route::Unknown;
        }
        let allowed = match route {
            Route::Challenge(_) => "GET",
            Route::Check(_) => "POST",
            _ => "GET, HEAD",
        };
        let is_taken = allowed.split(", ").any(|allowed| allowed == method.as_str());
        if is_taken { Ok(route) } else { Err(Refusal::Method(allowed)) }
    }

    fn named<'a>(&self, path: &'a str) -> Route<'a> {
        let Some(rest) = path.strip_prefix('/') else { return Route::Unknown };
        let rest = rest.trim_end_matches('/');
        if let Some((prefix, token)) = rest.split_once('/') {
            if self.click.iter().any(|click| click == prefix) && is_token(token) {
                return Route::Click(token);
            }
            if self.open.iter().any(|open| open == prefix) {
                let token = token.strip_suffix(".gif").unwrap_or(token);
                if is_token(token) {
                    return Route::Open(token);
                }
            }
            if self.page.iter().any(|page| page == prefix) {
                return match token.split_once('/') {
                    None if is_token(token) => Route::Page(token),
                    Some((token, "check")) if is_token(token) => Route::Check(token),
                    _ => Route::Unknown,
                };
            }
            return match rest.strip_prefix(".well-known/acme-challenge/") {
                Some(token) if is_challenge(token) => Route::Challenge(token),
                _ => Route::Unknown,
            };
        }
        match rest {
            "" => Route::Home,
            "robots.txt" => Route::Robots,
            _ => Route::Unknown,
        }
    }
}

/// The `Host` or `:authority` of a request; exactly one is expected, and both the same.
fn authority<'a>(asked: &Asked<'a>) -> Result<&'a str, Refusal> {
    let mut hosts = asked.headers.get_all(HOST).iter();
    let (host, more) = (hosts.next(), hosts.next());
    if more.is_some() {
        return Err(Refusal::BadHost);
    }
    let host = host.map(http::HeaderValue::to_str).transpose().map_err(|_| Refusal::BadHost)?;
    let target = asked.uri.authority().map(http::uri::Authority::as_str);
    match (host, target) {
        (Some(host), None) => Ok(host),
        (Some(host), Some(target)) if are_same(host, target) => Ok(host),
        // HTTP/1.1 always has a Host (RFC 9112 §3.2); the others may leave it to the target.
        (None, Some(target)) if asked.version != Version::HTTP_11 => Ok(target),
        _ => Err(Refusal::BadHost),
    }
}

fn are_same(host: &str, target: &str) -> bool {
    host.eq_ignore_ascii_case(target)
        || Hostname::from_authority(host)
            .is_ok_and(|host| Hostname::from_authority(target) == Ok(host))
}

/// Whether an authority is `name` as it is most often written.
fn is_same(authority: &str, name: &Hostname) -> bool {
    authority.eq_ignore_ascii_case(name.as_str())
}

/// Whether this may be one of our tokens: base64url without padding.
fn is_token(text: &str) -> bool {
    !text.is_empty() && is_base64url(text)
}

/// RFC 8555 §8.3, with the lengths that CAs use: nothing else is ever looked up or echoed.
fn is_challenge(text: &str) -> bool {
    (16..=128).contains(&text.len()) && is_base64url(text)
}

/// Without an early end, so that it is done many bytes at a time: nearly every text is.
fn is_base64url(text: &str) -> bool {
    let is_digit = |byte: u8| byte.is_ascii_alphanumeric() | (byte == b'-') | (byte == b'_');
    text.bytes().fold(true, |all, byte| all & is_digit(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefixes() -> Prefixes {
        let all = |prefixes: [&str; 2]| prefixes.map(str::to_owned).to_vec();
        Prefixes { click: all(["c", "go"]), open: all(["o", "px"]), page: all(["d", "domain"]) }
    }

    #[test]
    fn every_path_names_one_page_and_appendages_change_nothing() {
        let long = format!("/.well-known/acme-challenge/{}", "a".repeat(129));
        let cases = [
            ("/c/abc-_9", Route::Click("abc-_9")),
            ("/go/abc-_9", Route::Click("abc-_9")),
            ("/px/abc.gif", Route::Open("abc")),
            ("/c/abc/", Route::Click("abc")),
            ("/c/abc//", Route::Click("abc")),
            ("/o/abc", Route::Open("abc")),
            ("/o/abc.gif", Route::Open("abc")),
            ("/o/abc.gif/", Route::Open("abc")),
            ("/c/abc.gif", Route::Unknown),
            ("/d/abc", Route::Page("abc")),
            ("/domain/abc/", Route::Page("abc")),
            ("/d/abc.gif", Route::Unknown),
            ("/d/abc/check/x", Route::Unknown),
            ("/d//check", Route::Unknown),
            ("/d", Route::Unknown),
            ("/c/", Route::Unknown),
            ("/c", Route::Unknown),
            ("/c/a/b", Route::Unknown),
            ("/c/a%2fb", Route::Unknown),
            ("/C/abc", Route::Unknown),
            ("//c/abc", Route::Unknown),
            ("/x/abc", Route::Unknown),
            ("/", Route::Home),
            ("/robots.txt", Route::Robots),
            ("*", Route::Unknown),
            ("", Route::Unknown),
            ("/.well-known/acme-challenge/abcdefghijklmno_", Route::Challenge("abcdefghijklmno_")),
            ("/.well-known/acme-challenge/abcdefghijklmno", Route::Unknown),
            ("/.well-known/acme-challenge/abcdefghijklmno+", Route::Unknown),
            ("/.well-known/acme-challenge/abcdefgh/ijklmno", Route::Unknown),
            (long.as_str(), Route::Unknown),
        ];
        for (path, route) in cases {
            let found = prefixes().route(&Method::GET, path, || true);
            assert_eq!(found, Ok(route), "{path}");
            let elsewhere = if let Route::Page(_) = route { Route::Unknown } else { route };
            let found = prefixes().route(&Method::GET, path, || false);
            assert_eq!(found, Ok(elsewhere), "{path}");
        }
        for (path, route) in
            [("/d/abc/check", Route::Check("abc")), ("/domain/abc/check/", Route::Check("abc"))]
        {
            assert_eq!(prefixes().route(&Method::POST, path, || true), Ok(route), "{path}");
        }
    }

    #[test]
    fn other_methods_are_told_which_are_allowed() {
        let challenge = "/.well-known/acme-challenge/abcdefghijklmnop";
        for (method, path, allowed) in [
            (Method::POST, "/c/abc", Some("GET, HEAD")),
            (Method::OPTIONS, "*", Some("GET, HEAD")),
            (Method::HEAD, "/c/abc", None),
            (Method::HEAD, challenge, Some("GET")),
            (Method::PUT, challenge, Some("GET")),
            (Method::POST, "/d/abc", Some("GET, HEAD")),
            (Method::HEAD, "/d/abc", None),
            (Method::GET, "/d/abc/check", Some("POST")),
            (Method::HEAD, "/d/abc/check", Some("POST")),
            (Method::POST, "/d/abc/check", None),
            (Method::GET, challenge, None),
        ] {
            let refused = prefixes().route(&method, path, || true).err();
            assert_eq!(refused, allowed.map(Refusal::Method), "{method} {path}");
        }
        let posted = prefixes().route(&Method::POST, "/d/abc/check", || false);
        assert_eq!(posted, Err(Refusal::Method("GET, HEAD")), "there is no page elsewhere");
    }

    #[test]
    fn a_form_of_another_site_is_refused() {
        let (bad, ok) = (Err(Refusal::CrossSite), Ok(()));
        for (fields, found) in [
            (&[][..], ok),
            (&[("sec-fetch-site", "same-origin"), ("origin", "null")], ok),
            (&[("sec-fetch-site", "none")], ok),
            (&[("sec-fetch-site", "cross-site"), ("origin", "https://a.example")], bad),
            (&[("sec-fetch-site", "same-site")], bad),
            (&[("sec-fetch-site", "?")], bad),
            (&[("origin", "https://A.example:8443")], ok),
            (&[("origin", "null")], ok),
            (&[("origin", "https://a.example")], bad),
            (&[("origin", "http://a.example:8443")], bad),
            (&[("origin", "https://evil.example")], bad),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(HOST, "a.example:8443".parse().unwrap());
            for (name, value) in fields {
                headers.insert(*name, value.parse().unwrap());
            }
            let asked = Asked {
                method: &Method::POST,
                uri: &Uri::from_static("/d/abc/check"),
                version: Version::HTTP_11,
                headers: &headers,
                has_body: false,
                sni: None,
            };
            assert_eq!(is_of_one_site(&asked), found, "{fields:?}");
        }
    }

    /// SNI, version, target, Host fields, and what is found.
    type HostCase<'a> =
        (Option<&'a Hostname>, Version, &'a str, &'a [&'a str], Result<&'a str, Refusal>);

    #[test]
    fn the_host_is_one_name_and_the_connections() {
        let sni = Hostname::parse("a.example").unwrap();
        let (sni, ok) = (Some(&sni), Ok("a.example"));
        let (old, v1, v2) = (Version::HTTP_10, Version::HTTP_11, Version::HTTP_2);
        let (bad, misdirected) = (Err(Refusal::BadHost), Err(Refusal::Misdirected));
        let cases: &[HostCase<'_>] = &[
            (None, v1, "/", &["A.example.:80"], ok),
            (None, v1, "/", &[], bad),
            (None, old, "/", &[], bad),
            (None, v1, "/", &["a.example", "a.example"], bad),
            (None, v1, "/", &["a b"], bad),
            (None, v1, "/", &["10.0.0.1"], misdirected),
            (None, v1, "/", &["[::1]:80"], misdirected),
            (None, v1, "http://a.example/", &["a.example"], ok),
            (None, v1, "http://a.example:80/", &["a.example"], ok),
            (None, v1, "http://a.example/", &["b.example"], bad),
            (None, v1, "http://a.example/", &[], bad),
            (None, old, "http://a.example/", &[], ok),
            (sni, v1, "/", &["a.example"], ok),
            (sni, v1, "/", &["A.Example:443"], ok),
            (sni, v1, "/", &["a.example."], ok),
            (sni, v1, "/", &["b.example"], misdirected),
            (sni, v1, "/", &["127.0.0.1"], misdirected),
            (sni, v1, "/", &["a..example"], bad),
            (sni, v2, "https://a.example/", &[], ok),
            (sni, v2, "https://b.example/", &[], misdirected),
            (sni, v2, "https://a.example/", &["b.example"], bad),
            (sni, v2, "https://a.example/", &["A.EXAMPLE"], ok),
        ];
        for (sni, version, target, hosts, expected) in cases {
            let mut headers = HeaderMap::new();
            for host in *hosts {
                headers.append(HOST, host.parse().unwrap());
            }
            let uri: Uri = target.parse().unwrap();
            let (method, version) = (&Method::GET, *version);
            let asked =
                Asked { method, uri: &uri, version, headers: &headers, has_body: false, sni: *sni };
            let found = host(&asked);
            let found = found.as_ref().map(|name| name.as_str()).map_err(|refusal| *refusal);
            assert_eq!(found, *expected, "{version:?} {target} {hosts:?}");
        }
    }

    #[test]
    fn content_is_refused_however_it_is_announced() {
        let uri = Uri::from_static("/");
        for (name, value, has_body, is_refused) in [
            ("x", "y", false, false),
            ("content-length", "0", false, false),
            ("content-length", "1", false, true),
            ("content-length", "0, 1", false, true),
            ("transfer-encoding", "chunked", false, true),
            ("transfer-encoding", "identity", false, true),
            ("x", "y", true, true),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(name, value.parse().unwrap());
            let (method, version) = (&Method::GET, Version::HTTP_11);
            let headers = &headers;
            let asked = Asked { method, uri: &uri, version, headers, has_body, sni: None };
            assert_eq!(takes_no_body(&asked).is_err(), is_refused, "{name}: {value}");
        }
    }
}
