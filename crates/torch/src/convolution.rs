//! oneDNN's convolutions for inference on the CPU, with what surrounds them fused in. The C interface of
//! `cpp/convolution.cpp` is here alone.
#![allow(unsafe_code)]

use std::ffi::c_char;
use std::ptr;

use tch::{Kind, TchError, Tensor};
use torch_sys::C_tensor;

use crate::ffi::{checked, owned};

unsafe extern "C" {
    fn abbe_has_fused_convolutions() -> bool;
    fn abbe_reorder_weight(
        weight: *const C_tensor,
        padding: *const i64,
        stride: *const i64,
        size: *const i64,
        out: *mut *mut C_tensor,
    ) -> *mut c_char;
    fn abbe_convolution(
        x: *const C_tensor,
        weight: *const C_tensor,
        bias: *const C_tensor,
        other: *const C_tensor,
        padding: *const i64,
        stride: *const i64,
        slope: f64,
        onto: bool,
        out: *mut *mut C_tensor,
    ) -> *mut c_char;
    fn abbe_add_rows(parts: *const C_tensor, bias: *const C_tensor, out: *mut *mut C_tensor) -> *mut c_char;
    fn abbe_rectify(x: *const C_tensor, slopes: *const C_tensor) -> *mut c_char;
}

/// Whether this libtorch has fused convolutions: on x86-64 it does.
pub fn has_fused_convolutions() -> bool {
    // SAFETY: the call takes nothing.
    unsafe { abbe_has_fused_convolutions() }
}

/// A convolution whose weight lies in the order that oneDNN wants. It has no gradient.
pub struct Convolution {
    weight: Tensor,
    bias: Option<Tensor>,
    padding: [i64; 2],
    stride: [i64; 2],
}

impl Convolution {
    /// From `weight` `[c_out, c_in, kernel_h, kernel_w]` and `bias` `[c_out]`, both taken to `kind`, float32 or bfloat16.
    /// Inputs of about `size` (height, width) are expected; others work too.
    ///
    /// # Errors
    /// What libtorch says, of a processor without this kind for example.
    pub fn new(
        weight: &Tensor,
        bias: Option<&Tensor>,
        padding: [i64; 2],
        stride: [i64; 2],
        size: [i64; 2],
        kind: Kind,
    ) -> Result<Self, TchError> {
        let (_, c_in, _, _) = weight.size4()?;
        let size = [1, c_in, size[0], size[1]];
        let (weight, mut out) = (weight.f_to_kind(kind)?, ptr::null_mut());
        // SAFETY: the arrays have two, two and four entries; at most one new tensor is written, which `owned` takes.
        checked(unsafe {
            abbe_reorder_weight(weight.as_ptr(), padding.as_ptr(), stride.as_ptr(), size.as_ptr(), &raw mut out)
        })?;
        Ok(Convolution { weight: owned(out), bias: bias.map(|bias| bias.to_kind(kind)), padding, stride })
    }

    /// `[N, c_in, h, w]` to `[N, c_out, ..]` with channels last; values below zero are multiplied by `slope`, 1 for none.
    ///
    /// # Errors
    /// What libtorch says.
    pub fn forward(&self, xs: &Tensor, slope: f64) -> Result<Tensor, TchError> {
        self.run(xs, None, slope, false)
    }

    /// The same, with `other` added before the activation, whose slope must be 1 or 0; `other`'s numbers are overwritten by
    /// the result if `onto`.
    ///
    /// # Errors
    /// What libtorch says.
    pub fn forward_add(&self, xs: &Tensor, other: &Tensor, slope: f64, onto: bool) -> Result<Tensor, TchError> {
        self.run(xs, Some(other), slope, onto)
    }

    fn run(&self, xs: &Tensor, other: Option<&Tensor>, slope: f64, onto: bool) -> Result<Tensor, TchError> {
        let pointer = |tensor: Option<&Tensor>| tensor.map_or(ptr::null(), |tensor| tensor.as_ptr());
        let xs = xs.f_to_kind(self.weight.kind())?;
        let mut out = ptr::null_mut();
        // SAFETY: the pointers are null or of live tensors, the arrays have two entries; at most one new tensor is written.
        checked(unsafe {
            abbe_convolution(
                xs.as_ptr(),
                self.weight.as_ptr(),
                pointer(self.bias.as_ref()),
                pointer(other),
                self.padding.as_ptr(),
                self.stride.as_ptr(),
                slope,
                onto,
                &raw mut out,
            )
        })?;
        Ok(owned(out))
    }
}

