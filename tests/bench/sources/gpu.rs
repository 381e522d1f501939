//! Two cards of a stand-in for NVIDIA's library, whose calls cost next to nothing: what is left is the agent's own.

use std::{fs, path::Path, process::Command, thread, time::Duration};

use anyhow::{Result, ensure};

use super::{Only, each_second};
use crate::table::{Pairs, Row, Target};

pub(crate) fn measure(rows: &mut Vec<Row>) -> Result<()> {
    const SLICES: usize = 9;
    const SECONDS: u32 = 5;
    let what = "two GPUs once a second, nobody asks: CPU a second";
    let folder = tempfile::tempdir()?;
    let Some(library) = stand_in(folder.path())? else {
        rows.push(Row::skipped(what, "a C compiler"));
        return Ok(());
    };
    let only = Only::start("gpu", &format!("nvml_library: {library}"))?;
    only.agent.wait_for("/metrics/gpu", "DCGM_FI_DEV_GPU_TEMP")?;
    let mut spent = Pairs::default();
    for _ in 0..SLICES {
        let before = only.agent.cpu()?;
        thread::sleep(Duration::from_secs(SECONDS.into()));
        spent.add(each_second(only.agent.cpu()? - before, SECONDS), 1.0);
    }
    rows.push(Row::alone(what, "ms", spent.ours(), Target::None));
    Ok(())
}

/// No file is looked for, and waiting for events costs nothing.
const QUIET: &str = r#"#include <dlfcn.h>
#include <stdio.h>
#include <unistd.h>
#define dladdr(address, info) ((info)->dli_fname = "/")
#define fopen(path, mode) ((FILE *)0)
#define usleep(time) usleep(100 * (time))
"#;

/// The tests' library, but it does not look at each call for a file that says what goes wrong.
fn stand_in(folder: &Path) -> Result<Option<String>> {
    let source = folder.join("nvml.c");
    let stub = include_str!("../../../exporters/gpu/tests/stub/nvml.c");
    // The macro for GNU's functions must stand before the first header.
    fs::write(&source, format!("#define _GNU_SOURCE\n{QUIET}#undef _GNU_SOURCE\n{stub}"))?;
    let library = folder.join("libnvidia-ml.so.1");
    let compiler =
        Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).arg(&source).arg("-ldl").status();
    let Ok(status) = compiler else { return Ok(None) };
    ensure!(status.success(), "the stand-in for NVIDIA's library does not compile");
    Ok(Some(library.display().to_string()))
}
