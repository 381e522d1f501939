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
