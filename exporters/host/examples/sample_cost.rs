//! What samples of this machine cost: each collector's share in microseconds, and the CPU time of all together.
//! `cargo run --release -p aura-host --example sample_cost [SAMPLES] [MILLISECONDS]`: so many samples, so long apart.
//! Samples that follow each other find the caches warm; those a second apart, as the agent takes them, do not.

use std::{thread::sleep, time::Duration};

use aura_host::{Host, HostOptions};
use aura_model::{Context, Source};
use rustix::time::{ClockId, clock_gettime};

fn main() {
    let mut arguments = std::env::args().skip(1).map(|number| number.parse().expect("a number"));
    let samples = arguments.next().unwrap_or(1000_u32);
    let apart = Duration::from_millis(arguments.next().unwrap_or(0).into());
    let mut host = Host::open(&HostOptions::default(), &Context::default()).expect("the host opens everywhere");
    // What is looked up once is not what a sample costs.
    let first = host.sample().expect("a sample");
    let mut shares: Vec<(&str, Duration)> = first.health.iter().map(|row| (row.group, Duration::ZERO)).collect();
    let mut spent = Duration::ZERO;
    for _ in 0..samples {
        sleep(apart);
        let before = used();
        let reading = host.sample().expect("a sample");
        spent += used() - before;
        for ((_, share), row) in shares.iter_mut().zip(&reading.health) {
            *share += row.duration;
        }
    }
    let each = |total: Duration| (total / samples).as_secs_f64() * 1e6;
    for (group, share) in shares {
        println!("{group:<14} {:>8.1} us", each(share));
    }
    println!("{:<14} {:>8.1} us of CPU", "all", each(spent));
}

/// CPU time of this thread.
fn used() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or_default())
}
