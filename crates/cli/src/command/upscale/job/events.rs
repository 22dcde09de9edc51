//! What happens while a network makes a picture, in words.

use std::cell::{Cell, RefCell};

use abbe_infer::Event;

/// What has happened.
pub struct Events<'a> {
    advance: &'a dyn Fn(u64),
    smaller: Cell<Option<usize>>,
    no_graph: RefCell<Option<String>>,
    not_finite: Cell<usize>,
    seam: Cell<Option<(f64, Option<f64>)>>,
}

impl<'a> Events<'a> {
    /// Nothing yet; `advance` is told of the pixels of each tile that is done.
    pub fn new(advance: &'a dyn Fn(u64)) -> Self {
        Events {
            advance,
            smaller: Cell::new(None),
            no_graph: RefCell::default(),
            not_finite: Cell::new(0),
            seam: Cell::new(None),
        }
    }

    /// Takes note of an event.
    pub fn note(&self, event: Event) {
        match event {
            Event::Tile { pixels } => (self.advance)(pixels as u64),
            Event::Smaller { side } => self.smaller.set(Some(side)),
            Event::NoGraph { why } => drop(self.no_graph.replace(Some(why))),
            Event::NotFinite => self.not_finite.set(self.not_finite.get() + 1),
            Event::Seam { largest, centred } => self.seam.set(Some((largest, centred))),
        }
    }

    /// What must be known of the picture, whose tiles saw `overlap` around them with a network that sees `radius` far.
    pub fn notices(&self, overlap: usize, radius: usize) -> Vec<String> {
        let smaller = self
            .smaller
            .get()
            .map(|side| format!("memory ran out; went on with tiles of {side} pixels (--tile {side})"));
        let no_graph = self.no_graph.borrow().as_ref().map(|why| format!("made without a CUDA graph: {why}"));
        let not_finite = (self.not_finite.get() > 0).then(|| {
            format!(
                "{} batches of tiles were not finite in reduced precision and were made again in f32",
                self.not_finite.get()
            )
        });
        let sees = if radius > 1 << 24 { "all of a picture".to_owned() } else { format!("{radius} pixels far") };
        let seam = self.seam.get().map(|(largest, centred)| {
            let centred = centred.map(|centred| {
                format!("; the first seam differs by up to {:.2e} from a tile that has it in its middle", 255.0 * centred)
            });
            format!(
                "the network sees {sees}, its tiles saw {overlap} around them: neighbours differ where they meet by up to {:.2e} \
                 of 255{}",
                255.0 * largest,
                centred.unwrap_or_default()
            )
        });
        [smaller, no_graph, not_finite, seam].into_iter().flatten().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_told_once() {
        let pixels = Cell::new(0);
        let advance = |count| pixels.set(pixels.get() + count);
        let events = Events::new(&advance);
        assert!(events.notices(64, 349).is_empty());
        for event in [
            Event::Tile { pixels: 9 },
            Event::Smaller { side: 64 },
            Event::Smaller { side: 32 },
            Event::NoGraph { why: "too old".to_owned() },
            Event::NotFinite,
            Event::NotFinite,
            Event::Seam { largest: 0.5, centred: Some(0.25) },
        ] {
            events.note(event);
        }
        let told = events.notices(64, usize::MAX).join("\n");
        assert!(
            ["32 pixels", "graph: too old", "2 batches", "all of a picture", "1.28e2", "6.38e1"]
                .iter()
                .all(|part| told.contains(part)),
            "{told}"
        );
        assert!(!told.contains("tiles of 64") && pixels.get() == 9);
    }
}
