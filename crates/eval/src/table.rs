//! Tables of results: per picture and mean, as CSV, aligned text and JSON.
//!
//! The PSNR of equal pictures is infinite. CSV writes it as `inf`, JSON (which has no such number) as the string
//! `"inf"`; Python's `float()`, pandas and Rust's `f64::from_str` read both back.

use abbe_data::image::Rgb8;

use crate::{Error, Protocol, Score, score};

/// Metrics of several methods on the same pictures.
#[derive(Clone, Debug, PartialEq)]
pub struct Results {
    /// How many times larger than lr the pictures are in each direction.
    pub scale: usize,
    /// How lr was made, in words.
    pub lr: String,
    /// The protocols; they give the columns.
    pub protocols: Vec<Protocol>,
    /// The methods, in the order of the table.
    pub methods: Vec<Method>,
    /// What every reader of the numbers must know, e.g. "VGG-19 with random weights (seed 0)".
    pub notices: Vec<String>,
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
    /// One value per column of the table, see [`Results::columns`].
    pub values: Vec<f64>,
}

impl Row {
    /// Scores `sr` against `hr` under each protocol.
    ///
    /// # Errors
    /// Those of [`score()`], with the picture's name.
    pub fn score(picture: &str, sr: &Rgb8, hr: &Rgb8, protocols: &[Protocol]) -> Result<Self, Error> {
        let scores: Result<Vec<Score>, Error> = protocols.iter().map(|protocol| score(sr, hr, protocol)).collect();
        let scores = scores.map_err(|e| Error::Picture { picture: picture.to_owned(), source: Box::new(e) })?;
        Ok(Self { picture: picture.to_owned(), values: scores.iter().flat_map(Score::values).collect() })
    }
}

impl Method {
    /// Means of the per-picture values, one per column; NaN where there are no pictures.
    pub fn mean(&self, columns: usize) -> Vec<f64> {
        let mean = |column| {
            let values: Vec<f64> = self.rows.iter().filter_map(|row| row.values.get(column).copied()).collect();
            values.iter().sum::<f64>() / values.len() as f64
        };
        (0..columns).map(mean).collect()
    }
}

impl Results {
    /// Names of the columns: `psnr_y_crop4`, `ssim_y_crop4`, ... for each protocol in turn.
    pub fn columns(&self) -> Vec<String> {
        let names = |protocol: &Protocol| Score::METRICS.map(|metric| protocol.metric(metric));
        self.protocols.iter().flat_map(names).collect()
    }

    /// One line per method and picture and one `mean` per method, every digit kept. The last column repeats the notices,
    /// so that no copy of the file loses them.
    pub fn to_csv(&self) -> String {
        let columns = self.columns();
        let notices = self.notices.join("; ");
        let mut csv = csv_line(&["method", "picture"], &columns, "notices");
        for method in &self.methods {
            for row in &method.rows {
                csv += &csv_line(&[&method.name, &row.picture], &row.values, &notices);
            }
            csv += &csv_line(&[&method.name, "mean"], &method.mean(columns.len()), &notices);
        }
        csv
    }

    /// The means as an aligned table, the best of each column marked with `*`, the notices below.
    pub fn to_text(&self) -> String {
        let columns = self.columns();
        let mut lines = vec![[vec![String::new()], columns.clone()].concat()];
        lines.extend(
            self.methods.iter().map(|m| [vec![m.name.clone()], cells(&columns, &m.mean(columns.len()))].concat()),
        );
        for column in 1..=columns.len() {
            mark_best(&mut lines, column);
        }
        let pictures = self.methods.iter().map(|method| method.rows.len()).max().unwrap_or(0);
        let mut text =
            format!("x{}, pictures: {pictures} (means below), lr: {}\n\n{}\n", self.scale, self.lr, aligned(&lines));
        text += "* best of its column. psnr in dB; higher is better for every metric.\n";
        for notice in &self.notices {
            text += &format!("Notice: {notice}\n");
        }
        text
    }
}

