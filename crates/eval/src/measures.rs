//! Everything that is measured of pictures, in the order of a table's columns.

use crate::folders::{Folders, for_each, in_turn};
use crate::table::columns;
use crate::{Error, Method, Metric, OpenLpips, Protocol, Results, Row, Versions};

/// What is measured, and how.
pub struct Measures {
    /// How many times larger HR is than LR.
    pub scale: usize,
    /// The protocols; each metric is taken under each of them.
    pub protocols: Vec<Protocol>,
    /// The metrics that follow a protocol.
    pub metrics: Vec<&'static Metric>,
    /// Those that do not.
    pub lpips: Vec<OpenLpips>,
    /// What whoever reads the table must know, such as why something usual is not in it.
    pub notices: Vec<String>,
}

impl Measures {
    /// The columns of a row, and the metric of each; named as [`Results::columns`] does.
    pub fn columns(&self) -> Vec<(String, &'static Metric)> {
        columns(&self.protocols, &self.metrics, self.lpips.iter().map(OpenLpips::column))
    }

    /// The row of one picture.
    ///
    /// # Errors
    /// Those of [`measure()`](crate::measure()) and [`OpenLpips::measure`], with the picture's name.
    pub fn row(&self, name: &str, versions: &Versions) -> Result<Row, Error> {
        let mut row = Row::measure(name, versions, &self.protocols, &self.metrics)?;
        row.values.extend(self.distances(name, versions)?);
        Ok(row)
    }

    /// The rows of every picture of the folders, in the order of their names. `go_on` is asked before each picture; its
    /// error ends the work.
    ///
    /// # Errors
    /// Those of [`for_each`] and of [`Measures::row`].
    pub fn rows<E: From<Error> + Send>(
        &self,
        folders: &Folders,
        go_on: impl Fn() -> Result<(), E> + Sync,
    ) -> Result<Vec<Row>, E> {
        let (protocols, metrics) = (&self.protocols, &self.metrics);
        let mut rows = for_each(folders, |name, versions| {
            go_on()?;
            Ok::<_, E>(Row::measure(name, versions, protocols, metrics)?)
        })?;
        let distances = if self.lpips.iter().any(|lpips| lpips.column().weights.is_ok()) {
            // A network runs on all cores by itself, so pictures take turns; they are read again rather than all kept.
            in_turn(&Folders { lr: None, ..*folders }, |name, versions| {
                go_on()?;
                Ok::<_, E>(self.distances(name, versions)?)
            })?
        } else {
            vec![vec![f64::NAN; self.lpips.len()]; rows.len()]
        };
        rows.iter_mut().zip(distances).for_each(|(row, distances)| row.values.extend(distances));
        Ok(rows)
    }

    fn distances(&self, name: &str, versions: &Versions) -> Result<Vec<f64>, Error> {
        let distances: Result<Vec<f64>, Error> = self.lpips.iter().map(|lpips| lpips.measure(versions)).collect();
        distances.map_err(|error| Error::Picture { picture: name.to_owned(), source: Box::new(error) })
    }

    /// The table of what was measured; `lr` says how LR was made. The measures' own notices and those of LPIPS's weights
    /// are added to `notices`.
    pub fn results(self, lr: String, methods: Vec<Method>, mut notices: Vec<String>) -> Results {
        notices.extend(self.lpips.iter().flat_map(OpenLpips::notices).cloned());
        let Self { scale, protocols, metrics, lpips, notices: own } = self;
        notices.extend(own);
        let lpips = lpips.iter().map(|lpips| lpips.column().clone()).collect();
        Results { scale, lr, protocols, metrics, lpips, methods, notices, published: None }
    }
}
