//! Tables of results as LaTeX, with the packages booktabs and longtable.

use crate::Results;
use crate::sheet::{Cell, Group, Sheet, Table, interval, one_line};

const HEAD: &str =
    "% In the preamble: \\usepackage{booktabs,longtable}. Names beyond Latin letters need LuaLaTeX or XeLaTeX.\n";

impl Results {
    /// For each protocol a `table` with the means and their standard deviations, the best in bold, with the published rows and
    /// the differences between methods, in bold where the interval leaves 0 out; and a `longtable` of all pictures. Every
    /// caption says how its numbers were taken.
    pub fn to_latex(&self) -> String {
        self.sheets().iter().fold(HEAD.to_owned(), |text, sheet| text + &self.tables(sheet))
    }

    fn tables(&self, sheet: &Sheet) -> String {
        let notices: String =
            self.remarks().iter().map(|notice| format!(" Notice: {}.", notice.trim_end_matches('.'))).collect();
        let caption = format!("{}{notices}", self.caption(sheet));
        let mut text = format!("\n\\begin{{table}}\n\\centering\n\\caption{{{}}}\n\\medskip\n", escape(&caption));
        text += &tabular(&sheet.means, sheet);
        if let Some(differences) = &sheet.differences {
            text += &format!("\n\\medskip\n{}\n\\medskip\n", tabular(differences, sheet));
            text += &format!("{{\\footnotesize {}; bold where it leaves 0 out.\\par}}\n", escape(&interval()));
        }
        for source in &sheet.sources {
            text += &format!("{{\\footnotesize\\raggedright {}\\par}}\n", escape(source));
        }
        text += "\\end{table}\n";
        text + &longtable(&sheet.pictures, sheet, &caption)
    }
}

fn tabular(table: &Table, sheet: &Sheet) -> String {
    let (columns, header, body) = (columns(sheet), header(table, sheet), body(table, sheet));
    format!("\\begin{{tabular}}{{{columns}}}\n\\toprule\n{header}\\midrule\n{body}\\bottomrule\n\\end{{tabular}}\n")
}

/// A table that may go on over pages, each with the names of the columns.
fn longtable(table: &Table, sheet: &Sheet, caption: &str) -> String {
    let (columns, header, body) = (columns(sheet), header(table, sheet), body(table, sheet));
    let head = format!("\\toprule\n{header}\\midrule\n");
    format!(
        "\n\\begin{{longtable}}{{{columns}}}\n\\caption{{{}}}\\\\\n{head}\\endfirsthead\n{head}\\endhead\n\
         \\bottomrule\n\\endfoot\n{body}\\end{{longtable}}\n",
        escape(caption)
    )
}

/// One column of text, the others flush right.
fn columns(sheet: &Sheet) -> String {
    format!("l{}", "r".repeat(sheet.columns.len()))
}

fn header(table: &Table, sheet: &Sheet) -> String {
    line(table.title, sheet.columns.iter().map(|name| escape(name)))
}

fn body(table: &Table, sheet: &Sheet) -> String {
    let heading =
        |text: &str| format!("\\multicolumn{{{}}}{{l}}{{\\emph{{{}}}}} \\\\\n", sheet.columns.len() + 1, escape(text));
    let group = |group: &Group| {
        let heading = if group.heading.is_empty() { String::new() } else { heading(&group.heading) };
        group.lines.iter().fold(heading, |text, of| text + &line(&escape(&of.label), of.cells.iter().map(cell)))
    };
    table.groups.iter().map(group).collect::<Vec<_>>().join("\\midrule\n")
}

fn line(label: &str, cells: impl Iterator<Item = String>) -> String {
    format!("{label}{} \\\\\n", cells.map(|cell| format!(" & {cell}")).collect::<String>())
}

/// A number in mathematics, where signs have their width; words such as `0.270 to 0.295` as text.
fn cell(cell: &Cell) -> String {
    if cell.value.parse::<f64>().is_err() {
        return escape(&cell.value);
    }
    let value = cell.value.replace("inf", "\\infty");
    let value = if cell.marked { format!("\\mathbf{{{value}}}") } else { value };
    format!("${value}{}$", cell.spread.replace('±', " \\pm").replacen('[', "\\ [", 1))
}

