//! What was written, read back.

use std::collections::HashSet;

use prost::Message;

use super::proto::*;

/// Whether `bytes` hold what was made, every node takes what is there before it, each value is made once, and constants have
/// as many numbers as their dimensions say.
///
/// # Errors
/// What is not so.
pub(super) fn check(made: &ModelProto, bytes: &[u8]) -> Result<(), String> {
    let read = ModelProto::decode(bytes).map_err(|error| error.to_string())?;
    if read != *made {
        return Err("what is read back differs".into());
    }
    let graph = read.graph.ok_or("there is no graph")?;
    let mut known: HashSet<&str> = HashSet::new();
    let given = graph.input.iter().map(|input| &input.name).chain(graph.initializer.iter().map(|tensor| &tensor.name));
    for name in given {
        is_new(&mut known, name)?;
    }
    graph.initializer.iter().try_for_each(is_whole)?;
    for node in &graph.node {
        let unknown = node.input.iter().find(|name| !name.is_empty() && !known.contains(name.as_str()));
        unknown.map_or(Ok(()), |name| Err(format!("{} takes {name}, which is not there before it", node.name)))?;
        node.output.iter().try_for_each(|name| is_new(&mut known, name))?;
    }
    let missing = graph.output.iter().find(|output| !known.contains(output.name.as_str()));
    missing.map_or(Ok(()), |output| Err(format!("nothing gives {}", output.name)))
}

fn is_new<'a>(known: &mut HashSet<&'a str>, name: &'a str) -> Result<(), String> {
    if known.insert(name) { Ok(()) } else { Err(format!("there are two values named {name}")) }
}

fn is_whole(tensor: &TensorProto) -> Result<(), String> {
    let TensorProto { dims, data_type, name, raw_data } = tensor;
    let size = match *data_type {
        data::FLOAT => 4,
        data::FLOAT16 => 2,
        data::INT64 => 8,
        other => return Err(format!("{name} has the type {other}")),
    };
    let expected = dims.iter().product::<i64>() * size;
    let fits = raw_data.len() as i64 == expected;
    if fits { Ok(()) } else { Err(format!("{name}: expected {expected} bytes, found {}", raw_data.len())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Change = fn(&mut GraphProto);

    fn checked(change: Change) -> Result<(), String> {
        let value = |name: &str| ValueInfoProto { name: name.into(), ..ValueInfoProto::default() };
        let raw_data = vec![0; 8];
        let weight = TensorProto { dims: vec![2], data_type: data::FLOAT, name: "w".into(), raw_data };
        let node = NodeProto {
            input: vec!["lr".into(), String::new(), "w".into()],
            output: vec!["sr".into()],
            name: "Add_0".into(),
            ..NodeProto::default()
        };
        let (input, output) = (vec![value("lr")], vec![value("sr")]);
        let mut graph =
            GraphProto { node: vec![node], initializer: vec![weight], input, output, ..GraphProto::default() };
        change(&mut graph);
        let model = ModelProto { graph: Some(graph), ..ModelProto::default() };
        check(&model, &model.encode_to_vec())
    }

    #[test]
    fn every_kind_of_fault_is_found() {
        checked(|_| ()).unwrap();
        let faults: [(Change, &str); 5] = [
            (|graph| graph.node[0].input.push("x".into()), "Add_0 takes x"),
            (|graph| graph.node[0].output[0] = "lr".into(), "two values named lr"),
            (|graph| graph.output[0].name = "hr".into(), "nothing gives hr"),
            (|graph| graph.initializer[0].dims.push(3), "w: expected 24 bytes, found 8"),
            (|graph| graph.initializer[0].data_type = 11, "w has the type 11"),
        ];
        for (change, message) in faults {
            let error = checked(change).unwrap_err();
            assert!(error.contains(message), "{error}");
        }
        let model = ModelProto { ir_version: 8, ..ModelProto::default() };
        assert_eq!(check(&model, &[]).unwrap_err(), "what is read back differs");
        assert!(check(&model, &[0xff]).is_err());
    }
}
