//! What samples of this machine's GPUs cost, in microseconds of CPU and of time that went by.
//! `cargo run --release -p aura-gpu --example gpu_sample_cost [SAMPLES] [MILLISECONDS] [ROOT] [watched]`: so many samples, so
//! long apart. With ROOT, the files are those of ROOT/proc and ROOT/sys, and NVIDIA's library is
//! ROOT/libnvidia-ml.so.1: a recorded tree, or the tests' stand-in. `watched`: as while somebody looks at the page.

use std::{
    path::PathBuf,
    thread::sleep,
    time::{Duration, Instant},
};

use aura_gpu::{GpuOptions, Gpus};
use aura_model::{Context, Paths, Source};
use rustix::time::{ClockId, clock_gettime};

fn main() {
    let mut arguments = std::env::args().skip(1);
    let samples: u32 = arguments.next().map_or(100, |number| number.parse().expect("a number"));
    let apart = Duration::from_millis(arguments.next().map_or(0, |number| number.parse().expect("a number")));
    let root = arguments.next().map(PathBuf::from);
    let nvml_library = root.as_ref().map(|root| root.join("libnvidia-ml.so.1"));
    let paths = root.map_or_else(Paths::default, |root| Paths {
        procfs: root.join("proc"),
        sysfs: root.join("sys"),
        ..Paths::default()
    });
    let context = Context::new(paths);
    context.set_watched(arguments.next().is_some());
    let mut gpus = Gpus::open(&GpuOptions { nvml_library, ..GpuOptions::default() }, &context)
        .unwrap_or_else(|why| panic!("{why}"));
    // What is looked up once is not what a sample costs.
    for said in Gpus::describe(&gpus.sample().expect("a sample")) {
        println!("{said}");
    }
    let (mut spent, mut passed, mut longest) = (Duration::ZERO, Duration::ZERO, Duration::ZERO);
    for _ in 0..samples {
        sleep(apart);
        let (before, begun) = (used(), Instant::now());
        gpus.sample().expect("a sample");
        let cost = used() - before;
        spent += cost;
        longest = longest.max(cost);
        passed += begun.elapsed();
    }
    let each = |total: Duration| (total / samples).as_secs_f64() * 1e6;
    println!(
        "{:.0} us of CPU a sample (at most {:.0}), {:.0} us long",
        each(spent),
        each(longest * samples),
        each(passed)
    );
}

/// CPU time of this thread.
fn used() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or_default())
}
