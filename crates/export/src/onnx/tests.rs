use abbe_models::{Config, build, rrdbnet, srcnn};
use tch::Device;

use super::*;

/// A small network in ONNX.
fn made(config: Config, precision: Precision) -> ModelProto {
    let model = build(&config, Device::Cpu).unwrap();
    let facts = Facts::new(&config, &*model, Vec::new(), precision);
    let Exported { bytes, operations, .. } = export(&*model, &facts).unwrap();
    let made = ModelProto::decode(bytes.as_slice()).unwrap();
    assert_eq!(made.graph.as_ref().unwrap().node.len(), operations);
    made
}

/// A line for each node, with the numbers of constants instead of their names.
fn listing(model: &ModelProto) -> String {
    let graph = model.graph.as_ref().unwrap();
    let input = |name: &String| {
        let constant = graph.initializer.iter().find(|tensor| tensor.name == *name && name.starts_with("constant_"));
        constant.map_or(name.clone(), numbers)
    };
    let line = |node: &NodeProto| {
        let inputs = node.input.iter().map(input).collect::<Vec<_>>().join(", ");
        let attributes = node.attribute.iter().map(|attribute| {
            let value = match attribute.kind {
                attribute::FLOAT => format!("{:?}", attribute.f.unwrap()),
                attribute::INT => attribute.i.unwrap().to_string(),
                attribute::INTS => format!("{:?}", attribute.ints),
                _ => String::from_utf8(attribute.s.clone().unwrap()).unwrap(),
            };
            format!(" {}={value}", attribute.name)
        });
        format!("{} = {}({inputs}){}\n", node.output[0], node.op_type, attributes.collect::<String>())
    };
    graph.node.iter().map(line).collect()
}

/// The numbers of a constant.
fn numbers(tensor: &TensorProto) -> String {
    let bytes = tensor.raw_data.as_slice();
    let numbers: Vec<_> = match tensor.data_type {
        data::INT64 => bytes.chunks(8).map(|bytes| i64::from_le_bytes(bytes.try_into().unwrap()).to_string()).collect(),
        data::FLOAT16 => return "float16".into(),
        _ => bytes.chunks(4).map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap()).to_string()).collect(),
    };
    if tensor.dims.is_empty() { numbers.concat() } else { format!("[{}]", numbers.join(", ")) }
}

#[test]
fn a_chain_of_operators() {
    let config = srcnn::Config { kernels: [5, 1, 3], channels: [4, 3], ..srcnn::Config::paper(2) };
    let made = made(config.into(), Precision::Float32);
    let expected = "\
Resize_0 = Resize(lr, , [1, 1, 2, 2]) mode=cubic cubic_coeff_a=-0.5
Conv_1 = Conv(Resize_0, conv1.weight, conv1.bias) strides=[1, 1] pads=[2, 2, 2, 2]
Relu_2 = Relu(Conv_1)
Conv_3 = Conv(Relu_2, conv2.weight, conv2.bias) strides=[1, 1] pads=[0, 0, 0, 0]
Relu_4 = Relu(Conv_3)
sr = Conv(Relu_4, conv3.weight, conv3.bias) strides=[1, 1] pads=[1, 1, 1, 1]
";
    assert_eq!(listing(&made), expected);
    let graph = made.graph.unwrap();
    let dims: Vec<_> = graph.initializer.iter().map(|tensor| tensor.dims.clone()).collect();
    assert_eq!(dims, [vec![4], vec![4, 3, 5, 5], vec![4], vec![3, 4, 1, 1], vec![3], vec![3, 3, 3, 3], vec![3]]);
    let names = |value: &ValueInfoProto| {
        let shape = value.r#type.clone().unwrap().tensor_type.unwrap().shape.unwrap();
        shape.dim.into_iter().map(|dim| dim.dim_param.unwrap_or_default()).collect::<Vec<_>>()
    };
    assert_eq!(names(&graph.input[0]), ["batch", "", "height", "width"]);
    assert_eq!(names(&graph.output[0]), ["batch", "", "2*height", "2*width"]);
    let scale = made.metadata_props.iter().find(|entry| entry.key == "scale").unwrap();
    assert_eq!((made.ir_version, made.opset_import[0].version, scale.value.as_str()), (8, 17, "2"));
}

#[test]
fn protobufs_end_at_2_gib() {
    fits((1 << 31) - 1).unwrap();
    let error = fits(1 << 31).unwrap_err().to_string();
    assert!(error.contains("2147483648 bytes") && error.contains("--half"), "{error}");
}

#[test]
fn squares_are_made_and_cut_by_the_size_of_the_picture() {
    let config = rrdbnet::Config { scale: 2, blocks: 1, channels: 3, growth: 2, unshuffle: 2, colors: 3, plus: false };
    let made = made(config.into(), Precision::Float16);
    let text = listing(&made);
    let height = "\
Cast_0 = Cast(lr) to=10
Shape_1 = Shape(Cast_0)
Gather_2 = Gather(Shape_1, 2)
Sub_3 = Sub(Gather_2, 1)
Add_4 = Add(Sub_3, 2)
Div_5 = Div(Add_4, 2)
Mul_6 = Mul(Div_5, 2)
Range_7 = Range(0, Mul_6, 1)
Mul_8 = Mul(Sub_3, 2)
Max_9 = Max(Mul_8, 1)
Mod_10 = Mod(Range_7, Max_9)
Sub_11 = Sub(Mod_10, Sub_3)
Abs_12 = Abs(Sub_11)
Sub_13 = Sub(Sub_3, Abs_12)
Gather_14 = Gather(Cast_0, Sub_13) axis=2
";
    assert!(text.starts_with(height), "{text}");
    // Three colours in squares of four pixels: ONNX has the first pixels of red, green and blue at 0, 1 and 2, PyTorch all
    // four of red there.
    let order = "\
SpaceToDepth_29 = SpaceToDepth(Gather_28) blocksize=2
Reshape_30 = Reshape(SpaceToDepth_29, [0, 4, 3, -1])
Transpose_31 = Transpose(Reshape_30) perm=[0, 2, 1, 3]
Shape_32 = Shape(SpaceToDepth_29)
Reshape_33 = Reshape(Transpose_31, Shape_32)
";
    assert!(text.contains(order), "{text}");
    let end: Vec<_> = text.lines().rev().take(4).collect();
    assert!(end[3].starts_with("Shape_") && end[3].ends_with("Shape(lr) start=2 end=4"), "{text}");
    assert!(end[1].contains("Slice(") && end[1].contains(", [0, 0], Mul_"), "{text}");
    assert!(end[0].starts_with("sr = Cast(Slice_") && end[0].ends_with("to=1"), "{text}");
}
