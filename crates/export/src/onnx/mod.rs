//! ONNX: operators of its own domain alone, float32 or float16, any batch, height and width.

mod check;
mod draft;
mod operators;
mod proto;

use abbe_models::SrModel;
use prost::Message;

use crate::steps::steps;
use crate::{Error, Exported, Facts, Precision};
use draft::Draft;
use proto::*;

/// The version of the operators, of 2022: runtimes have had it for long, and nothing newer is needed.
pub(crate) const OPERATORS: i64 = 17;
/// The version of the schema that came with it.
const SCHEMA: i64 = 8;
/// What a protobuf may have at most.
const LIMIT: usize = i32::MAX as usize;

/// The network in ONNX.
pub(crate) fn export(model: &dyn SrModel, facts: &Facts) -> Result<Exported, Error> {
    let made = onnx(model, facts)?;
    fits(made.encoded_len())?;
    let bytes = made.encode_to_vec();
    check::check(&made, &bytes).map_err(Error::Unlike)?;
    let operations = made.graph.map_or(0, |graph| graph.node.len());
    Ok(Exported { bytes, operations, difference: None })
}

fn fits(size: usize) -> Result<(), Error> {
    if size <= LIMIT { Ok(()) } else { Err(Error::TooLarge { size }) }
}

fn onnx(model: &dyn SrModel, facts: &Facts) -> Result<ModelProto, Error> {
    let entries = facts.entries().into_iter();
    Ok(ModelProto {
        ir_version: SCHEMA,
        producer_name: "abbe".into(),
        producer_version: facts.abbe.clone(),
        doc_string: facts.sentence(),
        graph: Some(graph(model, facts)?),
        opset_import: vec![OperatorSetIdProto { domain: String::new(), version: OPERATORS }],
        metadata_props: entries.map(|(key, value)| StringStringEntryProto { key, value }).collect(),
    })
}

fn graph(model: &dyn SrModel, facts: &Facts) -> Result<GraphProto, Error> {
    let steps = steps(model, facts.architecture, facts.precision)?;
    let is_half = facts.precision == Precision::Float16;
    let mut draft = Draft::new(facts.precision);
    let mut values: Vec<String> = Vec::new();
    for step in &steps {
        let inputs: Vec<_> = step.inputs.iter().map(|input| values[*input].as_str()).collect();
        let value = operators::lower(&mut draft, step, &inputs);
        values.push(value);
    }
    if let (true, Some(last)) = (is_half, values.pop()) {
        draft.cast(&last, data::FLOAT);
    }
    if let Some(name) = draft.nodes.last_mut().and_then(|node| node.output.first_mut()) {
        *name = "sr".into();
    }
    Ok(GraphProto {
        node: draft.nodes,
        name: facts.architecture.into(),
        initializer: draft.initializers,
        doc_string: facts.hyperparameters.to_string(),
        input: vec![picture("lr", facts.channels, 1, format!("{} in [0, 1]", facts.colors))],
        output: vec![picture("sr", facts.channels, facts.scale, format!("{}; clamp it to [0, 1]", facts.colors))],
    })
}

/// Of any batch and size, `factor` times that of the input along each side.
fn picture(name: &str, channels: i64, factor: i64, doc_string: String) -> ValueInfoProto {
    let side = |name: &str| if factor == 1 { name.into() } else { format!("{factor}*{name}") };
    let free = |name: String| DimensionProto { dim_value: None, dim_param: Some(name) };
    let channels = DimensionProto { dim_value: Some(channels), dim_param: None };
    let dim = vec![free("batch".into()), channels, free(side("height")), free(side("width"))];
    let tensor = TensorTypeProto { elem_type: data::FLOAT, shape: Some(TensorShapeProto { dim }) };
    ValueInfoProto { name: name.into(), r#type: Some(TypeProto { tensor_type: Some(tensor) }), doc_string }
}

#[cfg(test)]
mod tests;
