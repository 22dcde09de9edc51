//! The report in a browser, and the notebook in Python.

use std::path::Path;

use serde_json::{Value, json};

use crate::browser::Browser;
use crate::support::{Scratch, repository, small_experiment};

/// One run serves all: training takes longest.
#[test]
fn a_run_gets_a_page_that_works_and_a_notebook_that_recomputes_its_numbers() {
    let scratch = small_experiment();
    scratch.abbe("train small.toml --out run").ok();
    for file in ["report.html", "notebook.ipynb"] {
        let zip = zip::ZipArchive::new(std::fs::File::open(scratch.path("run/srgan_results.zip")).unwrap()).unwrap();
        assert!(scratch.path("run").join(file).is_file() && zip.index_for_name(file).is_some(), "{file}");
    }
    the_notebook_runs(&scratch, "run/notebook.ipynb");
    let zip = std::fs::File::open(scratch.path("run/srgan_results.zip")).unwrap();
    zip::ZipArchive::new(zip).unwrap().extract(scratch.path("unpacked")).unwrap();
    the_notebook_runs(&scratch, "unpacked/notebook.ipynb");
    the_command_writes_where_it_is_told(&scratch);
    what_is_missing_is_said(&scratch);
    let Some(browser) = Browser::start() else {
        println!("skipped: there is no chromedriver (Debian: chromium-driver) to look at the page with");
        return;
    };
    for size in [(900, 1280), (844, 390)] {
        browser.open(&scratch.path("run/report.html"), size);
        the_page_is_whole(&browser);
        the_divider_moves(&browser);
        tables_are_sorted(&browser);
        assert_eq!(browser.console(), Vec::<String>::new());
    }
    browser.open(&scratch.path("comparison.html"), (900, 1280));
    the_page_is_whole(&browser);
    the_divider_moves(&browser);
    browser.open(&scratch.path("stopped/report.html"), (844, 390));
    the_page_is_whole(&browser);
    assert_eq!(browser.console(), Vec::<String>::new());
}

/// Every picture decodes and is described, nothing is loaded, nothing sticks out.
fn the_page_is_whole(browser: &Browser) {
    let undecoded = "const images = [...document.images].filter(image => image.src);
        images.forEach(image => { image.loading = 'eager'; });
        const failed = image => image.decode().then(() => [], () => [image.alt || 'no description']);
        return Promise.all(images.map(failed)).then(all => all.flat())";
    assert_eq!(browser.script(undecoded), json!([]));
    assert_eq!(browser.script("return [...document.images].filter(image => !image.alt).length"), json!(0));
    let room = browser.script("const page = document.documentElement; return page.scrollWidth - page.clientWidth");
    assert_eq!(room, json!(0), "the page is wider than its window");
    let requests = browser.requests();
    let outside: Vec<_> = requests.iter().filter(|url| !url.starts_with("data:")).collect();
    assert!(outside.len() == 1 && outside[0].ends_with(".html"), "{outside:?}"); // the page itself
}

/// By mouse, by touch, by keyboard; and between other versions.
fn the_divider_moves(browser: &Browser) {
    let place = "const box = document.querySelector('.box'); box.scrollIntoView({ block: 'center' });
        const area = box.getBoundingClientRect(); return [area.x, area.y, area.width, area.height]";
    let place = browser.script(place);
    let [x, y, width, height] = [0, 1, 2, 3].map(|i| place[i].as_f64().unwrap());
    let at = |share: f64| (x + share * width, y + height / 2.0);
    let value = || browser.script("return Number(document.querySelector('.slide input').value)").as_f64().unwrap();
    let cut = || browser.script("return parseFloat(document.querySelector('img.b').style.clipPath.split(' ').at(-1))");
    assert_eq!(value(), 50.0);
    for (pointer, to) in [("mouse", 0.75), ("touch", 0.25)] {
        browser.drag(pointer, at(0.5), at(to));
        assert!((value() - 100.0 * to).abs() < 1.0, "{pointer}: {}", value());
        assert!((cut().as_f64().unwrap() - to * width).abs() < 0.01 * width + 1.0, "{pointer}: {}", cut());
    }
    let before = value();
    browser.script("document.querySelector('.slide input').focus()");
    browser.key('\u{e014}'); // the right arrow
    assert!(value() > before, "{before} {}", value());
    let choose = "const left = document.querySelector('.left'); left.value = 'LR';
        left.dispatchEvent(new Event('change')); return document.querySelector('img.a').alt";
    assert_eq!(browser.script(choose), json!("scene2, LR"));
}

fn tables_are_sorted(browser: &Browser) {
    let column = || {
        let cells = browser.script(
            "return [...document.querySelectorAll('#results table')[0].tBodies[0].rows].map(row => Number(row.cells[1].dataset.value))",
        );
        cells.as_array().unwrap().iter().map(|cell| cell.as_f64().unwrap()).collect::<Vec<_>>()
    };
    let sort = || browser.script("return document.querySelector('#results th.number').getAttribute('aria-sort')");
    let mut values = column();
    values.sort_by(f64::total_cmp);
    browser.click("#results th.number button");
    assert_eq!((sort(), column()), (json!("descending"), values.iter().rev().copied().collect()));
    browser.click("#results th.number button");
    assert_eq!((sort(), column()), (json!("ascending"), values));
    let first = "return document.querySelector('#results tbody th').textContent";
    browser.click("#results th button");
    assert_eq!(browser.script(first), json!("bicubic"));
}

