//! States put together by hand, and what is wrong with them.

use super::*;

const SHAPES: [&[usize]; 3] = [&[2, 3], &[2], &[]];

fn shapes() -> Vec<Vec<usize>> {
    SHAPES.map(Vec::from).into()
}

fn filled(shape: &[usize]) -> Tensor {
    Tensor::from_f32(shape, &vec![0.5; shape.iter().product()])
}

/// Two groups, the second with amsgrad, and a parameter that never had a gradient.
fn adam() -> Adam {
    let group = AdamGroup {
        parameters: 1,
        param_names: Some(vec!["w".into()]),
        lr: 1e-3,
        betas: (0.9, 0.999),
        eps: 1e-8,
        weight_decay: 0.01,
        amsgrad: false,
        maximize: false,
        decoupled_weight_decay: true,
        initial_lr: None,
    };
    let second = AdamGroup { parameters: 2, param_names: None, amsgrad: true, initial_lr: Some(1.0), ..group.clone() };
    let state = |shape: &[usize], largest| AdamState {
        step: 7,
        exp_avg: filled(shape),
        exp_avg_sq: filled(shape),
        max_exp_avg_sq: largest,
    };
    let state = vec![Some(state(&[2, 3], None)), None, Some(state(&[], Some(filled(&[]))))];
    Adam { groups: vec![group, second], state }
}

fn keys(value: &Value) -> Vec<String> {
    let name = |(key, _): &(Value, Value)| match key {
        Value::Text(text) => text.clone(),
        other => format!("{other:?}"),
    };
    value.entries().unwrap().iter().map(name).collect()
}

fn groups(value: &Value) -> &[Value] {
    let Some(Value::List(groups)) = value.get("param_groups") else { panic!("no groups") };
    groups
}

#[test]
fn adam_comes_back_in_the_layout_of_pytorch() {
    let value = adam().to_value();
    assert_eq!(Adam::from_value(&value, &shapes()).unwrap(), adam());
    assert_eq!(keys(value.get("state").unwrap()), ["Int(0)", "Int(2)"]);
    assert_eq!(groups(&value)[1].get("params"), Some(&Value::List(vec![Value::Int(1), Value::Int(2)])));
    // torch.optim.AdamW([...]).state_dict()['param_groups'][0] of 2.11, after a scheduler was made.
    let order = "lr betas eps weight_decay amsgrad maximize foreach capturable differentiable fused \
                 decoupled_weight_decay initial_lr params";
    assert_eq!(keys(&groups(&value)[1]).join(" "), order);
    assert_eq!(keys(&groups(&value)[0])[0], "param_names");
}

#[test]
fn sgd_without_momentum_keeps_nothing() {
    let group = SgdGroup {
        parameters: 3,
        param_names: None,
        lr: 0.1,
        momentum: 0.9,
        dampening: 0.0,
        weight_decay: 0.0,
        nesterov: true,
        maximize: false,
        initial_lr: None,
    };
    let sgd = Sgd { groups: vec![group], momentum_buffers: vec![None, Some(filled(&[2])), None] };
    let value = sgd.to_value();
    assert_eq!(keys(value.get("state").unwrap()), ["Int(1)"]);
    assert_eq!(Sgd::from_value(&value, &shapes()).unwrap(), sgd);
    assert_eq!(optimizer_name(&value), Some("SGD"));
}

#[test]
fn rmsprop_comes_back_in_the_layout_of_pytorch() {
    let plain = RmsPropGroup {
        parameters: 2,
        param_names: None,
        lr: 0.01,
        momentum: 0.0,
        alpha: 0.99,
        eps: 1e-8,
        centered: false,
        weight_decay: 0.0,
        maximize: false,
        initial_lr: None,
    };
    let whole = RmsPropGroup { parameters: 1, momentum: 0.5, centered: true, ..plain.clone() };
    let state = |shape: &[usize], kept: Option<Tensor>| RmsPropState {
        step: 7,
        square_avg: filled(shape),
        momentum_buffer: kept.clone(),
        grad_avg: kept,
    };
    let state = vec![Some(state(&[2, 3], None)), None, Some(state(&[], Some(filled(&[]))))];
    let rmsprop = RmsProp { groups: vec![plain, whole], state };
    let value = rmsprop.to_value();
    assert_eq!(RmsProp::from_value(&value, &shapes()).unwrap(), rmsprop);
    // torch.optim.RMSprop([...], momentum=0.5, centered=True).state_dict() of 2.11.
    let order = "lr momentum alpha eps centered weight_decay capturable foreach maximize differentiable params";
    assert_eq!(keys(&groups(&value)[1]).join(" "), order);
    let state = value.get("state").unwrap().entries().unwrap();
    assert_eq!(keys(&state[0].1), ["step", "square_avg"]);
    assert_eq!(keys(&state[1].1), ["step", "square_avg", "momentum_buffer", "grad_avg"]);
    let odd = with(&value, &["state", "2", "grad_avg"], &Value::None);
    let message = RmsProp::from_value(&odd, &shapes()).unwrap_err().to_string();
    assert!(message.contains("state.2 has no grad_avg"), "{message}");
}

