//! All results of a run in one zip file.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Cursor;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result, ensure};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

/// Writes `target`, a zip of the given files and folders, whole or not at all; returns its path.
///
/// `files` are paths below `run_dir`, and named from there inside the zip; of a folder all files are taken, however deep.
/// The same files give the same bytes: entries are sorted by name, dated 1980-01-01 and readable by everyone. The archive
/// never holds itself, nor a file that is not yet whole ([`abbe_run::TEMPORARY`]). It is put together in memory.
///
/// # Errors
/// A path that leads out of `run_dir`, a file that cannot be read, an archive that cannot be written: each with its path.
pub fn archive(run_dir: &Path, files: &[PathBuf], target: &Path) -> Result<PathBuf> {
    let mut entries = BTreeSet::new();
    for file in files {
        let below = file.strip_prefix(run_dir).is_ok_and(|below| below.components().all(is_name));
        ensure!(below, "{}: only files below {} can be archived", file.display(), run_dir.display());
        collect(file, &mut entries)?;
    }
    entries.remove(target);
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for path in &entries {
        add(&mut zip, run_dir, path).with_context(|| format!("cannot archive {}", path.display()))?;
    }
    abbe_run::write_atomic(target, &zip.finish()?.into_inner())?;
    Ok(target.to_owned())
}

fn is_name(part: Component) -> bool {
    matches!(part, Component::Normal(_))
}

/// Gathers the file, or all files below the folder.
fn collect(path: &Path, entries: &mut BTreeSet<PathBuf>) -> Result<()> {
    if path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(abbe_run::TEMPORARY.as_bytes())) {
        return Ok(());
    }
    if !path.is_dir() {
        entries.insert(path.to_owned());
        return Ok(());
    }
    for entry in path.read_dir().with_context(|| format!("cannot read the folder {}", path.display()))? {
        collect(&entry?.path(), entries)?;
    }
    Ok(())
}

fn add(zip: &mut ZipWriter<Cursor<Vec<u8>>>, run_dir: &Path, path: &Path) -> Result<()> {
    let mut file = File::open(path)?;
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .last_modified_time(DateTime::default())
        .unix_permissions(0o644)
        .large_file(file.metadata()?.len() >= u64::from(u32::MAX));
    let parts = path.strip_prefix(run_dir)?.components().map(|part| part.as_os_str().to_string_lossy());
    zip.start_file(parts.collect::<Vec<_>>().join("/"), options)?;
    std::io::copy(&mut file, zip)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn contents_read_back_sorted_and_without_the_archive_itself() {
        let run = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(run.path().join("figures/deep")).unwrap();
        for (file, text) in
            [("metrics.csv", "a,b\n"), ("figures/z.png", "zz"), ("figures/deep/a.png", "aa"), ("figures/.abbe-x7", "a")]
        {
            std::fs::write(run.path().join(file), text).unwrap();
        }
        let files = ["metrics.csv", "figures", "figures/z.png", "srgan_results.zip"].map(|file| run.path().join(file));
        std::fs::write(run.path().join("srgan_results.zip"), "of an earlier run").unwrap();
        let path = archive(run.path(), &files, &run.path().join("srgan_results.zip")).unwrap();
        let first = std::fs::read(&path).unwrap();
        let mut zip = zip::ZipArchive::new(Cursor::new(&first)).unwrap();
        let names: Vec<String> = zip.file_names().map(str::to_owned).collect();
        assert_eq!(names, ["figures/deep/a.png", "figures/z.png", "metrics.csv"]);
        let mut text = String::new();
        zip.by_name("metrics.csv").unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "a,b\n");
        archive(run.path(), &files, &run.path().join("srgan_results.zip")).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), first, "the same files must give the same bytes");
    }

    #[test]
    fn missing_files_and_foreign_paths_are_named_and_nothing_is_written() {
        let run = tempfile::tempdir().unwrap();
        let outside = run.path().join("../secret");
        for file in [run.path().join("absent.csv"), outside, PathBuf::from("/etc/hosts")] {
            let error = archive(run.path(), std::slice::from_ref(&file), &run.path().join("results.zip")).unwrap_err();
            assert!(format!("{error:#}").contains(&file.display().to_string()), "{error:#}");
        }
        assert_eq!(run.path().read_dir().unwrap().count(), 0);
    }
}
