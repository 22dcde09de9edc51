//! What TensorBoard shows of a run: the numbers of its log, and pictures.
//!
//! An event file is a sequence of TFRecords, each an `Event` (TensorFlow's event.proto and summary.proto; declared here is
//! what is written). A record is its length (8 bytes), the masked CRC-32C of these 8 bytes, its bytes, and their masked
//! CRC-32C, all little-endian. Readers stop at a record that is not whole, so a run that is cut off leaves a readable file.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use prost::Message;

use crate::append::Append;
use crate::{Error, LogRow, io};

#[derive(Clone, PartialEq, Message)]
struct Event {
    /// Seconds since 1970-01-01 UTC.
    #[prost(double, tag = 1)]
    wall_time: f64,
    #[prost(int64, tag = 2)]
    step: i64,
    /// Of the first event, and of it alone.
    #[prost(string, optional, tag = 3)]
    file_version: Option<String>,
    #[prost(message, optional, tag = 5)]
    summary: Option<Summary>,
    /// That steps are about to be written again.
    #[prost(message, optional, tag = 7)]
    session_log: Option<SessionLog>,
}

#[derive(Clone, PartialEq, Message)]
struct SessionLog {
    /// 1 is a start: what earlier files have of this step and those after it no longer counts.
    #[prost(int32, tag = 1)]
    status: i32,
}

#[derive(Clone, PartialEq, Message)]
struct Summary {
    #[prost(message, repeated, tag = 1)]
    values: Vec<Value>,
}

/// A number or a picture.
#[derive(Clone, PartialEq, Message)]
struct Value {
    #[prost(string, tag = 1)]
    tag: String,
    #[prost(float, optional, tag = 2)]
    number: Option<f32>,
    #[prost(message, optional, tag = 4)]
    image: Option<Image>,
}

#[derive(Clone, PartialEq, Message)]
struct Image {
    #[prost(int32, tag = 1)]
    height: i32,
    #[prost(int32, tag = 2)]
    width: i32,
    /// 3 is RGB.
    #[prost(int32, tag = 3)]
    colorspace: i32,
    #[prost(bytes = "vec", tag = 4)]
    png: Vec<u8>,
}

/// A picture for TensorBoard.
#[derive(Debug, Clone)]
pub struct Shown {
    /// What it is called; what is before the first `/` gathers pictures.
    pub tag: String,
    /// Rows in pixels.
    pub height: usize,
    /// Columns in pixels.
    pub width: usize,
    /// RGB, as PNG.
    pub png: Vec<u8>,
}

/// Writes an event file.
pub struct Events(Append);

impl Events {
    /// Begins an event file in `folder`, which is what TensorBoard calls a run. Files that are there stay: TensorBoard reads
    /// all of a folder in the order of their names, which begin with the time.
    ///
    /// # Errors
    /// The path and the system's reason.
    pub fn create(folder: &Path) -> Result<Self, Error> {
        std::fs::create_dir_all(folder).map_err(io("make the folder", folder))?;
        let name = format!("events.out.tfevents.{:010.0}.abbe.{}", now().floor(), std::process::id());
        let mut events = Events(Append::create(&folder.join(name))?);
        events.write(Event { file_version: Some("brain.Event:2".into()), ..Event::default() })?;
        Ok(events)
    }

    /// Says that the run goes on from this step: TensorBoard forgets what earlier files have of it and of those after it.
    ///
    /// # Errors
    /// The path and the system's reason.
    pub fn restart(&mut self, step: u64) -> Result<(), Error> {
        let session_log = Some(SessionLog { status: 1 });
        self.write(Event { step: step as i64, session_log, ..Event::default() })
    }

    /// Appends the numbers of a row of the log at its step: `loss/<term>` times its weight, `learning_rate`,
    /// `discriminator/real` and `discriminator/fake`, `validation/<metric>`, and `health/<name>`.
    ///
    /// # Errors
    /// The path and the system's reason.
    pub fn row(&mut self, row: &LogRow) -> Result<(), Error> {
        let mut values = vec![number("learning_rate".into(), row.lr)];
        for (kind, numbers) in [
            ("loss", &row.terms),
            ("discriminator", &row.discriminator),
            ("validation", &row.validation),
            ("health", &row.health),
        ] {
            let numbers = numbers.iter().filter_map(|(name, value)| Some((name, read_number(value)?)));
            values.extend(numbers.map(|(name, value)| number(format!("{kind}/{name}"), value)));
        }
        self.summary(row.step, values)
    }

