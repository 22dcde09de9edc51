//! A network of luma alone on a colour picture.

use abbe_data::color::{YCBCR, YCBCR_OFFSET};
use abbe_models::{SrModel, bicubic};
use abbe_torch::{channels_last, constant};
use tch::{Kind, TchError, Tensor};

/// SR for `[1, 3, h, w]` RGB in [0, 1], not clamped: the network enlarges Y of ITU-R BT.601 in studio range (16 / 255 to
/// 235 / 255), bicubic interpolation Cb and Cr, to which the eye is less keen. SRCNN and FSRCNN were made and judged so.
pub(crate) fn upscale(model: &dyn SrModel, rgb: &Tensor) -> Result<Tensor, TchError> {
    let to_ycbcr = Tensor::f_from_slice(YCBCR.as_flattened())?.f_view([3, 3])?.f_div_scalar(255.0)?;
    let offset = Tensor::f_from_slice(&YCBCR_OFFSET)?.f_view([3, 1])?.f_div_scalar(255.0)?;
    let kept = |matrix: &Tensor| -> Result<Tensor, TchError> {
        let values = Vec::<f64>::try_from(matrix.f_reshape([-1])?)?;
        Ok(constant(&values, &matrix.size(), (Kind::Double, rgb.device())))
    };
    let (to_rgb, to_ycbcr, offset) = (kept(&to_ycbcr.f_inverse()?)?, kept(&to_ycbcr)?, kept(&offset)?);
    let colors = |pixels: &Tensor| -> Result<Tensor, TchError> { pixels.to_kind(Kind::Double).f_flatten(2, -1) };

    let ycbcr = to_ycbcr.f_matmul(&colors(rgb)?)?.f_add(&offset)?.f_view_as(rgb)?.to_kind(rgb.kind());
    let y = model.forward(&channels_last(&ycbcr.f_narrow(1, 0, 1)?), false);
    let cbcr = bicubic::upscale(&ycbcr.f_narrow(1, 1, 2)?, model.scale());
    let sr = Tensor::f_cat(&[y, cbcr], 1)?; // [1, 3, h * scale, w * scale]
    Ok(to_rgb.f_matmul(&colors(&sr)?.f_sub(&offset)?)?.f_view_as(&sr)?.to_kind(rgb.kind()))
}
