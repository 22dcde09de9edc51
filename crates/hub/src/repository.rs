//! Data sets of the Hugging Face hub: which files there are, and each of them in the hub's own cache.
//!
//! `hf_hub` knows the addresses and how the cache is laid out, so that what is fetched here is found by `huggingface_hub`
//! and the reverse. The bytes are not left to it (0.5): it appends the whole file when a server ignores its range, checks no
//! hash and no length, and takes the ETag, which becomes a file's name, from the server as it comes.

mod local;
mod names;

use std::path::PathBuf;

use hf_hub::api::RepoInfo;
use hf_hub::api::sync::{Api, ApiBuilder};
use hf_hub::{Cache, Repo, RepoType};

use crate::client::{Client, Failure, refusal};
use crate::download::{Download, download};
use crate::error::escaped;
use crate::event::{Event, Observer, tell};
use crate::{Error, Places};
use local::Local;
use names::{encoded, hexadecimal, incomplete, is_below, is_hexadecimal, shard};

/// One data set of the hub, at one revision.
pub struct Repository<'a> {
    client: &'a Client,
    places: &'a Places,
    observer: Observer<'a>,
    name: &'a str,
    repo: Repo,
    api: Api,
    local: Local,
}

/// The paths of the files of a commit.
struct Listing {
    commit: String,
    files: Vec<String>,
}

impl<'a> Repository<'a> {
    /// The data set `OWNER/NAME`.
    pub fn new(
        client: &'a Client,
        places: &'a Places,
        observer: Observer<'a>,
        name: &'a str,
        revision: &str,
    ) -> Result<Self, Error> {
        let repo = Repo::with_revision(name.into(), RepoType::Dataset, revision.into());
        let cache = Cache::new(places.hub.clone());
        let api = api(&cache, places).map_err(|found| Error::Protocol { url: name.into(), found })?;
        Ok(Repository { client, places, observer, name, api, local: Local::new(&cache, &repo), repo })
    }

    /// The paths in the cache of the files whose path is `pattern`, fetched where they are not there. In a pattern one `*`
    /// stands for any text; the files are then sorted, and all of one commit: the one that the revision names now, or
    /// offline the one that it named when it was last fetched.
    pub fn fetch(&self, pattern: &str) -> Result<Vec<PathBuf>, Error> {
        if !pattern.contains('*') {
            return Ok(vec![self.single(pattern)?]);
        }
        let Listing { commit, files } = if self.places.offline { self.cached(pattern) } else { self.listed(pattern) }?;
        let files = self.matching(pattern, &files)?;
        let paths = files.iter().map(|file| self.at(&commit, file)).collect::<Result<_, _>>()?;
        self.local.refer(&commit)?;
        Ok(paths)
    }

    /// A file of the commit that the revision named when it was last fetched, else of the one that it names now.
    fn single(&self, file: &str) -> Result<PathBuf, Error> {
        if let Some(path) = self.local.commit().and_then(|commit| self.local.file(&commit, file)) {
            return Ok(path);
        }
        let (commit, path) = self.download(self.repo.revision(), file)?;
        self.local.refer(&commit)?;
        Ok(path)
    }

    /// A file of this commit.
    fn at(&self, commit: &str, file: &str) -> Result<PathBuf, Error> {
        if let Some(path) = self.local.file(commit, file) {
            return Ok(path);
        }
        match self.download(commit, file)? {
            (found, path) if found == commit => Ok(path),
            (found, _) => {
                let found = format!("`{}` of the commit {found} instead of {commit}", file.escape_debug());
                Err(Error::Protocol { url: self.name.into(), found })
            }
        }
    }

    /// Those of `files` that fit a pattern, sorted, when they are a whole table as far as can be known.
    fn matching(&self, pattern: &str, files: &[String]) -> Result<Vec<String>, Error> {
        let (begin, end) = pattern.split_once('*').unwrap_or((pattern, ""));
        let fits =
            |file: &&String| file.len() >= begin.len() + end.len() && file.starts_with(begin) && file.ends_with(end);
        let mut found: Vec<String> = files.iter().filter(fits).cloned().collect();
        found.sort();
        let repo = self.repo.url();
        if found.is_empty() && self.places.offline {
            return Err(self.offline(pattern));
        }
        if found.is_empty() {
            let there = files.iter().take(20).map(escaped).collect::<Vec<_>>().join(", ");
            let (revision, file) = (self.repo.revision().into(), pattern.into());
            return Err(Error::NoFile { repo, revision, file, there });
        }
        if let Some((file, wanted, found)) = found.iter().find_map(|file| incomplete(file, &found)) {
            return Err(Error::Shards { repo, file: escaped(file), wanted, found });
        }
        if self.places.offline && found.iter().any(|file| shard(file).is_none()) {
            let note = format!(
                "{repo}: offline, and the names that fit `{pattern}` do not say how many there must be: the {} in the hub's \
                 cache are taken for all; unset HF_HUB_OFFLINE to be sure",
                found.len()
            );
            tell(self.observer, Event::Note(&note))?;
        }
        Ok(found)
    }