/// Text as it is to be read, whatever it holds. Braces keep `[` and `*` from what may stand before them, a line's end.
fn escape(text: &str) -> String {
    let escaped = |c: char| match c {
        '\\' => "\\textbackslash{}".into(),
        '~' => "\\textasciitilde{}".into(),
        '^' => "\\textasciicircum{}".into(),
        '<' => "\\textless{}".into(),
        '>' => "\\textgreater{}".into(),
        '|' => "\\textbar{}".into(),
        '{' | '}' | '$' | '&' | '#' | '_' | '%' => format!("\\{c}"),
        '[' | ']' | '*' => format!("{{{c}}}"),
        _ => c.to_string(),
    };
    one_line(text).chars().map(escaped).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::tests::{awkward, one_method, published, results};

    const RGB: &str = r"
\begin{table}
\centering
\caption{x4, 2 pictures, lr: bicubic, antialiased; rgb: red, green and blue together. Bold: best of its column. psnr in dB. Higher is better for every metric. Notice: VGG-19 with random weights (seed 0).}
\medskip
\begin{tabular}{lrr}
\toprule
mean ± standard deviation & psnr\_rgb & ssim\_rgb \\
\midrule
bicubic & $\mathbf{26.50} \pm 0.71$ & $\mathbf{0.7250} \pm 0.0354$ \\
SRGAN & $\mathbf{26.50} \pm 0.00$ & $\mathbf{0.7250} \pm 0.0354$ \\
\bottomrule
\end{tabular}

\medskip
\begin{tabular}{lrr}
\toprule
difference & psnr\_rgb & ssim\_rgb \\
\midrule
SRGAN - bicubic & $+0.00\ [-0.50, +0.50]$ & $+0.0000\ [+0.0000, +0.0000]$ \\
\bottomrule
\end{tabular}

\medskip
{\footnotesize {[} {]} 95 \% interval of the mean difference (bootstrap over pictures, 10000 resamples, seed 0); bold where it leaves 0 out.\par}
\end{table}

\begin{longtable}{lrr}
\caption{x4, 2 pictures, lr: bicubic, antialiased; rgb: red, green and blue together. Bold: best of its column. psnr in dB. Higher is better for every metric. Notice: VGG-19 with random weights (seed 0).}\\
\toprule
each picture & psnr\_rgb & ssim\_rgb \\
\midrule
\endfirsthead
\toprule
each picture & psnr\_rgb & ssim\_rgb \\
\midrule
\endhead
\bottomrule
\endfoot
\multicolumn{3}{l}{\emph{a.png}} \\
bicubic & $26.00$ & $\mathbf{0.7000}$ \\
SRGAN & $\mathbf{26.50}$ & $\mathbf{0.7000}$ \\
\midrule
\multicolumn{3}{l}{\emph{b, c.png}} \\
bicubic & $\mathbf{27.00}$ & $\mathbf{0.7500}$ \\
SRGAN & $26.50$ & $\mathbf{0.7500}$ \\
\end{longtable}
";

    #[test]
    fn each_protocol_has_its_tables() {
        let text = results().to_latex();
        assert!(text.starts_with(HEAD) && text.ends_with(RGB), "{text}");
        for line in [
            r"bicubic & $29.00 \pm 1.41$ & $\mathbf{0.8500} \pm 0.0707$ \\",
            r"SRGAN & $\mathbf{\infty}$ & $\mathbf{0.8500} \pm 0.2121$ \\",
            r"SRGAN - bicubic & - & $+0.0000\ [-0.1000, +0.1000]$ \\",
        ] {
            assert!(text.contains(line), "{line}: {text}");
        }
        assert_eq!((text.matches("\\begin{table}").count(), text.matches("\\end{longtable}").count()), (2, 2));
    }

    #[test]
    fn published_rows_stand_below_and_are_never_bold() {
        let text = published().to_latex();
        let below = r"\midrule
\multicolumn{3}{l}{\emph{as published, not measured here}} \\
EDSR (Lim \textbar{} Son 2017; lpips\_alex 0.1) & $99.46$ & 0.8968 to 0.9 \\
\bottomrule
";
        assert!(text.contains(below), "{text}");
        assert!(
            text.contains(r"{\footnotesize\raggedright Lim \textbar{} Son 2017: B. Lim \& S. Son; PSNR alone.\par}")
        );
    }

    #[test]
    fn names_are_read_as_they_are() {
        let text = awkward().to_latex();
        for line in [
            r"a\textbar{}b\_c\%\&\textbackslash{}d,\textbackslash{}ne & $30.00$ \\",
            r"{[}x{]}{*}`\textless{}\$\textasciitilde{} & - \\",
            r"\#\{\textasciicircum{}\}\textgreater{} & $\infty$ \\",
        ] {
            assert!(text.contains(line), "{line}: {text}");
        }
        assert!(!one_method().to_latex().contains("mathbf"));
    }
}
