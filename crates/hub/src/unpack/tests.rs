use std::io::{Cursor, Write};
use std::ops::ControlFlow;

use ::tar::{Builder, EntryType, Header};
use ::zip::ZipWriter;
use ::zip::write::SimpleFileOptions;
use flate2::Compression;
use flate2::write::GzEncoder;

use super::*;

const SILENT: Observer = &|_| ControlFlow::Continue(());

fn zip_of(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, contents) in entries {
        writer.start_file(*name, SimpleFileOptions::default()).unwrap();
        writer.write_all(contents).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// An entry whose name and kind nobody checks, unlike `tar::Builder`'s.
fn tar_of(entries: &[(&[u8], EntryType, &[u8])]) -> Vec<u8> {
    let mut builder = Builder::new(Vec::new());
    for (name, kind, contents) in entries {
        let mut header = Header::new_ustar();
        header.as_old_mut().name[..name.len()].copy_from_slice(name);
        header.set_entry_type(*kind);
        header.set_size(contents.len() as u64);
        header.set_cksum();
        builder.append(&header, *contents).unwrap();
    }
    builder.into_inner().unwrap()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// What `unpack` makes of these bytes: the relative paths of the files, or what is said. Nothing else may remain.
fn unpacked(bytes: &[u8], kind: Kind) -> Result<Vec<String>, String> {
    let parent = tempfile::tempdir().unwrap();
    let (archive, folder) = (parent.path().join("archive"), parent.path().join("deep/folder"));
    fs::write(&archive, bytes).unwrap();
    let result = unpack(&archive, kind, &folder, SILENT);
    let left = fs::read_dir(parent.path().join("deep")).unwrap().count();
    assert_eq!((left, folder.exists()), if result.is_ok() { (1, true) } else { (0, false) });
    assert!(!parent.path().join("out.png").exists() && !parent.path().join("deep/out.png").exists());
    let count = result.map_err(|error| error.to_string())?;
    let (mut folders, mut files) = (vec![folder.clone()], Vec::new());
    while let Some(next) = folders.pop() {
        for path in fs::read_dir(next).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path)
            } else {
                files.push(path.strip_prefix(&folder).unwrap().to_str().unwrap().to_owned())
            }
        }
    }
    assert_eq!(files.len(), count);
    files.sort();
    Ok(files)
}

#[test]
fn shared_folders_are_dropped_and_junk_is_left_out() {
    let zip =
        zip_of(&[("D/X4/1.png", b"1"), ("D/X4/2.png", b"2"), ("__MACOSX/D/._1.png", b"x"), ("D/.DS_Store", b"x")]);
    assert_eq!(unpacked(&zip, Kind::Zip).unwrap(), ["1.png", "2.png"]);
    let tar = tar_of(&[
        (b"D/", EntryType::Directory, b""),
        (b"./D/HR/1.png", EntryType::Regular, b"1"),
        (b"D/LR/1.png", EntryType::Regular, b"1"),
    ]);
    for (bytes, kind) in [(tar.clone(), Kind::Tar), (gzip(&tar), Kind::Tgz)] {
        assert_eq!(unpacked(&bytes, kind).unwrap(), ["HR/1.png", "LR/1.png"]);
    }
}

#[test]
fn what_leaves_the_folder_comes_twice_or_is_a_link_is_refused() {
    let said = |entries: &[(&[u8], EntryType, &[u8])]| unpacked(&tar_of(entries), Kind::Tar).unwrap_err();
    let file = EntryType::Regular;
    for name in [&b"../out.png"[..], b"a/../../out.png", b"/tmp/out.png"] {
        let error = said(&[(b"a.png", file, b"1"), (name, file, b"2")]);
        assert!(
            error.contains(&format!("`{}`: ", name.escape_ascii())) && error.contains("nothing was unpacked"),
            "{error}"
        );
    }
    assert!(said(&[(b"a.png", file, b"1"), (b"./a.png", file, b"2")]).contains("comes twice"));
    assert!(said(&[(b"a", file, b"1"), (b"a/b.png", file, b"2")]).contains("`a/b.png`: cannot be unpacked"));
    assert!(said(&[(b"caf\xe9", file, b"1")]).contains("`caf\\xe9`: expected a name in UTF-8"));
    for (kind, word) in [(EntryType::Symlink, "a link"), (EntryType::Link, "a link"), (EntryType::Char, "neither file")]
    {
        let error = said(&[(b"a", kind, b"")]);
        assert!(error.contains(word), "{error}");
    }
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    zip.add_symlink("a", "/etc/passwd", SimpleFileOptions::default()).unwrap();
    let zip = zip.finish().unwrap().into_inner();
    assert!(unpacked(&zip, Kind::Zip).unwrap_err().contains("is a link"));
    assert!(unpacked(&zip_of(&[("../out.png", b"1")]), Kind::Zip).unwrap_err().contains("leads out"));
}

#[test]
fn a_bomb_is_refused() {
    // Two files of 40 MiB are more than the allowance of 64 MiB; 50 times the archive's 80 kB or so is another 4 MB.
    let zeros = vec![0; 40 << 20];
    let zip = zip_of(&[("a", &zeros), ("b", &zeros)]);
    let tar = gzip(&tar_of(&[(b"a", EntryType::Regular, &zeros), (b"b", EntryType::Regular, &zeros)]));
    for (bytes, kind) in [(&zip, Kind::Zip), (&tar, Kind::Tgz)] {
        assert!(bytes.len() < 100_000);
        let error = unpacked(bytes, kind).unwrap_err();
        assert!(error.contains("`b`: more than ") && error.contains("bomb"), "{error}");
    }
    // What follows the end of an archive counts too.
    let long = [tar_of(&[(b"a", EntryType::Regular, b"1")]), vec![0; 80 << 20]].concat();
    assert!(unpacked(&gzip(&long), Kind::Tgz).unwrap_err().contains("bomb"));
    // One whose directory says that it is small.
    let mut lying = zip_of(&[("a", &vec![0; 80 << 20])]);
    let directory = lying.windows(4).rposition(|bytes| bytes == b"PK\x01\x02").unwrap();
    lying[directory + 24..directory + 28].copy_from_slice(&5_u32.to_le_bytes());
    assert!(unpacked(&lying, Kind::Zip).is_err());
}

