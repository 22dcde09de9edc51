//! Changes of colour against torchvision's.

mod support;

use abbe_data::jitter::Jitter;
use abbe_data::random::{Draws, Purpose};

/// A line for each change: its name and number, then what torchvision makes of 5 x 7 pixels, one after the other.
const PYTHON: &str = "
import torch
import torchvision.transforms.functional as F
values = torch.tensor([(37 * i * i + 11 * i + 7) % 256 for i in range(105)]) / 255
values[:3] = 0.25
picture = values.view(5, 7, 3).permute(2, 0, 1)
def show(name, change, numbers):
    for number in numbers:
        out = change(picture, number).permute(1, 2, 0).reshape(-1)
        print(name, number, *('%.9g' % value for value in out))
show('brightness', F.adjust_brightness, [0.0, 0.5, 1.0, 1.7])
show('contrast', F.adjust_contrast, [0.0, 0.5, 1.0, 1.7])
show('saturation', F.adjust_saturation, [0.0, 0.5, 1.0, 1.7])
show('hue', F.adjust_hue, [-0.5, -0.21, 0.0, 0.1, 0.33, 0.5])
";

fn picture() -> Vec<f32> {
    let values = (0..105).map(|i| ((37 * i * i + 11 * i + 7) % 256) as f32 / 255.0);
    values.enumerate().map(|(i, value)| if i < 3 { 0.25 } else { value }).collect()
}

#[test]
fn changes_are_those_of_torchvision() {
    if !support::has("torchvision") {
        return;
    }
    let output = support::python().args(["-c", PYTHON]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = String::from_utf8(output.stdout).unwrap();
    assert_eq!(lines.lines().count(), 18);
    for line in lines.lines() {
        let mut words = line.split(' ');
        let (name, number) = (words.next().unwrap(), words.next().unwrap().parse().unwrap());
        let range = |key: &str| (name == key).then_some([number; 2]);
        let jitter = Jitter {
            brightness: range("brightness"),
            contrast: range("contrast"),
            saturation: range("saturation"),
            hue: range("hue"),
            permute_channels: false,
        };
        let (mut hr, mut lr) = (picture(), picture());
        jitter.apply(&mut Draws::new(0, Purpose::Jitter, 0, 0), &mut hr, &mut lr);
        assert_eq!(hr, lr);
        for (i, (value, word)) in hr.iter().zip(words).enumerate() {
            let expected: f32 = word.parse().unwrap();
            assert!((value - expected).abs() < 2e-6, "{name} {number}, value {i}: {value} is not {expected}");
        }
    }
}
