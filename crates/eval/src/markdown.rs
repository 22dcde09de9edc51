//! Tables of results as Markdown with GitHub's tables (GitHub Flavored Markdown Spec 0.29, section 4.10).

use crate::Results;
use crate::sheet::{Cell, Sheet, Table, interval, one_line};

/// ASCII characters that may mean something to GitHub inside a line.
const SPECIAL: &str = r"\`*_[]<|&~$";

impl Results {
    /// One section per protocol: the means with their standard deviations, the best in bold, and the published rows; the
    /// differences between methods, in bold where the interval leaves 0 out; the values of each picture. Every section says
    /// how its numbers were taken.
    pub fn to_markdown(&self) -> String {
        self.sheets().iter().map(|sheet| self.section(sheet)).collect::<Vec<_>>().join("\n")
    }

    fn section(&self, sheet: &Sheet) -> String {
        let mut parts = vec![format!("## {}\n", escape(sheet.name))];
        parts.push(format!("{}\n", escape(&self.caption(sheet))));
        parts.extend(self.remarks().iter().map(|notice| format!("Notice: {}\n", escape(notice))));
        parts.push(table(&sheet.means, sheet));
        if let Some(differences) = &sheet.differences {
            parts.push(format!("{}; bold where it leaves 0 out.\n", escape(&interval())));
            parts.push(table(differences, sheet));
        }
        parts.push(table(&sheet.pictures, sheet));
        parts.extend(sheet.sources.iter().map(|source| format!("{}\n", escape(source))));
        parts.join("\n")
    }
}

fn table(table: &Table, sheet: &Sheet) -> String {
    let columns = || sheet.columns.iter();
    let mut text = line(table.title, columns().map(|name| escape(name)));
    text += &line("---", columns().map(|_| "---:".into()));
    for group in &table.groups {
        if !group.heading.is_empty() {
            text += &line(&format!("*{}*", escape(&group.heading)), columns().map(|_| String::new()));
        }
        for of in &group.lines {
            text += &line(&escape(&of.label), of.cells.iter().map(cell));
        }
    }
    text
}

fn line(label: &str, cells: impl Iterator<Item = String>) -> String {
    format!("| {label} |{}\n", cells.map(|cell| format!(" {cell} |")).collect::<String>())
}

fn cell(cell: &Cell) -> String {
    let value = cell.value.replace("inf", "∞");
    let value = if cell.marked { format!("**{value}**") } else { value };
    format!("{value} {}", escape(&cell.spread)).trim_end().to_owned()
}

/// Text as it is to be read, whatever it holds.
fn escape(text: &str) -> String {
    let escaped = |c: char| if SPECIAL.contains(c) { format!("\\{c}") } else { c.to_string() };
    one_line(text).chars().map(escaped).collect()
}

#[cfg(test)]
mod tests {
    use crate::table::tests::{awkward, one_method, published, results};

    const SECTION: &str = r"## rgb

x4, 2 pictures, lr: bicubic, antialiased; rgb: red, green and blue together. Bold: best of its column. psnr in dB. Higher is better for every metric.

Notice: VGG-19 with random weights (seed 0)

| mean ± standard deviation | psnr\_rgb | ssim\_rgb |
| --- | ---: | ---: |
| bicubic | **26.50** ± 0.71 | **0.7250** ± 0.0354 |
| SRGAN | **26.50** ± 0.00 | **0.7250** ± 0.0354 |

\[ \] 95 % interval of the mean difference (bootstrap over pictures, 10000 resamples, seed 0); bold where it leaves 0 out.

| difference | psnr\_rgb | ssim\_rgb |
| --- | ---: | ---: |
| SRGAN - bicubic | +0.00 \[-0.50, +0.50\] | +0.0000 \[+0.0000, +0.0000\] |

| each picture | psnr\_rgb | ssim\_rgb |
| --- | ---: | ---: |
| *a.png* |  |  |
| bicubic | 26.00 | **0.7000** |
| SRGAN | **26.50** | **0.7000** |
| *b, c.png* |  |  |
| bicubic | **27.00** | **0.7500** |
| SRGAN | 26.50 | **0.7500** |
";

    #[test]
    fn each_protocol_has_its_section() {
        let text = results().to_markdown();
        let (first, second) = text.split_once("\n## rgb\n").unwrap();
        assert_eq!(format!("## rgb\n{second}"), SECTION, "{text}");
        assert!(first.starts_with("## y-crop4\n"), "{first}");
        for line in [
            r"| bicubic | 29.00 ± 1.41 | **0.8500** ± 0.0707 |",
            r"| SRGAN | **∞** | **0.8500** ± 0.2121 |",
            r"| SRGAN - bicubic | - | +0.0000 \[-0.1000, +0.1000\] |",
        ] {
            assert!(first.contains(line), "{line}: {first}");
        }
    }

    #[test]
    fn published_rows_stand_below_and_are_never_bold() {
        let text = published().to_markdown();
        let below = "| SRGAN | **∞** | **0.8500** ± 0.2121 |\n\
                     | *as published, not measured here* |  |  |\n\
                     | EDSR (Lim \\| Son 2017; lpips\\_alex 0.1) | 99.46 | 0.8968 to 0.9 |\n\n";
        assert!(text.contains(below), "{text}");
        assert!(text.contains("\nPublished for Set5 at x4, lr by bicubic downscaling; five pictures.\n"), "{text}");
        assert!(
            text.contains("\nLim \\| Son 2017: B. Lim & S. Son; PSNR alone.\n".replace('&', "\\&").as_str()),
            "{text}"
        );
        assert!(!text[text.find("## rgb").unwrap()..].contains("published"), "{text}");
    }

    #[test]
    fn names_are_read_as_they_are() {
        let text = awkward().to_markdown();
        assert!(text.contains(r"| a\|b\_c%\&\\d,\\ne | 30.00 |"), "{text}");
        assert!(text.contains(r"| \[x\]\*\`\<\$\~ | - |"), "{text}");
        // Every line of a table has as many cells as its head.
        let bars = |line: &str| line.replace(r"\|", "").matches('|').count();
        assert!(text.lines().filter(|line| line.starts_with('|')).all(|line| bars(line) == 3), "{text}");
    }

    #[test]
    fn one_picture_is_one() {
        let mut results = one_method();
        results.methods[0].rows.truncate(1);
        assert!(results.to_markdown().contains("\nx4, 1 picture, lr: "), "{}", results.to_markdown());
    }

    #[test]
    fn one_method_has_no_rival() {
        let text = one_method().to_markdown();
        assert!(!text.contains("**") && !text.contains("Bold"), "{text}");
        assert!(
            text.contains("| *bicubic* |  |  |\n| a.png | 28.00 | 0.8000 |\n| b, c.png | 30.00 | 0.9000 |\n"),
            "{text}"
        );
    }
}
