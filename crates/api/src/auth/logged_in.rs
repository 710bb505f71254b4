//! Whoever is logged in: by a browser's cookie or a program's access token. Both name a log-in, which is looked up with each request.
//!
//! A cookie is sent by the browser whatever page asks, so that what changes something has to come from a page of ours: it is of the same
//! origin as far as the browser says, and it carries the token that only such a page can read.

use super::unauthenticated;
use crate::problem::Problem;
use crate::server::{App, now};
use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode, header};
use squareoff_access::{Access, LogIn, Visit, is_beside_cookie};
use std::net::{IpAddr, SocketAddr};

pub const COOKIE: &str = "__Host-squareoff";
/// Carries the token that goes beside the cookie.
const CSRF_HEADER: &str = "x-csrf-token";

/// A log-in of ours: whatever asks with a development token has none.
pub struct Own(pub LogIn);

impl FromRequestParts<App> for Own {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let found = of(app, parts, Asks::Still)?;
        found.map(Own).ok_or_else(|| {
            Problem::new(
                StatusCode::CONFLICT,
                "sample-log-in",
                "A sample log-in has nothing to look after",
                "a sample log-in has no password, no codes and no session: log in",
            )
        })
    }
}

/// Somebody at the door: where they come from, and when.
pub struct At(pub Visit);

impl FromRequestParts<App> for At {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        Ok(At(Visit {
            address: address(parts),
            epoch: app.directory.platform().epoch,
            now: now(),
        }))
    }
}

/// Whether somebody does something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asks {
    /// A request of its own: the log-in is not idle.
    Now,
    /// What was asked before goes on, or is looked at again.
    Still,
}

/// The log-in that the request is made in; `None` when it carries neither cookie nor access token of ours.
///
/// # Errors
/// `unauthenticated` for one that has ended, `csrf-token-wrong`, `cross-origin`.
pub fn of(app: &App, parts: &Parts, asks: Asks) -> Result<Option<LogIn>, Problem> {
    let Some(access) = &app.access else {
        return Ok(None);
    };
    let found = match (super::bearer(parts), cookie(&parts.headers)) {
        (Some(token), _) => access.of_access_token(token, now())?,
        (None, Some(cookie)) => Some(of_cookie(access, cookie, parts)?),
        (None, None) => None,
    };
    if let Some(log_in) = found.as_ref().filter(|_| asks == Asks::Now) {
        access.note_seen(log_in, now());
    }
    Ok(found)
}

fn of_cookie(access: &Access, cookie: &str, parts: &Parts) -> Result<LogIn, Problem> {
    let found = access.of_cookie(cookie, now())?;
    let log_in = found.ok_or_else(|| unauthenticated("the session has ended: log in again"))?;
    if !is_safe(&parts.method) {
        check_origin(&parts.headers)?;
        let token = parts.headers.get(CSRF_HEADER);
        let token = token.and_then(|token| token.to_str().ok());
        if !token.is_some_and(|token| is_beside_cookie(cookie, token)) {
            return Err(Problem::new(
                StatusCode::FORBIDDEN,
                "csrf-token-wrong",
                "The request does not come from a page of ours",
                "send the `csrf_token` of the log-in as `X-CSRF-Token`; `GET /v1/auth/me` tells it again",
            ));
        }
    }
    Ok(log_in)
}

const fn is_safe(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

/// What a browser says of the page that asks, as far as it says anything; a program says nothing.
///
/// # Errors
/// `cross-origin`.
pub fn check_origin(headers: &HeaderMap) -> Result<(), Problem> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let same = match (text("sec-fetch-site"), text("origin")) {
        (Some(site), _) => site == "same-origin",
        (None, Some(origin)) => {
            let (_, host) = origin.split_once("://").unwrap_or_default();
            text("host").is_some_and(|own| own.eq_ignore_ascii_case(host))
        }
        (None, None) => true,
    };
    if same {
        return Ok(());
    }
    Err(Problem::new(
        StatusCode::FORBIDDEN,
        "cross-origin",
        "The request comes from a page of another site",
        "a browser asks from a page of the same origin alone",
    ))
}

/// The session's token, where the request has exactly one.
pub fn cookie(headers: &HeaderMap) -> Option<&str> {
    let pairs = headers.get_all(header::COOKIE).iter();
    let pairs = pairs.filter_map(|value| value.to_str().ok());
    let mut ours = pairs
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .filter(|(name, _)| *name == COOKIE)
        .map(|(_, value)| value);
    ours.next().filter(|_| ours.next().is_none())
}

