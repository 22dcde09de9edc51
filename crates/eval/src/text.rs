//! Tables of results as aligned text: one table per protocol, and who beats whom.

use std::ops::Range;

use crate::metric::Better;
use crate::statistics::{Difference, RESAMPLES, SEED};
use crate::{LpipsColumn, Metric, Protocol, Results};

impl Results {
    /// The means as one aligned table per protocol, the best of each column marked with `*`; where there are several methods
    /// and pictures, the differences between methods with their intervals; the notices below.
    pub fn to_text(&self) -> String {
        let pictures = self.methods.iter().map(|method| method.rows.len()).max().unwrap_or(0);
        let mut text = format!("x{}, pictures: {pictures} (means below), lr: {}\n\n", self.scale, self.lr);
        for (title, columns) in self.sections() {
            text += &format!("{title}\n{}\n", aligned(&self.means(columns.clone())));
            if !self.pairs().is_empty() {
                text += &format!("{}\n", aligned(&self.differences(columns)));
            }
        }
        text += &format!("* best of its column. {}\n", self.directions());
        if !self.pairs().is_empty() {
            text += &format!(
                "[ ] 95 % interval of the mean difference (bootstrap over pictures, {RESAMPLES} resamples, seed {SEED}); \
                 # it leaves 0 out.\n"
            );
        }
        for notice in self.remarks() {
            text += &format!("Notice: {notice}\n");
        }
        text
    }

    /// The tables: one per protocol, and one of LPIPS.
    fn sections(&self) -> Vec<(String, Range<usize>)> {
        let (count, protocols) = (self.metrics.len(), self.protocols.len());
        let of = |(index, protocol): (usize, &Protocol)| {
            (format!("{}: {}", protocol.name, protocol.about), index * count..(index + 1) * count)
        };
        let lpips =
            ("lpips: red, green and blue of the whole picture".to_owned(), protocols * count..self.columns().len());
        let sections = self.protocols.iter().enumerate().map(of).chain([lpips]);
        sections.filter(|(_, columns)| !columns.is_empty()).collect()
    }

    fn header(&self, first: &str, columns: Range<usize>) -> Vec<String> {
        [vec![first.to_owned()], self.columns()[columns].to_vec()].concat()
    }

    fn means(&self, columns: Range<usize>) -> Vec<Vec<String>> {
        let metrics = &self.column_metrics()[columns.clone()];
        let mut lines = vec![self.header("", columns.clone())];
        for method in &self.methods {
            let means = method.mean(columns.end);
            let cells = means[columns.clone()].iter().zip(metrics).map(|(&mean, metric)| metric.format(mean));
            lines.push([method.name.clone()].into_iter().chain(cells).collect());
        }
        for (column, metric) in metrics.iter().enumerate() {
            mark_best(&mut lines, column + 1, metric.better);
        }
        lines
    }

    fn differences(&self, columns: Range<usize>) -> Vec<Vec<String>> {
        let metrics = &self.column_metrics()[columns.clone()];
        let mut lines = vec![self.header("difference", columns.clone())];
        lines[0].iter_mut().skip(1).for_each(|name| name.push(' ')); // above the marks
        for [a, b] in self.pairs() {
            let differences = a.minus(b, columns.end);
            let cells = differences[columns.clone()].iter().zip(metrics).map(|(&found, metric)| cell(found, metric));
            lines.push([format!("{} - {}", a.name, b.name)].into_iter().chain(cells).collect());
        }
        lines
    }

    /// `psnr in dB. Higher is better for psnr, ssim; lower for gmsd.`
    fn directions(&self) -> String {
        let metrics = Vec::from_iter(self.metrics.iter().copied().chain(self.lpips.iter().map(LpipsColumn::metric)));
        let names = |has: &dyn Fn(&Metric) -> bool| {
            metrics.iter().filter(|metric| has(metric)).map(|metric| metric.name).collect::<Vec<_>>().join(", ")
        };
        let decibels = names(&|metric| metric.unit == "dB");
        let mut parts = Vec::new();
        if !decibels.is_empty() {
            parts.push(format!("{decibels} in dB."));
        }
        match [Better::Higher, Better::Lower].map(|better| names(&|metric| metric.better == better)) {
            [_, lower] if lower.is_empty() => parts.push("Higher is better for every metric.".into()),
            [higher, _] if higher.is_empty() => parts.push("Lower is better for every metric.".into()),
            [higher, lower] => parts.push(format!("Higher is better for {higher}; lower for {lower}.")),
        }
        parts.join(" ")
    }
}

