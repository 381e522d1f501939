use proptest::prelude::*;

use super::*;

fn model(name: &str) -> Model {
    Model { host: "127.0.0.1:11434".into(), name: name.into() }
}

fn work(name: &str, busy: bool, generated: f64) -> Work {
    Work { model: model(name), busy, tokens: Some(Tokens { prompt: 0.0, generated }) }
}

fn gpu(joules: f64) -> Device {
    Device { id: "GPU-1".into(), joules, read_at: 0.0, of: Some(vec![model("a"), model("b")]), others: false }
}

/// A look at a device that was read in the same moment.
fn look(at: f64, device: Device, models: Vec<Work>) -> Look {
    Look { at, devices: vec![Device { read_at: at, ..device }], models }
}

fn meter(looks: impl IntoIterator<Item = Look>) -> Sums {
    let mut meter = Meter::default();
    looks.into_iter().for_each(|look| meter.take(look));
    meter.sums().clone()
}

#[test]
fn what_a_model_computes_alone_is_its_own_and_the_rest_is_rest() {
    let sums = meter([
        look(0.0, gpu(0.0), vec![work("a", false, 0.0)]),
        look(1.0, gpu(20.0), vec![work("a", false, 0.0)]),
        look(2.0, gpu(100.0), vec![work("a", true, 0.0)]),
        look(3.0, gpu(300.0), vec![work("a", false, 50.0)]),
        look(4.0, gpu(320.0), vec![work("a", false, 50.0)]),
    ]);
    let device = &sums.devices["GPU-1"];
    assert_eq!((device.rest, device.rest_seconds, device.shared, device.others), (40.0, 2.0, 0.0, 0.0));
    let a = &sums.models[&model("a")];
    assert_eq!(a.alone["GPU-1"], (280.0, 2.0));
    assert_eq!((a.whole["GPU-1"], a.generated), ((280.0, 2.0), 50.0));
}

#[test]
fn what_several_compute_is_shared_and_no_token_is_reckoned_with_it() {
    let sums = meter([
        look(0.0, gpu(0.0), vec![work("a", false, 0.0), work("b", false, 0.0)]),
        look(1.0, gpu(10.0), vec![work("a", false, 0.0), work("b", false, 0.0)]),
        look(2.0, gpu(110.0), vec![work("a", true, 0.0), work("b", false, 0.0)]),
        look(3.0, gpu(310.0), vec![work("a", true, 0.0), work("b", true, 0.0)]),
        look(4.0, gpu(410.0), vec![work("a", false, 9.0), work("b", false, 9.0)]),
        look(5.0, gpu(420.0), vec![work("a", false, 9.0), work("b", false, 9.0)]),
    ]);
    assert_eq!(sums.devices["GPU-1"].shared, 300.0);
    assert_eq!(
        sums.models[&model("a")],
        ModelSums { alone: [("GPU-1".into(), (100.0, 1.0))].into(), ..Default::default() }
    );
    assert_eq!(sums.models[&model("b")].alone["GPU-1"], (0.0, 0.0));
}

#[test]
fn work_that_was_not_seen_from_its_beginning_gives_no_energy_a_token() {
    let sums = meter([
        look(0.0, gpu(0.0), vec![work("a", true, 0.0)]),
        look(1.0, gpu(100.0), vec![work("a", false, 50.0)]),
        look(2.0, gpu(110.0), vec![work("a", false, 50.0)]),
    ]);
    let a = &sums.models[&model("a")];
    assert_eq!((a.alone["GPU-1"].0, a.whole.len(), a.generated), (100.0, 0, 0.0));
}

#[test]
fn others_on_the_gpu_and_counters_that_begin_anew_cost_the_run_and_no_joule_is_invented() {
    let others = |joules| Device { others: true, ..gpu(joules) };
    let sums = meter([
        look(0.0, gpu(0.0), vec![work("a", false, 0.0)]),
        look(1.0, others(5.0), vec![work("a", false, 0.0)]),
        look(2.0, others(105.0), vec![work("a", true, 0.0)]),
        look(3.0, gpu(3.0), vec![work("a", true, 0.0)]),
        look(4.0, gpu(103.0), vec![work("a", false, 7.0)]),
        look(5.0, gpu(104.0), vec![work("a", false, 7.0)]),
        look(90.0, gpu(900.0), vec![work("a", false, 7.0)]),
    ]);
    let device = &sums.devices["GPU-1"];
    assert_eq!((device.others, device.shared, device.rest), (5.0, 100.0, 1.0));
    let a = &sums.models[&model("a")];
    assert_eq!((a.alone["GPU-1"].0, a.generated), (100.0, 0.0));
}