#[test]
fn what_is_broken_off_empty_or_no_archive_is_refused() {
    let zip = zip_of(&[("a.png", &[7; 1000])]);
    let tar = tar_of(&[(b"a.png", EntryType::Regular, &[7; 1000])]);
    let tgz = gzip(&tar);
    for (bytes, kind) in [(&zip, Kind::Zip), (&tar, Kind::Tar), (&tgz, Kind::Tgz)] {
        assert_eq!(unpacked(bytes, kind).unwrap(), ["a.png"]);
        for length in (0..bytes.len().min(1000)).step_by(37) {
            assert!(unpacked(&bytes[..length], kind).is_err(), "{kind:?} {length}");
        }
    }
    assert!(unpacked(&zip_of(&[]), Kind::Zip).unwrap_err().contains("found none"));
    assert!(unpacked(b"<html>404</html>", Kind::Zip).unwrap_err().contains("expected a zip archive"));
    let mut wrong = zip.clone();
    wrong[14] ^= 1; // CRC-32 in the local header; the one in the central directory decides
    let at = wrong.windows(4).position(|bytes| bytes == b"PK\x01\x02").unwrap() + 16;
    wrong[at] ^= 1;
    assert!(unpacked(&wrong, Kind::Zip).unwrap_err().contains("checksum"));
}

#[test]
fn a_tar_archive_without_its_end_is_refused() {
    let file = EntryType::Regular;
    let tar = tar_of(&[(b"a.png", file, b"1"), (b"b.png", file, b"2")]);
    assert_eq!(tar.len(), 6 * 512); // two headers, two blocks of contents, the two of the end
    for blocks in [2, 4, 5] {
        let cut = &tar[..blocks * 512];
        for (bytes, kind) in [(cut.to_vec(), Kind::Tar), (gzip(cut), Kind::Tgz)] {
            let error = unpacked(&bytes, kind).unwrap_err();
            assert!(error.contains("two blocks of zeros") && error.contains("cut off"), "{blocks}: {error}");
        }
    }
    // What follows the end may be anything, but in gzip that is its checksum.
    assert_eq!(unpacked(&[tar.clone(), vec![0; 9000]].concat(), Kind::Tar).unwrap().len(), 2);
    let mut tgz = gzip(&tar);
    let checksum = tgz.len() - 8;
    tgz[checksum] ^= 1;
    assert!(unpacked(&tgz, Kind::Tgz).is_err());
}

#[test]
fn headers_of_a_tar_archive_are_bounded() {
    // "20 comment=aaaaaaaa\n" and so on: the length of a record counts itself.
    let pax = |length: usize| format!("{length} comment={}\n", "a".repeat(length - 10 - length.to_string().len()));
    let file: (&[u8], EntryType, &[u8]) = (b"a.png", EntryType::Regular, &[7; 5 << 20]);
    let with = |kind, header: &str| unpacked(&tar_of(&[(b"x", kind, header.as_bytes()), file, file]), Kind::Tar);
    assert!(with(EntryType::XHeader, &pax(1000)).unwrap_err().contains("`a.png`: comes twice")); // 5 MiB are no header
    for kind in [EntryType::XHeader, EntryType::GNULongName, EntryType::GNULongLink] {
        let error = with(kind, &pax(2 << 20)).unwrap_err();
        assert!(error.contains("more than 1048576 bytes of headers"), "{error}");
    }
}

#[test]
fn a_zip_archive_with_a_name_twice_is_refused() {
    let mut zip = zip_of(&[("a.png", b"1"), ("b.png", b"2"), ("c.png", b"3")]);
    assert_eq!(unpacked(&zip, Kind::Zip).unwrap().len(), 3);
    let names: Vec<usize> = (0..zip.len() - 5).filter(|&at| &zip[at..at + 5] == b"b.png").collect();
    assert_eq!(names.len(), 2); // of the entry and in the directory
    names.into_iter().for_each(|at| zip[at] = b'a');
    let error = unpacked(&zip, Kind::Zip).unwrap_err();
    assert!(error.contains("3 entries, but 2 names"), "{error}");
}

#[test]
fn what_an_archive_is_said_to_hold_is_escaped() {
    let mut tar = tar_of(&[(b"a\x1b[31m.png", EntryType::Regular, b"1")]);
    tar[124..136].fill(b'z'); // its size
    let sum: u32 = tar[..148].iter().chain(&tar[156..512]).map(|&byte| u32::from(byte)).sum::<u32>() + 8 * 32;
    tar[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
    let mut zip = zip_of(&[("a\x1b[31m.png", b"1")]);
    let directory = zip.windows(4).rposition(|bytes| bytes == b"PK\x01\x02").unwrap();
    zip[directory + 10] = 98; // a method that nobody has
    for (bytes, kind) in [(tar, Kind::Tar), (zip, Kind::Zip)] {
        let error = unpacked(&bytes, kind).unwrap_err();
        assert!(error.contains("a\\u{1b}[31m.png") && !error.chars().any(char::is_control), "{error:?}");
    }
}