/// One line of CSV after RFC 4180: a cell with a comma, quote or line break is quoted, quotes are doubled.
fn csv_line(labels: &[&str], values: &[impl ToString], notices: &str) -> String {
    let labels = labels.iter().map(|label| label.to_string());
    let cells = labels.chain(values.iter().map(ToString::to_string)).chain([notices.to_owned()]);
    let quoted = cells.map(|cell| match cell.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", cell.replace('"', "\"\"")),
        false => cell,
    });
    quoted.collect::<Vec<_>>().join(",") + "\n"
}

/// Two decimals for dB, four for indices, as papers print them.
fn cells(columns: &[String], values: &[f64]) -> Vec<String> {
    let cell = |(column, value): (&String, &f64)| {
        let decimals = if column.starts_with("psnr") { 2 } else { 4 };
        format!("{value:.decimals$}")
    };
    columns.iter().zip(values).map(cell).collect()
}

/// Appends `*` to the largest value below the header, a blank to the others. What prints alike is marked alike.
fn mark_best(lines: &mut [Vec<String>], column: usize) {
    let value = |line: &Vec<String>| line[column].parse::<f64>().unwrap_or(f64::NAN);
    let best = lines.iter().skip(1).map(value).fold(f64::NAN, f64::max);
    for (row, line) in lines.iter_mut().enumerate() {
        let mark = if row > 0 && value(line) == best { '*' } else { ' ' };
        line[column].push(mark);
    }
}

/// The first column flush left, the others flush right, two blanks between.
fn aligned(lines: &[Vec<String>]) -> String {
    let columns = lines.first().map_or(0, Vec::len);
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for line in lines {
        let mut row = format!("{:<1$}", line[0], widths[0]);
        for (cell, width) in line.iter().zip(&widths).skip(1) {
            row += &format!("  {cell:>width$}");
        }
        text += row.trim_end();
        text.push('\n');
    }
    text
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn results() -> Results {
        let row = |picture: &str, values: [f64; 4]| Row { picture: picture.into(), values: values.to_vec() };
        let method = |name: &str, rows| Method { name: name.into(), rows };
        Results {
            scale: 4,
            lr: "bicubic, antialiased".into(),
            protocols: vec![Protocol::y_crop(4), Protocol::RGB],
            methods: vec![
                method("bicubic", vec![row("a.png", [28.0, 0.8, 26.0, 0.7]), row("b, c.png", [30.0, 0.9, 27.0, 0.75])]),
                method(
                    "SRGAN",
                    vec![row("a.png", [29.0, 0.7, 26.5, 0.7]), row("b, c.png", [f64::INFINITY, 1.0, 26.5, 0.75])],
                ),
            ],
            notices: vec!["VGG-19 with random weights (seed 0)".into()],
        }
    }

    #[test]
    fn a_mean_is_the_mean_of_the_pictures() {
        // (28 + 30) / 2 = 29 dB, although pooling the errors of both pictures first would give 28.89 dB
        assert_eq!(results().methods[0].mean(4)[0], 29.0);
        assert_eq!(results().methods[1].mean(4)[0], f64::INFINITY);
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
    fn text_marks_the_best_of_each_column() {
        let expected = "\
x4, pictures: 2 (means below), lr: bicubic, antialiased

         psnr_y_crop4   ssim_y_crop4   psnr_rgb   ssim_rgb
bicubic         29.00         0.8500*     26.50*    0.7250*
SRGAN             inf*        0.8500*     26.50*    0.7250*

* best of its column. psnr in dB; higher is better for every metric.
Notice: VGG-19 with random weights (seed 0)
";
        assert_eq!(results().to_text(), expected);
    }

    #[test]
    fn an_error_names_its_picture() {
        let small = Rgb8 { height: 5, width: 5, pixels: vec![0; 75] };
        let error = Row::score("a.png", &small, &small, &[Protocol::RGB]).unwrap_err();
        let cause = std::error::Error::source(&error).unwrap().to_string();
        assert!(error.to_string() == "a.png" && cause.contains("5x5"), "{error}: {cause}");
    }
}
