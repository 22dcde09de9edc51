//! What every printed form of a table shows, cell by cell; `text.rs`, `markdown.rs` and `latex.rs` only set it.

use std::collections::HashMap;
use std::ops::Range;

use crate::metric::Better;
use crate::published::{PublishedRow, Source};
use crate::statistics::{Difference, RESAMPLES, SEED};
use crate::{LpipsColumn, Method, Metric, Protocol, Results, Row};

/// What stands above published rows.
pub const PUBLISHED: &str = "as published, not measured here";

/// Columns that were taken in the same way, and who says how.
struct Section<'a> {
    name: &'a str,
    about: &'a str,
    metrics: Vec<&'static Metric>,
    columns: Range<usize>,
    /// What was published for these columns.
    published: Vec<&'a Source>,
}

/// What is shown of one section.
pub(crate) struct Sheet<'a> {
    /// Of the protocol.
    pub name: &'a str,
    pub about: &'a str,
    /// Names of the columns of every table.
    pub columns: Vec<String>,
    /// The mean of each method, the best marked, with `± ` and the standard deviation; what others published.
    pub means: Table,
    /// The mean difference of each pair of methods with its interval, marked where that leaves 0 out.
    pub differences: Option<Table>,
    /// The methods' values of each picture, the best marked.
    pub pictures: Table,
    /// Where what was published comes from, a sentence or two for each source.
    pub sources: Vec<String>,
}

/// Lines in groups.
pub(crate) struct Table {
    /// Stands above the labels.
    pub title: &'static str,
    pub groups: Vec<Group>,
}

/// Lines below a heading, which may be empty.
pub(crate) struct Group {
    pub heading: String,
    pub lines: Vec<Line>,
}

/// A label, and a cell for each column.
pub(crate) struct Line {
    pub label: String,
    pub cells: Vec<Cell>,
}

/// One cell.
#[derive(Clone, Default)]
pub(crate) struct Cell {
    /// A number as papers print it, `inf` among them; `-` where there is none.
    pub value: String,
    /// What belongs to it: `± 1.41`, `[-0.50, +0.50]`, or nothing.
    pub spread: String,
    pub marked: bool,
}

