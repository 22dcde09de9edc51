use super::*;

const ROW: &str = "[[dataset]]\nname = \"mine\"\nwhat = \"my own\"\nlicence = \"mine\"\nhr = \"mine\"\nlr = { x4 = \"mine4\" }\n\
    [[dataset.part]]\nname = \"all\"\nsource = { url = \"https://example.org/mine.zip\" }\nform = { zip = \"mine\" }\n\
    sha256 = \"0123456789abcdef\"\n";

fn said(text: &str) -> String {
    Catalogue::parse(text, Path::new("own.toml")).map_or_else(|error| error.to_string(), |_| "fine".into())
}

#[test]
fn every_built_in_row_can_be_fetched_and_found() {
    let catalogue = Catalogue::built_in().unwrap();
    for name in "div2k div2k-valid set5 set14 bsd100 urban100 flickr2k cifar100 vgg19 alexnet squeezenet1_1 lpips-alex"
        .split(' ')
    {
        assert!(catalogue.find(name).is_ok(), "{name}");
    }
    for dataset in &catalogue.datasets {
        let (found, parts) = catalogue.find(&dataset.name).unwrap();
        assert_eq!((found.name.as_str(), parts.len()), (dataset.name.as_str(), dataset.parts.len()));
        // What a row promises is a folder, or lies in a folder, that one of its parts makes.
        for promised in dataset.hr.iter().chain(dataset.lr.values()) {
            let makes = |part: &&&Part| match &part.form {
                Form::Zip(folder) | Form::Tar(folder) | Form::Tgz(folder) => Path::new(promised).starts_with(folder),
                Form::Parquet(columns) => columns.values().any(|folder| folder == promised),
                Form::Weights(_) => false,
            };
            assert!(parts.iter().any(|part| makes(&part)), "{}: nothing makes {promised}", dataset.name);
        }
    }
}

#[test]
fn the_weights_of_torchvision_bear_the_first_digits_of_their_hash() {
    for part in Catalogue::built_in().unwrap().datasets.iter().flat_map(|dataset| &dataset.parts) {
        if let (Form::Weights(file), Some(sha256)) = (&part.form, &part.sha256) {
            assert!(file.ends_with(&format!("-{}.pth", &sha256[..8])), "{file}: {sha256}");
        }
    }
}

#[test]
fn a_part_is_named_after_a_slash_and_what_is_not_there_is_listed() {
    let catalogue = Catalogue::built_in().unwrap();
    let (_, parts) = catalogue.find("div2k/x4").unwrap();
    assert_eq!(parts.iter().map(|part| part.name.as_str()).collect::<Vec<_>>(), ["x4"]);
    let unknown = |name: &str| catalogue.find(name).unwrap_err().to_string();
    assert!(unknown("div3k").contains("div2k, div2k-valid"), "{}", unknown("div3k"));
    assert!(unknown("div2k/x5").contains("hr, x2, x3, x4"), "{}", unknown("div2k/x5"));
}

#[test]
fn a_users_file_adds_and_replaces() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("own.toml");
    std::fs::write(&path, format!("{ROW}{}", ROW.replace("\"mine\"\nwhat", "\"set5\"\nwhat"))).unwrap();
    let (mine, built_in) = (Catalogue::with(&[&path]).unwrap(), Catalogue::built_in().unwrap());
    assert_eq!(mine.datasets.len(), built_in.datasets.len() + 1);
    assert_eq!(mine.find("set5").unwrap().0.what, "my own");
    let missing = Catalogue::with(&[folder.path().join("none.toml")]).unwrap_err().to_string();
    assert!(missing.contains("none.toml"), "{missing}");
}

#[test]
fn a_wrong_row_is_named_with_its_file() {
    assert_eq!(said(ROW), "fine");
    for (right, wrong, part) in [
        ("name = \"mine\"", "name = \"a/b\"", "`a/b`"),
        ("hr = \"mine\"", "hr = \"../mine\"", "`../mine`"),
        ("zip = \"mine\"", "zip = \"/mine\"", "`/mine`"),
        ("zip = \"mine\"", "rar = \"mine\"", "rar"),
        ("x4 =", "four =", "`four`"),
        ("https://", "ftp://", "ftp"),
        ("example.org", "example.org/\\u0007", "\\u{7}"),
        ("mine.zip", "", "file's name"),
        ("mine.zip", "mine", "`mine` of the url"),
        ("zip = \"mine\"", "zip = \"mine.zip/HR\"", "`mine.zip` of the url"),
        ("x4 =", "\"a\\u0007\" =", "a\\u{7}"),
        ("0123456789abcdef", "0123456789ABCDEF", "0123456789ABCDEF"),
        ("0123456789abcdef", "0123", "`0123`"),
        ("licence", "license", "license"),
        ("my own", "my \u{1b}own", "my \u{fffd}own"),
    ] {
        let error = said(&ROW.replace(right, wrong));
        assert!(error.contains("own.toml") && error.contains(part), "{error}");
    }
    assert!(said(&format!("{ROW}{ROW}")).contains("two rows have this name"));
}
