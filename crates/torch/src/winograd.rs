//! 3x3 convolutions by Winograd's method, for inference on the CPU. The C interface of `cpp/winograd.cpp` is here alone.
#![allow(unsafe_code)]

use std::ffi::c_char;
use std::ptr;

use tch::{Device, Kind, TchError, Tensor};
use torch_sys::C_tensor;

use crate::ffi::{checked, owned};

unsafe extern "C" {
    fn abbe_has_winograd(half: bool) -> bool;
    fn abbe_winograd(
        x: *const C_tensor,
        weight: *const C_tensor,
        bias: *const C_tensor,
        slopes: *const C_tensor,
        other: *const C_tensor,
        onto: bool,
        out: *mut *mut C_tensor,
    ) -> *mut c_char;
}

/// Channels in and out are multiples of this.
const LANES: i64 = 16;
/// Channels out that lie together.
const PANEL: i64 = 64;

/// A 3x3 convolution with step 1, padded with one row of zeros on each side, in less than half of the multiplications:
/// F(2x2, 3x3) of Lavin and Gray 2016, arXiv 1509.09308. It has no gradient.
pub struct Winograd {
    weight: Tensor,
    bias: Tensor,
    slopes: Tensor,
}

impl Winograd {
    /// From `weight` `[c_out, c_in, 3, 3]`, `bias` `[c_out]`, and `slopes` `[c_out]`, which results below zero are multiplied
    /// by: 1 for no activation. Computes in `kind`, float32 or bfloat16 with sums in float32. None for other kinds and kernels,
    /// for channels that are no multiples of 16, without AVX-512, and, in bfloat16, where there is AMX, which takes less time.
    ///
    /// # Errors
    /// What libtorch says, most often that memory ran out.
    pub fn new(weight: &Tensor, bias: Option<&Tensor>, slopes: &Tensor, kind: Kind) -> Result<Option<Self>, TchError> {
        let (c_out, c_in, height, width) = weight.size4()?;
        // SAFETY: the call takes a flag.
        let is_wide = unsafe { abbe_has_winograd(kind == Kind::BFloat16) };
        if !matches!(kind, Kind::Float | Kind::BFloat16)
            || !is_wide
            || (height, width) != (3, 3)
            || c_in % LANES != 0
            || c_out % LANES != 0
        {
            return Ok(None);
        }
        let slopes = slopes.to_kind(Kind::Float).contiguous();
        let bias = bias.map_or_else(|| slopes.zeros_like(), |bias| bias.to_kind(Kind::Float)).contiguous();
        Ok(Some(Winograd { weight: transformed(weight, kind)?, bias, slopes }))
    }

    /// `[N, c_in, h, w]` to `[N, c_out, h, w]` with channels last; `other`, if any, is added before the activation, and its
    /// numbers are overwritten by the result if `onto`.
    ///
    /// # Errors
    /// What libtorch says, of other shapes for example.
    pub fn forward(&self, xs: &Tensor, other: Option<&Tensor>, onto: bool) -> Result<Tensor, TchError> {
        let other = other.map_or(ptr::null(), Tensor::as_ptr);
        let (xs, mut out) = (xs.f_to_kind(self.weight.kind())?, ptr::null_mut());
        // SAFETY: the pointers are null or of live tensors; at most one new tensor is written, which `owned` takes.
        checked(unsafe {
            let [weight, bias, slopes] = [&self.weight, &self.bias, &self.slopes].map(Tensor::as_ptr);
            abbe_winograd(xs.as_ptr(), weight, bias, slopes, other, onto, &raw mut out)
        })?;
        Ok(owned(out))
    }
}

