//! Programs that the tests need beside Rust.

use std::{
    env,
    fs::OpenOptions,
    io::{Write, stderr},
    path::{Path, PathBuf},
    thread,
};

/// Where a program is. Without it the test is skipped.
///
/// # Panics
/// When nothing may be skipped.
#[must_use]
pub fn needs(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let system = ["/usr/sbin", "/usr/bin"].map(PathBuf::from);
    found(program, env::split_paths(&path).chain(system).map(|folder| folder.join(program)).find(|path| path.is_file()))
}

/// The folder of the newest PostgreSQL's programs, as Debian installs them.
pub(crate) fn postgres() -> Option<PathBuf> {
    found("PostgreSQL's server", POSTGRES_VERSIONS.into_iter().rev().map(debians_postgres).find(|it| is_postgres(it)))
}

/// The folder of this version's programs: Debian's, or else the one that `tests/tools` has installed, which has servers and no clients.
pub(crate) fn postgres_version(major: u32) -> Option<PathBuf> {
    let cache = if rustix::process::geteuid().is_root() {
        PathBuf::from("/var/cache")
    } else {
        let home = || env::home_dir().unwrap_or_default().join(".cache");
        env::var_os("XDG_CACHE_HOME").map_or_else(home, PathBuf::from)
    };
    let folders = [debians_postgres(major), cache.join(format!("aura-agent/postgres/{major}/bin"))];
    found(&format!("PostgreSQL {major} (make tools)"), folders.into_iter().find(|it| is_postgres(it)))
}

/// The versions that are supported, oldest first.
pub const POSTGRES_VERSIONS: [u32; 6] = [13, 14, 15, 16, 17, 18];

fn debians_postgres(major: u32) -> PathBuf {
    PathBuf::from(format!("/usr/lib/postgresql/{major}/bin"))
}

fn is_postgres(folder: &Path) -> bool {
    folder.join("initdb").is_file()
}

/// The Python that has the packages of `tests/requirements.txt`.
#[must_use]
pub fn python() -> Option<PathBuf> {
    let python = target().join("tools/bin/python3");
    found("the PyPI packages of tests/requirements.txt (make tools)", python.is_file().then_some(python))
}

/// Ollama's simulator, where it and its engine are built.
pub(crate) fn simulator() -> Option<PathBuf> {
    let programs = ["aura-ollama-simulator", "llama-server"].map(|name| profile().join(name));
    let are_built = programs.iter().all(|program| program.is_file());
    let [simulator, _] = programs;
    found("the simulator (cargo build --package aura-ollama-simulator)", are_built.then_some(simulator))
}

fn found(what: &str, found: Option<PathBuf>) -> Option<PathBuf> {
    if found.is_none() {
        skip(what);
    }
    found
}

/// Says that the running test is skipped for want of this; where nothing may be skipped (`AURA_TEST_STRICT`) it fails. Runners
/// count such a test as passed and show nothing of it, so that it goes into a file of `tests/cargo`, which does better.
///
/// # Panics
/// When nothing may be skipped.
pub fn skip(what: &str) {
    assert!(env::var_os("AURA_TEST_STRICT").is_none_or(|strict| strict.is_empty()), "this test needs {what}");
    let program = env::current_exe().unwrap_or_default();
    let program = program.file_stem().unwrap_or_default().to_string_lossy();
    let (program, _) = program.rsplit_once('-').unwrap_or((&program, ""));
    let thread = thread::current();
    let line = format!("skipped: test {program}::{} needs {what}\n", thread.name().unwrap_or_default());
    // In one write, as others write too.
    let _ = match env::var_os("AURA_TEST_SKIPPED") {
        Some(file) => OpenOptions::new().append(true).open(file).and_then(|mut file| file.write_all(line.as_bytes())),
        None => stderr().write_all(line.as_bytes()),
    };
}

/// The binary under test: `AURA_BIN`, or the one that was built with the running test.
#[must_use]
pub fn aura() -> PathBuf {
    env::var_os("AURA_BIN").map_or_else(|| profile().join("aura"), PathBuf::from)
}

/// `target/debug/`, say: a test runs in `target/debug/deps/`.
fn profile() -> PathBuf {
    let test = env::current_exe().expect("a running program has a path");
    test.ancestors().nth(2).map_or_else(PathBuf::new, Path::to_path_buf)
}

fn target() -> PathBuf {
    profile().parent().map_or_else(PathBuf::new, Path::to_path_buf)
}