/// `value` with the entry at a path of keys and positions replaced.
fn with(value: &Value, path: &[&str], new: &Value) -> Value {
    let Some((first, rest)) = path.split_first() else { return new.clone() };
    match value {
        Value::List(items) => {
            let mut items = items.clone();
            let index: usize = first.parse().unwrap();
            items[index] = with(&items[index], rest, new);
            Value::List(items)
        }
        other => {
            let is_it = |key: &Value| matches!(key, Value::Text(text) if text == first) || *key == id(first);
            let entries = other.entries().unwrap().iter();
            let replaced = |(key, old): &(Value, Value)| match is_it(key) {
                true => (key.clone(), with(old, rest, new)),
                false => (key.clone(), old.clone()),
            };
            Value::Dict(entries.map(replaced).collect())
        }
    }
}

fn id(text: &str) -> Value {
    text.parse().map_or(Value::None, Value::Int)
}

#[test]
fn older_forms_of_adam_are_read() {
    let value = adam().to_value();
    let betas = Value::List(vec![Value::Float(0.9), Value::Float(0.999)]);
    let rate = Value::Tensor(Tensor::from_f32(&[], &[0.25]));
    for step in
        [Value::Int(7), Value::Tensor(Tensor::from_i64(&[], &[7])), Value::Tensor(Tensor::from_f32(&[1], &[7.0]))]
    {
        let old = with(&value, &["state", "0", "step"], &step);
        let old = with(&old, &["param_groups", "0", "betas"], &betas);
        assert_eq!(Adam::from_value(&old, &shapes()).unwrap(), adam());
    }
    let old = with(&value, &["param_groups", "1", "lr"], &rate);
    assert_eq!(Adam::from_value(&old, &shapes()).unwrap().groups[1].lr, 0.25);
}

#[test]
fn what_does_not_fit_is_named() {
    let value = adam().to_value();
    let text_keys = Value::Dict(vec![(Value::Text("0".into()), Value::Dict(vec![]))]);
    let foreign = Value::Dict(vec![(Value::Int(9), Value::Dict(vec![]))]);
    let cases: [(&[&str], Value, &str); 9] = [
        (&["state", "0", "exp_avg"], Value::Tensor(filled(&[3, 2])), "state.0.exp_avg is float32 [3, 2]"),
        (&["state", "0", "exp_avg_sq"], Value::Tensor(Tensor::from_i64(&[2, 3], &[0; 6])), "int64"),
        (&["state", "2", "max_exp_avg_sq"], Value::None, "state.2 has no max_exp_avg_sq"),
        (&["state", "0", "step"], Value::Float(0.5), "step"),
        (&["state"], text_keys, "a key that is a text"),
        (&["state"], foreign, "parameter 9, which no group names"),
        (&["param_groups", "1", "params"], Value::List(vec![Value::Int(1), Value::Int(0)]), "parameter 0 again"),
        (&["param_groups", "0", "betas"], Value::Tuple(vec![Value::Float(0.9), Value::Float(1.0)]), "[0, 1)"),
        (&["param_groups", "0", "param_names"], Value::List(vec![]), "0 names for 1 parameters"),
    ];
    for (path, new, reason) in cases {
        let message = Adam::from_value(&with(&value, path, &new), &shapes()).unwrap_err().to_string();
        assert!(message.contains(reason), "{path:?}: {message}");
    }
    let message = Adam::from_value(&value, &shapes()[..2]).unwrap_err().to_string();
    assert!(message.contains("over 3 parameters, expected 2"), "{message}");
    let message = Sgd::from_value(&value, &shapes()).unwrap_err().to_string();
    assert!(message.contains("the options of Adam, expected SGD"), "{message}");
}

#[test]
fn optimisers_are_told_by_their_options() {
    // The options of PyTorch 2.11 and, last, those that RAdam had before 2.0 and a package's own optimiser.
    let cases = [
        ("lr momentum alpha eps centered weight_decay", Some("RMSprop")),
        ("lr betas eps weight_decay momentum_decay decoupled_weight_decay", Some("NAdam")),
        ("lr betas eps weight_decay maximize decoupled_weight_decay", Some("RAdam")),
        ("lr weight_decay momentum nesterov ns_coefficients eps ns_steps", Some("Muon")),
        ("lr betas eps weight_decay", Some("Adamax, SparseAdam or an old RAdam")),
        ("lr betas weight_decay", None),
    ];
    for (options, name) in cases {
        let group = dict(options.split(' ').map(|option| (option, Value::None)));
        assert_eq!(optimizer_name(&dict([("param_groups", Value::List(vec![group]))])), name, "{options}");
    }
}
