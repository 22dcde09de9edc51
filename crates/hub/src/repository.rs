//! Data sets of the Hugging Face hub: which files there are, and each of them in the hub's own cache.
//!
//! `hf_hub` knows the addresses and how the cache is laid out, so that what is fetched here is found by `huggingface_hub`
//! and the reverse. The bytes are not left to it (0.5): it appends the whole file when a server ignores its range, checks no
//! hash and no length, and takes the ETag, which becomes a file's name, from the server as it comes.

use std::fs;
use std::path::{Component, Path, PathBuf};

use hf_hub::api::RepoInfo;
use hf_hub::api::sync::{Api, ApiBuilder, ApiRepo};
use hf_hub::{Cache, CacheRepo, Repo, RepoType};
use ureq::http::HeaderMap;

use crate::client::{Client, Failure, refusal};
use crate::download::{Download, download};
use crate::event::Observer;
use crate::{Error, Places};

/// One data set of the hub, at one revision.
pub struct Repository<'a> {
    client: &'a Client,
    places: &'a Places,
    repo: Repo,
    api: ApiRepo,
    cache: CacheRepo,
}

impl<'a> Repository<'a> {
    /// The data set `OWNER/NAME`.
    pub fn new(client: &'a Client, places: &'a Places, name: &str, revision: &str) -> Result<Self, Error> {
        let repo = Repo::with_revision(name.into(), RepoType::Dataset, revision.into());
        let cache = Cache::new(places.hub.clone());
        let api = api(&cache, places).map_err(|found| Error::Protocol { url: name.into(), found })?;
        Ok(Repository { client, places, api: api.repo(repo.clone()), cache: cache.repo(repo.clone()), repo })
    }

    /// The files whose path is `pattern`, in which one `*` stands for any text; sorted.
    pub fn files(&self, pattern: &str) -> Result<Vec<String>, Error> {
        let Some((begin, end)) = pattern.split_once('*') else { return Ok(vec![pattern.into()]) };
        let fits =
            |file: &&String| file.len() >= begin.len() + end.len() && file.starts_with(begin) && file.ends_with(end);
        let all = match self.cached() {
            Some(cached) if self.places.offline => cached,
            _ => self.listed(pattern)?,
        };
        let mut files: Vec<String> = all.iter().filter(fits).cloned().collect();
        files.sort();
        if let Some((file, wanted, found)) = files.iter().find_map(|file| incomplete(file, &files)) {
            let (repo, file) = (self.repo.url(), file.escape_debug().to_string());
            return Err(Error::Shards { repo, file, wanted, found });
        }
        if !files.is_empty() {
            return Ok(files);
        }
        let there = all.iter().take(20).map(|file| file.escape_debug().to_string()).collect::<Vec<_>>().join(", ");
        let (repo, revision) = (self.repo.url(), self.repo.revision().into());
        Err(Error::NoFile { repo, revision, file: pattern.into(), there })
    }

    /// The path in the cache of a file of the data set, fetched when it is not there.
    pub fn file(&self, file: &str, observer: Observer) -> Result<PathBuf, Error> {
        let normal = Path::new(file).components().all(|component| matches!(component, Component::Normal(_)));
        if !normal || file.contains('\\') {
            let found = format!("a file called `{}`", file.escape_debug());
            return Err(Error::Protocol { url: self.api.url(""), found });
        }
        if let Some(path) = self.cache.get(file) {
            return Ok(path);
        }
        self.online(file)?;
        let url = self.api.url(file);
        let (status, header) =
            self.client.describe(&url, self.token()).map_err(|failure| self.failed(&url, file, failure))?;
        if !status.is_success() && !status.is_redirection() {
            return Err(refusal(&url, status, true, &self.by_hand(file)));
        }
        let (commit, tag) =
            (hexadecimal(&header, &["x-repo-commit"]), hexadecimal(&header, &["x-linked-etag", "etag"]));
        let (Some(commit), Some(tag)) = (commit, tag) else {
            return Err(Error::Protocol {
                url,
                found: "none of its headers X-Repo-Commit, and X-Linked-ETag or ETag".into(),
            });
        };
        let blob = self.cache.blob_path(&tag);
        if !blob.is_file() {
            let expected = Some(tag.as_str()).filter(|tag| tag.len() == 64); // of Git LFS; else it is Git's SHA-1
            let by_hand = &self.by_hand(file);
            let job = Download { url: &url, token: self.token(), of_hub: true, expected, to: &blob, by_hand };
            download(self.client, &job, observer)?;
        }
        self.link(&commit, file, &blob)
    }

    /// The paths of all files, as the hub says.
    fn listed(&self, what: &str) -> Result<Vec<String>, Error> {
        self.online(what)?;
        let url = self.api.info_request().uri_ref().map(ToString::to_string).unwrap_or_default();
        let mut response =
            self.client.get(&url, self.token(), &[]).map_err(|failure| self.failed(&url, what, failure))?;
        if !response.status().is_success() {
            return Err(refusal(&url, response.status(), true, &self.by_hand(what)));
        }
        let info: RepoInfo = response
            .body_mut()
            .read_json()
            .map_err(|error| Error::Protocol { url, found: error.to_string().escape_debug().to_string() })?;
        Ok(info.siblings.into_iter().map(|file| file.rfilename).collect())
    }