/// The second half of a convolution that was run for each row of its kernel apart: of `parts` `[N, kernel * C, h, w]`, for
/// C the length of `bias` (1 or 3), the channels `i * C ..` of row y belong to row `y + kernel / 2 - i`. Their sum and the
/// bias: `[N, C, h, w]` in float32.
///
/// # Errors
/// What libtorch says, of another number of colours for example.
pub fn add_rows(parts: &Tensor, bias: &Tensor) -> Result<Tensor, TchError> {
    let mut out = ptr::null_mut();
    // SAFETY: both tensors are live; at most one new tensor is written, which `owned` takes.
    checked(unsafe { abbe_add_rows(parts.as_ptr(), bias.as_ptr(), &raw mut out) })?;
    Ok(owned(out))
}

/// Multiplies what is below zero by its channel's slope, in place: `xs` `[N, C, h, w]` with channels last, `slopes` `[C]`.
///
/// # Errors
/// What libtorch says, of another order in memory for example.
pub fn rectify(xs: &Tensor, slopes: &Tensor) -> Result<(), TchError> {
    // SAFETY: both tensors are live.
    checked(unsafe { abbe_rectify(xs.as_ptr(), slopes.as_ptr()) })
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;

    fn values(tensor: &Tensor) -> Vec<f32> {
        Vec::try_from(tensor.contiguous().view(-1)).unwrap()
    }

    #[test]
    fn what_is_added_comes_before_the_activation() {
        if !has_fused_convolutions() {
            return println!("skipped: this libtorch has no fused convolutions");
        }
        // A 3x3 of ones on a 3x3 picture of ones, and 0.5: corners 4.5, edges 6.5, the centre 9.5. Less 6: -1.5, 0.5, 3.5.
        let ones = Tensor::ones([1, 1, 3, 3], (Kind::Float, Device::Cpu));
        let bias = Tensor::from_slice(&[0.5f32]);
        let convolution = |bias| Convolution::new(&ones, Some(&bias), [1, 1], [1, 1], [3, 3], Kind::Float).unwrap();
        let negative = convolution(&bias - 6.0).forward(&ones, 0.5).unwrap();
        assert_eq!(values(&negative), [-0.75, 0.5, -0.75, 0.5, 3.5, 0.5, -0.75, 0.5, -0.75]);
        let (convolution, other) = (convolution(bias), ones.full_like(-6.0));
        let expected = [0.0, 0.5, 0.0, 0.5, 3.5, 0.5, 0.0, 0.5, 0.0];
        assert_eq!(values(&convolution.forward_add(&ones, &other, 0.0, false).unwrap()), expected);
        assert_eq!(values(&other), [-6.0; 9]);
        assert_eq!(values(&convolution.forward_add(&ones, &other, 0.0, true).unwrap()), expected);
        assert_eq!(values(&other), expected);
        assert!(convolution.forward_add(&ones, &other, 0.5, true).is_err());
    }

    #[test]
    fn each_row_of_the_kernel_is_shifted_against_the_others() {
        // Three rows of one pixel; row 0 gets its own of tap 1 (10) and that below of tap 2 (200), row 1 those of all three
        // (1, 20 and 300), row 2 that above of tap 0 (2) and its own (30); and all get 0.5.
        let parts = Tensor::from_slice(&[1.0f32, 2.0, 3.0, 10.0, 20.0, 30.0, 100.0, 200.0, 300.0]).view([1, 3, 3, 1]);
        let bias = Tensor::from_slice(&[0.5f32]);
        assert_eq!(values(&add_rows(&parts, &bias).unwrap()), [210.5, 321.5, 32.5]);
        let half = add_rows(&parts.to_kind(Kind::BFloat16), &bias).unwrap();
        assert_eq!((half.kind(), values(&half)), (Kind::Float, vec![210.5, 321.5, 32.5]));
        assert!(add_rows(&parts, &Tensor::from_slice(&[0.5f32, 0.5])).is_err());
    }

    #[test]
    fn each_channel_has_its_slope() {
        let xs = crate::channels_last(&Tensor::from_slice(&[-4.0f32, 2.0, -1.0, 3.0]).view([1, 2, 1, 2]));
        rectify(&xs, &Tensor::from_slice(&[0.5f32, 2.0])).unwrap();
        assert_eq!(values(&xs), [-2.0, 2.0, -2.0, 3.0]);
        assert!(rectify(&xs, &Tensor::from_slice(&[0.5f32])).is_err());
    }
}
