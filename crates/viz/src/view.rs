//! What of a run's judged pictures its figures show.

use abbe_data::image::{Conversion, Rgb8, read};
use abbe_eval::{Method, Results, Row, measure};
use abbe_run::RunFolder;
use anyhow::{Context, Result};

use crate::{Group, Panel};

/// At most this many methods stand in a figure, beside LR and HR: the first, and the last of the others.
pub(crate) const METHODS: usize = 6;
/// A picture is quartered only if the HR quarter has at least this many rows and columns.
const LEAST: usize = 32;

/// A judged picture, or a quarter of it.
pub(crate) struct View {
    pub picture: String,
    pub quarter: Option<Quarter>,
}

/// A quarter by name, and whether it lies below and right of the middle.
type Quarter = (&'static str, [bool; 2]);
const QUARTERS: [Quarter; 4] = [
    ("upper left", [false, false]),
    ("lower right", [true, true]),
    ("upper right", [false, true]),
    ("lower left", [true, false]),
];

/// `count` views: whole pictures first; where they are too few, the same quarter of each large picture in turn.
pub(crate) fn views(run: &RunFolder, judged: &Method, count: usize) -> Result<Vec<View>> {
    let whole = judged.rows.iter().map(|row| View { picture: row.picture.clone(), quarter: None });
    let mut views: Vec<View> = whole.take(count).collect();
    let missing = count - views.len();
    if missing > 0 {
        let large = large_pictures(run, judged)?;
        let quarter =
            |quarter| large.iter().map(move |picture| View { picture: picture.clone(), quarter: Some(quarter) });
        views.extend(QUARTERS.into_iter().flat_map(quarter).take(missing));
    }
    Ok(views)
}

/// The judged pictures that are large enough for quarters.
fn large_pictures(run: &RunFolder, judged: &Method) -> Result<Vec<String>> {
    let mut large = Vec::new();
    for Row { picture, .. } in &judged.rows {
        let (height, width) = read(&run.picture(picture, "hr"), Conversion::Refuse)?.size();
        if height.min(width) >= 2 * LEAST {
            large.push(picture.clone());
        }
    }
    Ok(large)
}

impl View {
    /// The part of one version of the picture that is shown. `lr` is that version's LR picture, whose pixels decide the cut,
    /// so that LR and HR show the same.
    fn of(&self, version: &Rgb8, lr: &Rgb8) -> Result<Rgb8> {
        let Some((_, [below, right])) = self.quarter else { return Ok(version.clone()) };
        let scale = version.height / lr.height;
        let (height, width) = (lr.height / 2, lr.width / 2);
        let top = if below { lr.height - height } else { 0 };
        let left = if right { lr.width - width } else { 0 };
        Ok(version.crop(top * scale, left * scale, height * scale, width * scale)?)
    }

    /// LPIPS of a whole picture, as the table has it.
    fn lpips(&self, results: &Results, method: &Method) -> Vec<String> {
        let row = method.rows.iter().find(|row| row.picture == self.picture && self.quarter.is_none());
        let values = row.into_iter().flat_map(|row| &row.values).zip(results.column_metrics());
        values
            .filter(|(_, metric)| metric.net().is_some())
            .map(|(&value, metric)| metric.format_with_unit(value))
            .collect()
    }

    pub(crate) fn title(&self) -> String {
        self.quarter.map_or(self.picture.clone(), |(name, _)| format!("{}, {name} quarter", self.picture))
    }

    /// The name of a figure of this kind, without its ending.
    pub(crate) fn file(&self, kind: &str) -> String {
        let quarter = self.quarter.map_or(String::new(), |(name, _)| format!("_{}", name.replace(' ', "_")));
        format!("{kind}_{}{quarter}", self.picture)
    }
}

/// The versions of what a view shows.
pub(crate) struct Versions {
    name: String,
    lr: Rgb8,
    hr: Rgb8,
    /// Name, pixels and metrics of what each method made.
    restored: Vec<(String, Rgb8, String)>,
}

impl Versions {
    /// # Errors
    /// A picture that is missing or does not read, with its path.
    pub(crate) fn read(run: &RunFolder, results: &Results, view: &View) -> Result<Self> {
        let open = |version: &str| read(&run.picture(&view.picture, version), Conversion::Refuse);
        let whole_lr = open("lr")?;
        let (lr, hr) = (view.of(&whole_lr, &whole_lr)?, view.of(&open("hr")?, &whole_lr)?);
        let protocol = results.protocols.first().context("metrics.json: expected a protocol, found none")?;
        let mut restored = Vec::new();
        for method in shown(&results.methods) {
            let picture = view.of(&open(&method.name)?, &whole_lr)?;
            let versions = abbe_eval::Versions { sr: &picture, hr: &hr, lr: Some(&lr) };
            let values = measure(&versions, protocol, &results.metrics)?;
            let caption = results.metrics.iter().zip(values).map(|(metric, value)| metric.format_with_unit(value));
            let caption = caption.chain(view.lpips(results, method)).collect::<Vec<_>>().join(" / ");
            restored.push((method.name.clone(), picture, caption));
        }
        Ok(Self { name: view.title(), lr, hr, restored })
    }

    /// HR.
    pub(crate) fn hr(&self) -> Panel<'_> {
        Panel { title: "HR".into(), picture: &self.hr, caption: String::new() }
    }

    /// What the methods made, with its metrics.
    pub(crate) fn restored<'a>(&'a self) -> Vec<Panel<'a>> {
        let panel = |(title, picture, caption): &'a (String, Rgb8, String)| Panel {
            title: title.clone(),
            picture,
            caption: caption.clone(),
        };
        self.restored.iter().map(panel).collect()
    }

    /// LR, what the methods made, HR.
    pub(crate) fn group(&self) -> Group<'_> {
        let lr = Panel { title: "LR".into(), picture: &self.lr, caption: String::new() };
        let mut panels = vec![lr];
        panels.extend(self.restored());
        panels.push(self.hr());
        Group { name: self.name.clone(), panels }
    }

    /// LR, what the first and the last method made, HR: one row of a page.
    pub(crate) fn row(&self) -> Group<'_> {
        let Group { name, mut panels } = self.group();
        if panels.len() > 4 {
            panels.drain(2..panels.len() - 2);
        }
        Group { name, panels }
    }
}

