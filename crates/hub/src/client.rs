//! Requests: one agent with time limits, proxies by the usual variables, a token for the hub alone.

use std::time::Duration;

use ureq::http::uri::Uri;
use ureq::http::{HeaderMap, Response, StatusCode};
use ureq::{Agent, Body};

use crate::Error;
use crate::error::escaped;

/// How long a connection may take, and how long a server may be silent.
const PATIENCE: Duration = Duration::from_secs(60);

/// Redirects followed from one address.
const REDIRECTS: usize = 10;

/// Speaks HTTP and HTTPS.
pub struct Client {
    agent: Agent,
}

/// Why there is no response.
#[derive(Debug)]
pub enum Failure {
    /// The connection, which may work the next time; the reason.
    Transport(String),
    /// Something that will not change.
    Final(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure::Final(error)
    }
}

impl Client {
    /// A client with the proxies of `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY`.
    pub fn new() -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_connect(Some(PATIENCE))
            .timeout_recv_response(Some(PATIENCE))
            .timeout_per_read(Some(PATIENCE))
            .user_agent(concat!("abbe/", env!("CARGO_PKG_VERSION")));
        Client { agent: config.build().into() }
    }

    /// The response to GET, whatever its status, after all redirects.
    pub fn get(&self, url: &str, token: Option<&str>, headers: &[(&str, String)]) -> Result<Response<Body>, Failure> {
        self.follow(url, token, |_| true, |url, token| self.once("GET", url, token, headers))
    }

    /// Status and header of the response to HEAD, after the redirects within the server alone: the hub describes a file in
    /// the header of the answer that sends one elsewhere for its bytes.
    pub fn describe(&self, url: &str, token: Option<&str>) -> Result<(StatusCode, HeaderMap), Failure> {
        let plain = [("Accept-Encoding", "identity".to_owned())];
        let within = |next: &str| server(next) == server(url);
        let response = self.follow(url, token, within, |url, token| self.once("HEAD", url, token, &plain))?;
        Ok((response.status(), response.headers().clone()))
    }

    /// Asks, and asks again where a redirect leads if it `may`. The token goes to the server of `url` and no other.
    fn follow(
        &self,
        url: &str,
        token: Option<&str>,
        may: impl Fn(&str) -> bool,
        ask: impl Fn(&str, Option<&str>) -> Result<Response<Body>, Failure>,
    ) -> Result<Response<Body>, Failure> {
        let mut at = url.to_owned();
        for _ in 0..=REDIRECTS {
            let response = ask(&at, token.filter(|_| server(&at) == server(url)))?;
            let next = Some(response.headers()).filter(|_| response.status().is_redirection());
            match next.and_then(|header| target(&at, header)).filter(|next| may(next)) {
                Some(next) if at.starts_with("https://") && !next.starts_with("https://") => {
                    let reason = format!("leads to {}, which nothing protects", next.escape_debug());
                    return Err(Failure::Final(Error::Redirect { url: url.into(), reason }));
                }
                Some(next) => at = next,
                None => return Ok(response),
            }
        }
        let reason = format!("leads through more than {REDIRECTS} redirects");
        Err(Failure::Final(Error::Redirect { url: url.into(), reason }))
    }

    fn once(
        &self,
        method: &str,
        url: &str,
        token: Option<&str>,
        headers: &[(&str, String)],
    ) -> Result<Response<Body>, Failure> {
        let mut request = if method == "HEAD" { self.agent.head(url) } else { self.agent.get(url) };
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        if let Some(token) = token {
            request = request.header("Authorization", format!("Bearer {token}"));
        }
        if is_this_machine(url) {
            request = request.config().proxy(None).build(); // a proxy could not reach it
        }
        request.call().map_err(|error| Failure::Transport(escaped(error)))
    }
}

/// Scheme, host and port.
fn server(url: &str) -> Option<(String, String)> {
    let uri: Uri = url.parse().ok()?;
    Some((uri.scheme_str()?.to_owned(), uri.authority()?.as_str().to_lowercase()))
}

fn is_this_machine(url: &str) -> bool {
    let uri = url.parse::<Uri>().ok();
    let host = uri.as_ref().and_then(Uri::host);
    host.is_some_and(|host| ["localhost", "127.0.0.1", "[::1]"].contains(&host))
}

/// Where a redirect from `url` leads (RFC 9110, section 10.2.2; of relative references, those to a path of the server).
fn target(url: &str, header: &HeaderMap) -> Option<String> {
    let location = header.get("location")?.to_str().ok()?;
    match server(url)? {
        _ if server(location).is_some() => Some(location.to_owned()),
        (scheme, _) if location.starts_with("//") => Some(format!("{scheme}:{location}")),
        (scheme, authority) if location.starts_with('/') => Some(format!("{scheme}://{authority}{location}")),
        _ => None,
    }
}

/// The error that an answer without the file is; `by_hand` says how to go without: `or ...`.
pub fn refusal(url: &str, status: StatusCode, of_hub: bool, by_hand: &str) -> Error {
    let advice = match status.as_u16() {
        401 | 403 if of_hub => {
            "open the data set's page on the hub, accept its terms if it asks for that, and set HF_TOKEN \
            to a token of yours (`hf auth login` keeps one too)"
                .into()
        }
        401 | 403 => format!("access is not allowed from here; check the proxy, {by_hand}"),
        404 | 410 => "the file is not there (any more); correct the address in a catalogue of your own".into(),
        429 | 500.. => format!("the server is busy or broken; try again later, {by_hand}"),
        _ => format!("an answer that is not the file; check the proxy, {by_hand}"),
    };
    Error::Status { url: url.into(), status: status.as_u16(), advice }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_are_read_and_servers_told_apart() {
        let to = |location: &str| {
            let header = HeaderMap::from_iter([("location".parse().unwrap(), location.parse().unwrap())]);
            target("https://hub.example:8/datasets/a?b", &header)
        };
        assert_eq!(to("/datasets/b").as_deref(), Some("https://hub.example:8/datasets/b"));
        assert_eq!(to("//cdn.example/b").as_deref(), Some("https://cdn.example/b"));
        assert_eq!(to("http://cdn.example/b").as_deref(), Some("http://cdn.example/b"));
        assert_eq!((to("b"), target("https://hub.example", &HeaderMap::new())), (None, None));
        assert_eq!(server("https://Hub.example/a"), server("https://hub.example/b"));
        for other in ["https://hub.example:8", "http://hub.example", "https://cdn.example"] {
            assert_ne!(server("https://hub.example/a"), server(other));
        }
    }

    #[test]
    fn a_refusal_says_what_to_do() {
        let said = |status: u16, of_hub| {
            refusal("https://a/b", StatusCode::from_u16(status).unwrap(), of_hub, "or by hand").to_string()
        };
        assert!(
            said(401, true).starts_with("https://a/b: the server answered 401: ")
                && said(403, true).contains("HF_TOKEN")
        );
        assert!(!said(403, false).contains("HF_TOKEN") && said(403, false).ends_with("or by hand"));
        assert!(said(404, true).contains("catalogue") && said(503, false).contains("later"));
    }
}
