//! What others published for the pictures of the benchmarks, to stand beside a table; the numbers are in `published.toml`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Error, Protocol};

const FILE: &str = include_str!("../published.toml");

/// What was published for one set of pictures at one scale. Never measured here, never marked as best.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Published {
    /// The set, as papers write it: `Set5`.
    pub set: String,
    /// How many pictures the set has, where its source says so.
    pub pictures: Option<usize>,
    /// What must be known of any number for this set.
    pub note: Option<String>,
    /// Where the rows come from; each source belongs to one protocol of the table.
    pub sources: Vec<Source>,
}

/// The rows of one source.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Source {
    /// Name of the table's protocol that the rows belong to.
    pub protocol: String,
    /// Authors and year, as rows show it: `Lim et al. 2017`.
    pub cite: String,
    /// Authors, title, where it appeared, and where it was read if not there.
    pub source: String,
    /// What must be known of these numbers.
    pub note: Option<String>,
    /// One row per method.
    pub rows: Vec<PublishedRow>,
}

/// One published row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PublishedRow {
    /// The method's name in its source.
    pub method: String,
    /// By metric, such as `psnr`, the mean as it is printed there.
    pub values: BTreeMap<String, String>,
}

/// The file of published numbers, which says itself what its keys are.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    set: BTreeMap<String, Set>,
    source: Vec<Table>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Set {
    title: String,
    pictures: Option<usize>,
    note: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    cite: String,
    source: String,
    protocol: String,
    metrics: Vec<String>,
    note: Option<String>,
    rows: Vec<Line>,
}

#[derive(Deserialize)]
struct Line {
    method: String,
    scale: usize,
    #[serde(flatten)]
    sets: BTreeMap<String, String>,
}

impl Published {
    /// What was published for the pictures of `set`, such as `set5` (in any case), enlarged `scale` times, under those of
    /// `protocols` for which there is something.
    ///
    /// # Errors
    /// [`Error::UnknownSet`]; [`Error::NotPublished`], with the scales and protocols that would match.
    pub fn find(set: &str, scale: usize, protocols: &[Protocol]) -> Result<Self, Error> {
        let file = file();
        let key = set.to_ascii_lowercase();
        let Some(Set { title, pictures, note }) = file.set.get(&key) else {
            return Err(Error::UnknownSet { set: set.to_owned(), sets: file.set.into_keys().collect() });
        };
        let sources: Vec<_> = protocols
            .iter()
            .flat_map(|protocol| file.source.iter().filter_map(|table| table.beside(protocol, &key, scale)))
            .collect();
        if sources.is_empty() {
            let names = protocols.iter().map(|protocol| protocol.name.clone()).collect();
            return Err(Error::NotPublished { set: title.clone(), scale, protocols: names, known: file.known(&key) });
        }
        Ok(Self { set: title.clone(), pictures: *pictures, note: note.clone(), sources })
    }

    /// Whether a table over so many pictures can be over this set.
    ///
    /// # Errors
    /// [`Error::PublishedPictures`].
    pub fn check(&self, pictures: usize) -> Result<(), Error> {
        match self.pictures {
            Some(expected) if expected != pictures => {
                Err(Error::PublishedPictures { set: self.set.clone(), expected, found: pictures })
            }
            _ => Ok(()),
        }
    }

    /// What was published under the protocol of this name.
    pub fn under<'a>(&'a self, protocol: &'a str) -> impl Iterator<Item = &'a Source> {
        self.sources.iter().filter(move |source| source.protocol == protocol)
    }
}

impl Source {
    /// Whether one of the rows has a value of this metric.
    pub fn has(&self, metric: &str) -> bool {
        self.rows.iter().any(|row| row.values.contains_key(metric))
    }
}

impl File {
    /// The protocols of a set's rows by scale: `x4 under y-crop4, rgb-crop4`.
    fn known(&self, set: &str) -> String {
        let mut known: BTreeMap<usize, Vec<String>> = BTreeMap::new();
        for table in &self.source {
            for line in table.rows.iter().filter(|line| line.sets.contains_key(set)) {
                let (names, name) = (known.entry(line.scale).or_default(), table.protocol(line.scale));
                if !names.contains(&name) {
                    names.push(name);
                }
            }
        }
        let scale = |(scale, names): (&usize, &Vec<String>)| format!("x{scale} under {}", names.join(" or "));
        known.iter().map(scale).collect::<Vec<_>>().join(", ")
    }
}

impl Table {
    fn protocol(&self, scale: usize) -> String {
        self.protocol.replace("{scale}", &scale.to_string())
    }

    /// The rows for a set and scale, if they were taken as `protocol` takes them.
    fn beside(&self, protocol: &Protocol, set: &str, scale: usize) -> Option<Source> {
        let own = Protocol::named(&self.protocol(scale), scale).ok()?;
        let of_scale = self.rows.iter().filter(|line| line.scale == scale);
        let rows: Vec<_> = of_scale.filter_map(|line| Some(self.row(line, line.sets.get(set)?))).collect();
        (takes_the_same(&own, protocol) && !rows.is_empty()).then(|| Source {
            protocol: protocol.name.clone(),
            cite: self.cite.clone(),
            source: self.source.clone(),
            note: self.note.clone(),
            rows,
        })
    }