/// `+0.81 [+0.60, +1.02]#`, or `-` where there is no difference to be had.
fn cell(difference: Option<Difference>, metric: &Metric) -> String {
    let Some(difference) = difference else { return "- ".into() };
    let least = 0.5 * 0.1f64.powi(metric.digits as i32);
    let signed = |value: f64| format!("{:+.1$}", if value.abs() < least { 0.0 } else { value }, metric.digits);
    let [low, high] = difference.interval.map(signed);
    let mark = if difference.is_clear() { '#' } else { ' ' };
    format!("{} [{low}, {high}]{mark}", signed(difference.mean))
}

/// Appends `*` to the best value below the header, a blank to the others. What prints alike is marked alike.
fn mark_best(lines: &mut [Vec<String>], column: usize, better: Better) {
    let value = |line: &Vec<String>| line[column].parse::<f64>().unwrap_or(f64::NAN);
    let pick = if better == Better::Higher { f64::max } else { f64::min };
    let best = lines.iter().skip(1).map(value).fold(f64::NAN, pick);
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
mod tests {
    use super::*;
    use crate::table::tests::{results, with_lpips};

    #[test]
    fn each_protocol_has_its_table_with_the_best_marked() {
        let expected = "\
x4, pictures: 2 (means below), lr: bicubic, antialiased

y-crop4: ABOUT
         psnr_y_crop4   ssim_y_crop4
bicubic         29.00         0.8500*
SRGAN             inf*        0.8500*

difference       psnr_y_crop4                 ssim_y_crop4
SRGAN - bicubic             -   +0.0000 [-0.1000, +0.1000]

rgb: red, green and blue together
         psnr_rgb   ssim_rgb
bicubic     26.50*    0.7250*
SRGAN       26.50*    0.7250*

difference                   psnr_rgb                     ssim_rgb
SRGAN - bicubic  +0.00 [-0.50, +0.50]   +0.0000 [+0.0000, +0.0000]

* best of its column. psnr in dB. Higher is better for every metric.
[ ] 95 % interval of the mean difference (bootstrap over pictures, 10000 resamples, seed 0); # it leaves 0 out.
Notice: VGG-19 with random weights (seed 0)
";
        let results = results();
        let text = results.to_text().replace(&results.protocols[0].about, "ABOUT");
        assert_eq!(text, expected, "{text}");
    }

    #[test]
    fn lpips_has_a_table_of_its_own() {
        let text = with_lpips().to_text();
        let expected = "
lpips: red, green and blue of the whole picture
         lpips_alex_v0.1   lpips_vgg_v0.1
bicubic           0.3500                -
SRGAN             0.1500*               -
";
        let lines = Vec::from_iter(text.lines().map(str::trim_end)).join("\n");
        assert!(lines.contains(expected), "{text}");
        assert!(text.contains("SRGAN - bicubic  -0.2000 [-0.2000, -0.2000]#"), "{text}");
        assert!(text.contains("Higher is better for psnr, ssim; lower for lpips_alex, lpips_vgg."), "{text}");
        assert!(text.contains("Notice: lpips_vgg_v0.1: no weights, get them\nNotice: VGG-19"), "{text}");
    }

    #[test]
    fn of_gmsd_the_least_is_best() {
        let mut results = results();
        (results.metrics, results.protocols) = (vec![Metric::named("gmsd").unwrap()], results.protocols[..1].to_vec());
        results.methods.iter_mut().zip([0.12, 0.08]).for_each(|(method, gmsd)| {
            method.rows.iter_mut().for_each(|row| row.values = vec![gmsd]);
        });
        let text = results.to_text();
        assert!(text.contains("0.1200 \n") || text.contains("0.1200\n"), "{text}");
        assert!(text.contains("0.0800*") && text.contains("-0.0400 [-0.0400, -0.0400]#"), "{text}");
        assert!(text.contains("Lower is better for every metric."), "{text}");
    }
}
