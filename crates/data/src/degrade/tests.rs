use super::*;
use crate::random::Purpose;

fn picture(height: usize, width: usize) -> Planes {
    let value = |i: usize| ((i % width * 5 + i / width * 3) % 97) as f32 / 96.0;
    Planes { height, width, values: (0..3 * height * width).map(value).collect() }
}

fn draws(seed: u64, step: u64, index: u64) -> Draws {
    Draws::new(seed, Purpose::Degradation, step, index)
}

/// The degradations that come with Abbe, each with a scale that it is for.
fn presets() -> [(usize, Config); 5] {
    [(4, "real-esrgan"), (3, "real-esrgan"), (4, "first-order"), (2, "bsrgan"), (4, "bsrgan")]
        .map(|(scale, name)| (scale, Config::open(name, scale).unwrap()))
}

fn real_esrgan() -> Config {
    Config::open("real-esrgan", 4).unwrap()
}

/// The message about a configuration in TOML.
fn error(toml: &str) -> String {
    match toml::from_str::<Config>(toml) {
        Ok(config) => config.check().unwrap_err().to_string(),
        Err(error) => error.message().to_string(),
    }
}

#[test]
fn configurations_survive_toml() {
    for (scale, config) in presets() {
        let text = toml::to_string(&config).unwrap();
        assert_eq!(toml::from_str::<Config>(&text).unwrap(), config, "scale {scale}: {text}");
    }
}

#[test]
fn presets_give_lr_pictures_of_the_right_size() {
    let hr = picture(48, 60);
    for (scale, config) in presets() {
        for index in 0..20 {
            let degraded = degrade(&config, &hr, scale, draws(1, 0, index)).unwrap();
            assert_eq!(degraded.lr.size(), (48 / scale, 60 / scale));
            assert_eq!(degraded.target.size(), hr.size());
            assert_eq!(degraded.target == hr, config.sharpen.is_none());
        }
    }
}

#[test]
fn seed_step_and_index_say_everything() {
    let hr = picture(48, 48);
    let config = real_esrgan();
    let lr = |seed, step, index| degrade(&config, &hr, 4, draws(seed, step, index)).unwrap();
    let alone = lr(1, 2, 3);
    let beside: Vec<_> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..6).map(|index| scope.spawn(move || lr(1, 2, index))).collect();
        workers.into_iter().map(|worker| worker.join().unwrap()).collect()
    });
    assert_eq!(beside[3], alone);
    assert!([lr(0, 2, 3), lr(1, 0, 3), lr(1, 2, 0)].iter().all(|other| other.lr != alone.lr));
}

#[test]
fn the_trace_tells_the_steps_of_real_esrgan() {
    let hr = picture(48, 48);
    for index in 0..10 {
        let trace = degrade(&real_esrgan(), &hr, 4, draws(0, 0, index)).unwrap().trace;
        let count = |word| trace.iter().filter(|applied| applied.to_string().contains(word)).count();
        assert_eq!((count("resize"), count(" noise"), count("JPEG")), (3, 2, 2), "{trace:?}");
        assert!((2..=3).contains(&count("blur")), "{trace:?}");
    }
}

#[test]
fn a_step_is_taken_as_often_as_its_probability() {
    // 1000 pictures, 0.3 of them with noise: 300, standard deviation sqrt(1000 * 0.3 * 0.7) = 14.5; six of them are 87.
    let toml =
        "steps = [{ one_of = [{ probability = 0.3, steps = [{ poisson_noise = { scale = [1, 1], grey = 0 } }] }] }]";
    let config: Config = toml::from_str(toml).unwrap();
    let taken = |index: &u64| !degrade(&config, &picture(1, 1), 1, draws(0, 0, *index)).unwrap().trace.is_empty();
    let count = (0..1000).filter(taken).count();
    assert!(count.abs_diff(300) < 87, "{count}");
}

