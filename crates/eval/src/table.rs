//! Tables of results: per picture and mean, as CSV. Of the other forms each has its file: `text.rs`, `markdown.rs`, `latex.rs`,
//! `json.rs`.
//!
//! What was not measured is NaN: an empty cell of CSV, `null` in JSON. The PSNR of equal pictures is infinite. CSV writes it as
//! `inf`, JSON (which has no such number) as the string `"inf"`; Python's `float()`, pandas and Rust's `f64::from_str` read both
//! back.

use crate::statistics::{Difference, deviation, mean};
use crate::{Error, LpipsColumn, Metric, Protocol, Published, Versions, measure};

/// Metrics of several methods on the same pictures.
#[derive(Clone, Debug, PartialEq)]
pub struct Results {
    /// How many times larger than lr the pictures are in each direction.
    pub scale: usize,
    /// How lr was made, in words.
    pub lr: String,
    /// The protocols; with the metrics they give the columns.
    pub protocols: Vec<Protocol>,
    /// The metrics taken under each protocol.
    pub metrics: Vec<&'static Metric>,
    /// LPIPS, whose columns are behind those of the protocols.
    pub lpips: Vec<LpipsColumn>,
    /// The methods, in the order of the table.
    pub methods: Vec<Method>,
    /// What every reader of the numbers must know, e.g. "VGG-19 with random weights (seed 0)".
    pub notices: Vec<String>,
    /// What others published for these pictures, if that was asked for. CSV leaves it out: it holds what was measured.
    pub published: Option<Published>,
}

/// What one method reached.
#[derive(Clone, Debug, PartialEq)]
pub struct Method {
    /// Name in the table's first column.
    pub name: String,
    /// One row per picture.
    pub rows: Vec<Row>,
}

/// The metrics of one picture.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Name of the picture.
    pub picture: String,
    /// One value per column of the table, see [`Results::columns`]; NaN for what was not measured.
    pub values: Vec<f64>,
}

impl Row {
    /// Measures a picture under each protocol.
    ///
    /// # Errors
    /// Those of [`measure()`], with the picture's name.
    pub fn measure(
        name: &str,
        versions: &Versions,
        protocols: &[Protocol],
        metrics: &[&Metric],
    ) -> Result<Self, Error> {
        let values: Result<Vec<_>, _> = protocols.iter().map(|protocol| measure(versions, protocol, metrics)).collect();
        let values = values.map_err(|error| Error::Picture { picture: name.to_owned(), source: Box::new(error) })?;
        Ok(Self { picture: name.to_owned(), values: values.concat() })
    }
}

impl Method {
    /// The values of one column, picture by picture.
    pub fn column(&self, column: usize) -> Vec<f64> {
        self.rows.iter().filter_map(|row| row.values.get(column).copied()).collect()
    }

    /// Means of the per-picture values, one per column; NaN where there are no pictures.
    pub fn mean(&self, columns: usize) -> Vec<f64> {
        (0..columns).map(|column| mean(&self.column(column))).collect()
    }

    /// Standard deviations of the per-picture values, one per column.
    pub fn deviation(&self, columns: usize) -> Vec<f64> {
        (0..columns).map(|column| deviation(&self.column(column))).collect()
    }

    /// By how much this method's values lie above another's on the same pictures, one difference per column; `None` where
    /// the pictures are not the same, and where values are infinite.
    pub fn minus(&self, other: &Self, columns: usize) -> Vec<Option<Difference>> {
        let pictures = |method: &Self| Vec::from_iter(method.rows.iter().map(|row| row.picture.clone()));
        let same = pictures(self) == pictures(other);
        let between = |column| Difference::between(&self.column(column), &other.column(column));
        (0..columns).map(|column| same.then(|| between(column)).flatten()).collect()
    }
}

impl Results {
    /// Names of the columns: `psnr_y_crop4`, `ssim_y_crop4`, ... for each protocol in turn, then `lpips_alex_v0.1`, ...
    pub fn columns(&self) -> Vec<String> {
        columns(&self.protocols, &self.metrics, &self.lpips).into_iter().map(|(name, _)| name).collect()
    }

