//! The binary from outside: what it prints where, and its exit codes.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

fn aura(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_aura"));
    command.args(arguments).env_clear().env("XDG_CONFIG_HOME", folder).current_dir(folder).output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn a_wrong_configuration_is_exit_code_2_with_the_place_and_nothing_on_standard_output() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("wrong.yaml"), "web:\n  max_request: 3\n").unwrap();
    let expected = "wrong.yaml:2:3: web.max_request: unknown key; did you mean \"max_requests\"?\n";
    for arguments in [
        &["check", "wrong.yaml"][..],
        &["check", "--config.file=wrong.yaml"],
        &["config", "show", "--config.file", "wrong.yaml"],
    ] {
        let output = aura(folder.path(), arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert_eq!(text(&output.stderr), expected, "{arguments:?}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
    }
    for arguments in [&["check", "absent.yaml"][..], &["--no-such-flag"], &["check", "--web.listen-address=0.0.0.0:1"]]
    {
        let output = aura(folder.path(), arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(!output.stderr.is_empty(), "{arguments:?}");
    }
}

#[test]
fn the_usual_place_is_found_and_a_web_configuration_lies_beside_the_file_that_names_it() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("aura")).unwrap();
    fs::write(folder.path().join("aura/aura.yaml"), "web: {listen_address: ':1', config_file: web.yaml}\n").unwrap();
    let output = aura(folder.path(), &["check"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("aura/web.yaml: cannot be opened"), "{}", text(&output.stderr));
    let users = "basic_auth_users: {ada: $2y$04$TRfyM0y4TZ5Q0Dr5KFqr0uF8MrJbWSy2uDA5VSvbBN0XfJKz8kGDK}\n";
    fs::write(folder.path().join("aura/web.yaml"), users).unwrap();
    let output = aura(folder.path(), &["check"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("aura/aura.yaml: the configuration is in order"));
}

#[test]
fn the_printed_example_is_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let example = aura(folder.path(), &["config", "example"]);
    fs::write(folder.path().join("example.yaml"), &example.stdout).unwrap();
    let output = aura(folder.path(), &["check", "example.yaml"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
}

#[test]
fn completions_and_manual_page_know_the_flags() {
    let folder = tempfile::tempdir().unwrap();
    for arguments in [&["generate", "completions", "bash"][..], &["generate", "man"]] {
        let output = aura(folder.path(), arguments);
        assert!(output.status.success());
        // roff writes a hyphen as \-.
        let plain = text(&output.stdout).replace('\\', "");
        assert!(plain.contains("--web.listen-address"), "{arguments:?}");
    }
}
