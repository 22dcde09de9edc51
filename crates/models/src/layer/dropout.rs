use tch::Tensor;

/// Share of the numbers that are dropped: that of AlexNet, VGG and SqueezeNet.
const SHARE: f64 = 0.5;

/// In training half of the numbers, drawn from libtorch's generator, become 0 and the others twice as large (Srivastava et
/// al., JMLR 15, 2014); else nothing happens. Any shape.
pub fn dropout(xs: &Tensor, train: bool) -> Tensor {
    if train { xs.dropout(SHARE, true) } else { xs.shallow_clone() }
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind};

    use super::*;

    #[test]
    fn training_drops_about_half_and_doubles_the_rest() {
        // Of 10,000 numbers 5,000 stay, with a deviation of sqrt(10,000) / 2 = 50.
        let xs = Tensor::ones([10_000], (Kind::Float, Device::Cpu));
        let ys = dropout(&xs, true);
        let [dropped, doubled] = [0.0, 2.0].map(|value| ys.eq(value).sum(Kind::Int64).int64_value(&[]));
        assert_eq!(dropped + doubled, 10_000);
        assert!((4_600..5_400).contains(&doubled), "{doubled}");
        assert!(dropout(&xs, false).equal(&xs));
    }
}
