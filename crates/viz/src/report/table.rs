//! Tables of metrics, one of each kind per protocol: means, pictures, differences.

use abbe_eval::{Better, Method, Metric, Protocol, Results};

use super::group::Entry;

/// A table that a reader can sort.
pub(super) struct Table {
    /// The protocol's name.
    pub title: String,
    /// What the numbers are, and by which convention.
    pub caption: &'static str,
    pub convention: String,
    /// Columns that hold names; those behind them hold numbers.
    pub names: usize,
    /// Each with what it says when pointed at.
    pub columns: Vec<(String, String)>,
    pub rows: Vec<Vec<Cell>>,
}

/// One cell.
#[derive(Clone, Default)]
pub(super) struct Cell {
    pub text: String,
    /// What stands behind it, smaller.
    pub more: String,
    /// By which rows are sorted, where it is a number.
    pub value: Option<f64>,
    /// Whether it is set in bold: the best of its column or picture, or a difference beyond chance.
    pub bold: bool,
}

impl Cell {
    fn name(text: &str) -> Self {
        Self { text: text.to_owned(), ..Self::default() }
    }

    fn number(metric: &Metric, value: Option<f64>) -> Self {
        match value.filter(|value| !value.is_nan()) {
            Some(value) => Self { text: metric.format(value), value: Some(value), ..Self::default() },
            None => Self::name("–"),
        }
    }

    fn with_deviation(mut self, metric: &Metric, deviation: Option<f64>) -> Self {
        if let Some(deviation) = deviation.filter(|deviation| deviation.is_finite()) {
            self.more = format!("± {}", metric.format(deviation));
        }
        self
    }
}

/// Where a metric under a protocol stands among the values of a table's rows.
pub(super) fn column(results: &Results, protocol: &Protocol, metric: &Metric) -> Option<usize> {
    let protocol = results.protocols.iter().position(|known| known == protocol)?;
    let metric_at = results.metrics.iter().position(|known| *known == metric)?;
    Some(protocol * results.metrics.len() + metric_at)
}

/// The mean of each method under a protocol.
pub(super) fn means(entries: &[Entry], protocol: &Protocol) -> Table {
    let metrics = metrics(entries, protocol);
    let row = |entry: &Entry| {
        let cell = |metric: &&'static Metric| {
            let at = column(entry.results, protocol, metric);
            let taken = |of: fn(&Method, usize) -> Vec<f64>| at.and_then(|at| of(entry.method, at + 1).pop());
            Cell::number(metric, taken(Method::mean)).with_deviation(metric, taken(Method::deviation))
        };
        entry.names().iter().map(|name| Cell::name(name)).chain(metrics.iter().map(cell)).collect()
    };
    let mut rows: Vec<Vec<Cell>> = entries.iter().map(row).collect();
    let names = names(entries, &[]);
    mark_best(&mut rows, names.len(), &metrics);
    table(protocol, "Mean ± standard deviation over pictures; the best in bold", names, &metrics, rows)
}

/// Each picture under a protocol.
pub(super) fn pictures(entries: &[Entry], protocol: &Protocol) -> Table {
    let metrics = metrics(entries, protocol);
    let mut rows = Vec::new();
    let first = entries.first().map(|entry| entry.method);
    let names = names(entries, &["picture"]);
    for picture in first.iter().flat_map(|method| &method.rows).map(|row| &row.picture) {
        let row = |entry: &Entry| {
            let values = entry.method.rows.iter().find(|row| row.picture == *picture).map(|row| &row.values);
            let value = |metric| values?.get(column(entry.results, protocol, metric)?).copied();
            let names = [picture.as_str()].into_iter().chain(entry.names());
            names.map(Cell::name).chain(metrics.iter().map(|&metric| Cell::number(metric, value(metric)))).collect()
        };
        let mut of_picture: Vec<Vec<Cell>> = entries.iter().map(row).collect();
        mark_best(&mut of_picture, names.len(), &metrics);
        rows.extend(of_picture);
    }
    table(protocol, "Each picture; its best in bold", names, &metrics, rows)
}