/// The network that the request comes from. A proxy speaks to us from this machine alone, and writes last whom it speaks for: a caller can
/// write only what stands before that.
pub fn network(headers: &HeaderMap, peer: IpAddr) -> IpAddr {
    let forwarded = headers.get_all("x-forwarded-for").iter().next_back();
    let forwarded = forwarded
        .filter(|_| peer.is_loopback())
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.rsplit(',').next())
        .and_then(|last| last.trim().parse::<IpAddr>().ok());
    match forwarded.unwrap_or(peer).to_canonical() {
        // Whoever has one address of version 6 has a whole /64 of them. This machine has one.
        IpAddr::V6(address) if !address.is_loopback() => {
            IpAddr::V6((u128::from(address) & (u128::MAX << 64)).into())
        }
        address => address,
    }
}

/// As it is written down.
fn address(parts: &Parts) -> String {
    let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
    let peer = peer.map_or(IpAddr::from([127, 0, 0, 1]), |ConnectInfo(peer)| peer.ip());
    match network(&parts.headers, peer) {
        address @ IpAddr::V6(_) if !address.is_loopback() => format!("{address}/64"),
        address => address.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::Request;

    fn parts(headers: &[(&'static str, &str)], peer: &str) -> Parts {
        let mut request = Request::new(());
        for (name, value) in headers {
            request.headers_mut().append(*name, value.parse().unwrap());
        }
        let peer = ConnectInfo::<SocketAddr>(peer.parse().unwrap());
        request.extensions_mut().insert(peer);
        request.into_parts().0
    }

    #[test]
    fn a_page_of_another_site_is_told_by_what_the_browser_says() {
        for (headers, good) in [
            (vec![], true),
            (vec![("sec-fetch-site", "same-origin")], true),
            (vec![("sec-fetch-site", "same-site")], false),
            (vec![("sec-fetch-site", "cross-site")], false),
            (vec![("sec-fetch-site", "none")], false),
            (
                vec![("origin", "https://desk.example"), ("host", "desk.example")],
                true,
            ),
            (
                vec![("origin", "https://evil.example"), ("host", "desk.example")],
                false,
            ),
            (vec![("origin", "null"), ("host", "desk.example")], false),
            (vec![("origin", "https://desk.example")], false),
        ] {
            let parts = parts(&headers, "127.0.0.1:1");
            assert_eq!(check_origin(&parts.headers).is_ok(), good, "{headers:?}");
        }
    }

    #[test]
    fn a_cookie_that_comes_twice_is_none() {
        for (headers, expected) in [
            (vec![("cookie", "a=1; __Host-squareoff=T; b=2")], Some("T")),
            (
                vec![("cookie", "a=1"), ("cookie", "__Host-squareoff=T")],
                Some("T"),
            ),
            (
                vec![("cookie", "__Host-squareoff=T; __Host-squareoff=U")],
                None,
            ),
            (vec![("cookie", "squareoff=T")], None),
            (vec![], None),
        ] {
            let parts = parts(&headers, "127.0.0.1:1");
            assert_eq!(cookie(&parts.headers), expected, "{headers:?}");
        }
    }

    #[test]
    fn an_address_is_what_the_proxy_of_this_machine_wrote_last() {
        for (peer, forwarded, expected) in [
            ("127.0.0.1:5", None, "127.0.0.1"),
            ("127.0.0.1:5", Some("192.0.2.7"), "192.0.2.7"),
            ("127.0.0.1:5", Some("10.9.9.9, 192.0.2.7"), "192.0.2.7"),
            ("127.0.0.1:5", Some("192.0.2.7, nonsense"), "127.0.0.1"),
            ("192.0.2.8:5", Some("192.0.2.7"), "192.0.2.8"),
            ("[::ffff:192.0.2.8]:5", None, "192.0.2.8"),
            ("[2001:db8:1:2:3:4:5:6]:5", None, "2001:db8:1:2::/64"),
        ] {
            let headers = Vec::from_iter(forwarded.map(|text| ("x-forwarded-for", text)));
            assert_eq!(
                address(&parts(&headers, peer)),
                expected,
                "{peer} {forwarded:?}"
            );
        }
    }
}