#[test]
fn a_gpu_that_is_not_used_rests_and_one_of_unknown_users_is_shared() {
    let second = |joules| Device { id: "GPU-2".into(), of: Some(Vec::new()), ..gpu(joules) };
    let third = |joules| Device { id: "GPU-3".into(), of: None, ..gpu(joules) };
    let at = |at, joules, busy| Look {
        at,
        devices: [gpu(joules), second(joules), third(joules)].map(|device| Device { read_at: at, ..device }).into(),
        models: vec![work("a", busy, 0.0)],
    };
    let sums = meter([at(0.0, 0.0, true), at(1.0, 50.0, true)]);
    assert_eq!(sums.models[&model("a")].alone["GPU-1"].0, 50.0);
    assert_eq!((sums.devices["GPU-2"].rest, sums.devices["GPU-3"].shared), (50.0, 50.0));
}

#[test]
fn a_device_that_is_read_seldom_is_shared_by_all_who_computed_since() {
    let read = |at, read_at, joules, busy: &str| {
        let device = Device { read_at, ..gpu(joules) };
        Look { at, devices: vec![device], models: ["a", "b"].map(|name| work(name, name == busy, 0.0)).into() }
    };
    let sums = meter([
        read(0.0, 0.0, 0.0, ""),
        read(1.0, 0.0, 0.0, "a"),
        read(2.0, 0.0, 0.0, "b"),
        read(3.0, 3.0, 900.0, "b"),
        read(4.0, 3.0, 900.0, "b"),
        read(5.0, 5.0, 1000.0, "b"),
    ]);
    assert_eq!(sums.devices["GPU-1"].shared, 900.0, "a and b computed in these seconds");
    assert_eq!(sums.models[&model("b")].alone["GPU-1"], (100.0, 2.0));
}

#[test]
fn what_is_counted_while_nobody_knows_who_computes_is_no_rest() {
    let mut meter = Meter::default();
    meter.take(look(0.0, gpu(0.0), vec![work("a", false, 0.0)]));
    meter.lose();
    meter.take(look(2.0, gpu(500.0), vec![work("a", false, 0.0)]));
    meter.take(look(3.0, gpu(510.0), vec![work("a", false, 0.0)]));
    assert_eq!((meter.sums().devices["GPU-1"].rest, meter.sums().devices["GPU-1"].rest_seconds), (10.0, 1.0));
}

proptest! {
    /// Nothing is lost and nothing invented, whoever computes when.
    #[test]
    fn the_parts_are_the_whole(steps in prop::collection::vec((0_u32..500, any::<(bool, bool, bool)>(), 0_u32..3), 1..60)) {
        let (mut joules, mut tokens) = (0.0, 0.0);
        let mut meter = Meter::default();
        for (number, (taken, (a, b, others), made)) in steps.iter().enumerate() {
            if number > 0 {
                joules += f64::from(*taken);
            }
            tokens += f64::from(*made);
            let device = Device { others: *others, ..gpu(joules) };
            meter.take(look(number as f64, device, vec![work("a", *a, tokens), work("b", *b, 0.0)]));
        }
        let sums = meter.sums();
        let device = sums.devices.get("GPU-1").cloned().unwrap_or_default();
        let alone: f64 = sums.models.values().flat_map(|model| model.alone.values()).map(|(joules, _)| joules).sum();
        prop_assert_eq!(device.rest + device.shared + device.others + alone, joules);
        for model in sums.models.values() {
            let whole: f64 = model.whole.values().map(|(joules, _)| joules).sum();
            prop_assert!(whole <= model.alone.values().map(|(joules, _)| joules).sum::<f64>());
            prop_assert!(model.generated <= tokens);
        }
    }
}