#[test]
fn shuffled_steps_keep_the_order_of_resizing() {
    let Step::Shuffle(steps) = Config::open("bsrgan", 2).unwrap().steps.remove(0) else {
        panic!("a shuffle comes first")
    };
    let mut places = std::collections::BTreeSet::new();
    for index in 0..200 {
        let order = shuffled(&steps, &mut draws(0, 0, index));
        let place = |step: &Step| order.iter().position(|other| std::ptr::eq(*other, step)).unwrap();
        assert!(place(&steps[2]) < place(&steps[3]));
        assert_eq!(steps.iter().map(place).collect::<std::collections::BTreeSet<_>>().len(), 6);
        places.insert((place(&steps[2]), place(&steps[3])));
    }
    assert_eq!(places.len(), 15); // every pair of two of six places
}

#[test]
fn a_setting_out_of_range_is_named() {
    let step = |step: &str| error(&format!("steps = [{{ {step} }}]"));
    let jpeg = step("jpeg = { quality = [30, 101] }");
    assert!(
        jpeg.starts_with("steps[0].jpeg.quality: expected [low, high] with 1 <= low <= high <= 100, found [30, 101]")
    );
    assert!(step("jpeg = { quality = [30, 95], speed = 1 }").contains("unknown field `speed`"));
    assert!(step("jepg = { quality = [30, 95] }").contains("unknown variant `jepg`"));
    let noise = step("gaussian_noise = { sigma = [1, 5], kinds = { colour = 0.5, grey = 0.4, correlated = 0.0 } }");
    assert!(noise.starts_with("steps[0].gaussian_noise.kinds: expected probabilities"), "{noise}");
    assert!(step("poisson_noise = { scale = [2.0, 1.0], grey = 0.0 }").starts_with("steps[0].poisson_noise.scale"));
    assert!(step("poisson_noise = { scale = [nan, 1.0], grey = 0.0 }").starts_with("steps[0].poisson_noise.scale"));
    assert!(
        step("resize = { of = 'lr', factor = { exactly = 1 }, kernels = [] }").starts_with("steps[0].resize.kernels")
    );
    assert!(step("decimate = { factor = 1, sigma = [1, 2] }").starts_with("steps[0].decimate.factor"));
    assert!(step("blur = { kernels = [] }").starts_with("steps[0].blur.kernels.probability"));
    let blur = |size: &str, family: &str| {
        step(&format!("blur = {{ kernels = [{{ probability = 1, size = {size}, family = {family} }}] }}"))
    };
    assert!(blur("[7, 20]", "'delta'").starts_with("steps[0].blur.kernels[0].size: expected odd numbers"));
    let beta = blur("[7, 21]", "{ plateau = { spread = { isotropic = [1, 2] }, beta = [1.5, 2] } }");
    assert!(beta.starts_with("steps[0].blur.kernels[0].family.plateau.beta: expected 1 inside"), "{beta}");
    let often = step("one_of = [{ probability = 0.8, steps = [] }, { probability = 0.4, steps = [] }]");
    assert!(often.starts_with("steps[0].one_of.probability: expected probabilities"), "{often}");
    let nested = step("one_of = [{ probability = 1, steps = [{ shuffle = [{ jpeg = { quality = [0, 1] } }] }] }]");
    assert!(nested.starts_with("steps[0].one_of[0].steps[0].shuffle[0].jpeg.quality"), "{nested}");
    assert!(error("steps = []\nsharpen = { weight = 0.5, radius = 1, threshold = 10 }").starts_with("sharpen.radius"));
}

#[test]
fn pictures_that_do_not_fit_are_errors() {
    let error = |hr: &Planes, scale, steps: Vec<Step>| {
        degrade(&Config { sharpen: None, steps }, hr, scale, draws(0, 0, 0)).unwrap_err().to_string()
    };
    assert!(error(&picture(8, 9), 4, vec![]).contains("expected a multiple of the scale (4, at least 1), found 9"));
    assert!(error(&picture(8, 8), 0, vec![]).contains("at least 1"));
    assert!(
        error(&picture(8, 8), 4, vec![]).starts_with("steps: expected steps that end at the size of the LR picture")
    );
    let broken = Planes { values: vec![0.0; 5], ..picture(8, 8) };
    assert!(error(&broken, 4, vec![]).contains("found 5 values"));
}