    /// The paths of the files in the cache; absent when the revision was never fetched.
    fn cached(&self) -> Option<Vec<String>> {
        let refs = self.places.hub.join(self.repo.folder_name()).join("refs");
        let commit = fs::read_to_string(refs.join(self.repo.revision())).ok()?;
        let root = self.cache.pointer_path(commit.trim());
        let (mut folders, mut files) = (vec![root.clone()], Vec::new());
        while let Some(folder) = folders.pop() {
            for path in fs::read_dir(folder).ok()?.flatten().map(|entry| entry.path()) {
                if path.is_dir() {
                    folders.push(path);
                } else if let Some(name) = path.strip_prefix(&root).ok().and_then(Path::to_str) {
                    files.push(name.to_owned());
                }
            }
        }
        Some(files)
    }

    fn online(&self, file: &str) -> Result<(), Error> {
        let what = || format!("{}, {file}", self.repo.url());
        if self.places.offline { Err(Error::Offline { what: what(), cache: self.places.hub.clone() }) } else { Ok(()) }
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
        let files = if file.contains('*') { format!("--include '{file}'") } else { file.to_owned() };
        format!(
            "or run `hf download --repo-type {} {name} {files}` where there is a network, and copy the folder that it fills in \
             the cache there to {cache}",
            kind.trim_end_matches('s')
        )
    }

    /// Makes the cache say that `file` of `commit` is `blob`.
    fn link(&self, commit: &str, file: &str, blob: &Path) -> Result<PathBuf, Error> {
        let path = self.cache.pointer_path(commit).join(file);
        let folder = path.parent().unwrap_or(&path);
        fs::create_dir_all(folder).map_err(Error::io("make the folder", folder))?;
        if !path.exists() {
            let up: PathBuf = Path::new(file).components().chain(Path::new("x").components()).map(|_| "..").collect();
            let name = blob.file_name().unwrap_or_default();
            point(&path, &up.join("blobs").join(name), blob).map_err(Error::io("write", &path))?;
        }
        self.cache.create_ref(commit).map_err(Error::io("write", &self.places.hub))?;
        Ok(path)
    }
}

#[cfg(unix)]
fn point(path: &Path, relative: &Path, _: &Path) -> std::io::Result<()> {
    match std::os::unix::fs::symlink(relative, path) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()), // another process did it
        result => result,
    }
}

#[cfg(not(unix))]
fn point(path: &Path, _: &Path, blob: &Path) -> std::io::Result<()> {
    fs::copy(blob, path).map(|_| ())
}

fn api(cache: &Cache, places: &Places) -> Result<Api, String> {
    let builder = ApiBuilder::from_cache(cache.clone()).with_progress(false);
    let builder = match &places.endpoint {
        Some(endpoint) => builder.with_endpoint(endpoint.clone()),
        None => builder,
    };
    builder.build().map_err(|error| error.to_string())
}

/// The first of these headers that is a commit or hash in hexadecimal: it becomes the name of a file.
fn hexadecimal(header: &HeaderMap, names: &[&str]) -> Option<String> {
    let value = names.iter().find_map(|name| header.get(*name))?.to_str().ok()?.trim_matches('"');
    let fine = (8..=64).contains(&value.len()) && value.bytes().all(|byte| byte.is_ascii_hexdigit());
    fine.then(|| value.to_owned())
}

/// Of a shard, `NAME-00003-of-00020.parquet`, that is not among as many as it says: itself, that number, and those there.
fn incomplete<'a>(file: &'a str, files: &[String]) -> Option<(&'a str, usize, usize)> {
    let split = |file: &'a str| {
        let (before, after) = file.rsplit_once("-of-")?;
        let digits = after.split(|character: char| !character.is_ascii_digit()).next()?;
        Some((before.rsplit_once('-')?.0, digits))
    };
    let (name, digits) = split(file)?;
    let of_same = |other: &&String| other.starts_with(&format!("{name}-")) && other.contains(&format!("-of-{digits}"));
    let (wanted, found) = (digits.parse().ok()?, files.iter().filter(of_same).count());
    (wanted != found).then_some((file, wanted, found))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_must_be_as_many_as_they_say() {
        let files = |names: &[&str]| names.iter().map(|name| format!("data/{name}.parquet")).collect::<Vec<_>>();
        let missing = |names: &[&str]| {
            let files = files(names);
            files.iter().find_map(|file| incomplete(file, &files)).map(|(_, wanted, found)| (wanted, found))
        };
        assert_eq!(missing(&["train-00000-of-00002", "train-00001-of-00002", "test-00000-of-00001"]), None);
        assert_eq!(missing(&["train-00000-of-00002", "test-00000-of-00001"]), Some((2, 1)));
        assert_eq!(missing(&["0000", "0001", "train"]), None);
    }
}
