//! Tables of results as aligned text: one table per protocol, and who beats whom.

use crate::Results;
use crate::sheet::{Cell, Sheet, Table, interval, one_line};

impl Results {
    /// The means with their standard deviations as one aligned table per protocol, the best of each column marked with `*`,
    /// published rows below; where there are several methods and pictures, the differences between methods with their intervals;
    /// notices and sources last.
    pub fn to_text(&self) -> String {
        let (lr, sheets) = (one_line(&self.lr), self.sheets());
        let mut text = format!("x{}, pictures: {} (means below), lr: {lr}\n\n", self.scale, self.pictures());
        for sheet in &sheets {
            text += &format!("{}: {}\n{}\n", sheet.name, sheet.about, aligned(&sheet.means, sheet, '*'));
            if let Some(differences) = &sheet.differences {
                text += &format!("{}\n", aligned(differences, sheet, '#'));
            }
        }
        let best = if self.methods.len() > 1 { "* best of its column. " } else { "" };
        text += &format!("{best}{}\n", self.directions());
        if !self.pairs().is_empty() {
            text += &format!("{}; # it leaves 0 out.\n", interval());
        }
        self.remarks().iter().for_each(|notice| text += &format!("Notice: {}\n", one_line(notice)));
        // A source may have rows in several tables.
        let mut sources: Vec<&String> = Vec::new();
        for source in sheets.iter().flat_map(|sheet| &sheet.sources) {
            if !sources.contains(&source) {
                text += &format!("{source}\n");
                sources.push(source);
            }
        }
        text
    }
}

/// A table with its labels flush left, all else flush right, two blanks between, and `mark` behind what is marked.
fn aligned(table: &Table, sheet: &Sheet, mark: char) -> String {
    let lines = lines(table, sheet, mark);
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..=sheet.columns.len()).map(width).collect();
    let mut text = String::new();
    for line in &lines {
        let mut row = format!("{:<1$}", line[0], widths[0]);
        for (cell, width) in line.iter().zip(&widths).skip(1) {
            row += &format!("  {cell:>width$}");
        }
        text += row.trim_end();
        text.push('\n');
    }
    text
}

/// The cells of a table line by line, the names of the columns first.
fn lines(table: &Table, sheet: &Sheet, mark: char) -> Vec<Vec<String>> {
    let line =
        |label: &str, cells: &mut dyn Iterator<Item = String>| [one_line(label)].into_iter().chain(cells).collect();
    let cell = |cell: &Cell| {
        let text = format!("{} {}", cell.value, cell.spread);
        format!("{}{}", text.trim_end(), if cell.marked { mark } else { ' ' })
    };
    // Names stand above the numbers, not above the marks.
    let mut lines = vec![line(table.title, &mut sheet.columns.iter().map(|name| format!("{name} ")))];
    for group in &table.groups {
        if !group.heading.is_empty() {
            lines.push(line(&format!("{}:", group.heading), &mut sheet.columns.iter().map(|_| String::new())));
        }
        lines.extend(group.lines.iter().map(|of| line(&of.label, &mut of.cells.iter().map(cell))));
    }
    lines
}

#[cfg(test)]
mod tests {
    use crate::Metric;
    use crate::table::tests::{awkward, published, results, with_lpips};

    #[test]
    fn lpips_has_a_table_of_its_own() {
        let mut results = with_lpips();
        let text = results.to_text();
        let expected = "
lpips: red, green and blue of the whole picture
mean ± standard deviation  lpips_alex_v0.1   lpips_vgg_v0.1
bicubic                    0.3500 ± 0.0707                -
SRGAN                      0.1500 ± 0.0707*               -
";
        let lines = Vec::from_iter(text.lines().map(str::trim_end)).join("\n");
        assert!(lines.contains(expected), "{text}");
        assert!(text.contains("-0.2000 [-0.2000, -0.2000]#"), "{text}");
        assert!(text.contains("Higher is better for psnr, ssim; lower for lpips_alex, lpips_vgg."), "{text}");
        assert!(text.contains("Notice: lpips_vgg_v0.1: no weights, get them\nNotice: VGG-19"), "{text}");
        // What was published of LPIPS stands there too, and no longer behind the method's name.
        results.published = published().published;
        let text = results.to_text();
        let (protocols, lpips) = text.split_once("\nlpips: ").unwrap();
        assert!(protocols.contains("EDSR (Lim | Son 2017) ") && !protocols.contains("lpips_alex 0.1"), "{text}");
        assert!(lpips.contains("EDSR (Lim | Son 2017)                         0.1 "), "{text}");
        let said = ["Published for Set5", "Lim | Son 2017: B. Lim"].map(|part| text.matches(part).count());
        assert_eq!(said, [1, 1], "{text}");
    }

    #[test]
    fn each_protocol_has_its_table_with_the_best_marked() {
        let expected = "\
x4, pictures: 2 (means below), lr: bicubic, antialiased

y-crop4: ABOUT
mean ± standard deviation  psnr_y_crop4      ssim_y_crop4
bicubic                    29.00 ± 1.41   0.8500 ± 0.0707*
SRGAN                               inf*  0.8500 ± 0.2121*

difference       psnr_y_crop4                 ssim_y_crop4
SRGAN - bicubic             -   +0.0000 [-0.1000, +0.1000]

rgb: red, green and blue together
mean ± standard deviation      psnr_rgb          ssim_rgb
bicubic                    26.50 ± 0.71*  0.7250 ± 0.0354*
SRGAN                      26.50 ± 0.00*  0.7250 ± 0.0354*

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
    fn of_gmsd_the_least_is_best() {
        let mut results = results();
        (results.metrics, results.protocols) = (vec![Metric::named("gmsd").unwrap()], results.protocols[..1].to_vec());
        results.methods.iter_mut().zip([0.12, 0.08]).for_each(|(method, gmsd)| {
            method.rows.iter_mut().for_each(|row| row.values = vec![gmsd]);
        });
        let text = results.to_text();
        assert!(text.contains("0.1200 ± 0.0000\n") && text.contains("0.0800 ± 0.0000*\n"), "{text}");
        assert!(text.contains("-0.0400 [-0.0400, -0.0400]#"), "{text}");
        assert!(text.contains("Lower is better for every metric."), "{text}");
    }

    #[test]
    fn published_rows_stand_below_the_methods() {
        let text = published().to_text();
        let expected = "
mean ± standard deviation              psnr_y_crop4      ssim_y_crop4
bicubic                                29.00 ± 1.41   0.8500 ± 0.0707*
SRGAN                                           inf*  0.8500 ± 0.2121*
as published, not measured here:
EDSR (Lim | Son 2017; lpips_alex 0.1)         99.46     0.8968 to 0.9

difference ";
        assert!(text.contains(expected), "{text}");
        let sources = "\
Notice: VGG-19 with random weights (seed 0)
Published for Set5 at x4, lr by bicubic downscaling; five pictures.
Lim | Son 2017: B. Lim & S. Son; PSNR alone.
";
        assert!(text.ends_with(sources), "{text}");
    }

    #[test]
    fn what_was_not_measured_is_a_dash_and_one_method_has_no_rival() {
        let text = awkward().to_text();
        assert!(text.contains("\nso-called \"best\"                      -\n"), "{text}");
        assert!(!text.contains("-*") && !text.contains("best of"), "{text}");
        let mut results = awkward();
        results.methods[0].name = "two\nlines".into();
        assert!(results.to_text().contains("\ntwo\\nlines                            -\n"), "{}", results.to_text());
    }
}
