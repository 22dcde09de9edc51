//! A graph that is being written.

use tch::{Kind, Tensor};

use super::proto::*;
use crate::Precision;

/// What names of constants that are no tensors of the network begin with: no layer is called so.
const CONSTANT: &str = "constant_";

/// Nodes so far, and their constants.
pub(super) struct Draft {
    pub nodes: Vec<NodeProto>,
    pub initializers: Vec<TensorProto>,
    precision: Precision,
}

impl Draft {
    /// Whose numbers will be in a precision.
    pub fn new(precision: Precision) -> Self {
        Draft { nodes: Vec::new(), initializers: Vec::new(), precision }
    }

    /// Adds an operation on values; the name of what it gives.
    pub fn node(&mut self, operator: &str, inputs: &[&str], attribute: Vec<AttributeProto>) -> String {
        let name = format!("{operator}_{}", self.nodes.len());
        self.nodes.push(NodeProto {
            input: inputs.iter().map(|input| input.to_string()).collect(),
            output: vec![name.clone()],
            name: name.clone(),
            op_type: operator.into(),
            attribute,
        });
        name
    }

    /// The value in the precision of the graph, when that is not float32.
    pub fn entered(&mut self, value: &str) -> String {
        match self.precision {
            Precision::Float32 => value.into(),
            Precision::Float16 => self.cast(value, data::FLOAT16),
        }
    }

    /// The value in another type.
    pub fn cast(&mut self, value: &str, to: i32) -> String {
        self.node("Cast", &[value], vec![int("to", i64::from(to))])
    }

    /// A network's tensor under its name, with these dimensions; its name.
    pub fn tensor(&mut self, name: String, tensor: &Tensor, dims: Vec<i64>) -> String {
        let (data_type, raw_data) = stored(tensor);
        self.initializers.push(TensorProto { dims, data_type, name: name.clone(), raw_data });
        name
    }

    /// Numbers in the precision of the graph, one alone without dimensions; their name.
    pub fn numbers(&mut self, numbers: &[f32], dims: &[i64]) -> String {
        let (data_type, raw_data) = stored(&Tensor::from_slice(numbers).to_kind(self.precision.kind()));
        self.constant(dims, data_type, raw_data)
    }

    /// float32 numbers, a list, in any precision of the graph; their name.
    pub fn factors(&mut self, factors: &[f32]) -> String {
        let (data_type, raw_data) = stored(&Tensor::from_slice(factors));
        self.constant(&[factors.len() as i64], data_type, raw_data)
    }

    /// A whole number without dimensions; its name.
    pub fn integer(&mut self, value: i64) -> String {
        self.constant(&[], data::INT64, value.to_le_bytes().into())
    }

    /// A list of whole numbers; its name.
    pub fn integers(&mut self, values: &[i64]) -> String {
        let raw_data = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.constant(&[values.len() as i64], data::INT64, raw_data)
    }

    /// Once, however often it is needed; its name.
    fn constant(&mut self, dims: &[i64], data_type: i32, raw_data: Vec<u8>) -> String {
        let is_same = |tensor: &&TensorProto| {
            tensor.name.starts_with(CONSTANT)
                && tensor.dims == dims
                && (tensor.data_type, &tensor.raw_data) == (data_type, &raw_data)
        };
        if let Some(known) = self.initializers.iter().find(is_same) {
            return known.name.clone();
        }
        let name = format!("{CONSTANT}{}", self.initializers.len());
        self.initializers.push(TensorProto { dims: dims.into(), data_type, name: name.clone(), raw_data });
        name
    }
}

/// The type of a tensor's numbers, and their bytes.
fn stored(tensor: &Tensor) -> (i32, Vec<u8>) {
    let data_type = if tensor.kind() == Kind::Half { data::FLOAT16 } else { data::FLOAT };
    let mut bytes = vec![0; tensor.numel() * tensor.kind().elt_size_in_bytes()];
    tensor.contiguous().copy_data_u8(&mut bytes, tensor.numel());
    (data_type, bytes)
}

/// An attribute that is a whole number.
pub(super) fn int(name: &str, value: i64) -> AttributeProto {
    AttributeProto { name: name.into(), i: Some(value), kind: attribute::INT, ..AttributeProto::default() }
}

/// An attribute that is a list of whole numbers.
pub(super) fn ints(name: &str, values: &[i64]) -> AttributeProto {
    AttributeProto { name: name.into(), ints: values.into(), kind: attribute::INTS, ..AttributeProto::default() }
}

/// An attribute that is a number.
pub(super) fn float(name: &str, value: f64) -> AttributeProto {
    AttributeProto { name: name.into(), f: Some(value as f32), kind: attribute::FLOAT, ..AttributeProto::default() }
}

/// An attribute that is a word.
pub(super) fn text(name: &str, value: &str) -> AttributeProto {
    AttributeProto { name: name.into(), s: Some(value.into()), kind: attribute::STRING, ..AttributeProto::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constants_are_there_once_in_little_endian() {
        let mut draft = Draft::new(Precision::Float16);
        // 1.5 is 1.1 in binary: exponent 15 + 0 and the first bit of the fraction, 0 01111 1000000000.
        let names = [draft.numbers(&[1.5], &[]), draft.numbers(&[1.5], &[]), draft.factors(&[1.5]), draft.integer(-2)];
        let [half, single, whole] = draft.initializers.try_into().unwrap();
        assert_eq!((&names[0], &names[1]), (&half.name, &half.name));
        assert_eq!((half.data_type, half.dims.len(), half.raw_data), (data::FLOAT16, 0, vec![0x00, 0x3e]));
        assert_eq!((single.dims, single.raw_data), (vec![1], 1.5f32.to_le_bytes().to_vec()));
        assert_eq!(whole.raw_data, [0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
    }
}