/// What a figure says that shows fewer methods than there are.
pub(crate) fn left_out(methods: usize, shown: usize) -> Vec<String> {
    let last = if shown > 2 { format!("the last {}", shown - 1) } else { "the last".into() };
    let line = format!("Shown of {methods} methods: the first and {last}");
    if methods > shown { vec![line] } else { Vec::new() }
}

fn shown(methods: &[Method]) -> Vec<&Method> {
    let skipped = methods.len().saturating_sub(METHODS);
    methods.iter().enumerate().filter(|(i, _)| *i == 0 || *i > skipped).map(|(_, method)| method).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::tests::finished;

    #[test]
    fn few_pictures_are_shown_in_quarters_too() {
        let folder = tempfile::tempdir().unwrap();
        let run = finished(folder.path());
        let rows = |pictures: std::ops::Range<usize>| {
            pictures.map(|i| Row { picture: i.to_string(), values: vec![] }).collect::<Vec<_>>()
        };
        let files = |pictures| {
            let judged = Method { name: "srgan".into(), rows: rows(pictures) };
            views(&run, &judged, 5).unwrap().iter().map(|view| view.file("grid")).collect::<Vec<_>>()
        };
        let quarters = ["grid_0_upper_left", "grid_1_upper_left", "grid_0_lower_right"];
        assert_eq!(files(0..2), [&["grid_0", "grid_1"][..], &quarters].concat());
        std::fs::remove_file(run.picture("0", "hr")).unwrap(); // five whole pictures are enough: no size is asked for
        assert_eq!(files(0..6).len(), 5);
    }

    #[test]
    fn lpips_is_shown_of_whole_pictures() {
        let folder = tempfile::tempdir().unwrap();
        let text = std::fs::read_to_string(finished(folder.path()).metrics("json")).unwrap();
        let mut table: serde_json::Value = serde_json::from_str(&text).unwrap();
        table["lpips"] = serde_json::json!([{ "net": "alex", "weights": { "file": "a.pth", "sha256": "00" } }]);
        for row in table["methods"]
            .as_array_mut()
            .unwrap()
            .iter_mut()
            .flat_map(|method| method["pictures"].as_array_mut().unwrap())
        {
            row["lpips_alex_v0.1"] = 0.25.into();
        }
        let results = Results::from_json(&table.to_string()).unwrap();
        let shown = |quarter| View { picture: "3".into(), quarter }.lpips(&results, &results.methods[1]);
        assert_eq!((shown(None), shown(Some(QUARTERS[0]))), (vec!["0.2500".to_owned()], vec![]));
    }

    #[test]
    fn a_row_has_the_first_and_the_last_method() {
        let picture = Rgb8::new(1, 1, vec![0; 3]).unwrap();
        let titles = |count: usize| {
            let restored = (0..count).map(|i| (i.to_string(), picture.clone(), String::new())).collect();
            let versions = Versions { name: String::new(), lr: picture.clone(), hr: picture.clone(), restored };
            versions.row().panels.iter().map(|panel| panel.title.clone()).collect::<Vec<_>>().join(" ")
        };
        assert_eq!([titles(1), titles(2), titles(5)], ["LR 0 HR", "LR 0 1 HR", "LR 0 4 HR"]);
    }

    #[test]
    fn quarters_of_lr_and_hr_show_the_same() {
        // A quarter of 5x4 LR pixels at scale 4 is 2x2 of them: rows 3 and 4, columns 2 and 3 at the lower right.
        let lr = Rgb8::new(5, 4, (0..60).collect()).unwrap();
        let view = View { picture: "a".into(), quarter: Some(QUARTERS[1]) };
        assert_eq!(view.of(&lr, &lr).unwrap(), lr.crop(3, 2, 2, 2).unwrap());
        let hr = Rgb8::new(20, 16, vec![0; 960]).unwrap();
        assert_eq!(view.of(&hr, &lr).unwrap().size(), (8, 8));
    }

    #[test]
    fn of_many_methods_the_first_and_the_last_are_shown() {
        let methods: Vec<Method> = (0..9).map(|i| Method { name: i.to_string(), rows: vec![] }).collect();
        let names = |methods| shown(methods).iter().map(|method| method.name.as_str()).collect::<String>();
        assert_eq!((names(&methods), names(&methods[..6])), ("045678".into(), "012345".into()));
        assert_eq!(left_out(9, METHODS), ["Shown of 9 methods: the first and the last 5"]);
        assert_eq!(left_out(3, 2), ["Shown of 3 methods: the first and the last"]);
        assert_eq!(left_out(6, METHODS), [""; 0]);
    }
}