/// Its cells, one after another, where Jupyter is not needed; and in Jupyter, where that is.
fn the_notebook_runs(scratch: &Scratch, file: &str) {
    let text = std::fs::read_to_string(scratch.path(file)).unwrap();
    let notebook: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&notebook["nbformat"], &notebook["nbformat_minor"]), (&json!(4), &json!(5)));
    assert!(!text.contains(&*scratch.path("").to_string_lossy()), "a path of this machine");
    let folder = Path::new(file).parent().unwrap().display();
    let cells = format!(
        "
import json, os, sys, types
shown = []
display = types.ModuleType('IPython.display')
display.Image, display.display = (lambda filename: filename), shown.append
sys.modules['IPython'], sys.modules['IPython.display'] = types.ModuleType('IPython'), display
notebook = json.load(open('{file}'))
os.chdir('{folder}')
scope = {{}}
for cell in notebook['cells']:
    if cell['cell_type'] == 'code': exec(''.join(cell['source']), scope)
assert len(shown) == 2, shown
"
    );
    let printed = scratch.python(&cells).ok();
    assert!(printed.contains("psnr_y_crop4: ") && printed.contains("psnr_rgb: "), "{printed}");
    let jupyter = format!(
        "
try:
    import nbformat
    notebook = nbformat.read('{file}', as_version=4)
    nbformat.validate(notebook)
    print('valid by nbformat')
    import nbclient, ipykernel
except ImportError as missing:
    print('skipped:', missing, '(the notebook in Jupyter: nbformat, nbclient and ipykernel)')
else:
    where = {{'metadata': {{'path': '{folder}'}}}}
    nbclient.NotebookClient(notebook, timeout=300, kernel_name='python3', resources=where).execute()
    print('ran in Jupyter')
"
    );
    println!("{}", scratch.python(&jupyter).ok());
}

fn cells(notebook: &Path) -> Vec<Value> {
    let notebook: Value = serde_json::from_str(&std::fs::read_to_string(notebook).unwrap()).unwrap();
    notebook["cells"].as_array().unwrap().clone()
}

fn the_command_writes_where_it_is_told(scratch: &Scratch) {
    std::fs::create_dir(scratch.path("export")).unwrap();
    scratch.abbe("report run -o export --notebook export/small.ipynb").ok();
    the_notebook_runs(scratch, "export/small.ipynb");
    let shipped = cells(&repository("notebooks-export/demo.ipynb"));
    let same = cells(&scratch.path("export/small.ipynb"))[4..] == shipped[4..]; // behind the run's own and its network
    assert!(same, "export notebooks-export/demo.ipynb again: see the README there");
    let page = std::fs::read_to_string(scratch.path("export/report.html")).unwrap();
    assert!(page.contains("RANDOM") && page.contains("srgan_final.pth"));
    scratch.abbe("report run -o export").fails_with(&["export/report.html", "--overwrite"]);
    scratch.abbe("report run -o run/metrics.json --overwrite").fails_with(&["metrics.json would be overwritten"]);
    scratch.abbe("report run run").fails_with(&["given twice"]);
    scratch.abbe("report train").fails_with(&["train holds no run", "experiment.toml"]);
    scratch.abbe("report run none --notebook n.ipynb").fails_with(&["none holds no run"]);
}

/// A run that was stopped: the page says so; a notebook of it cannot be had.
fn what_is_missing_is_said(scratch: &Scratch) {
    for file in ["experiment.toml", "log.jsonl", "checkpoints/srcnn_final.pth"] {
        scratch.write(&format!("stopped/{file}"), std::fs::read(scratch.path("run").join(file)).unwrap());
    }
    let manifest = std::fs::read_to_string(scratch.path("run/manifest.json")).unwrap();
    scratch.write("stopped/manifest.json", manifest.replace("\"finished\"", "\"stopped: by Ctrl-C\""));
    let ended = scratch.abbe("report stopped");
    assert!(ended.success && ended.stderr.contains("metrics.json"), "{}", ended.stderr);
    let page = std::fs::read_to_string(scratch.path("stopped/report.html")).unwrap();
    assert!(page.contains("NOT FINISHED") && page.contains("srcnn_final.pth") && page.contains("Figure: Training"));
    scratch.abbe("report stopped --notebook stopped/n.ipynb").fails_with(&["no notebook", "metrics.json"]);
    scratch.abbe("report run stopped").ok();
    // a judged run that does not give what it should: the rest is there, and the status says so
    scratch.write("stopped/metrics.json", "{");
    scratch.write("stopped/report.html", "");
    scratch.abbe("report stopped").fails_with(&["tables and pictures", "no notebook", "metrics.json"]);
    assert!(!std::fs::read(scratch.path("stopped/report.html")).unwrap().is_empty());
    scratch.abbe("report run stopped --overwrite -o broken.html").fails_with(&["stopped/metrics.json"]);
    let page = std::fs::read_to_string(scratch.path("comparison.html")).unwrap();
    assert!(page.contains("A comparison of 2") && page.contains("stopped: tables and pictures"));
}
