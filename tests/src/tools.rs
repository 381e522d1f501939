//! Programs that the tests need beside Rust.

use std::{
    env,
    io::{Write, stderr},
    path::{Path, PathBuf},
};

/// Where a program is. Without it the test is skipped, with a line that says so; where nothing may be skipped
/// (`AURA_TEST_STRICT`) it fails.
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
    let folders = ["18", "17", "16", "15", "14", "13"].map(|version| format!("/usr/lib/postgresql/{version}/bin"));
    found("PostgreSQL's server", folders.into_iter().map(PathBuf::from).find(|folder| folder.join("initdb").is_file()))
}

/// The Python that has the packages of `tests/requirements.txt`.
#[must_use]
pub fn python() -> Option<PathBuf> {
    let python = target().join("tools/bin/python3");
    found("the PyPI packages of tests/requirements.txt (make tools)", python.is_file().then_some(python))
}

fn found(what: &str, found: Option<PathBuf>) -> Option<PathBuf> {
    if found.is_none() {
        assert!(env::var_os("AURA_TEST_STRICT").is_none_or(|strict| strict.is_empty()), "this test needs {what}");
        // Written past the test runner, which shows only what failing tests print.
        let _ = writeln!(stderr(), "skipped: needs {what}");
    }
    found
}

/// The binary under test: `AURA_BIN`, or the one that was built with the running test.
pub(crate) fn aura() -> PathBuf {
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