    /// The metrics of the columns.
    pub fn column_metrics(&self) -> Vec<&'static Metric> {
        columns(&self.protocols, &self.metrics, &self.lpips).into_iter().map(|(_, metric)| metric).collect()
    }

    /// The columns that lack values, and why.
    pub fn missing(&self) -> Vec<(String, String)> {
        let columns = columns(&self.protocols, &self.metrics, &self.lpips).into_iter().enumerate();
        let reason = |(index, (column, metric)): (usize, (String, &Metric))| {
            let lpips = index.checked_sub(self.protocols.len() * self.metrics.len()).and_then(|at| self.lpips.get(at));
            let reason = match lpips.map(|lpips| &lpips.weights) {
                Some(Err(reason)) => Some(reason.clone()),
                _ => self.without_value(index).map(|of| format!("no value for {of} (values: {})", metric.range)),
            };
            reason.map(|reason| (column, reason))
        };
        columns.filter_map(reason).collect()
    }

    /// The pictures without a value in a column, with their methods.
    fn without_value(&self, column: usize) -> Option<String> {
        let is_missing = |row: &&Row| row.values.get(column).is_none_or(|value| value.is_nan());
        let of = |method: &Method| {
            let rows = method.rows.iter().filter(is_missing);
            Vec::from_iter(rows.map(|row| format!("{} of {}", row.picture, method.name)))
        };
        let names = self.methods.iter().flat_map(of).collect::<Vec<_>>();
        (!names.is_empty()).then(|| names.join(", "))
    }

    /// Whether everything was measured.
    ///
    /// # Errors
    /// [`Error::Missing`] with the columns that lack values, and why.
    pub fn complete(&self) -> Result<(), Error> {
        let missing = self.missing();
        if missing.is_empty() { Ok(()) } else { Err(Error::Missing(missing)) }
    }

    /// What must be said beside the numbers: why some are missing, and the notices.
    pub(crate) fn remarks(&self) -> Vec<String> {
        let missing = self.missing().into_iter().map(|(column, reason)| format!("{column}: {reason}"));
        missing.chain(self.notices.iter().cloned()).collect()
    }

    /// Every method with each one before it, the later first; none where there is one picture.
    pub fn pairs(&self) -> Vec<[&Method; 2]> {
        let several = self.methods.iter().all(|method| method.rows.len() > 1);
        let methods = if several { &self.methods[..] } else { &[] };
        let before = |(at, later)| methods[..at].iter().map(move |earlier| [later, earlier]);
        methods.iter().enumerate().flat_map(before).collect()
    }

    /// One line per method and picture and one `mean` per method, every digit kept; what was not measured is an empty cell.
    /// The last column repeats why, and the notices, so that no copy of the file loses them.
    pub fn to_csv(&self) -> String {
        let columns = self.columns();
        let notices = self.remarks().join("; ");
        let mut csv = csv_line(&["method", "picture"], &columns, "notices");
        for method in &self.methods {
            for row in &method.rows {
                csv += &csv_line(&[&method.name, &row.picture], &cells(&row.values), &notices);
            }
            csv += &csv_line(&[&method.name, "mean"], &cells(&method.mean(columns.len())), &notices);
        }
        csv
    }
}

/// The names of a table's columns, see [`Results::columns`], and their metrics.
pub(crate) fn columns<'a>(
    protocols: &[Protocol],
    metrics: &[&'static Metric],
    lpips: impl IntoIterator<Item = &'a LpipsColumn>,
) -> Vec<(String, &'static Metric)> {
    let of = |protocol: &Protocol| {
        let column = |metric: &&'static Metric| (protocol.column(metric.name), *metric);
        metrics.iter().map(column).collect::<Vec<_>>()
    };
    let lpips = lpips.into_iter().map(|lpips| (lpips.name(), lpips.metric()));
    protocols.iter().flat_map(of).chain(lpips).collect()
}

fn cells(values: &[f64]) -> Vec<String> {
    values.iter().map(|value| if value.is_nan() { String::new() } else { value.to_string() }).collect()
}

