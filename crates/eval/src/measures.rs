//! Everything that is measured of pictures, in the order of a table's columns.

use crate::folders::{Folders, for_each, in_turn};
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
}

impl Measures {
    /// The columns of a row, and the metric of each; named as [`Results::columns`] does.
    pub fn columns(&self) -> Vec<(String, &'static Metric)> {
        let of = |protocol: &Protocol| {
            Vec::from_iter(self.metrics.iter().map(|metric| (protocol.column(metric.name), *metric)))
        };
        let lpips = self.lpips.iter().map(|lpips| (lpips.column().name(), lpips.column().metric()));
        self.protocols.iter().flat_map(of).chain(lpips).collect()
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
        if !self.lpips.is_empty() {
            // A network runs on all cores by itself, so pictures take turns; they are read again rather than all kept.
            let distances = in_turn(&Folders { lr: None, ..*folders }, |name, versions| {
                go_on()?;
                Ok::<_, E>(self.distances(name, versions)?)
            })?;
            rows.iter_mut().zip(distances).for_each(|(row, distances)| row.values.extend(distances));
        }
        Ok(rows)
    }

    fn distances(&self, name: &str, versions: &Versions) -> Result<Vec<f64>, Error> {
        let distances: Result<Vec<f64>, Error> = self.lpips.iter().map(|lpips| lpips.measure(versions)).collect();
        distances.map_err(|error| Error::Picture { picture: name.to_owned(), source: Box::new(error) })
    }

    /// The table of what was measured; `lr` says how LR was made. What must be known of LPIPS's weights is added to
    /// `notices`.
    pub fn results(self, lr: String, methods: Vec<Method>, mut notices: Vec<String>) -> Results {
        notices.extend(self.lpips.iter().flat_map(OpenLpips::notices).cloned());
        let Self { scale, protocols, metrics, lpips } = self;
        let lpips = lpips.iter().map(|lpips| lpips.column().clone()).collect();
        Results { scale, lr, protocols, metrics, lpips, methods, notices, published: None }
    }
}
