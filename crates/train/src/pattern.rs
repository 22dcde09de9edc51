//! Parameters chosen by name patterns, in which `*` stands for any run of characters and `?` for any one.

use abbe_models::Store;
use anyhow::{Result, ensure};
use wildmatch::WildMatch;

/// For each of `names`, whether one of `patterns` matches all of it.
///
/// # Errors
/// A pattern that matches none of them.
pub fn chosen(patterns: &[String], names: &[String]) -> Result<Vec<bool>> {
    let patterns: Vec<_> = patterns.iter().map(|pattern| WildMatch::new(pattern)).collect();
    for pattern in &patterns {
        let some = names.iter().take(4).map(String::as_str).collect::<Vec<_>>().join(", ");
        ensure!(
            names.iter().any(|name| pattern.matches(name)),
            "`{}` matches no parameter of the network; its {} parameters are {some}, ... (`*` stands for any characters)",
            pattern.to_string().escape_debug(),
            names.len()
        );
    }
    Ok(names.iter().map(|name| patterns.iter().any(|pattern| pattern.matches(name))).collect())
}

/// Turns off the gradient of the parameters that `patterns` match, and says how many these are; the others keep theirs. The
/// statistics of batch norms are no parameters, and go on.
///
/// # Errors
/// A pattern that matches none; then nothing has changed.
pub fn freeze(patterns: &[String], store: &Store) -> Result<usize> {
    let chosen = chosen(patterns, &store.parameter_names())?;
    let parameters = store.parameters().into_iter().zip(&chosen);
    for (parameter, _) in parameters.filter(|(_, chosen)| **chosen) {
        let _ = parameter.set_requires_grad(false);
    }
    Ok(chosen.into_iter().filter(|chosen| *chosen).count())
}

#[cfg(test)]
mod tests {
    use tch::{Device, Tensor};

    use super::*;

    fn texts(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| text.to_string()).collect()
    }

    #[test]
    fn a_pattern_matches_whole_names() {
        let names = texts(&["body.0.weight", "body.0.bias", "body.10.bias", "up.weight"]);
        let chosen = |patterns: &[&str]| chosen(&texts(patterns), &names).unwrap();
        assert_eq!(chosen(&["*.bias"]), [false, true, true, false]);
        assert_eq!(chosen(&["body.?.*"]), [true, true, false, false]);
        assert_eq!(chosen(&["up.weight", "body.10*"]), [false, false, true, true]);
        assert_eq!(chosen(&[]), [false; 4]);
    }

    #[test]
    fn a_pattern_that_matches_nothing_is_named_with_names_that_there_are() {
        let error = chosen(&texts(&["*", "weight\n"]), &texts(&["up.weight"])).unwrap_err().to_string();
        assert!(error.contains("`weight\\n` matches no parameter") && error.contains("up.weight"), "{error}");
    }

    #[test]
    fn what_is_frozen_needs_no_gradient() {
        let store = Store::new(Device::Cpu);
        let [first, second] = ["a", "b"].map(|name| store.root().parameter(name, Tensor::from_slice(&[1.0f32])));
        assert!(freeze(&texts(&["a", "c"]), &store).is_err());
        assert!(first.requires_grad());
        assert_eq!(freeze(&texts(&["a"]), &store).unwrap(), 1);
        assert!(!first.requires_grad() && second.requires_grad());
    }
}
