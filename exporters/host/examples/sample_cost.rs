//! What a sample of this machine costs, collector by collector: user and system time of this thread's process, in
//! microseconds. `cargo run --release -p aura-host --example sample_cost [SAMPLES] [hot|cold]`: hot samples follow
//! each other, cold ones are taken once a second, as the agent takes them. A last line has all collectors together.

use std::{thread::sleep, time::Duration};

use aura_host::{CollectorOptions, Host, HostOptions};
use aura_model::{Context, Source};
use rustix::time::{ClockId, clock_gettime};

fn main() {
    let mut arguments = std::env::args().skip(1);
    let samples = arguments.next().and_then(|number| number.parse().ok()).unwrap_or(1000_u32);
    let cold = arguments.next().is_some_and(|word| word == "cold");
    let names: Vec<&str> = Host::groups().iter().map(|group| group.name).collect();
    for only in names.iter().copied().map(Some).chain([None]) {
        let disable = names.iter().filter(|&&name| only.is_some_and(|only| only != name));
        let collectors = CollectorOptions { disable: disable.map(|&name| name.into()).collect(), ..Default::default() };
        let options = HostOptions { collectors, ..Default::default() };
        let mut host = Host::open(&options, &Context::default()).expect("the host opens everywhere");
        let first = host.sample().expect("a sample");
        let missing = first.missing().filter(|(name, _)| Some(*name) == only).map(|(_, missing)| missing.to_string());
        let missing: String = missing.collect();
        let mut spent = Duration::ZERO;
        for _ in 0..samples {
            if cold {
                sleep(Duration::from_secs(1));
            }
            let before = used();
            drop(host.sample());
            spent += used() - before;
        }
        let each = spent / samples;
        println!("{:<14} {:>8.1} us  {missing}", only.unwrap_or("all"), each.as_secs_f64() * 1e6);
    }
}

/// CPU time of this thread.
fn used() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or_default())
}
