//! Each source's far side dies, hangs, answers garbage and comes back, while one agent watches all six: the broken
//! source says so and shows nothing, all others keep their pace, and the agent stops when it is told to.

mod fault;
mod watch;
mod world;

use std::{env, time::Duration};

use aura_tests::{Control, Random};
use rustix::process::Signal;

use self::{
    fault::Fault,
    watch::{Look, SOURCES, Watch},
    world::{INTERVAL, World},
};

/// A fault is seen within this time, and its end as well, on the busiest machine; nothing is measured with it. An attempt may be
/// as far away as the fault lasted, by exponential backoff.
const SEEN: Duration = Duration::from_secs(120);

fn others(than: &str) -> Vec<&'static str> {
    SOURCES.into_iter().filter(|source| *source != than).collect()
}

/// All faults of one source, one after the other, under one agent. Another one each time is stopped under the fault.
fn suffer(faults: &[Fault]) {
    let Some(mut world) = World::new() else { return };
    let control = Control::start(INTERVAL);
    let watched = world.agent();
    let mut watch = Watch::over(&watched, &control);
    for &fault in faults {
        eprintln!("{fault:?}");
        let source = fault.source();
        let mut other = world.agent();
        let before = all_well(&mut watch);
        Watch::over(&other, &control).until("the other is well", SEEN, |look| fault::is_well(source, look));

        fault.inject(&mut world, &[&watched, &other]);
        watch.until(&format!("{fault:?} is seen"), SEEN, |look| fault.is_shown(look));
        // Long enough for a pace to show.
        let broken = watch.until("some readings of the control", SEEN, |look| {
            if look.control >= before.control + 8.0 { Ok(()) } else { Err(look.control.to_string()) }
        });
        fault.is_shown(&broken).unwrap_or_else(|why| panic!("{fault:?}: {why}"));
        for source in others(source) {
            fault::is_well(source, &broken).unwrap_or_else(|why| panic!("{fault:?}: {source}: {why}"));
        }
        watch.kept_pace(&before, &broken, &others(source));
        Watch::over(&other, &control).until("the other shows it", SEEN, |look| fault.is_shown(look));
        stops(&mut other.agent, &format!("{fault:?}"));

        fault.mend(&mut world, &[&watched]);
        let after = all_well(&mut watch);
        watch.kept_pace(&broken, &after, &others(source));
        let written = world.writer.lines();
        let counted = watch.until("every line is counted", SEEN, |look| {
            if fault::counted_lines(look) >= written as f64 { Ok(()) } else { Err(format!("{written} lines")) }
        });
        assert!(fault::counted_lines(&counted) <= world.writer.lines() as f64, "{fault:?}: a line is counted twice");
    }
}

fn all_well(watch: &mut Watch<'_>) -> Look {
    watch.until("all is well", SEEN, |look| SOURCES.iter().try_for_each(|source| fault::is_well(source, look)))
}

fn stops(agent: &mut aura_tests::Agent, under: &str) {
    agent.signal(Signal::TERM);
    assert_eq!(agent.wait().code(), Some(0), "{under}");
}

#[test]
fn a_host_that_hangs_or_tells_nonsense_costs_its_own_section() {
    suffer(fault::HOST);
}

#[test]
fn a_gpu_that_hangs_is_lost_or_fails_costs_its_own_section() {
    suffer(fault::GPU);
}

#[test]
fn an_ollama_that_dies_hangs_or_talks_nonsense_costs_its_own_section() {
    suffer(fault::OLLAMA);
}

#[test]
fn a_postgres_that_dies_hangs_or_is_somebody_else_costs_its_own_section() {
    suffer(fault::POSTGRES);
}

#[test]
fn a_log_that_is_something_else_costs_its_own_section() {
    suffer(fault::AUDIT);
}

#[test]
fn role_files_that_are_half_or_something_else_cost_their_own_section() {
    suffer(fault::ROLES);
}

/// Faults of all sources come and go at random, several at once. What is well keeps its pace, what is broken says so,
/// and in the end all comes back.
#[test]
fn any_faults_at_once_leave_the_rest_at_work() {
    let steps = env::var("AURA_TEST_STEPS").ok().and_then(|steps| steps.parse().ok()).unwrap_or(40);
    let Some(mut world) = World::new() else { return };
    let mut random = Random::any();
    let control = Control::start(INTERVAL);
    let mut watched = world.agent();
    let mut watch = Watch::over(&watched, &control);
    let mut before = all_well(&mut watch);
    // What has happened to each source and how far the control was then, and what is well since the last step.
    let mut broken: Vec<(Fault, f64)> = Vec::new();
    let mut well = SOURCES.to_vec();
    for step in 0..steps {
        let (source, faults) = fault::ALL[random.below(fault::ALL.len())];
        if let Some(at) = broken.iter().position(|(fault, _)| fault.source() == source) {
            let (fault, _) = broken.swap_remove(at);
            eprintln!("{step}: {fault:?} is mended");
            fault.mend(&mut world, &[&watched]);
        } else {
            let fault = faults[random.below(faults.len())];
            eprintln!("{step}: {fault:?}");
            fault.inject(&mut world, &[&watched]);
            broken.push((fault, before.control));
            well.retain(|other| *other != source);
        }
        // Mending may take a while, so the look before is the one to count from.
        let after = watch.for_so_long(Duration::from_millis(800 + random.below(1600) as u64));
        watch.kept_pace(&before, &after, &well);
        for (fault, since) in &broken {
            let readings = after.control - since;
            if readings > 20.0 {
                fault.is_shown(&after).unwrap_or_else(|why| panic!("{fault:?}, {readings} readings ago: {why}"));
            }
        }
        for source in SOURCES.into_iter().filter(|source| broken.iter().all(|(fault, _)| fault.source() != *source)) {
            let now = fault::is_well(source, &after);
            if well.contains(&source) {
                now.unwrap_or_else(|why| panic!("{source} was well, and nothing happened to it: {why}"));
            } else if now.is_ok() {
                well.push(source);
            }
        }
        before = after;
    }
    for (fault, _) in broken.drain(..) {
        fault.mend(&mut world, &[&watched]);
    }
    all_well(&mut watch);
    let written = world.writer.lines() as f64;
    watch.until("every line is counted", SEEN, |look| {
        if fault::counted_lines(look) >= written { Ok(()) } else { Err(format!("{written} lines")) }
    });
    // All at once, and then the end.
    for faults in [fault::HOST, fault::GPU, fault::OLLAMA, fault::POSTGRES, fault::AUDIT, fault::ROLES] {
        faults[0].inject(&mut world, &[&watched]);
    }
    watch.for_so_long(Duration::from_secs(2));
    drop(watch);
    stops(&mut watched.agent, "everything is broken");
}
