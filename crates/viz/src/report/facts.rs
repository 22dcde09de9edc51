//! Experiments and manifests as names and values.

use chrono::DateTime;
use serde_json::Value;

use super::run::Run;

/// A name and its value, such as `data, patch` and `64`.
pub(super) type Fact = (String, String);

/// Every value below `value`, named by the keys that lead to it; an object in a list by its `name`, or its place.
pub(super) fn facts(value: &Value) -> Vec<Fact> {
    let mut found = Vec::new();
    gather(value, &mut Vec::new(), &mut found);
    found
}

fn gather(value: &Value, path: &mut Vec<String>, found: &mut Vec<Fact>) {
    let children: Vec<(String, &Value)> = match value {
        Value::Object(object) => object.iter().map(|(key, value)| (key.clone(), value)).collect(),
        Value::Array(items) if items.iter().any(Value::is_object) => {
            let name = |(at, item): (usize, &Value)| item["name"].as_str().map_or(at.to_string(), str::to_owned);
            items.iter().enumerate().map(|item| (name(item), item.1)).collect()
        }
        _ => return found.push((path.join(", "), shown(path, value))),
    };
    for (key, value) in children {
        path.push(key);
        gather(value, path, found);
        path.pop();
    }
}

/// A single value; a time is made readable.
fn shown(path: &[String], value: &Value) -> String {
    match (path.last().map(String::as_str), value) {
        (Some("started_unix"), Value::Number(seconds)) => {
            seconds.as_i64().and_then(date).unwrap_or_else(|| value.to_string())
        }
        (Some("seconds"), Value::Number(seconds)) => format!("{:.1}", seconds.as_f64().unwrap_or(f64::NAN)),
        (_, Value::String(text)) => text.clone(),
        (_, Value::Null) => "none".into(),
        (_, Value::Array(items)) if items.is_empty() => "none".into(),
        (_, Value::Array(items)) if items.iter().all(Value::is_string) => {
            items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("; ")
        }
        _ => value.to_string(),
    }
}

/// Seconds since 1970 as a date and time of UTC.
pub(super) fn date(seconds: i64) -> Option<String> {
    Some(DateTime::from_timestamp(seconds, 0)?.format("%Y-%m-%d %H:%M UTC").to_string())
}

/// What is not the same in all runs: the name of a setting, and its value in each run.
pub(super) fn differing(runs: &[Run], of: impl Fn(&Run) -> &Value) -> Vec<(String, Vec<String>)> {
    let of_runs: Vec<Vec<Fact>> = runs.iter().map(|run| facts(of(run))).collect();
    let mut names: Vec<&String> = Vec::new();
    for (name, _) in of_runs.iter().flatten() {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let value = |facts: &Vec<Fact>, name: &String| {
        facts.iter().find(|fact| fact.0 == *name).map_or("absent".into(), |fact| fact.1.clone())
    };
    let row = |name: &String| (name.clone(), of_runs.iter().map(|facts| value(facts, name)).collect::<Vec<_>>());
    names.into_iter().map(row).filter(|(_, values)| values.iter().any(|value| *value != values[0])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_are_named_by_the_keys_that_lead_to_them() {
        let value = json!({
            "seed": 7, "data": { "lr": "bicubic" }, "phase": [{ "name": "srgan", "betas": [0.9, 0.999] }, { "x": null }],
            "started_unix": 86_400, "notices": [], "files": ["a", "b"],
        });
        let found: Vec<String> = facts(&value).iter().map(|(name, value)| format!("{name} = {value}")).collect();
        assert_eq!(
            found,
            [
                "seed = 7",
                "data, lr = bicubic",
                "phase, srgan, name = srgan",
                "phase, srgan, betas = [0.9,0.999]",
                "phase, 1, x = none",
                "started_unix = 1970-01-02 00:00 UTC", // a day has 86 400 seconds
                "notices = none",
                "files = a; b",
            ]
        );
    }
}
