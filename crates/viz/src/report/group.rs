//! Runs whose numbers may stand in one table.

use abbe_eval::{Method, Results, Row};

use super::rule::{Column, Rule};
use super::run::Run;
use crate::figures::pictures;

/// Runs that were judged on the same pictures, at the same scale.
pub(super) struct Group<'a> {
    pub members: Vec<(&'a Run, &'a Results)>,
    /// Whether the report shows several runs.
    several: bool,
}

/// What one method of one run reached.
pub(super) struct Entry<'a> {
    /// The run's name, where there are several.
    pub run: Option<&'a str>,
    /// The run whose folder holds its pictures.
    pub of: &'a Run,
    pub method: &'a Method,
    pub results: &'a Results,
}

impl Entry<'_> {
    /// Run, where there are several, and method.
    pub(super) fn names(&self) -> Vec<&str> {
        self.run.into_iter().chain([self.method.name.as_str()]).collect()
    }

    /// Its value of one picture in a column; none where it was not measured.
    pub(super) fn value(&self, picture: &str, rule: Rule, column: &Column) -> Option<f64> {
        let row = self.method.rows.iter().find(|row| row.picture == picture)?;
        row.values.get(rule.position(self.results, column)?).copied().filter(|value| !value.is_nan())
    }

    /// Its mean in a column, likewise.
    pub(super) fn mean(&self, rule: Rule, column: &Column) -> Option<f64> {
        let at = rule.position(self.results, column)?;
        self.method.mean(at + 1).pop().filter(|mean| mean.is_finite())
    }

    /// Its names in one.
    pub(super) fn label(&self) -> String {
        self.names().join(": ")
    }
}

/// The run's name of a method that has the same numbers in every run, as bicubic interpolation has.
const EVERY: &str = "every run";

/// Sorts the runs that have results by what they were judged on. A run whose manifest does not say stands alone.
pub(super) fn groups(runs: &[Run]) -> Vec<Group<'_>> {
    let mut groups: Vec<Group> = Vec::new();
    for run in runs {
        let Some(results) = &run.results else { continue };
        let alike = |(other, theirs): &(&Run, &Results)| {
            run.test_set().is_some() && run.test_set() == other.test_set() && results.scale == theirs.scale
        };
        match groups.iter_mut().find(|group| group.members.iter().all(alike)) {
            Some(group) => group.members.push((run, results)),
            None => groups.push(Group { members: vec![(run, results)], several: runs.len() > 1 }),
        }
    }
    groups
}

/// Whether two methods have the same name and numbers; what was not measured is NaN, and equals itself here.
fn is_same(a: &Method, b: &Method) -> bool {
    let numbers = |method: &Method| -> Vec<(String, Vec<u64>)> {
        let bits = |row: &Row| (row.picture.clone(), row.values.iter().map(|value| value.to_bits()).collect());
        method.rows.iter().map(bits).collect()
    };
    a.name == b.name && numbers(a) == numbers(b)
}

impl<'a> Group<'a> {
    /// Every method of every run; one that has the same numbers in all of them once.
    pub(super) fn entries(&self) -> Vec<Entry<'a>> {
        let mut entries: Vec<Entry> = Vec::new();
        for &(run, results) in &self.members {
            for method in &results.methods {
                if !self.in_all(method, results) {
                    let name = self.several.then_some(run.name.as_str());
                    entries.push(Entry { run: name, of: run, method, results });
                } else if entries.iter().all(|entry| entry.method.name != method.name) {
                    entries.push(Entry { run: self.several.then_some(EVERY), of: run, method, results });
                }
            }
        }
        entries
    }

    /// Whether each of several runs has this method with these numbers.
    fn in_all(&self, method: &Method, results: &Results) -> bool {
        let has = |(_, theirs): &(&Run, &Results)| {
            theirs.columns() == results.columns() && theirs.methods.iter().any(|other| is_same(method, other))
        };
        self.members.len() > 1 && self.members.iter().all(has)
    }

    /// Every rule that any of them was judged by, that of no protocol last.
    pub(super) fn rules(&self) -> Vec<Rule<'a>> {
        let mut rules: Vec<Rule> = Vec::new();
        for rule in self.members.iter().flat_map(|(_, results)| Rule::of(results)) {
            if !rules.contains(&rule) {
                rules.push(rule);
            }
        }
        rules.sort_by_key(|rule| *rule == Rule::Apart);
        rules
    }

    /// Which entries are held against each other: all of one run, the last method of each of several.
    pub(super) fn pairs<'e>(&self, entries: &'e [Entry<'a>]) -> Vec<[&'e Entry<'a>; 2]> {
        let is_last = |entry: &&Entry| {
            let last = entry.results.methods.last().map(|method| &method.name);
            self.members.len() < 2 || last == Some(&entry.method.name)
        };
        let chosen: Vec<&Entry> = entries.iter().filter(is_last).collect();
        let before = |(at, later): (usize, &&'e Entry<'a>)| {
            let later = *later;
            chosen[..at].iter().map(|earlier| [later, *earlier]).collect::<Vec<_>>()
        };
        let several = chosen.iter().all(|entry| entry.method.rows.len() > 1);
        if several { chosen.iter().enumerate().flat_map(before).collect() } else { Vec::new() }
    }

    /// What it was judged on, and that runs differ in what they were judged by.
    pub(super) fn about(&self) -> String {
        let Some((run, results)) = self.members.first() else { return String::new() };
        let pictures = pictures(results.pictures());
        let names: Vec<&str> = self.members.iter().map(|(run, _)| run.name.as_str()).collect();
        let of = if self.several { format!("{}: ", names.join(", ")) } else { String::new() };
        let hash = run.test_set().map_or("not recorded".into(), |hash| hash.chars().take(16).collect::<String>() + "…");
        let mut about = format!("{of}×{}, {pictures} (SHA-256 {hash}). LR: {}.", results.scale, results.lr);
        for rule in self.rules() {
            let lacks = |(_, results): &&(&Run, &Results)| rule.columns(results).is_empty();
            let without: Vec<&str> = self.members.iter().filter(lacks).map(|(run, _)| run.name.as_str()).collect();
            if !without.is_empty() {
                about += &format!(" Not judged {}: {}.", rule.how(), without.join(", "));
            }
        }
        about
    }
}
