//! Whether a tensor may have its shape, and whether its elements lie within its storage.

use crate::error::{Fault, refuse};

/// As many axes as PyTorch's own iterators have.
const MAX_RANK: usize = 64;

/// An expanded tensor (stride 0) may name at most this many times the elements of its storage (or of a small one).
pub(super) const MAX_EXPANSION: u128 = 16;
/// What counts as a small storage.
pub(super) const SMALL: usize = 65_536;

/// Checks that a tensor has few enough axes, and gives the product of its sizes, with 1 for each 0: it fits the address
/// space even where a 0 leaves no element.
pub(crate) fn check_shape(shape: &[usize]) -> Result<u128, Fault> {
    if shape.len() > MAX_RANK {
        return refuse(format!(
            "a tensor has {} axes, expected at most {MAX_RANK}; the file is damaged or hostile",
            shape.len()
        ));
    }
    let elements = shape.iter().fold(1u128, |product, size| product.saturating_mul((*size).max(1) as u128));
    if elements >= isize::MAX as u128 {
        return refuse(format!(
            "a tensor of shape {shape:?} is larger than any machine's memory; the file is damaged or hostile"
        ));
    }
    Ok(elements)
}

/// Checks that every element of a tensor lies within a storage of `numel` elements. 128 bits hold every product here.
pub(super) fn check_view(shape: &[usize], stride: &[usize], offset: usize, numel: usize) -> Result<(), Fault> {
    let elements = check_shape(shape)?;
    if shape.len() != stride.len() {
        return refuse(format!(
            "a tensor has {} sizes and {} strides, expected as many; the file is damaged or hostile",
            shape.len(),
            stride.len()
        ));
    }
    if shape.contains(&0) {
        return Ok(());
    }
    let reach = shape.iter().zip(stride).map(|(size, step)| (*size as u128).saturating_sub(1) * *step as u128);
    let last = reach.fold(offset as u128, u128::saturating_add);
    if last >= numel as u128 {
        return refuse(format!(
            "a tensor of shape {shape:?}, stride {stride:?} and offset {offset} reaches beyond its storage of {numel} \
             elements; the file is damaged or hostile"
        ));
    }
    if elements > MAX_EXPANSION * numel.max(SMALL) as u128 {
        return refuse(format!(
            "a tensor of shape {shape:?} expands a storage of {numel} elements too far; the file is hostile"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_view_may_end_with_its_storage_and_not_after() {
        // Shape (2, 3), stride (4, 1): the last element is at offset + 1 * 4 + 2 * 1 = offset + 6.
        assert!(check_view(&[2, 3], &[4, 1], 1, 8).is_ok());
        assert!(check_view(&[2, 3], &[4, 1], 2, 8).is_err());
        assert!(check_view(&[], &[], 0, 1).is_ok());
        assert!(check_view(&[], &[], 0, 0).is_err());
    }

    #[test]
    fn overflow_and_expansion_are_refused() {
        assert!(check_view(&[usize::MAX, usize::MAX], &[usize::MAX, usize::MAX], 0, usize::MAX).is_err());
        assert!(check_view(&[1 << 40], &[0], 0, 6).is_err());
        assert!(check_view(&[3, 6], &[0, 1], 0, 6).is_ok());
        assert!(check_view(&[1; 65], &[1; 65], 0, 1).is_err());
    }

    #[test]
    fn an_empty_tensor_may_be_anywhere_but_not_of_any_shape() {
        assert!(check_view(&[0, 3], &[3, 1], 7, 0).is_ok());
        assert!(check_view(&[0, usize::MAX, usize::MAX], &[1, 1, 1], 0, 0).is_err());
    }
}