    /// Appends pictures at a step.
    ///
    /// # Errors
    /// The path and the system's reason.
    pub fn pictures(&mut self, step: u64, pictures: Vec<Shown>) -> Result<(), Error> {
        pictures.into_iter().try_for_each(|Shown { tag, height, width, png }| {
            let image = Image { height: height as i32, width: width as i32, colorspace: 3, png };
            self.summary(step, vec![Value { tag, number: None, image: Some(image) }])
        })
    }

    fn summary(&mut self, step: u64, values: Vec<Value>) -> Result<(), Error> {
        self.write(Event { step: step as i64, summary: Some(Summary { values }), ..Event::default() })
    }

    fn write(&mut self, event: Event) -> Result<(), Error> {
        self.0.write(&record(&Event { wall_time: now(), ..event }.encode_to_vec()))
    }
}

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}

fn number(tag: String, value: f64) -> Value {
    Value { tag, number: Some(value as f32), image: None }
}

/// A number of the log, where infinities are strings.
fn read_number(value: &serde_json::Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str()?.parse().ok())
}

/// The TFRecord that holds `data`.
fn record(data: &[u8]) -> Vec<u8> {
    let length = (data.len() as u64).to_le_bytes();
    [&length[..], &masked(&length).to_le_bytes(), data, &masked(data).to_le_bytes()].concat()
}

/// The CRC-32C of bytes that may themselves end in one, masked so that it does not look like what it guards
/// (TensorFlow's crc32c.h).
fn masked(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Map, json};

    #[test]
    fn checksums_are_rotated_and_moved() {
        // The CRC-32C of "123456789" is e3069283 (the catalogues' check value). Its low 15 bits come first:
        // (e3069283 & 7fff) << 17 | e3069283 >> 15 = 25060000 | 1c60d = 2507c60d; + a282ead8 = c78ab0e5.
        assert_eq!(masked(b"123456789"), 0xc78a_b0e5);
    }

    /// The events of a file, up to the first record that is not whole.
    fn read(mut bytes: &[u8]) -> Vec<Event> {
        let mut events = Vec::new();
        while let Some((length, rest)) = bytes.split_first_chunk::<8>() {
            let Some(data) = rest.get(4..4 + u64::from_le_bytes(*length) as usize) else { break };
            let Some(end) = rest.get(4 + data.len()..8 + data.len()) else { break };
            assert_eq!((&rest[..4], end), (&masked(length).to_le_bytes()[..], &masked(data).to_le_bytes()[..]));
            events.push(Event::decode(data).unwrap());
            bytes = &rest[8 + data.len()..];
        }
        events
    }

    #[test]
    fn a_row_becomes_its_numbers_and_a_picture_stays_a_picture() {
        let folder = tempfile::tempdir().unwrap();
        let map = |name: &str, value| Map::from_iter([(name.to_owned(), value)]);
        let row = LogRow {
            phase: "warm-up".into(),
            step: 7,
            epoch: 0,
            seconds: 0.5,
            lr: 1e-4,
            terms: map("pixel", json!(0.25)),
            raw: map("not shown", json!(1)),
            discriminator: map("real", json!(0.5)),
            validation: map("psnr_rgb", json!("inf")),
            health: map("waiting", json!(0.125)),
            warnings: vec![],
        };
        let mut events = Events::create(folder.path()).unwrap();
        events.row(&row).unwrap();
        events.pictures(7, vec![Shown { tag: "cat/sr".into(), height: 2, width: 3, png: vec![1, 2] }]).unwrap();
        let file = std::fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap();
        assert!(file.file_name().to_string_lossy().starts_with("events.out.tfevents."));
        let bytes = std::fs::read(file.path()).unwrap();
        let found = read(&bytes);
        assert_eq!(found[0].file_version.as_deref(), Some("brain.Event:2"));
        let numbers = found[1].summary.as_ref().unwrap().values.iter().map(|value| (&value.tag[..], value.number));
        let expected = [
            ("learning_rate", Some(1e-4)),
            ("loss/pixel", Some(0.25)),
            ("discriminator/real", Some(0.5)),
            ("validation/psnr_rgb", Some(f32::INFINITY)),
            ("health/waiting", Some(0.125)),
        ];
        assert_eq!((found[1].step, numbers.collect::<Vec<_>>()), (7, expected.to_vec()));
        let image = found[2].summary.as_ref().unwrap().values[0].image.clone().unwrap();
        assert_eq!(image, Image { height: 2, width: 3, colorspace: 3, png: vec![1, 2] });
        events.restart(3).unwrap();
        let bytes_after = std::fs::read(file.path()).unwrap();
        let restarted = read(&bytes_after).pop().unwrap();
        assert_eq!((restarted.step, restarted.session_log.map(|log| log.status)), (3, Some(1)));
        // Cut anywhere, the whole records before the cut are read.
        assert_eq!(read(&bytes[..bytes.len() - 1]).len(), 2);
    }
}
