//! A Jupyter notebook that takes a run's weights into PyTorch, recomputes a result and shows the figures.

use std::path::{Component, Path, PathBuf};

use abbe_eval::Row;
use abbe_run::RunFolder;
use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::figures::read_results;

/// The cells that are the same for every run, in the percent format: `# %%` begins a cell, `# %% [markdown]` one of text.
const CELLS: &str = include_str!("notebook.py");

/// The method whose numbers a notebook recomputes.
pub struct Judgement {
    /// Its name in the table.
    pub method: String,
    /// The checkpoint that it was judged by.
    pub checkpoint: PathBuf,
}

/// The last judged method of a run that has a final checkpoint.
///
/// # Errors
/// A run without results, as one that was stopped, or without such a checkpoint.
pub fn judgement(run: &RunFolder) -> Result<Judgement> {
    let results = read_results(run)?;
    let judgement = |name: &String| {
        let checkpoint = run.checkpoint(&format!("{name}_final"));
        checkpoint.is_file().then_some(Judgement { method: name.clone(), checkpoint })
    };
    let names = results.methods.iter().map(|method| &method.name);
    names.rev().find_map(judgement).with_context(|| {
        format!("{}: no method of the table has a checkpoint `<method>_final.pth`", run.root().display())
    })
}

/// The pictures that a run's notebook reads.
pub(crate) fn of_notebook(run: &RunFolder) -> Result<Vec<PathBuf>> {
    let (Judgement { method, .. }, results) = (judgement(run)?, read_results(run)?);
    let rows = results.methods.iter().filter(|judged| judged.name == method).flat_map(|judged| judged.rows.first());
    let versions = |row: &Row| ["lr", "hr", &method].map(|version| run.picture(&row.picture, version));
    Ok(rows.flat_map(versions).collect())
}

/// The text of a notebook (nbformat 4.5) that runs from top to bottom where PyTorch, numpy and Pillow are: it loads the
/// checkpoint into `python`, code that defines the network as `model`; runs it on the first test picture; compares the
/// picture and its PSNR under each protocol with what the run wrote, and fails where they differ; and shows the figures.
///
/// `at` is where the notebook is going to be: the run's folder stands in it relative to that.
///
/// # Errors
/// A place for which no relative path to the run's folder is found.
pub fn notebook(run: &RunFolder, judgement: &Judgement, python: &str, at: &Path) -> Result<String> {
    let settings = format!(
        "from pathlib import Path\n\nRUN = Path({})\nMETHOD = {}\nCHECKPOINT = {}",
        literal(&relative(run.root(), at)?),
        literal(&judgement.method),
        literal(&relative(&judgement.checkpoint, &run.experiment())?),
    );
    let mut cells = vec![
        (true, introduction(run, judgement)),
        (false, settings),
        (true, "## The network\n\nAs `abbe models CHECKPOINT --python` prints it.".into()),
        (false, python.trim_end().to_owned()),
    ];
    cells.extend(CELLS.split("# %%").skip(1).map(cell));
    let cells: Vec<Value> =
        cells.iter().enumerate().map(|(at, (is_text, source))| json_cell(at, *is_text, source)).collect();
    let notebook = json!({
        "cells": cells,
        "metadata": {
            "kernelspec": { "display_name": "Python 3", "language": "python", "name": "python3" },
            "language_info": { "name": "python" },
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    });
    Ok(format!("{notebook:#}\n"))
}

/// Whether a cell of the percent format is text, and its source.
fn cell(source: &str) -> (bool, String) {
    let Some(text) = source.strip_prefix(" [markdown]") else { return (false, source.trim().to_owned()) };
    let line = |line: &str| line.trim_start_matches('#').strip_prefix(' ').unwrap_or_default().to_owned();
    (true, text.trim().lines().map(line).collect::<Vec<_>>().join("\n"))
}

fn json_cell(at: usize, is_text: bool, source: &str) -> Value {
    let lines: Vec<&str> = source.split_inclusive('\n').collect();
    let id = format!("cell-{at}");
    match is_text {
        true => json!({ "cell_type": "markdown", "id": id, "metadata": {}, "source": lines }),
        false => json!({
            "cell_type": "code", "id": id, "metadata": {}, "execution_count": null, "outputs": [], "source": lines,
        }),
    }
}

fn introduction(run: &RunFolder, judgement: &Judgement) -> String {
    let name = run.root().canonicalize().ok();
    let name = name.as_deref().and_then(Path::file_name).map_or("run".into(), |name| name.to_string_lossy());
    let mut text = format!(
        "# {name}: {} in PyTorch\n\nThis notebook loads the weights that Abbe trained into PyTorch, restores a test picture, \
         and computes its PSNR again. It needs PyTorch, numpy and Pillow, and the run's folder at `RUN`.",
        judgement.method
    );
    for notice in read_results(run).map(|results| results.notices).unwrap_or_default() {
        text += &format!("\n\n**Notice:** {notice}");
    }
    text
}

/// A string of Python: JSON's escapes are Python's too.
fn literal(text: &str) -> String {
    Value::from(text).to_string()
}

/// The path of `target` as seen from the folder that holds `file`, with `/` between its parts.
fn relative(target: &Path, file: &Path) -> Result<String> {
    let absolute = |path: &Path| path.canonicalize().with_context(|| format!("cannot find {}", path.display()));
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let (target, folder) = (absolute(target)?, absolute(folder)?);
    let shared = target.components().zip(folder.components()).take_while(|(a, b)| a == b).count();
    let up = folder.components().skip(shared).map(|_| "..".to_owned());
    let down = target.components().skip(shared).map(|part: Component| part.as_os_str().to_string_lossy().into_owned());
    let path = up.chain(down).collect::<Vec<_>>().join("/");
    Ok(if path.is_empty() { ".".into() } else { path })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::tests::finished;

    #[test]
    fn paths_are_seen_from_the_notebook() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("runs/demo")).unwrap();
        std::fs::create_dir_all(folder.path().join("export")).unwrap();
        let run = folder.path().join("runs/demo");
        assert_eq!(relative(&run, &folder.path().join("export/demo.ipynb")).unwrap(), "../runs/demo");
        assert_eq!(relative(&run, &run.join("notebook.ipynb")).unwrap(), ".");
        assert!(relative(&run, &folder.path().join("none/demo.ipynb")).is_err());
    }

    #[test]
    fn cells_alternate_between_text_and_code() {
        assert_eq!(cell(" [markdown]\n# ## A\n#\n# b\n\n"), (true, "## A\n\nb".into()));
        assert_eq!(cell("\nx = 1  # one\n\n"), (false, "x = 1  # one".into()));
        let folder = tempfile::tempdir().unwrap();
        let run = finished(folder.path());
        std::fs::rename(run.checkpoint("srgan"), run.checkpoint("srgan_final")).unwrap();
        let found = judgement(&run).unwrap();
        assert_eq!(found.method, "srgan");
        let text = notebook(&run, &found, "model = None\n", &run.notebook()).unwrap();
        let notebook: Value = serde_json::from_str(&text).unwrap();
        let kinds: Vec<&str> =
            notebook["cells"].as_array().unwrap().iter().filter_map(|it| it["cell_type"].as_str()).collect();
        assert_eq!(kinds.len(), 4 + 10);
        assert!(kinds.chunks(2).all(|pair| pair == ["markdown", "code"]), "{kinds:?}");
        assert!(text.contains("VGG-19 with random weights") && text.contains(r#"RUN = Path(\".\")"#), "{text}");
        assert!(text.contains(r#"CHECKPOINT = \"checkpoints/srgan_final.pth\""#));
    }
}