    fn row(&self, line: &Line, numbers: &str) -> PublishedRow {
        let values = self.metrics.iter().cloned().zip(numbers.split(" / ").map(str::to_owned));
        PublishedRow { method: line.method.clone(), values: values.collect() }
    }
}

/// Whether two protocols compare the same samples in the same way, their names and grey pictures left aside.
fn takes_the_same(a: &Protocol, b: &Protocol) -> bool {
    (a.channel, a.border, a.peak, a.ssim) == (b.channel, b.border, b.peak, b.ssim)
}

fn file() -> File {
    toml::from_str(FILE).expect("published.toml is part of the program, and a test reads all of it")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(set: &str, scale: usize, protocols: &[&str]) -> Result<Published, Error> {
        let protocols: Vec<_> = protocols.iter().map(|name| Protocol::named(name, scale).unwrap()).collect();
        Published::find(set, scale, &protocols)
    }

    #[test]
    fn every_row_has_a_known_set_a_protocol_and_as_many_numbers_as_metrics() {
        let file = file();
        for table in &file.source {
            for line in &table.rows {
                let row = format!("{} {} x{}", table.cite, line.method, line.scale);
                assert!(Protocol::named(&table.protocol(line.scale), line.scale).is_ok(), "{row}");
                assert!(!line.sets.is_empty() && line.sets.keys().all(|set| file.set.contains_key(set)), "{row}");
                for numbers in line.sets.values() {
                    let numbers: Vec<_> = numbers.split(" / ").collect();
                    assert_eq!(numbers.len(), table.metrics.len(), "{row}");
                    // The report alone gives a range.
                    let is_number = |number: &&str| number.split(" to ").all(|end| end.parse::<f64>().is_ok());
                    assert!(numbers.iter().all(is_number), "{row}");
                }
            }
        }
    }

    #[test]
    fn the_rows_of_a_set_stand_under_the_protocol_that_takes_the_same() {
        let found = find("Set5", 4, &["rgb", "y-crop4", "rgb-crop4"]).unwrap();
        assert_eq!((found.set.as_str(), found.pictures), ("Set5", Some(5)));
        let value = |protocol: &str, cite: &str, method: &str, metric: &str| {
            let source = found.under(protocol).find(|source| source.cite == cite)?;
            source.rows.iter().find(|row| row.method == method)?.values.get(metric).cloned()
        };
        assert_eq!(value("y-crop4", "Lim et al. 2017", "EDSR", "psnr").unwrap(), "32.46");
        assert_eq!(value("y-crop4", "Wang et al. 2018", "RRDB", "ssim").unwrap(), "0.9011");
        assert_eq!(value("y-crop4", "Ma et al. 2020", "ESRGAN", "ssim"), None);
        assert_eq!(value("rgb-crop4", "BasicSR", "EDSR-M", "psnr").unwrap(), "30.1821");
        assert_eq!(found.under("rgb").count(), 0);
        // BasicSR's own name for the same protocol, and Y with grey pictures as they are.
        assert_eq!(find("set5", 4, &["basicsr-rgb"]).unwrap().sources[0].protocol, "basicsr-rgb");
        assert!(find("set14", 3, &["y-grey-crop3"]).unwrap().note.unwrap().contains("bridge"));
    }

    #[test]
    fn the_report_stands_beside_rgb_without_a_border() {
        let found = find("report", 4, &["y-crop4", "rgb"]).unwrap();
        let [Source { protocol, rows, .. }] = &found.sources[..] else { panic!("{found:?}") };
        assert_eq!((protocol.as_str(), rows[1].values["ssim"].as_str()), ("rgb", "0.270 to 0.295"));
        assert_eq!((rows[0].values["lpips_alex"].as_str(), rows[1].values["lpips_alex"].as_str()), ("0.372", "0.265"));
        assert!(found.check(100).is_ok());
    }

    #[test]
    fn what_does_not_match_says_what_would() {
        let said = |set: &str, scale, protocols: &[&str]| find(set, scale, protocols).unwrap_err().to_string();
        let error = said("Set5", 4, &["rgb", "basicsr-y"]);
        assert!(error.contains("under rgb, basicsr-y") && error.contains("x4 under y-crop4 or rgb-crop4"), "{error}");
        assert!(said("urban100", 8, &["y-crop8"]).contains("x4 under y-crop4"));
        assert!(said("set6", 4, &["y-crop4"]).contains("bsd100, div2k-valid, report, set14, set5, urban100"));
        let error = said("set5", 4, &[]);
        assert!(error.contains("for Set5 at x4 without a metric that follows a protocol"), "{error}");
        let error = find("set5", 2, &["y-crop2"]).unwrap().check(3).unwrap_err().to_string();
        assert!(error.contains("Set5 has 5 pictures") && error.contains("3"), "{error}");
    }
}
