//! Data sets that an experiment names instead of their folders: `train = { source = "div2k", conversion = "refuse" }`.

use abbe_hub::{Catalogue, Folders, Places, dataset};
use anyhow::{Context, Result, ensure};
use toml::{Table, Value};

/// What may name a data set under `data`.
const KEYS: [&str; 3] = ["train", "validation", "test"];

/// Whether one of them names a data set.
pub fn is_in(experiment: &Table) -> bool {
    sources(experiment).any(|source| source.contains_key("source"))
}

fn sources(experiment: &Table) -> impl Iterator<Item = &Table> {
    let data = experiment.get("data").and_then(Value::as_table);
    KEYS.into_iter().filter_map(move |key| data?.get(key)?.as_table())
}

/// Puts the folders of the data sets in the place of their names. Where nothing is said of the LR pictures they are read
/// from those of the data set at the experiment's scale.
///
/// # Errors
/// A name that is not in the catalogue; pictures that were not fetched.
pub fn resolve(experiment: &mut Table) -> Result<()> {
    let places = Places::from_env();
    let catalogue = Catalogue::with(places.catalogue.as_slice())?;
    let scale = experiment.get("scale").and_then(Value::as_integer).and_then(|scale| usize::try_from(scale).ok());
    let data = experiment.get_mut("data").and_then(Value::as_table_mut).context("expected [data]")?;
    for key in KEYS {
        let Some(source) = data.get_mut(key).and_then(Value::as_table_mut) else { continue };
        let Some(name) = source.remove("source") else { continue };
        let name =
            name.as_str().with_context(|| format!("data.{key}.source: expected a name, found {name}"))?.to_owned();
        let scale = scale.context("scale: expected 2, 3, 4 or 8")?;
        let folders = dataset(&catalogue, &places, &name, scale).with_context(|| format!("data.{key}.source"))?;
        place(source, &name, scale, folders).with_context(|| format!("data.{key}"))?;
    }
    Ok(())
}

fn place(source: &mut Table, name: &str, scale: usize, folders: Folders) -> Result<()> {
    ensure!(!source.contains_key("hr"), "expected `source` or `hr`, found both: leave one out");
    let text = |path: std::path::PathBuf| {
        path.into_os_string().into_string().ok().context("expected a folder's name in UTF-8")
    };
    source.insert("hr".into(), Value::String(text(folders.hr)?));
    if !source.contains_key("lr") {
        let lr = folders.lr.with_context(|| {
            format!(
                "{name} has no LR pictures here at scale {scale}: run `abbe fetch {name}/x{scale}`, or have them made, as in \
                 `lr = {{ bicubic = {{ border = \"replicate\" }} }}`"
            )
        })?;
        source.insert("lr".into(), Value::Table(Table::from_iter([("folder".into(), Value::String(text(lr)?))])));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> Table {
        text.parse().unwrap()
    }

    fn folders(lr: Option<&str>) -> Folders {
        Folders { hr: "data/HR".into(), lr: lr.map(Into::into) }
    }

    #[test]
    fn folders_take_the_place_of_the_name() {
        let mut read = source("conversion = \"refuse\"");
        place(&mut read, "div2k", 4, folders(Some("data/X4"))).unwrap();
        assert_eq!(read, source("conversion = \"refuse\"\nhr = \"data/HR\"\nlr = { folder = \"data/X4\" }"));
        let mut made = source("lr = { bicubic = { border = \"mirror\" } }");
        place(&mut made, "div2k", 4, folders(Some("data/X4"))).unwrap();
        assert_eq!(made, source("hr = \"data/HR\"\nlr = { bicubic = { border = \"mirror\" } }"));
    }

    #[test]
    fn lr_pictures_are_never_made_unasked() {
        let error = place(&mut Table::new(), "div2k", 4, folders(None)).unwrap_err().to_string();
        assert!(error.contains("abbe fetch div2k/x4") && error.contains("bicubic"), "{error}");
        let both = place(&mut source("hr = \"mine\""), "div2k", 4, folders(None)).unwrap_err().to_string();
        assert!(both.contains("found both"), "{both}");
    }

    #[test]
    fn an_experiment_that_names_what_was_not_fetched_says_how_to_fetch_it() {
        let mut experiment = source("scale = 4\n[data]\ntrain = { hr = \"a\" }\ntest = { source = \"div3k\" }");
        assert!(is_in(&experiment) && !is_in(&source("[data]\ntrain = { hr = \"a\" }")));
        let error = format!("{:#}", resolve(&mut experiment).unwrap_err());
        assert!(error.contains("data.test.source") && error.contains("`div3k`"), "{error}");
    }
}