/// By how much one entry lies above another, for each of `pairs`; nothing where the pictures are not the same.
pub(super) fn differences(pairs: &[[&Entry; 2]], protocol: &Protocol) -> Option<Table> {
    let metrics = metrics(pairs.iter().flatten().copied(), protocol);
    let mut rows = Vec::new();
    for [a, b] in pairs.iter().filter(|[a, b]| a.results.columns() == b.results.columns()) {
        let found = a.method.minus(b.method, a.results.columns().len());
        let cell = |metric: &&'static Metric| {
            let found = column(a.results, protocol, metric).and_then(|at| *found.get(at)?);
            found.map_or(Cell::name("–"), |found| Cell {
                text: signed(metric, found.mean),
                more: format!("[{}, {}]", signed(metric, found.interval[0]), signed(metric, found.interval[1])),
                value: Some(found.mean),
                bold: found.is_clear(),
            })
        };
        let name = format!("{} − {}", a.names().join(" "), b.names().join(" "));
        rows.push([Cell::name(&name)].into_iter().chain(metrics.iter().map(cell)).collect());
    }
    let caption = "Mean difference over pictures with its 95 % interval (bootstrap over pictures); in bold where the interval \
                   leaves 0 out.";
    (!rows.is_empty()).then(|| table(protocol, caption, vec!["difference"], &metrics, rows))
}

/// With a sign; what rounds to 0 without a minus.
fn signed(metric: &Metric, value: f64) -> String {
    let least = 0.5 * 0.1f64.powi(metric.digits as i32);
    format!("{:+.1$}", if value.abs() < least { 0.0 } else { value }, metric.digits)
}

/// The columns that hold names; runs are named where there are several.
fn names(entries: &[Entry], before: &[&'static str]) -> Vec<&'static str> {
    let run = entries.iter().any(|entry| entry.run.is_some()).then_some("run");
    before.iter().copied().chain(run).chain(["method"]).collect()
}

/// The metrics that any of the entries has under the protocol.
fn metrics<'a>(entries: impl IntoIterator<Item = &'a Entry<'a>>, protocol: &Protocol) -> Vec<&'static Metric> {
    let mut metrics: Vec<&'static Metric> = Vec::new();
    for entry in entries.into_iter().filter(|entry| entry.results.protocols.contains(protocol)) {
        let new = entry.results.metrics.iter().copied().filter(|metric| !metrics.contains(metric));
        metrics.extend(new.collect::<Vec<_>>());
    }
    metrics
}

fn table(
    protocol: &Protocol,
    caption: &'static str,
    names: Vec<&'static str>,
    metrics: &[&'static Metric],
    rows: Vec<Vec<Cell>>,
) -> Table {
    let number = |metric: &&'static Metric| {
        let unit = if metric.unit.is_empty() { String::new() } else { format!(", {}", metric.unit) };
        let arrow = if metric.better == Better::Higher { '↑' } else { '↓' };
        (format!("{}{unit} {arrow}", metric.name), format!("{}: {}", protocol.column(metric.name), metric.source))
    };
    let columns = names.iter().map(|name| ((*name).to_owned(), String::new())).chain(metrics.iter().map(number));
    let (title, convention) = (protocol.name.clone(), convention(protocol));
    Table { title, caption, convention, names: names.len(), columns: columns.collect(), rows }
}

/// A protocol in a sentence.
fn convention(protocol: &Protocol) -> String {
    let convention = protocol.convention();
    format!(
        "{}. Compared: {} ({}); rounding: {}; border cut: {} px; peak {}.",
        convention.about, convention.channel, convention.range, convention.rounding, convention.border, convention.peak
    )
}

/// Marks the best of each column from `first` on. What prints alike is marked alike.
fn mark_best(rows: &mut [Vec<Cell>], first: usize, metrics: &[&'static Metric]) {
    for (at, metric) in metrics.iter().enumerate() {
        let pick = if metric.better == Better::Higher { f64::max } else { f64::min };
        let values = rows.iter().filter_map(|row| row.get(first + at)?.value);
        let Some(best) = values.reduce(pick).map(|best| metric.format(best)) else { continue };
        let cells = rows.iter_mut().filter_map(|row| row.get_mut(first + at));
        cells.filter(|cell| cell.text == best).for_each(|cell| cell.bold = true);
    }
}
