//! What of ONNX's schema is written: `onnx.proto` of the project, IR version 8, by its field numbers. It is proto2, in which
//! lists are not packed and what is absent differs from zero.

use prost::Message;

/// A file.
#[derive(Clone, PartialEq, Message)]
pub struct ModelProto {
    #[prost(int64, tag = 1)]
    pub ir_version: i64,
    #[prost(string, tag = 2)]
    pub producer_name: String,
    #[prost(string, tag = 3)]
    pub producer_version: String,
    #[prost(string, tag = 6)]
    pub doc_string: String,
    #[prost(message, optional, tag = 7)]
    pub graph: Option<GraphProto>,
    #[prost(message, repeated, tag = 8)]
    pub opset_import: Vec<OperatorSetIdProto>,
    #[prost(message, repeated, tag = 14)]
    pub metadata_props: Vec<StringStringEntryProto>,
}

/// A set of operators; the domain of ONNX's own is the empty text.
#[derive(Clone, PartialEq, Message)]
pub struct OperatorSetIdProto {
    #[prost(string, tag = 1)]
    pub domain: String,
    #[prost(int64, tag = 2)]
    pub version: i64,
}

#[derive(Clone, PartialEq, Message)]
pub struct StringStringEntryProto {
    #[prost(string, tag = 1)]
    pub key: String,
    #[prost(string, tag = 2)]
    pub value: String,
}

/// Nodes in the order in which they run, and their constants.
#[derive(Clone, PartialEq, Message)]
pub struct GraphProto {
    #[prost(message, repeated, tag = 1)]
    pub node: Vec<NodeProto>,
    #[prost(string, tag = 2)]
    pub name: String,
    #[prost(message, repeated, tag = 5)]
    pub initializer: Vec<TensorProto>,
    #[prost(string, tag = 10)]
    pub doc_string: String,
    #[prost(message, repeated, tag = 11)]
    pub input: Vec<ValueInfoProto>,
    #[prost(message, repeated, tag = 12)]
    pub output: Vec<ValueInfoProto>,
}

/// An operation on values by their names.
#[derive(Clone, PartialEq, Message)]
pub struct NodeProto {
    #[prost(string, repeated, tag = 1)]
    pub input: Vec<String>,
    #[prost(string, repeated, tag = 2)]
    pub output: Vec<String>,
    #[prost(string, tag = 3)]
    pub name: String,
    #[prost(string, tag = 4)]
    pub op_type: String,
    #[prost(message, repeated, tag = 5)]
    pub attribute: Vec<AttributeProto>,
}

/// A constant of an operation; `kind` says which of its fields there is.
#[derive(Clone, PartialEq, Message)]
pub struct AttributeProto {
    #[prost(string, tag = 1)]
    pub name: String,
    #[prost(float, optional, tag = 2)]
    pub f: Option<f32>,
    #[prost(int64, optional, tag = 3)]
    pub i: Option<i64>,
    #[prost(bytes = "vec", optional, tag = 4)]
    pub s: Option<Vec<u8>>,
    #[prost(int64, repeated, packed = "false", tag = 8)]
    pub ints: Vec<i64>,
    #[prost(int32, tag = 20)]
    pub kind: i32,
}

/// A constant value: its numbers are little-endian, one after the other.
#[derive(Clone, PartialEq, Message)]
pub struct TensorProto {
    #[prost(int64, repeated, packed = "false", tag = 1)]
    pub dims: Vec<i64>,
    #[prost(int32, tag = 2)]
    pub data_type: i32,
    #[prost(string, tag = 8)]
    pub name: String,
    #[prost(bytes = "vec", tag = 9)]
    pub raw_data: Vec<u8>,
}

/// An input or output.
#[derive(Clone, PartialEq, Message)]
pub struct ValueInfoProto {
    #[prost(string, tag = 1)]
    pub name: String,
    #[prost(message, optional, tag = 2)]
    pub r#type: Option<TypeProto>,
    #[prost(string, tag = 3)]
    pub doc_string: String,
}

#[derive(Clone, PartialEq, Message)]
pub struct TypeProto {
    #[prost(message, optional, tag = 1)]
    pub tensor_type: Option<TensorTypeProto>,
}

/// `TypeProto.Tensor` of the schema.
#[derive(Clone, PartialEq, Message)]
pub struct TensorTypeProto {
    #[prost(int32, tag = 1)]
    pub elem_type: i32,
    #[prost(message, optional, tag = 2)]
    pub shape: Option<TensorShapeProto>,
}

#[derive(Clone, PartialEq, Message)]
pub struct TensorShapeProto {
    #[prost(message, repeated, tag = 1)]
    pub dim: Vec<DimensionProto>,
}

/// `TensorShapeProto.Dimension` of the schema: a number, or a name for one that is not known before the file is run.
#[derive(Clone, PartialEq, Message)]
pub struct DimensionProto {
    #[prost(int64, optional, tag = 1)]
    pub dim_value: Option<i64>,
    #[prost(string, optional, tag = 2)]
    pub dim_param: Option<String>,
}

/// `AttributeProto.AttributeType` of the schema.
pub mod attribute {
    pub const FLOAT: i32 = 1;
    pub const INT: i32 = 2;
    pub const STRING: i32 = 3;
    pub const INTS: i32 = 7;
}

/// `TensorProto.DataType` of the schema.
pub mod data {
    pub const FLOAT: i32 = 1;
    pub const INT64: i32 = 7;
    pub const FLOAT16: i32 = 10;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_the_bytes_that_the_wire_format_says() {
        // A key is the field's number times 8, plus 2 for what has a length, 5 for four bytes, 0 for a number.
        let zero =
            AttributeProto { name: "a".into(), f: Some(0.0), kind: attribute::FLOAT, ..AttributeProto::default() };
        let list = AttributeProto { ints: vec![1, 300], kind: attribute::INTS, ..AttributeProto::default() };
        let node = NodeProto {
            input: vec!["x".into()],
            op_type: "Op".into(),
            attribute: vec![zero, list],
            ..NodeProto::default()
        };
        let first = [0x0a, 1, b'a', 0x15, 0, 0, 0, 0, 0xa0, 1, 1]; // 20 * 8 = 160 = 0x20 + 0x80, then 1
        let second = [0x40, 1, 0x40, 0xac, 2, 0xa0, 1, 7]; // 300 = 44 + 2 * 128
        let expected = [[0x0a, 1, b'x', 0x22, 2, b'O', b'p', 0x2a, 11].as_slice(), &first, &[0x2a, 8], &second];
        assert_eq!(node.encode_to_vec(), expected.concat());
    }
}
