//! The flags that set a key of the configuration, under the names that node_exporter's users know. One line each
//! makes the parser, the help, the completions and the reference.

use clap::{Arg, ArgAction, ArgMatches, Args, Command, Error, FromArgMatches, ValueHint, builder::ValueParser};

use super::{Override, Overrides};

const FILE: &str = "config.file";
const HEADING: &str = "Settings";

const FLAGS: &[Flag] = &[
    Flag::one("--web.listen-address", "web.listen_address", "ADDRESS", "Address to listen on; may be repeated").many(),
    Flag::one("--web.config.file", "web.config_file", "FILE", "Web configuration: TLS and users"),
    Flag::one("--web.telemetry-path", "web.telemetry_path", "PATH", "Path of the metrics"),
    Flag::one("--web.max-requests", "web.max_requests", "NUMBER", "Scrapes answered at once; 0 is no limit"),
    Flag::one("--web.allow-unauthenticated", "web.allow_unauthenticated", "BOOL", "Answer strangers who reach it")
        .switch(),
    Flag::one("--path.procfs", "paths.procfs", "PATH", "Where procfs is mounted"),
    Flag::one("--path.sysfs", "paths.sysfs", "PATH", "Where sysfs is mounted"),
    Flag::one("--path.rootfs", "paths.rootfs", "PATH", "Where the watched file systems begin"),
    Flag::one("--path.udev.data", "paths.udev", "PATH", "Where udev has its database"),
    Flag::one(
        "--collector.textfile.directory",
        "sources.host.textfile.directory",
        "PATH",
        "Where *.prom files are read",
    ),
    Flag::one("--storage.path", "storage.path", "PATH", "The one folder that is written to"),
    Flag::one("--log.level", "log.level", "LEVEL", "error, warn, info, debug or trace"),
    Flag::one("--log.format", "log.format", "FORMAT", "text or json"),
];

/// The flag that sets a key, if there is one.
pub(super) fn flag_of(path: &str) -> Option<&'static str> {
    FLAGS.iter().find(|flag| flag.path == path).map(|flag| flag.name)
}

struct Flag {
    name: &'static str,
    path: &'static str,
    value: &'static str,
    help: &'static str,
    many: bool,
    switch: bool,
}

impl Flag {
    const fn one(name: &'static str, path: &'static str, value: &'static str, help: &'static str) -> Self {
        Self { name, path, value, help, many: false, switch: false }
    }

    const fn many(self) -> Self {
        Self { many: true, ..self }
    }

    const fn switch(self) -> Self {
        Self { switch: true, ..self }
    }

    fn argument(&self) -> Arg {
        let hint = match self.value {
            "FILE" => ValueHint::FilePath,
            "PATH" => ValueHint::AnyPath,
            _ => ValueHint::Other,
        };
        let argument = Arg::new(self.path)
            .long(self.name.trim_start_matches('-'))
            .value_name(self.value)
            .help(self.help)
            .value_hint(hint)
            .action(if self.many { ArgAction::Append } else { ArgAction::Set })
            .help_heading(HEADING)
            .global(true);
        if self.switch { argument.num_args(0..=1).require_equals(true).default_missing_value("true") } else { argument }
    }
}

impl Args for Overrides {
    fn augment_args(command: Command) -> Command {
        let file = Arg::new(FILE)
            .long(FILE)
            .value_name("FILE")
            .help("The configuration file, instead of the usual places")
            .value_parser(ValueParser::path_buf())
            .value_hint(ValueHint::FilePath)
            .help_heading(HEADING)
            .global(true);
        command.arg(file).args(FLAGS.iter().map(Flag::argument))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Overrides {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let given = |flag: &'static Flag| {
            let values = matches.get_many::<String>(flag.path)?.cloned().collect();
            Some(Override { flag: flag.name, path: flag.path, values })
        };
        Ok(Self { file: matches.get_one(FILE).cloned(), flags: FLAGS.iter().filter_map(given).collect() })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}
