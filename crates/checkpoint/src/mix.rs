//! Network interpolation: a checkpoint between two others (Wang et al., arXiv 1809.00219, section 3.4).

use crate::compare::{compare_shapes, same_bits};
use crate::number::writer;
use crate::{Error, StateDict, Tensor};

/// A mixture of two state dicts.
#[derive(Clone, Debug)]
pub struct Mixed {
    /// The tensors, in the first's order.
    pub state: StateDict,
    /// Tensors that are no floating-point numbers and differ: the first's are taken.
    pub kept: Vec<String>,
}

/// `(1 - alpha) * first + alpha * second` of every floating-point tensor, with `alpha` in 0..=1, computed in float64 and
/// rounded to the tensors' type. Other tensors, such as batch norm's counters, are the first's.
///
/// # Errors
/// [`Error::Unlike`] unless both have the same names, types and shapes.
pub fn mix(first: &StateDict, second: &StateDict, alpha: f64) -> Result<Mixed, Error> {
    let comparison = compare_shapes(first, second);
    if !comparison.is_alike() {
        return Err(Error::Unlike(Box::new(comparison)));
    }
    let mut mixed = Mixed { state: StateDict::with_capacity(first.len()), kept: Vec::new() };
    for (name, one) in first {
        let Some(other) = second.get(name) else { continue };
        let between = mix_tensors(one, other, alpha);
        if between.is_none() && !same_bits(one, other) {
            mixed.kept.push(name.clone());
        }
        mixed.state.insert(name.clone(), between.unwrap_or_else(|| one.clone()));
    }
    Ok(mixed)
}

/// None unless the tensors are of a floating-point type that can be written.
fn mix_tensors(one: &Tensor, other: &Tensor, alpha: f64) -> Option<Tensor> {
    let write = writer(one.dtype())?;
    let mut bytes = Vec::with_capacity(one.numel() * one.dtype().size());
    let mut others = other.numbers().into_iter();
    one.for_each(|a| {
        let b = others.next().unwrap_or(a);
        let _ = write((1.0 - alpha) * a + alpha * b, &mut bytes);
    });
    Some(Tensor::contiguous(one.dtype(), one.shape(), bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Dtype, cast};

    fn state(values: &[f32], counter: i64) -> StateDict {
        let tensors = [("w", Tensor::from_f32(&[2, 1], values)), ("n", Tensor::from_i64(&[], &[counter]))];
        tensors.map(|(name, tensor)| (name.to_string(), tensor)).into()
    }

    #[test]
    fn a_quarter_of_the_way() {
        // 0.75 * 1 + 0.25 * 5 = 2 and 0.75 * -2 + 0.25 * 6 = 0, exact in every type.
        let (one, other) = (state(&[1.0, -2.0], 7), state(&[5.0, 6.0], 8));
        let mixed = mix(&one, &other, 0.25).unwrap();
        assert_eq!(mixed.state["w"], Tensor::from_f32(&[2, 1], &[2.0, 0.0]));
        assert_eq!((mixed.state["n"].to_i64().unwrap(), mixed.kept), (vec![7], vec!["n".to_string()]));
        let [half_one, half_other] = [&one, &other].map(|state| cast(state, Dtype::F16).unwrap().0);
        let half = mix(&half_one, &half_other, 0.25).unwrap().state;
        assert_eq!((half["w"].dtype(), half["w"].to_f32().unwrap()), (Dtype::F16, vec![2.0, 0.0]));
        assert_eq!(mix(&one, &other, 0.0).unwrap().state, one);
        assert_eq!(mix(&one, &other, 1.0).unwrap().state["w"], other["w"]);
        assert!(mix(&one, &one, 0.5).unwrap().kept.is_empty());
    }

    #[test]
    fn other_names_types_and_shapes_do_not_mix() {
        let one = state(&[1.0, -2.0], 7);
        let mut other = cast(&one, Dtype::Bf16).unwrap().0;
        assert!(matches!(mix(&one, &other, 0.5), Err(Error::Unlike(_))));
        other = one.clone();
        other.insert("extra".into(), Tensor::from_i64(&[], &[1]));
        assert!(mix(&one, &other, 0.5).err().unwrap().to_string().contains("only in the second: extra"));
    }
}