    /// Fetches a file into the cache; gives the commit that it is of, and its path there.
    fn download(&self, revision: &str, file: &str) -> Result<(String, PathBuf), Error> {
        if !is_below(file) {
            let found = format!("a file called `{}`", file.escape_debug());
            return Err(Error::Protocol { url: self.name.into(), found });
        }
        self.online(file)?;
        let url = self.address(revision, file);
        let (status, header) =
            self.client.describe(&url, self.token()).map_err(|failure| self.failed(&url, file, failure))?;
        if !status.is_success() && !status.is_redirection() {
            return Err(refusal(&url, status, true, &self.by_hand(file)));
        }
        let (commit, tag) =
            (hexadecimal(&header, &["x-repo-commit"]), hexadecimal(&header, &["x-linked-etag", "etag"]));
        let (Some(commit), Some(tag)) = (commit, tag) else {
            let found = "none of its headers X-Repo-Commit, and X-Linked-ETag or ETag".into();
            return Err(Error::Protocol { url, found });
        };
        let blob = self.local.blob(&tag);
        if !blob.is_file() {
            let url = self.address(&commit, file); // what was described, even if the revision moves on
            let expected = Some(tag.as_str()).filter(|tag| tag.len() == 64); // of Git LFS; else it is Git's SHA-1
            let by_hand = &self.by_hand(file);
            let job = Download { url: &url, token: self.token(), of_hub: true, expected, to: &blob, by_hand };
            download(self.client, &job, self.observer)?;
        }
        let path = self.local.link(&commit, file, &blob)?;
        Ok((commit, path))
    }

    fn address(&self, revision: &str, file: &str) -> String {
        let repo = Repo::with_revision(self.name.into(), RepoType::Dataset, revision.into());
        self.api.repo(repo).url(&encoded(file))
    }

    /// All files in the cache.
    fn cached(&self, what: &str) -> Result<Listing, Error> {
        let commit = self.local.commit().ok_or_else(|| self.offline(what))?;
        Ok(Listing { files: self.local.files(&commit)?, commit })
    }

    /// All files, as the hub says.
    fn listed(&self, what: &str) -> Result<Listing, Error> {
        let url =
            self.api.repo(self.repo.clone()).info_request().uri_ref().map(ToString::to_string).unwrap_or_default();
        let mut response =
            self.client.get(&url, self.token(), &[]).map_err(|failure| self.failed(&url, what, failure))?;
        if !response.status().is_success() {
            return Err(refusal(&url, response.status(), true, &self.by_hand(what)));
        }
        let info = response.body_mut().read_json::<RepoInfo>();
        let info = info.map_err(|error| Error::Protocol { url: url.clone(), found: escaped(error) })?;
        if !is_hexadecimal(&info.sha) {
            return Err(Error::Protocol { url, found: format!("`{}` where a commit belongs", escaped(info.sha)) });
        }
        Ok(Listing { commit: info.sha, files: info.siblings.into_iter().map(|file| file.rfilename).collect() })
    }

    fn online(&self, file: &str) -> Result<(), Error> {
        if self.places.offline { Err(self.offline(file)) } else { Ok(()) }
    }

    fn offline(&self, file: &str) -> Error {
        Error::Offline { what: format!("{}, {file}", self.repo.url()), cache: self.places.hub.clone() }
    }

    fn token(&self) -> Option<&str> {
        self.places.token.as_deref()
    }

    fn failed(&self, url: &str, file: &str, failure: Failure) -> Error {
        match failure {
            Failure::Final(error) => error,
            Failure::Transport(reason) => Error::Unreachable { url: url.into(), reason, by_hand: self.by_hand(file) },
        }
    }

    /// How to bring a file here without the network.
    fn by_hand(&self, file: &str) -> String {
        let (repo, cache) = (self.repo.url(), self.places.hub.display());
        let (kind, name) = repo.split_once('/').unwrap_or_default();
        let (files, offline) = match file.contains('*') {
            true => (format!("--include '{file}'"), ", and set HF_HUB_OFFLINE=1 here"),
            false => (file.to_owned(), ""),
        };
        let revision = Some(self.repo.revision()).filter(|revision| *revision != "main");
        let revision = revision.map(|revision| format!(" --revision {revision}")).unwrap_or_default();
        format!(
            "or run `hf download --repo-type {} {name} {files}{revision}` where there is a network, and copy the folder that \
             it fills in the cache there to {cache}{offline}",
            kind.trim_end_matches('s')
        )
    }
}

fn api(cache: &Cache, places: &Places) -> Result<Api, String> {
    let builder = ApiBuilder::from_cache(cache.clone()).with_progress(false);
    let builder = match &places.endpoint {
        Some(endpoint) => builder.with_endpoint(endpoint.clone()),
        None => builder,
    };
    builder.build().map_err(escaped)
}
