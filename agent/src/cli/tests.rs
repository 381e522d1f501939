use std::{fs, path::Path};

use clap::{CommandFactory, Parser};

use super::*;
use crate::config::{Config, reference};

fn parse(line: &str) -> Arguments {
    Arguments::try_parse_from(line.split(' ')).unwrap_or_else(|error| panic!("{line}: {error}"))
}

#[test]
fn the_table_makes_a_sound_parser() {
    Arguments::command().debug_assert();
}

#[test]
fn node_exporters_command_line_works() {
    let line = "aura --web.listen-address=:9100 --web.listen-address=[::1]:9101 --path.procfs=/host/proc \
                --path.sysfs /host/sys --web.allow-unauthenticated --log.level=debug --log.format=logfmt";
    let arguments = parse(&line.split_whitespace().collect::<Vec<_>>().join(" "));
    assert_eq!(arguments.command, None);
    let Ok(loaded) = Config::load(&arguments.overrides, &[]) else { panic!("refused") };
    let web = loaded.config.web;
    assert_eq!(web.listen_address.iter().map(ToString::to_string).collect::<Vec<_>>(), [":9100", "[::1]:9101"]);
    assert!(web.allow_unauthenticated);
    assert_eq!(loaded.config.paths.procfs, Path::new("/host/proc"));
    assert_eq!(loaded.typed.origin_of("log.level").to_string(), "--log.level");
}

#[test]
fn a_flag_of_node_exporters_collectors_is_refused_with_what_to_write_instead() {
    for (flag, expected) in [
        ("--collector.zfs", "zfs is not read by this agent"),
        ("--no-collector.wifi", "wifi is not read by this agent"),
        ("--collector.diskstats.device-exclude=^x$", "sources.host.collectors.enable"),
        ("--no-collector.hwmon", "sources.host.collectors.enable"),
    ] {
        let error = Arguments::try_parse_from(["aura", flag]).unwrap_err();
        assert!(hint(&error).is_some_and(|hint| hint.contains(expected)), "{flag}: {error}");
    }
    assert_eq!(hint(&Arguments::try_parse_from(["aura", "--moon"]).unwrap_err()), None);
}

#[test]
fn flags_may_stand_before_and_behind_the_command() {
    for line in ["aura --log.level=warn sample host", "aura sample host --log.level=warn"] {
        let arguments = parse(line);
        assert_eq!(arguments.overrides.flags[0].values, ["warn"], "{line}");
        let Some(Command::Sample(sample)) = arguments.command else { panic!("{line}") };
        assert_eq!(sample.sources, ["host"]);
    }
    assert!(Arguments::try_parse_from(["aura", "sample", "moon"]).is_err());
}

#[test]
fn a_bad_flag_is_named() {
    let arguments = parse("aura --web.max-requests=many");
    let Err(problems) = Config::load(&arguments.overrides, &[]) else { panic!("accepted") };
    let expected = "--web.max-requests: web.max_requests: expected a whole number, 0 or more, found text";
    assert_eq!(problems.to_string(), expected);
}

#[test]
fn every_flag_sets_a_key_that_exists() {
    let keys = reference::defaults(&Config::default()).keys();
    let flags = Arguments::command();
    let named = flags.get_arguments().filter(|argument| argument.get_id().as_str().contains('.'));
    let mut checked = 0;
    for argument in named.filter(|argument| argument.get_id() != "config.file") {
        assert!(keys.iter().any(|key| key == argument.get_id().as_str()), "{} sets nothing", argument.get_id());
        checked += 1;
    }
    assert!(checked > 10);
}

/// `cargo run -- generate docs docs` writes them anew.
#[test]
fn the_committed_documents_are_what_the_types_give() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
    for (name, text) in generate::generated() {
        let committed = fs::read_to_string(folder.join(name)).unwrap_or_default();
        assert!(committed == text, "docs/{name} is out of date: cargo run -- generate docs docs");
    }
}
