//! A table of results as JSON and back.

use std::path::Path;

use abbe_models::lpips::Backbone;
use serde_json::{Map, Value, json};

use crate::statistics::{Difference, RESAMPLES, SEED};
use crate::{Error, LpipsColumn, Method, Metric, Protocol, Results, Row};

/// How the method `bicubic` interpolates ([`Upscaler::Bicubic`](crate::Upscaler::Bicubic)).
const BICUBIC: &str = "MATLAB imresize, 8-bit passes, mirrored border";

impl Results {
    /// The whole table with the [`Convention`](crate::Convention) of each protocol and that of bicubic interpolation,
    /// indented; the keys of values are the columns' names.
    pub fn to_json(&self) -> String {
        let columns = self.columns();
        let table = json!({
            "scale": self.scale,
            "lr": self.lr,
            "bicubic": BICUBIC,
            "notices": self.notices,
            "protocols": self.protocols.iter().map(Protocol::convention).collect::<Vec<_>>(),
            "metrics": self.metrics,
            "lpips": self.lpips.iter().map(LpipsColumn::to_json).collect::<Vec<_>>(),
            "missing": Map::from_iter(self.missing().into_iter().map(|(column, reason)| (column, json!(reason)))),
            "methods": self.methods.iter().map(|method| method_json(method, &columns)).collect::<Vec<_>>(),
            "differences": json!({
                "interval": "95 %, percentiles of the bootstrap over pictures",
                "resamples": RESAMPLES,
                "seed": SEED,
                "pairs": self.pairs().iter().map(|pair| pair_json(*pair, &columns)).collect::<Vec<_>>(),
            }),
            "published": self.published,
        });
        format!("{table:#}\n")
    }

    /// Reads what [`Results::to_json`] wrote; means and differences are taken anew.
    ///
    /// # Errors
    /// The key that is missing or of another kind; a name of a method or picture that is no plain file name, because files
    /// are named after them.
    pub fn from_json(text: &str) -> Result<Self, Error> {
        let table: Value = serde_json::from_str(text).map_err(|error| Error::Table(error.to_string()))?;
        let metric = |metric: &Value| Metric::named(&string(metric, "name")?);
        let mut results = Self {
            scale: number(&table, "scale")? as usize,
            lr: string(&table, "lr")?,
            protocols: list(&table, "protocols")?.iter().map(read_protocol).collect::<Result<_, _>>()?,
            metrics: list(&table, "metrics")?.iter().map(metric).collect::<Result<_, _>>()?,
            lpips: Vec::new(),
            methods: Vec::new(),
            notices: list(&table, "notices")?.iter().filter_map(|notice| Some(notice.as_str()?.to_owned())).collect(),
            published: serde_json::from_value(table["published"].clone()) // older files have no such key
                .map_err(|error| Error::Table(format!("expected published results at `published`: {error}")))?,
        };
        // Tables of before have no LPIPS.
        let lpips = table["lpips"].as_array().into_iter().flatten();
        results.lpips = lpips.map(|column| read_lpips(column, &table["missing"])).collect::<Result<_, _>>()?;
        let columns = results.columns();
        results.methods =
            list(&table, "methods")?.iter().map(|method| read_method(method, &columns)).collect::<Result<_, _>>()?;
        Ok(results)
    }
}

fn method_json(method: &Method, columns: &[String]) -> Value {
    let row = |row: &Row| {
        let mut object = Map::from_iter([("picture".to_owned(), json!(row.picture))]);
        object.extend(values(columns, &row.values));
        Value::Object(object)
    };
    json!({
        "name": method.name,
        "mean": values(columns, &method.mean(columns.len())),
        "standard_deviation": values(columns, &method.deviation(columns.len())),
        "pictures": method.rows.iter().map(row).collect::<Vec<_>>(),
    })
}

fn pair_json([a, b]: [&Method; 2], columns: &[String]) -> Value {
    let difference = |found: &Difference| json!({ "mean": found.mean, "interval": found.interval });
    let differences = a.minus(b, columns.len());
    let by_column = columns.iter().cloned().zip(differences.iter().map(|found| found.as_ref().map(difference).into()));
    let mut object = Map::from_iter([("method".to_owned(), json!(a.name)), ("minus".to_owned(), json!(b.name))]);
    object.extend(by_column);
    Value::Object(object)
}

/// Numbers by column; `inf` and `-inf`, which JSON cannot write, as strings, and `null` for what was not measured.
fn values(columns: &[String], values: &[f64]) -> Map<String, Value> {
    let value = |&value: &f64| match value {
        _ if value.is_nan() => Value::Null,
        _ if value.is_infinite() => json!(value.to_string()),
        _ => json!(value),
    };
    columns.iter().cloned().zip(values.iter().map(value)).collect()
}

fn read_protocol(protocol: &Value) -> Result<Protocol, Error> {
    serde_json::from_value(protocol["settings"].clone())
        .map_err(|error| Error::Table(format!("expected a protocol at `settings`: {error}")))
}

/// A column of LPIPS; `missing` says why it is empty, if it is.
fn read_lpips(column: &Value, missing: &Value) -> Result<LpipsColumn, Error> {
    let wrong = |error| Error::Table(format!("expected a column of LPIPS at `lpips`: {error}"));
    let net = serde_json::from_value(column["net"].clone()).map_err(wrong)?;
    let weights: Option<Backbone> = serde_json::from_value(column["weights"].clone()).map_err(wrong)?;
    let reason = || string(missing, &string(column, "column")?);
    let weights = weights.map_or_else(|| reason().map(Err), |weights| Ok(Ok(weights)))?;
    Ok(LpipsColumn { net, weights })
}

