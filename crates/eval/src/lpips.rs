//! LPIPS as columns of a table. It follows no protocol: it sees R, G and B of the whole picture, and is taken once.

use std::error::Error as _;
use std::iter::successors;

use abbe_models::lpips::{Backbone, Lpips, Net, VERSION};
use serde_json::{Value, json};

use crate::{Error, Metric, Versions};

/// LPIPS over one network, as a column.
#[derive(Clone, Debug, PartialEq)]
pub struct LpipsColumn {
    /// The network.
    pub net: Net,
    /// Where its weights are from; or why there are none, so that the column is empty.
    pub weights: Result<Backbone, String>,
}

impl LpipsColumn {
    /// The column's name, which carries the version: `lpips_alex_v0.1`.
    pub fn name(&self) -> String {
        format!("{}_v{VERSION}", self.metric().name)
    }

    /// What the values are.
    pub fn metric(&self) -> &'static Metric {
        Metric::lpips(self.net)
    }

    /// The convention in full. Why the column is empty, if it is, stands elsewhere in the table.
    pub(crate) fn to_json(&self) -> Value {
        json!({
            "column": self.name(),
            "metric": self.metric(),
            "net": self.net,
            "version": VERSION,
            "weights": self.weights.as_ref().ok(),
            "channel": "R, G, B",
            "range": "0 to 255 made -1 to 1, then the network's own normalisation",
            "border": 0,
            "resolution": "the picture's own",
        })
    }
}

/// LPIPS over one network with its weights, or without: then nothing is measured.
pub struct OpenLpips {
    column: LpipsColumn,
    opened: Option<Lpips>,
}

impl OpenLpips {
    /// LPIPS over `net`, from what came of opening it.
    pub fn new(net: Net, opened: Result<Lpips, abbe_models::Error>) -> Self {
        let weights = opened.as_ref().map(|lpips| lpips.backbone().clone()).map_err(|error| {
            let chain = successors(error.source(), |&cause| cause.source()).map(ToString::to_string);
            [error.to_string()].into_iter().chain(chain).collect::<Vec<_>>().join(": ")
        });
        Self { column: LpipsColumn { net, weights }, opened: opened.ok() }
    }

    /// The column of its values.
    pub fn column(&self) -> &LpipsColumn {
        &self.column
    }

    /// What whoever reads the values must know.
    pub fn notices(&self) -> &[String] {
        self.opened.as_ref().map_or(&[], |lpips| &lpips.notices)
    }

    /// The distance of SR from HR; NaN where there are no weights.
    ///
    /// # Errors
    /// Pictures of different sizes, or smaller than the network takes.
    pub fn measure(&self, picture: &Versions) -> Result<f64, Error> {
        let (sr, hr) = (picture.sr.size(), picture.hr.size());
        if sr != hr {
            return Err(Error::Size { sr, hr });
        }
        let measure = |lpips| Ok(abbe_infer::lpips(lpips, picture.sr, picture.hr)?);
        self.opened.as_ref().map_or(Ok(f64::NAN), measure)
    }
}