impl Results {
    /// The sections that have columns: one per protocol, and one of LPIPS.
    fn sections(&self) -> Vec<Section<'_>> {
        let metrics: Vec<_> = self.lpips.iter().map(LpipsColumn::metric).collect();
        let has_any = |source: &&Source| metrics.iter().any(|metric| source.has(metric.name));
        let lpips = Section {
            name: "lpips",
            about: "red, green and blue of the whole picture",
            columns: self.protocols.len() * self.metrics.len()..self.columns().len(),
            published: self.published.iter().flat_map(|published| &published.sources).filter(has_any).collect(),
            metrics,
        };
        let sections = self.protocols.iter().enumerate().map(|(index, protocol)| self.of_protocol(index, protocol));
        sections.chain([lpips]).filter(|section| !section.columns.is_empty()).collect()
    }

    /// That of the protocol with this index.
    fn of_protocol<'a>(&'a self, index: usize, protocol: &'a Protocol) -> Section<'a> {
        let (Protocol { name, about, .. }, count) = (protocol, self.metrics.len());
        Section {
            name,
            about,
            metrics: self.metrics.clone(),
            columns: index * count..(index + 1) * count,
            published: self.published.iter().flat_map(|published| published.under(name)).collect(),
        }
    }

    /// The table by sections.
    pub(crate) fn sheets(&self) -> Vec<Sheet<'_>> {
        let columns = self.columns();
        let minus = |[a, b]: [&Method; 2]| (format!("{} - {}", a.name, b.name), a.minus(b, columns.len()));
        let pairs: Vec<_> = self.pairs().into_iter().map(minus).collect();
        let title = if self.pictures() > 1 { "mean ± standard deviation" } else { "mean" };
        let sheets = self.sections().into_iter().map(|section| Sheet {
            columns: columns[section.columns.clone()].to_vec(),
            means: Table { title, groups: self.means(&section) },
            differences: (!pairs.is_empty()).then(|| differences(&section, &pairs)),
            pictures: Table { title: "each picture", groups: self.by_picture(&section) },
            sources: self.published_sources(&section.published),
            name: section.name,
            about: section.about,
        });
        sheets.collect()
    }

    /// The methods, and below them what was published.
    fn means(&self, section: &Section) -> Vec<Group> {
        let line = |method: &Method| {
            let (means, deviations) = (method.mean(section.columns.end), method.deviation(section.columns.end));
            let cell = |(metric, column): (&&Metric, usize)| {
                let deviation = Some(deviations[column]).filter(|deviation| deviation.is_finite());
                let spread = deviation.map_or_else(String::new, |deviation| format!("± {}", metric.format(deviation)));
                Cell { value: metric.format(means[column]), spread, marked: false }
            };
            Line { label: method.name.clone(), cells: section.columns().map(cell).collect() }
        };
        let mut groups = vec![Group { heading: String::new(), lines: self.methods.iter().map(line).collect() }];
        section.mark_best(&mut groups[0].lines);
        let rows = section.published.iter().flat_map(|source| source.rows.iter().map(move |row| (source, row)));
        let lines: Vec<_> = rows.map(|(source, row)| self.published_line(section, source, row)).collect();
        if !lines.is_empty() {
            groups.push(Group { heading: PUBLISHED.into(), lines });
        }
        groups
    }

    /// The methods below the name of each picture; a single method needs no names below.
    fn by_picture(&self, section: &Section) -> Vec<Group> {
        if let [method] = &self.methods[..] {
            let lines = method.rows.iter().map(|row| Line { label: row.picture.clone(), cells: section.cells(row) });
            return vec![Group { heading: method.name.clone(), lines: lines.collect() }];
        }
        let (mut groups, mut places) = (Vec::<Group>::new(), HashMap::new());
        for (method, row) in self.methods.iter().flat_map(|method| method.rows.iter().map(move |row| (method, row))) {
            let place = *places.entry(&row.picture).or_insert(groups.len());
            if place == groups.len() {
                groups.push(Group { heading: row.picture.clone(), lines: Vec::new() });
            }
            groups[place].lines.push(Line { label: method.name.clone(), cells: section.cells(row) });
        }
        groups.iter_mut().for_each(|group| section.mark_best(&mut group.lines));
        groups
    }

    /// Where published rows come from, a sentence or two for each source; nothing of no source.
    pub fn published_sources(&self, sources: &[&Source]) -> Vec<String> {
        let Some(published) = &self.published else { return Vec::new() };
        let mut said: Vec<String> = sources.iter().map(|source| sentence(source)).collect();
        if !said.is_empty() {
            let note = published.note.as_ref().map_or_else(String::new, |note| format!("; {note}"));
            let (set, scale) = (&published.set, self.scale);
            said.insert(0, format!("Published for {set} at x{scale}, lr by bicubic downscaling{note}."));
        }
        said
    }

    /// What every caption says but the notices: scale, pictures, LR, protocol, what is bold, which way is better.
    pub(crate) fn caption(&self, sheet: &Sheet) -> String {
        let Sheet { name, about, .. } = sheet;
        let best = if self.methods.len() > 1 { " Bold: best of its column." } else { "" };
        let (scale, pictures, lr) = (self.scale, self.pictures(), &self.lr);
        let pictures = if pictures == 1 { "1 picture".into() } else { format!("{pictures} pictures") };
        format!("x{scale}, {pictures}, lr: {lr}; {name}: {about}.{best} {}", self.directions())
    }

    /// How many pictures were judged.
    pub fn pictures(&self) -> usize {
        self.methods.iter().map(|method| method.rows.len()).max().unwrap_or(0)
    }

    /// `psnr in dB. Higher is better for psnr, ssim; lower for gmsd.`
    pub(crate) fn directions(&self) -> String {
        let mut metrics = Vec::new();
        self.sections().iter().flat_map(|section| section.metrics.clone()).for_each(|metric| {
            if !metrics.contains(&metric) {
                metrics.push(metric);
            }
        });
        let names = |metrics: Vec<&&Metric>| metrics.iter().map(|metric| metric.name).collect::<Vec<_>>().join(", ");
        let of = |better| metrics.iter().filter(|metric| metric.better == better).collect::<Vec<_>>();
        let decibels = names(metrics.iter().filter(|metric| metric.unit == "dB").collect());
        let mut parts = Vec::new();
        if !decibels.is_empty() {
            parts.push(format!("{decibels} in dB."));
        }
        match (names(of(Better::Higher)), names(of(Better::Lower))) {
            (_, lower) if lower.is_empty() => parts.push("Higher is better for every metric.".into()),
            (higher, _) if higher.is_empty() => parts.push("Lower is better for every metric.".into()),
            (higher, lower) => parts.push(format!("Higher is better for {higher}; lower for {lower}.")),
        }
        parts.join(" ")
    }
}