fn read_method(method: &Value, columns: &[String]) -> Result<Method, Error> {
    let rows = list(method, "pictures")?.iter().map(|row| read_row(row, columns)).collect::<Result<_, _>>()?;
    Ok(Method { name: file_name(method, "name")?, rows })
}

fn read_row(row: &Value, columns: &[String]) -> Result<Row, Error> {
    let values = columns.iter().map(|column| number(row, column)).collect::<Result<_, _>>()?;
    Ok(Row { picture: file_name(row, "picture")?, values })
}

fn list<'a>(object: &'a Value, key: &str) -> Result<&'a Vec<Value>, Error> {
    object[key].as_array().ok_or_else(|| expected("a list", key))
}

fn string(object: &Value, key: &str) -> Result<String, Error> {
    object[key].as_str().map(str::to_owned).ok_or_else(|| expected("a string", key))
}

/// A name that is joined to a folder's path: it must not lead out of that folder.
fn file_name(object: &Value, key: &str) -> Result<String, Error> {
    let name = string(object, key)?;
    match Path::new(&name).file_name() {
        Some(whole) if whole == name.as_str() => Ok(name),
        _ => Err(Error::Table(format!("expected a plain file name at `{key}`, found {name:?}"))),
    }
}

fn number(object: &Value, key: &str) -> Result<f64, Error> {
    let number = match object.get(key) {
        Some(Value::Null) => Some(f64::NAN),
        Some(value) => value.as_f64().or_else(|| value.as_str()?.parse().ok()),
        None => None,
    };
    number.ok_or_else(|| expected("a number", key))
}

fn expected(kind: &str, key: &str) -> Error {
    Error::Table(format!("expected {kind} at `{key}`"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::tests::{published, results, with_lpips};

    #[test]
    fn every_value_is_named_and_conventions_are_carried() {
        let json: Value = serde_json::from_str(&results().to_json()).unwrap();
        assert_eq!(json["methods"][1]["mean"]["psnr_y_crop4"], "inf");
        assert_eq!(json["methods"][0]["pictures"][1]["ssim_rgb"], 0.75);
        assert_eq!(json["protocols"][0]["border"], 4);
        assert_eq!((&json["metrics"][1]["name"], &json["metrics"][1]["better"]), (&json!("ssim"), &json!("higher")));
        assert_eq!(json["methods"][0]["standard_deviation"]["psnr_rgb"], 0.5f64.sqrt());
        let pair = &json["differences"]["pairs"][0];
        assert_eq!((&pair["method"], &pair["minus"]), (&json!("SRGAN"), &json!("bicubic")));
        assert_eq!(pair["psnr_rgb"], json!({ "mean": 0.0, "interval": [-0.5, 0.5] }));
        assert_eq!(pair["psnr_y_crop4"], Value::Null);
        assert_eq!(json["bicubic"], "MATLAB imresize, 8-bit passes, mirrored border");
        assert_eq!(json["notices"][0], "VGG-19 with random weights (seed 0)");
        assert_eq!((&json["scale"], &json["lr"]), (&json!(4), &json!("bicubic, antialiased")));
    }

    #[test]
    fn a_table_reads_back_with_its_infinities() {
        assert_eq!(Results::from_json(&results().to_json()).unwrap(), results());
        assert_eq!(Results::from_json(&published().to_json()).unwrap(), published());
        let older = results().to_json().replace("\"published\"", "\"unheard of\"");
        assert_eq!(Results::from_json(&older).unwrap(), results());
    }

    #[test]
    fn what_was_not_measured_is_null_and_reads_back() {
        let results = with_lpips();
        let json: Value = serde_json::from_str(&results.to_json()).unwrap();
        let row = &json["methods"][0]["pictures"][0];
        assert_eq!((&row["lpips_alex_v0.1"], row.get("lpips_vgg_v0.1")), (&json!(0.4), Some(&Value::Null)));
        assert_eq!(json["missing"], json!({ "lpips_vgg_v0.1": "no weights, get them" }));
        assert_eq!(json["lpips"][0]["weights"], json!({ "file": "alexnet.pth", "sha256": "00" }));
        let read = Results::from_json(&results.to_json()).unwrap();
        assert_eq!(format!("{read:?}"), format!("{results:?}")); // NaN does not equal itself
        // A table that was written before there was LPIPS, and one whose reason is gone.
        let mut before: Value = serde_json::from_str(&super::tests::results().to_json()).unwrap();
        before.as_object_mut().unwrap().remove("lpips");
        assert_eq!(Results::from_json(&before.to_string()).unwrap(), super::tests::results());
        let broken = results.to_json().replace("no weights, get them", "").replace("\"missing\"", "\"lost\"");
        assert!(Results::from_json(&broken).unwrap_err().to_string().contains("`lpips_vgg_v0.1`"));
    }

    #[test]
    fn what_is_missing_is_named() {
        let broken = results().to_json().replace("\"ssim_rgb\"", "\"ssim\"");
        assert!(Results::from_json(&broken).unwrap_err().to_string().contains("`ssim_rgb`"));
        assert!(Results::from_json("{").unwrap_err().to_string().contains("earlier version"));
    }

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        for name in ["", ".", "..", "../a.png", "a/b.png", "/a.png", "a.png/"] {
            for old in ["\"a.png\"", "\"SRGAN\""] {
                let table = results().to_json().replace(old, &format!("{name:?}"));
                let error = Results::from_json(&table).unwrap_err().to_string();
                assert!(error.contains("expected a plain file name at") && error.contains(name), "{error}");
            }
        }
    }
}
