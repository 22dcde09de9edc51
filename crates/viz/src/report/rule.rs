//! Under which convention the columns of a table were taken.

use abbe_eval::{Metric, Protocol, Results, Source};

/// A protocol; or none, as for LPIPS, which is taken once of a picture and stands behind the protocols' columns.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Rule<'a> {
    Protocol(&'a Protocol),
    Apart,
}

/// A column of a table.
#[derive(Clone, PartialEq)]
pub(super) struct Column {
    pub name: String,
    pub metric: &'static Metric,
}

impl<'a> Rule<'a> {
    /// Every rule of a table.
    pub(super) fn of(results: &'a Results) -> Vec<Self> {
        let mut rules: Vec<Self> = results.protocols.iter().map(Rule::Protocol).collect();
        rules.extend((!Rule::Apart.columns(results).is_empty()).then_some(Rule::Apart));
        rules
    }

    /// The columns that a table has under this rule.
    pub(super) fn columns(&self, results: &Results) -> Vec<Column> {
        let of_protocols = results.protocols.len() * results.metrics.len();
        match self {
            Rule::Protocol(protocol) if results.protocols.contains(protocol) => {
                let column = |metric: &&'static Metric| Column { name: protocol.column(metric.name), metric };
                results.metrics.iter().map(column).collect()
            }
            Rule::Protocol(_) => Vec::new(),
            Rule::Apart => {
                let column = |(name, metric)| Column { name, metric };
                results.columns().into_iter().zip(results.column_metrics()).skip(of_protocols).map(column).collect()
            }
        }
    }

    /// Where a column stands among a row's values, if the table has it.
    pub(super) fn position(&self, results: &Results, column: &Column) -> Option<usize> {
        let has = self.columns(results).contains(column);
        results.columns().iter().position(|name| has && *name == column.name)
    }

    /// What others published that was taken so, if a table has it.
    pub(super) fn published(&self, results: &'a Results) -> Vec<&'a Source> {
        let Some(published) = &results.published else { return Vec::new() };
        match self {
            Rule::Protocol(protocol) => published.under(&protocol.name).collect(),
            Rule::Apart => {
                let columns = self.columns(results);
                let has_any = |source: &&Source| columns.iter().any(|column| source.has(column.metric.name));
                published.sources.iter().filter(has_any).collect()
            }
        }
    }

    pub(super) fn title(&self) -> String {
        match self {
            Rule::Protocol(protocol) => protocol.name.clone(),
            Rule::Apart => "without a protocol".into(),
        }
    }

    /// In a sentence: `judged ...`.
    pub(super) fn how(&self) -> String {
        match self {
            Rule::Protocol(protocol) => format!("under {}", protocol.name),
            Rule::Apart => "by LPIPS".into(),
        }
    }

    /// What the numbers are, in a sentence or two.
    pub(super) fn convention(&self) -> String {
        let Rule::Protocol(protocol) = self else {
            return "taken once of a picture: red, green and blue, no border cut.".into();
        };
        let convention = protocol.convention();
        format!(
            "{}. Compared: {} ({}); rounding: {}; border cut: {} px; peak {}.",
            convention.about,
            convention.channel,
            convention.range,
            convention.rounding,
            convention.border,
            convention.peak
        )
    }
}