/// The paper's G g G^T of each kernel, `[16, c_in * c_out]`: for each point panels of channels out, `[c_in, channels]` each;
/// in bfloat16 `[c_in / 2, channels, 2]`.
fn transformed(weight: &Tensor, kind: Kind) -> Result<Tensor, TchError> {
    let (c_out, c_in, ..) = weight.size4()?;
    let rows = [[1.0f32, 0.0, 0.0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0.0, 0.0, 1.0]];
    let g = Tensor::from_slice(rows.as_flattened()).view([4, 3]);
    let both = g.kron(&g); // [16, 9]
    let points = both.f_matmul(&weight.to_device(Device::Cpu).to_kind(Kind::Float).f_reshape([-1, 9])?.tr())?;
    let panels = points.f_view([16, c_out, c_in])?.f_split(PANEL, 1)?;
    let together = if kind == Kind::Float { 1 } else { 2 };
    let lie = |panel: &Tensor| {
        let pairs = panel.f_reshape([16, -1, c_in / together, together])?.f_transpose(1, 2)?;
        pairs.f_to_kind(kind)?.f_reshape([16, -1])
    };
    Tensor::f_cat(&panels.iter().map(lie).collect::<Result<Vec<_>, _>>()?, 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `[shape]` of numbers around zero without any regularity.
    fn noise(shape: &[i64], step: f64) -> Tensor {
        (Tensor::arange(shape.iter().product::<i64>(), (Kind::Float, Device::Cpu)) * step).sin().view(shape)
    }

    #[test]
    fn it_is_the_convolution() {
        // bfloat16 rounds by 1/512 at most: kernels, pixels and their transforms, here some 500 of them to a sum below 50.
        for (kind, most) in [(Kind::Float, 1e-5), (Kind::BFloat16, 0.2)] {
            compare(kind, most);
        }
    }

    fn compare(kind: Kind, most: f64) {
        // Sides that are no multiples of the squares, several panels, the last of each width, and more than one group.
        for (n, c_in, c_out, height, width) in
            [(2, 16, 16, 5, 7), (1, 32, 48, 1, 1), (1, 16, 96, 9, 2), (3, 48, 64, 17, 13), (1, 16, 176, 4, 4)]
        {
            let (xs, weight) = (noise(&[n, c_in, height, width], 1.7), noise(&[c_out, c_in, 3, 3], 2.3) * 0.2);
            let (bias, slopes) = (noise(&[c_out], 0.9), noise(&[c_out], 0.3));
            let Some(convolution) = Winograd::new(&weight, Some(&bias), &slopes, kind).unwrap() else {
                return println!("skipped: this processor has no AVX-512 for {kind:?}");
            };
            let other = crate::channels_last(&noise(&[n, c_out, height, width], 3.1)).to_kind(kind);
            let plain = xs.conv2d(&weight, Some(&bias), [1, 1], [1, 1], [1, 1], 1);
            for sum in [None, Some(&other)] {
                let before = sum.map_or_else(|| plain.shallow_clone(), |other| &plain + other);
                let expected = before.clamp_min(0.0) + before.clamp_max(0.0) * slopes.view([1, -1, 1, 1]);
                let found = convolution.forward(&xs, sum, false).unwrap();
                let difference = (&found - expected).abs().max().double_value(&[]);
                assert!(difference < most, "{kind:?} {n} {c_in} {c_out} {height}x{width}: {difference}");
                if let Some(other) = sum {
                    assert_eq!(convolution.forward(&xs, sum, true).unwrap(), found);
                    assert_eq!(other, &found);
                }
            }
        }
    }

    #[test]
    fn what_it_cannot_do_is_none_or_an_error() {
        let ones = |shape: &[i64]| Tensor::ones(shape, (Kind::Float, Device::Cpu));
        let of = |shape: &[i64]| Winograd::new(&ones(shape), None, &ones(&shape[..1]), Kind::Float).unwrap();
        assert!(of(&[16, 16, 1, 3]).is_none() && of(&[24, 16, 3, 3]).is_none() && of(&[16, 3, 3, 3]).is_none());
        let Some(convolution) = of(&[16, 16, 3, 3]) else { return };
        assert!(convolution.forward(&ones(&[1, 32, 4, 4]), None, false).is_err());
        assert!(convolution.forward(&ones(&[1, 16, 4, 4]), Some(&ones(&[1, 16, 4, 5])), false).is_err());
    }

    #[test]
    fn kernels_are_transformed_as_in_the_paper() {
        // Of the kernel that is 1 in the middle, G g is [0, 1/2, -1/2, 0] in the middle column; point 5 is 1/4, point 6 -1/4.
        let mut weight = Tensor::zeros([16, 16, 3, 3], (Kind::Float, Device::Cpu));
        let _ = weight.get(2).get(7).get(1).get(1).fill_(1.0);
        let points = transformed(&weight, Kind::Float).unwrap().view([16, 16, 16]); // point, channel in, channel out
        let of = |point: i64| points.double_value(&[point, 7, 2]);
        assert_eq!([0, 5, 6, 9, 10, 15].map(of), [0.0, 0.25, -0.25, -0.25, 0.25, 0.0]);
        weight = points.sum(Kind::Float);
        assert_eq!(weight.double_value(&[]), 0.0);
    }
}
