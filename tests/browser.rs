//! A headless Chromium, driven as a person drives one: WebDriver, the protocol of chromedriver, over HTTP.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

/// The key under which WebDriver names an element.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// An open browser; closed at its end.
pub struct Browser {
    driver: Child,
    session: String,
}

impl Browser {
    /// Starts one; `None` where there is no chromedriver.
    pub fn start() -> Option<Self> {
        let driver = Command::new("chromedriver").arg("--port=0").stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        let mut driver = driver.ok()?;
        let lines = BufReader::new(driver.stdout.take().unwrap()).lines().map(Result::unwrap);
        let port = lines
            .filter_map(|line| Some(line.split_once("successfully on port ")?.1.trim_end_matches('.').to_owned()))
            .next()
            .expect("chromedriver names its port");
        let options = json!({ "args": ["--headless=new", "--no-sandbox", "--disable-gpu"] });
        let logs = json!({ "browser": "ALL", "performance": "ALL" });
        let wanted = json!({ "goog:chromeOptions": options, "goog:loggingPrefs": logs });
        let sessions = format!("http://127.0.0.1:{port}/session");
        let session = post(&sessions, &json!({ "capabilities": { "alwaysMatch": wanted } }));
        let session = format!("{sessions}/{}", session["sessionId"].as_str().unwrap());
        Some(Browser { driver, session })
    }

    fn post(&self, command: &str, body: Value) -> Value {
        post(&format!("{}/{command}", self.session), &body)
    }

    /// Opens a file in a window of this size.
    pub fn open(&self, file: &Path, (height, width): (usize, usize)) {
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500 });
        self.post("goog/cdp/execute", json!({ "cmd": "Emulation.setDeviceMetricsOverride", "params": size }));
        self.post("url", json!({ "url": format!("file://{}", file.display()) }));
    }

    /// What a script of the page returns; a promise is waited for.
    pub fn script(&self, code: &str) -> Value {
        self.post("execute/sync", json!({ "script": code, "args": [] }))
    }

    /// Clicks the first element that a CSS selector finds.
    pub fn click(&self, selector: &str) {
        let found = self.post("element", json!({ "using": "css selector", "value": selector }));
        self.post(&format!("element/{}/click", found[ELEMENT].as_str().unwrap()), json!({}));
    }

    /// Drags from one point (x, y) of the window to another, by `mouse` or `touch`.
    pub fn drag(&self, pointer: &str, from: (f64, f64), to: (f64, f64)) {
        let towards =
            |(x, y): (f64, f64)| json!({ "type": "pointerMove", "duration": 0, "x": x as i64, "y": y as i64 });
        let press = |what: &str| json!({ "type": what, "button": 0 });
        let steps = json!([towards(from), press("pointerDown"), towards(to), press("pointerUp")]);
        let source =
            json!({ "type": "pointer", "id": pointer, "parameters": { "pointerType": pointer }, "actions": steps });
        self.post("actions", json!({ "actions": [source] }));
    }

    /// Presses a key and lets it go.
    pub fn key(&self, key: char) {
        let steps = json!([{ "type": "keyDown", "value": key }, { "type": "keyUp", "value": key }]);
        self.post("actions", json!({ "actions": [{ "type": "key", "id": "keyboard", "actions": steps }] }));
    }

    /// What the page printed to the console, errors of loading among it, since it was last asked.
    pub fn console(&self) -> Vec<String> {
        self.log("browser")
    }

    /// The addresses that were asked for since it was last asked.
    pub fn requests(&self) -> Vec<String> {
        let address = |message: String| {
            let event: Value = serde_json::from_str(&message).unwrap();
            let event = &event["message"];
            (event["method"] == "Network.requestWillBeSent")
                .then(|| event["params"]["request"]["url"].as_str().unwrap().to_owned())
        };
        self.log("performance").into_iter().filter_map(address).collect()
    }

    fn log(&self, kind: &str) -> Vec<String> {
        let entries = self.post("se/log", json!({ "type": kind }));
        entries.as_array().unwrap().iter().map(|entry| entry["message"].as_str().unwrap().to_owned()).collect()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = ureq::delete(&self.session).call(); // closes Chromium; chromedriver itself goes on
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

fn post(url: &str, body: &Value) -> Value {
    let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let mut answer = agent.post(url).send_json(body).unwrap();
    let mut answer: Value = answer.body_mut().with_config().limit(1 << 30).read_json().unwrap();
    assert!(answer["value"]["error"].is_null(), "{url}: {answer}");
    answer["value"].take()
}
