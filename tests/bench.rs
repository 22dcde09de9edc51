//! Plans and what they save, as a user asks for them. That plans do the same as networks is tested in abbe-infer.

use serde_json::Value;

use crate::support::{Scratch, packages};

fn cases(lines: &str) -> Vec<Value> {
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_plan_is_printed() {
    let scratch = Scratch::new();
    assert_eq!(scratch.abbe("models srvgg --plan").ok(), include_str!("golden/plans/srvgg.txt"));
    scratch.abbe("models vgg16 --plan").fails_with(&["vgg", "does not enlarge pictures"]);
    scratch.abbe("models srvgg --plan --json").fails_with(&["--plan", "cannot be used with", "--json"]);
}

#[test]
fn each_way_of_running_a_network_is_a_line() {
    let scratch = Scratch::new();
    let lines = scratch.abbe("bench upscale --model srvgg --size 6 5 --runs 2 --threads 1 --json").ok();
    let cases = cases(&lines);
    let ways: Vec<_> = cases.iter().map(|case| (&case["runtime"], &case["precision"])).collect();
    assert_eq!(ways[0], (&"abbe-plain".into(), &"f32".into()), "{lines}");
    assert!(cases.iter().all(|case| case["seconds_median"].as_f64() >= case["seconds_min"].as_f64()), "{lines}");
    assert!(cases.iter().all(|case| case["size"] == serde_json::json!([6, 5])), "{lines}");
    assert_eq!((&cases[0]["speedup_over_eager"], &cases[0]["psnr_to_f32_db"]), (&1.0.into(), &Value::Null));
}

#[test]
fn peers_run_in_each_round_and_their_shortest_times_count() {
    let scratch = Scratch::new();
    // Each call takes half as long as the one before.
    scratch.write(
        "peer.py",
        r#"import json, os, sys
assert sys.argv[1:] == ["--size", "6", "5", "--runs", "1", "--threads", "1"], sys.argv
calls = os.path.getsize("calls") if os.path.exists("calls") else 0
open("calls", "a").write("x")
for runtime in "eager", "openvino-bf16":
    print(json.dumps(dict(runtime=runtime, seconds_min=8 / 2**calls, seconds_median=9)))
"#,
    );
    let lines = scratch.abbe("bench upscale --size 6 5 --runs 1 --rounds 3 --threads 1 --peer peer.py --json").ok();
    let cases = cases(&lines);
    let [.., eager, openvino] = cases.as_slice() else { panic!("{lines}") };
    assert_eq!((&eager["seconds_min"], &eager["precision"]), (&2.0.into(), &"f32".into()), "{lines}");
    assert_eq!((&openvino["precision"], &openvino["speedup_over_eager"]), (&"bf16".into(), &1.0.into()), "{lines}");
    let plain = &cases[0];
    let [speedup, own] = ["speedup_over_eager", "seconds_min"].map(|key| plain[key].as_f64().unwrap());
    assert!((speedup * own - 2.0).abs() < 1e-12, "{lines}"); // reading a number from JSON may round it
}

#[test]
fn pytorch_times_the_same_network_where_there_is_one() {
    let scratch = Scratch::new();
    let arguments = "bench upscale --model edsr --size 6 5 --runs 1 --threads 1 --eager --json";
    let lines = scratch.abbe_with(arguments, &[("PYTHONPATH", &packages())]).ok();
    let cases = cases(&lines);
    let times: Vec<_> = cases.iter().filter(|case| case["task"] == "edsr-forward").collect();
    let runtimes: Vec<_> = times.iter().filter_map(|case| case["runtime"].as_str()).collect();
    assert!(runtimes.ends_with(&["eager", "eager-cl", "amp-cl"]) && runtimes[0] == "abbe-plain", "{lines}");
    let eager = times[runtimes.len() - 3];
    assert_eq!((&eager["speedup_over_eager"], &eager["size"]), (&1.0.into(), &serde_json::json!([6, 5])), "{lines}");
    assert_eq!(times[runtimes.len() - 1]["precision"], "bf16", "{lines}");
}

#[test]
fn what_cannot_be_timed_is_said() {
    let scratch = Scratch::new();
    scratch.write("broken.py", "raise SystemExit('no torch here')");
    scratch.abbe("bench upscale --model nothing").fails_with(&["no network is called `nothing`"]);
    scratch.abbe("bench upscale --model vgg16").fails_with(&["does not enlarge pictures"]);
    scratch.abbe("bench upscale --model srvgg --peer broken.py").fails_with(&["--peer times srresnet"]);
    scratch
        .abbe("bench upscale --size 6 5 --runs 1 --threads 1 --peer broken.py")
        .fails_with(&["broken.py", "no torch here"]);
}