/// One line of CSV after RFC 4180: a cell with a comma, quote or line break is quoted, quotes are doubled.
fn csv_line(labels: &[&str], values: &[String], notices: &str) -> String {
    let labels = labels.iter().map(|label| label.to_string());
    let cells = labels.chain(values.iter().cloned()).chain([notices.to_owned()]);
    let quoted = cells.map(|cell| match cell.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", cell.replace('"', "\"\"")),
        false => cell,
    });
    quoted.collect::<Vec<_>>().join(",") + "\n"
}

#[cfg(test)]
pub(crate) mod tests {
    use abbe_data::image::Rgb8;
    use abbe_models::lpips::{Backbone, Net};

    use super::*;
    use crate::published::{PublishedRow, Source};

    pub(crate) fn results() -> Results {
        let row = |picture: &str, values: [f64; 4]| Row { picture: picture.into(), values: values.to_vec() };
        let method = |name: &str, rows| Method { name: name.into(), rows };
        Results {
            scale: 4,
            lr: "bicubic, antialiased".into(),
            protocols: ["y-crop4", "rgb"].map(|name| Protocol::named(name, 4).unwrap()).to_vec(),
            metrics: Metric::usual(),
            lpips: Vec::new(),
            methods: vec![
                method("bicubic", vec![row("a.png", [28.0, 0.8, 26.0, 0.7]), row("b, c.png", [30.0, 0.9, 27.0, 0.75])]),
                method(
                    "SRGAN",
                    vec![row("a.png", [29.0, 0.7, 26.5, 0.7]), row("b, c.png", [f64::INFINITY, 1.0, 26.5, 0.75])],
                ),
            ],
            notices: vec!["VGG-19 with random weights (seed 0)".into()],
            published: None,
        }
    }

    /// With a published row under the first protocol, better than all that was measured.
    pub(crate) fn published() -> Results {
        let values = [("psnr", "99.46"), ("ssim", "0.8968 to 0.9"), ("lpips_alex", "0.1")];
        let values = values.map(|(metric, value)| (metric.to_owned(), value.to_owned())).into();
        let source = Source {
            protocol: "y-crop4".into(),
            cite: "Lim | Son 2017".into(),
            source: "B. Lim & S. Son".into(),
            note: Some("PSNR alone".into()),
            rows: vec![PublishedRow { method: "EDSR".into(), values }],
        };
        let (set, note) = ("Set5".into(), Some("five pictures".into()));
        Results { published: Some(Published { set, pictures: Some(5), note, sources: vec![source] }), ..results() }
    }

    /// The first method alone.
    pub(crate) fn one_method() -> Results {
        Results { methods: results().methods[..1].to_vec(), ..results() }
    }

    /// Names with every character that a form could take for its own, a value that was not measured, one column.
    pub(crate) fn awkward() -> Results {
        let mut results = one_method();
        (results.metrics, results.protocols) = (results.metrics[..1].to_vec(), results.protocols[..1].to_vec());
        let row = |picture: &str, value| Row { picture: picture.into(), values: vec![value] };
        results.methods[0].rows =
            vec![row("a|b_c%&\\d,\ne", 30.0), row("[x]*`<$~", f64::NAN), row("#{^}>", f64::INFINITY)];
        results.methods[0].name = "so-called \"best\"".into();
        results
    }

    /// The same with LPIPS over AlexNet, and over VGG-16 without weights.
    pub(crate) fn with_lpips() -> Results {
        let backbone = Backbone { file: "alexnet.pth".into(), sha256: "00".into() };
        let column = |net, weights| LpipsColumn { net, weights };
        let lpips = vec![column(Net::Alex, Ok(backbone)), column(Net::Vgg, Err("no weights, get them".into()))];
        let mut results = Results { lpips, ..results() };
        let rows = results.methods.iter_mut().flat_map(|method| &mut method.rows);
        rows.zip([0.4, 0.3, 0.2, 0.1]).for_each(|(row, distance)| row.values.extend([distance, f64::NAN]));
        results
    }