impl Results {
    fn published_line(&self, section: &Section, source: &Source, row: &PublishedRow) -> Line {
        let value = |metric: &&Metric| row.values.get(metric.name).cloned().unwrap_or_else(|| "-".into());
        let cells = section.metrics.iter().map(|metric| Cell { value: value(metric), ..Cell::default() }).collect();
        Line { label: self.published_label(source, row), cells }
    }

    /// The name of a published row: its method and source, and its numbers that the table has no column for.
    pub fn published_label(&self, source: &Source, row: &PublishedRow) -> String {
        let columns = self.column_metrics();
        let is_column = |name: &str| columns.iter().any(|metric| metric.name == name);
        let others = row.values.iter().filter(|(name, _)| !is_column(name));
        let others: String = others.map(|(name, value)| format!("; {name} {value}")).collect();
        format!("{} ({}{others})", row.method, source.cite)
    }
}

impl Section<'_> {
    fn columns(&self) -> impl Iterator<Item = (&&'static Metric, usize)> {
        self.metrics.iter().zip(self.columns.clone())
    }

    /// The values of one picture.
    fn cells(&self, row: &Row) -> Vec<Cell> {
        let value = |column| row.values.get(column).copied().unwrap_or(f64::NAN);
        self.columns().map(|(metric, column)| Cell { value: metric.format(value(column)), ..Cell::default() }).collect()
    }

    /// Marks the best value of each column where there are several; what prints alike is marked alike.
    fn mark_best(&self, lines: &mut [Line]) {
        if lines.len() < 2 {
            return;
        }
        for (column, metric) in self.metrics.iter().enumerate() {
            let value = |line: &Line| line.cells[column].value.parse().unwrap_or(f64::NAN);
            let pick = if metric.better == Better::Higher { f64::max } else { f64::min };
            let best = lines.iter().map(value).fold(f64::NAN, pick);
            lines.iter_mut().for_each(|line| line.cells[column].marked = value(line) == best);
        }
    }
}

/// Pairs of methods, and by how much they differ in each column of the whole table.
fn differences(section: &Section, pairs: &[(String, Vec<Option<Difference>>)]) -> Table {
    let cell = |metric: &Metric, found: &Option<Difference>| {
        let Some(found) = found else { return Cell { value: "-".into(), ..Cell::default() } };
        let [low, high] = found.interval.map(|end| signed(metric, end));
        Cell { value: signed(metric, found.mean), spread: format!("[{low}, {high}]"), marked: found.is_clear() }
    };
    let line = |(label, found): &(String, Vec<Option<Difference>>)| {
        let cells = section.columns().map(|(metric, column)| cell(metric, &found[column])).collect();
        Line { label: label.clone(), cells }
    };
    let lines = pairs.iter().map(line).collect();
    Table { title: "difference", groups: vec![Group { heading: String::new(), lines }] }
}

/// What stands in brackets behind a difference.
pub(crate) fn interval() -> String {
    format!("[ ] 95 % interval of the mean difference (bootstrap over pictures, {RESAMPLES} resamples, seed {SEED})")
}

/// Text from files with its control characters spelt out, so that a line stays one.
pub(crate) fn one_line(text: &str) -> String {
    let spelt = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.to_string() };
    text.chars().map(spelt).collect()
}

/// `Lim et al. 2017: B. Lim, ...; note.`
fn sentence(source: &Source) -> String {
    let note = source.note.as_ref().map_or_else(String::new, |note| format!("; {note}"));
    format!("{}: {}{note}.", source.cite, source.source)
}

/// With its sign; what prints as 0 is +0.
fn signed(metric: &Metric, value: f64) -> String {
    let least = 0.5 * 0.1f64.powi(metric.digits as i32);
    format!("{:+.1$}", if value.abs() < least { 0.0 } else { value }, metric.digits)
}
