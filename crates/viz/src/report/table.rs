//! Tables of metrics, one of each kind per protocol, and LPIPS apart: means, pictures, differences.

use abbe_eval::{Better, Method, Metric, PublishedRow, Source};

use super::group::Entry;
use super::rule::{Column, Rule};

/// A table that a reader can sort.
pub(super) struct Table {
    /// The name of the rule.
    pub title: String,
    /// What the numbers are, and by which convention.
    pub caption: &'static str,
    pub convention: String,
    /// Columns that hold names; those behind them hold numbers.
    pub names: usize,
    /// Each with what it says when pointed at.
    pub columns: Vec<(String, String)>,
    pub rows: Vec<Vec<Cell>>,
    /// What others published, below the rows however those are sorted.
    pub published: Vec<Vec<Cell>>,
    /// Where that comes from.
    pub sources: Vec<String>,
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

/// The mean of each method under a rule.
pub(super) fn means(entries: &[Entry], rule: Rule) -> Table {
    let columns = columns(entries, rule);
    let row = |entry: &Entry| {
        let cell = |column: &Column| {
            let at = rule.position(entry.results, column);
            let taken = |of: fn(&Method, usize) -> Vec<f64>| at.and_then(|at| of(entry.method, at + 1).pop());
            Cell::number(column.metric, taken(Method::mean)).with_deviation(column.metric, taken(Method::deviation))
        };
        entry.names().iter().map(|name| Cell::name(name)).chain(columns.iter().map(cell)).collect()
    };
    let mut rows: Vec<Vec<Cell>> = entries.iter().map(row).collect();
    let names = names(entries, &[]);
    mark_best(&mut rows, names.len(), &columns);
    let caption = match entries {
        [_] => "Mean ± standard deviation over pictures",
        _ => "Mean ± standard deviation over pictures; the best in bold",
    };
    let (published, sources) = published(entries, rule, names.len(), &columns);
    Table { published, sources, ..table(rule, caption, names, &columns, rows) }
}

/// What others published for the same pictures under a rule, and where that comes from.
fn published(entries: &[Entry], rule: Rule, names: usize, columns: &[Column]) -> (Vec<Vec<Cell>>, Vec<String>) {
    let found = entries.iter().map(|entry| (entry.results, rule.published(entry.results)));
    let Some((results, sources)) = found.into_iter().find(|(_, sources)| !sources.is_empty()) else {
        return Default::default();
    };
    let line = |(source, row): (&Source, &PublishedRow)| {
        let before = (1..names).map(|_| Cell::name("–"));
        let name = Cell::name(&results.published_label(source, row));
        let number = |column: &Column| Cell::name(row.values.get(column.metric.name).map_or("–", String::as_str));
        before.chain([name]).chain(columns.iter().map(number)).collect()
    };
    let rows = sources.iter().flat_map(|source| source.rows.iter().map(|row| (*source, row)));
    (rows.map(line).collect(), results.published_sources(&sources))
}

/// Each picture under a rule.
pub(super) fn pictures(entries: &[Entry], rule: Rule) -> Table {
    let columns = columns(entries, rule);
    let mut rows = Vec::new();
    let first = entries.first().map(|entry| entry.method);
    let names = names(entries, &["picture"]);
    for picture in first.iter().flat_map(|method| &method.rows).map(|row| &row.picture) {
        let row = |entry: &Entry| {
            let value = |column| entry.value(picture, rule, column);
            let names = [picture.as_str()].into_iter().chain(entry.names());
            let numbers = columns.iter().map(|column| Cell::number(column.metric, value(column)));
            names.map(Cell::name).chain(numbers).collect()
        };
        let mut of_picture: Vec<Vec<Cell>> = entries.iter().map(row).collect();
        mark_best(&mut of_picture, names.len(), &columns);
        rows.extend(of_picture);
    }
    let caption = if let [_] = entries { "Each picture" } else { "Each picture; its best in bold" };
    table(rule, caption, names, &columns, rows)
}

/// By how much one entry lies above another, for each of `pairs`; nothing where the columns are not the same.
pub(super) fn differences(pairs: &[[&Entry; 2]], rule: Rule) -> Option<Table> {
    let columns = columns(pairs.iter().flatten().copied(), rule);
    let mut rows = Vec::new();
    for [a, b] in pairs.iter().filter(|[a, b]| a.results.columns() == b.results.columns()) {
        let found = a.method.minus(b.method, a.results.columns().len());
        let cell = |column: &Column| {
            let found = rule.position(a.results, column).and_then(|at| *found.get(at)?);
            found.map_or(Cell::name("–"), |found| Cell {
                text: signed(column.metric, found.mean),
                more: format!("[{}]", found.interval.map(|end| signed(column.metric, end)).join(", ")),
                value: Some(found.mean),
                bold: found.is_clear(),
            })
        };
        let name = format!("{} − {}", a.names().join(" "), b.names().join(" "));
        rows.push([Cell::name(&name)].into_iter().chain(columns.iter().map(cell)).collect());
    }
    let caption = "Mean difference over pictures with its 95 % interval (bootstrap over pictures); in bold where the interval \
                   leaves 0 out";
    (!rows.is_empty()).then(|| table(rule, caption, vec!["difference"], &columns, rows))
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

/// The columns that any of the entries has under the rule.
fn columns<'a>(entries: impl IntoIterator<Item = &'a Entry<'a>>, rule: Rule) -> Vec<Column> {
    let mut columns: Vec<Column> = Vec::new();
    for column in entries.into_iter().flat_map(|entry| rule.columns(entry.results)) {
        if !columns.contains(&column) {
            columns.push(column);
        }
    }
    columns
}

fn table(
    rule: Rule,
    caption: &'static str,
    names: Vec<&'static str>,
    columns: &[Column],
    rows: Vec<Vec<Cell>>,
) -> Table {
    let number = |Column { name, metric }: &Column| {
        let unit = if metric.unit.is_empty() { String::new() } else { format!(", {}", metric.unit) };
        let arrow = if metric.better == Better::Higher { '↑' } else { '↓' };
        (format!("{}{unit} {arrow}", metric.name), format!("{name}: {}", metric.source))
    };
    let heads = names.iter().map(|name| ((*name).to_owned(), String::new())).chain(columns.iter().map(number));
    let (title, convention) = (rule.title(), rule.convention());
    let (names, columns) = (names.len(), heads.collect());
    Table { title, caption, convention, names, columns, rows, published: Vec::new(), sources: Vec::new() }
}

/// Marks the best of each column from `first` on where there are several rows. What prints alike is marked alike.
fn mark_best(rows: &mut [Vec<Cell>], first: usize, columns: &[Column]) {
    if rows.len() < 2 {
        return;
    }
    for (at, Column { metric, .. }) in columns.iter().enumerate() {
        let pick = if metric.better == Better::Higher { f64::max } else { f64::min };
        let values = rows.iter().filter_map(|row| row.get(first + at)?.value);
        let Some(best) = values.reduce(pick).map(|best| metric.format(best)) else { continue };
        let cells = rows.iter_mut().filter_map(|row| row.get_mut(first + at));
        cells.filter(|cell| cell.text == best).for_each(|cell| cell.bold = true);
    }
}