    #[test]
    fn what_was_not_measured_is_an_empty_cell_with_its_reason() {
        let mut results = with_lpips();
        let csv = results.to_csv();
        let lines: Vec<&str> = csv.lines().collect();
        assert!(lines[0].ends_with("ssim_rgb,lpips_alex_v0.1,lpips_vgg_v0.1,notices"), "{csv}");
        assert!(lines[1].contains(",0.7,0.4,,\"lpips_vgg_v0.1: no weights, get them; VGG-19"), "{csv}");
        assert!(lines[3].contains(",0.35,,"), "{csv}");
        let error = results.complete().unwrap_err().to_string();
        assert_eq!(error, "not measured: lpips_vgg_v0.1: no weights, get them");
        results.methods[1].rows[0].values[1] = f64::NAN;
        let [(column, reason), _] = &results.missing()[..] else { panic!() };
        assert!(
            column == "ssim_y_crop4" && reason.starts_with("no value for a.png of SRGAN (values: -1 to 1"),
            "{reason}"
        );
        assert!(results.methods[1].mean(2)[1].is_nan() && super::tests::results().complete().is_ok());
    }

    #[test]
    fn a_mean_is_the_mean_of_the_pictures() {
        // (28 + 30) / 2 = 29 dB, although pooling the errors of both pictures first would give 28.89 dB
        assert_eq!(results().methods[0].mean(4)[0], 29.0);
        assert_eq!(results().methods[1].mean(4)[0], f64::INFINITY);
        // Two values apart by 2 have the deviation sqrt(1 + 1) = 1.4142.
        assert!((results().methods[0].deviation(4)[0] - 2f64.sqrt()).abs() < 1e-12);
    }

    #[test]
    fn methods_are_compared_picture_by_picture() {
        // 0.5 and -0.5 dB: of two pictures drawn twice, both are one and the same in a quarter of the draws each.
        let [bicubic, srgan] = &results().methods[..] else { panic!() };
        let differences = srgan.minus(bicubic, 4);
        assert_eq!(differences[2], Some(Difference { mean: 0.0, interval: [-0.5, 0.5] }));
        assert_eq!(differences[0], None);
        let other = Method { rows: vec![srgan.rows[1].clone(), srgan.rows[0].clone()], ..srgan.clone() };
        assert_eq!(other.minus(bicubic, 4)[2], None);
        assert_eq!(
            results().pairs().iter().map(|[a, b]| [&a.name, &b.name]).collect::<Vec<_>>(),
            [["SRGAN", "bicubic"]]
        );
    }

    #[test]
    fn csv_quotes_names_and_keeps_infinity() {
        let csv = results().to_csv();
        let lines: Vec<&str> = csv.lines().collect();
        assert_eq!(lines[0], "method,picture,psnr_y_crop4,ssim_y_crop4,psnr_rgb,ssim_rgb,notices");
        assert_eq!(lines[2], "bicubic,\"b, c.png\",30,0.9,27,0.75,VGG-19 with random weights (seed 0)");
        assert_eq!(lines[5], "SRGAN,\"b, c.png\",inf,1,26.5,0.75,VGG-19 with random weights (seed 0)");
        assert!(lines[6].starts_with("SRGAN,mean,inf,"));
        assert_eq!("inf".parse(), Ok(f64::INFINITY));
    }

    #[test]
    fn csv_holds_names_of_any_characters() {
        let name = "\"so-called \"\"best\"\"\"";
        let notice = "\"psnr_y_crop4: no value for [x]*`<$~ of so-called \"\"best\"\" (values: 0 and above; inf for equal \
                      pictures); VGG-19 with random weights (seed 0)\"";
        let expected = format!(
            "method,picture,psnr_y_crop4,notices\n\
             {name},\"a|b_c%&\\d,\ne\",30,{notice}\n\
             {name},[x]*`<$~,,{notice}\n\
             {name},#{{^}}>,inf,{notice}\n\
             {name},mean,,{notice}\n"
        );
        assert_eq!(awkward().to_csv(), expected);
        assert_eq!(published().to_csv(), results().to_csv());
    }

    #[test]
    fn an_error_names_its_picture() {
        let small = Rgb8 { height: 5, width: 5, pixels: vec![0; 75] };
        let (versions, protocols) = (Versions { sr: &small, hr: &small, lr: None }, results().protocols);
        let error = Row::measure("a.png", &versions, &protocols, &Metric::usual()).unwrap_err();
        let cause = std::error::Error::source(&error).unwrap().to_string();
        assert!(error.to_string() == "a.png" && cause.contains("5x5"), "{error}: {cause}");
    }
}
