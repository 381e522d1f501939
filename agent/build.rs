//! Puts the commit into the version, and what runs side by side in the binary.

use std::{env, path::Path, process::Command};

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let commit = git(&["rev-parse", "--short=12", "HEAD"]);
    // Grows with every commit and checkout.
    if let Some(log) = git(&["rev-parse", "--git-path", "logs/HEAD"]).filter(|path| Path::new(path).exists()) {
        println!("cargo:rerun-if-changed={log}");
    }
    println!("cargo:rustc-env=AURA_COMMIT={}", commit.as_deref().unwrap_or("unknown"));
    order();
}

/// Of the binary's functions a quarter runs in an agent's life. They lie scattered, and the system maps 64 KiB around
/// each that is touched, which is nearly everything. `order.ld` has them put side by side, see
/// `docs/decisions/0010-what-runs-lies-together.md`. Only where the toolchain's own linker is used: another one may not
/// understand it, and the binary is the same without.
fn order() {
    println!("cargo:rerun-if-changed=order.ld");
    let is = |name: &str, value: &str| env::var(name).is_ok_and(|found| found == value);
    let flags = env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    let other_linker = env::var_os("RUSTC_LINKER").is_some() || flags.contains("link") || flags.contains("fuse-ld");
    let toolchains_linker = is("TARGET", "x86_64-unknown-linux-gnu") && !other_linker;
    if is("PROFILE", "release") && toolchains_linker {
        let folder = env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
        println!("cargo:rustc-link-arg-bin=aura=-Wl,-T,{folder}/order.ld");
    }
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok().filter(|output| output.status.success())?;
    let text = String::from_utf8(output.stdout).ok()?;
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}
