//! The table's place in `docs/benchmarks.md`, with the machine that it was measured on.

use std::{fmt::Write as _, fs, path::Path, process::Command};

use anyhow::{Context as _, Result};

use crate::process::{agent_binary, node_exporter_binary, postgres_exporter_binary};

const BEGIN: &str = "<!-- written by `make bench` -->\n";
const END: &str = "<!-- end of what `make bench` writes -->\n";

/// Replaces what the last run wrote.
pub(crate) fn write(table: &str) -> Result<()> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/benchmarks.md");
    let page = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let (before, rest) = page.split_once(BEGIN).context("the mark of the beginning is gone")?;
    let (_, after) = rest.split_once(END).context("the mark of the end is gone")?;
    fs::write(&path, format!("{before}{BEGIN}\n{}\n{table}\n{END}{after}", machine()?))?;
    Ok(())
}

fn machine() -> Result<String> {
    let mut text = String::new();
    let cpuinfo = fs::read_to_string("/proc/cpuinfo")?;
    let field = |name: &str| cpuinfo.lines().find(|line| line.starts_with(name))?.split(": ").nth(1);
    let processor = field("model name").unwrap_or("unknown processor");
    let cores = std::thread::available_parallelism()?;
    let os = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let os =
        os.lines().find_map(|line| line.strip_prefix("PRETTY_NAME=")).unwrap_or("unknown system").trim_matches('"');
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease")?;
    writeln!(text, "- Machine: {cores} cores of {processor}; {os}, Linux {}", kernel.trim())?;
    writeln!(text, "- Aura: {}", version(&agent_binary()?)?)?;
    for peer in [node_exporter_binary(), postgres_exporter_binary()].into_iter().flatten() {
        writeln!(text, "- Peer: {}", version(&peer)?)?;
    }
    let load = fs::read_to_string("/proc/loadavg")?;
    let date = Command::new("date").args(["-u", "+%F %H:%M UTC"]).output()?;
    let load = load.split(' ').take(3).collect::<Vec<_>>().join(" ");
    writeln!(text, "- Measured: {}, load averages at the end: {load}", String::from_utf8_lossy(&date.stdout).trim())?;
    Ok(text)
}

/// The first line of `--version`.
fn version(program: &Path) -> Result<String> {
    let output = Command::new(program).arg("--version").output()?;
    let text = if output.stdout.is_empty() { output.stderr } else { output.stdout };
    Ok(String::from_utf8_lossy(&text).lines().next().unwrap_or("unknown").to_owned())
}
