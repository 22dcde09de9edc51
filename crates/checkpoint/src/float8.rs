//! The 8-bit float types: sign, exponent, mantissa. Micikevicius et al., "FP8 Formats for Deep Learning" (2022), and for
//! the `fnuz` types (finite, NaN, unsigned zero) Noune et al., "8-bit Numerical Formats for Deep Neural Networks" (2022).

use half::f16;

/// Four bits of exponent with bias 7; no infinities, and NaN where all other bits are set.
pub(crate) fn e4m3fn(byte: u8) -> f32 {
    if byte & 0x7F == 0x7F { f32::NAN } else { finite(byte, 3, 7) }
}

/// Five bits of exponent: the upper half of a float16.
pub(crate) fn e5m2(byte: u8) -> f32 {
    f16::from_bits(u16::from(byte) << 8).to_f32()
}

/// `mantissa` bits of mantissa, the rest exponent with a bias of half its range; what would be -0 is NaN.
pub(crate) fn fnuz(byte: u8, mantissa: u32) -> f32 {
    if byte == 0x80 { f32::NAN } else { finite(byte, mantissa, 1 << (6 - mantissa)) }
}

fn finite(byte: u8, mantissa: u32, bias: i32) -> f32 {
    let magnitude = byte & 0x7F;
    let exponent = i32::from(magnitude >> mantissa);
    let fraction = f32::from(magnitude & ((1 << mantissa) - 1)) / (1 << mantissa) as f32;
    let value =
        if exponent == 0 { fraction * 2f32.powi(1 - bias) } else { (1.0 + fraction) * 2f32.powi(exponent - bias) };
    if byte & 0x80 == 0 { value } else { -value }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_their_bits() {
        // 0_0111_100: 1.5 * 2^(7 - 7). 0_0000_001: 2^-3 * 2^(1 - 7) = 2^-9. 0_1111_110: 1.75 * 2^8 = 448, the largest.
        assert_eq!([0x3C, 0x01, 0x7E, 0xBC].map(e4m3fn), [1.5, 2f32.powi(-9), 448.0, -1.5]);
        // 0_01111_10: 1.5 * 2^(15 - 15). 0_11110_11: 1.75 * 2^15 = 57344. 0_11111_00: infinity.
        assert_eq!([0x3E, 0x7B, 0x7C].map(e5m2), [1.5, 57344.0, f32::INFINITY]);
        // 0_1000_100 with bias 8: 1.5 * 2^0. 0_1111_111: 1.875 * 2^7 = 240.
        assert_eq!([0x44, 0x7F, 0xC4].map(|byte| fnuz(byte, 3)), [1.5, 240.0, -1.5]);
        // 0_10000_10 with bias 16: 1.5 * 2^0. 0_11111_11: 1.75 * 2^15 = 57344.
        assert_eq!([0x42, 0x7F].map(|byte| fnuz(byte, 2)), [1.5, 57344.0]);
        assert!([e4m3fn(0x7F), e4m3fn(0xFF), e5m2(0x7D), fnuz(0x80, 3), fnuz(0x80, 2)].iter().all(|x| x.is_nan()));
    }
}
