//! Requests: one agent with time limits, proxies by the usual variables, a token for the hub alone.

use std::path::Path;
use std::time::Duration;

use ureq::config::RedirectAuthHeaders;
use ureq::http::{HeaderMap, Response, StatusCode, Uri};
use ureq::typestate::WithoutBody;
use ureq::{Agent, Body, RequestBuilder};

use crate::Error;

/// How long a connection may take, and how long a server may be silent.
const PATIENCE: Duration = Duration::from_secs(60);

/// Redirects followed within one host when a file of the hub is asked about.
const REDIRECTS: usize = 5;

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
            .redirect_auth_headers(RedirectAuthHeaders::SameHost)
            .timeout_connect(Some(PATIENCE))
            .timeout_recv_response(Some(PATIENCE))
            .timeout_per_read(Some(PATIENCE))
            .user_agent(concat!("abbe/", env!("CARGO_PKG_VERSION")));
        Client { agent: config.build().into() }
    }

    /// The response to GET, after redirects, whatever its status. A token goes to the address's own host alone.
    pub fn get(&self, url: &str, token: Option<&str>, headers: &[(&str, String)]) -> Result<Response<Body>, Failure> {
        let request = headers.iter().fold(self.agent.get(url), |request, (name, value)| request.header(*name, value));
        call(request, url, token, true)
    }

    /// The header of `url` and of the redirects within its host: the first answer that is no such redirect.
    ///
    /// The hub describes a file in the header of the answer that sends one elsewhere for its bytes.
    pub fn describe(&self, url: &str, token: Option<&str>) -> Result<(StatusCode, HeaderMap), Failure> {
        let mut url = url.to_owned();
        for _ in 0..REDIRECTS {
            let response = call(self.agent.head(&url).header("Accept-Encoding", "identity"), &url, token, false)?;
            match within_host(&url, response.headers()).filter(|_| response.status().is_redirection()) {
                Some(next) => url = next,
                None => return Ok((response.status(), response.headers().clone())),
            }
        }
        Err(Failure::Final(Error::Protocol { url, found: format!("more than {REDIRECTS} redirects") }))
    }
}

fn call(
    request: RequestBuilder<WithoutBody>,
    url: &str,
    token: Option<&str>,
    follow: bool,
) -> Result<Response<Body>, Failure> {
    let request = match token {
        Some(token) => request.header("Authorization", format!("Bearer {token}")),
        None => request,
    };
    let mut config = request.config();
    if !follow {
        config = config.max_redirects(0).max_redirects_will_error(false);
    }
    if is_this_machine(url) {
        config = config.proxy(None); // which could not reach it
    }
    config.build().call().map_err(|error| Failure::Transport(error.to_string()))
}

fn is_this_machine(url: &str) -> bool {
    let uri = url.parse::<Uri>().ok();
    let host = uri.as_ref().and_then(Uri::host);
    host.is_some_and(|host| ["localhost", "127.0.0.1", "[::1]"].contains(&host))
}

/// Where a redirect leads, when that is on the same host.
fn within_host(url: &str, header: &HeaderMap) -> Option<String> {
    let location = header.get("location")?.to_str().ok()?;
    let (from, to) = (url.parse::<Uri>().ok()?, location.parse::<Uri>().ok()?);
    match to.authority() {
        Some(authority) => (Some(authority) == from.authority()).then(|| location.to_owned()),
        None if location.starts_with('/') => Some(format!("{}://{}{location}", from.scheme_str()?, from.authority()?)),
        None => None,
    }
}

/// The error that an answer without the file is; `place` is where a user may put the file by hand.
pub fn refusal(url: &str, status: StatusCode, of_hub: bool, place: &Path) -> Error {
    let by_hand = format!("or fetch that address by hand and put the file at {}", place.display());
    let advice = match status.as_u16() {
        401 | 403 if of_hub => "open the data set's page on the hub, accept its terms if it asks for that, and set HF_TOKEN \
            to a token of yours (`hf auth login` keeps one too)"
            .into(),
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

    fn redirect(location: &str) -> Option<String> {
        let header = HeaderMap::from_iter([("location".parse().unwrap(), location.parse().unwrap())]);
        within_host("https://hub.example:8/datasets/a", &header)
    }

    #[test]
    fn only_redirects_within_the_host_are_followed_for_a_description() {
        assert_eq!(redirect("/datasets/b").as_deref(), Some("https://hub.example:8/datasets/b"));
        assert_eq!(redirect("https://hub.example:8/b").as_deref(), Some("https://hub.example:8/b"));
        assert_eq!(redirect("https://cdn.example/b"), None);
        assert_eq!(redirect("https://hub.example/b"), None); // another port
        assert_eq!(redirect("b"), None);
        assert_eq!(within_host("https://hub.example", &HeaderMap::new()), None);
    }

    #[test]
    fn a_refusal_says_what_to_do() {
        let said = |status: u16, of_hub| {
            refusal("https://a/b", StatusCode::from_u16(status).unwrap(), of_hub, Path::new("data/b")).to_string()
        };
        assert!(said(401, true).starts_with("https://a/b: the server answered 401: ") && said(403, true).contains("HF_TOKEN"));
        assert!(!said(403, false).contains("HF_TOKEN") && said(403, false).contains("data/b"));
        assert!(said(404, true).contains("catalogue") && said(503, false).contains("later"));
    }
}
