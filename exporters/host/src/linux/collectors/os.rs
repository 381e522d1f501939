//! The distribution, from os-release. Read once a minute.

use std::{path::PathBuf, sync::Arc};

use aura_model::{Context, Metric, Missing, Reason, rows};
use jiff::civil::Date;
use serde::Serialize;

use super::Collector;
use crate::{
    HostOptions,
    linux::kernel::{every::Seldom, file::Buffer},
};

/// No distribution's file is larger.
const LARGEST: u64 = 64 << 10;

/// What os-release says; empty where it says nothing.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the fields of os-release(5)")]
pub struct Os {
    pub build_id: String,
    pub id: String,
    pub id_like: String,
    pub image_id: String,
    pub image_version: String,
    pub name: String,
    pub pretty_name: String,
    pub variant: String,
    pub variant_id: String,
    pub version: String,
    pub version_codename: String,
    pub version_id: String,
    pub support_end: String,
}

pub(super) const METRICS: &[Metric<Arc<Os>>] = rows! { |os|
    for Os {
        build_id, id, id_like, image_id, image_version, name, pretty_name, variant, variant_id, version, version_codename,
        version_id, ..
    } in [&**os] => {
        build_id, id, id_like, image_id, image_version, name, pretty_name, variant, variant_id, version, version_codename,
        version_id
    } {
        gauge "node_os_info" = 1,
            "A metric with a constant '1' value labeled by build_id, id, id_like, image_id, image_version, name, \
             pretty_name, variant, variant_id, version, version_codename, version_id.";
    }
    gauge "node_os_support_end_timestamp_seconds" in Seconds = os.support_end(),
        "Metric containing the end-of-life date timestamp of the OS.";
    for Os { id, id_like, name, .. } in [&**os] => { id, id_like, name } {
        gauge "node_os_version" = os.major_minor(), "Metric containing the major.minor part of the OS version.";
    }
};

pub(super) struct Reader {
    files: [PathBuf; 2],
    kept: Seldom<Os>,
}

impl Collector for Reader {
    type Reading = Arc<Os>;

    fn open(_: &HostOptions, context: &Context) -> Self {
        Self {
            files: ["etc/os-release", "usr/lib/os-release"].map(|file| context.paths.rootfs.join(file)),
            kept: Seldom::seconds(60),
        }
    }

    fn read(&mut self, _: &mut Buffer) -> Result<Arc<Os>, Missing> {
        self.kept.get(|| {
            let [etc, lib] = &self.files;
            match read(etc) {
                Err(missing) if missing.reason == Reason::NoSensor => read(lib),
                other => other,
            }
        })
    }
}

fn read(path: &std::path::Path) -> Result<Os, Missing> {
    use std::io::Read;
    let mut text = Vec::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(LARGEST).read_to_end(&mut text))
        .map_err(|error| Missing::from_io(path, &error))?;
    Ok(parse(&String::from_utf8_lossy(&text)))
}

fn parse(text: &str) -> Os {
    let mut os = Os::default();
    for line in text.lines() {
        let Some((key, value)) = line.trim().split_once('=') else { continue };
        let field = match key {
            "BUILD_ID" => &mut os.build_id,
            "ID" => &mut os.id,
            "ID_LIKE" => &mut os.id_like,
            "IMAGE_ID" => &mut os.image_id,
            "IMAGE_VERSION" => &mut os.image_version,
            "NAME" => &mut os.name,
            "PRETTY_NAME" => &mut os.pretty_name,
            "VARIANT" => &mut os.variant,
            "VARIANT_ID" => &mut os.variant_id,
            "VERSION" => &mut os.version,
            "VERSION_CODENAME" => &mut os.version_codename,
            "VERSION_ID" => &mut os.version_id,
            "SUPPORT_END" => &mut os.support_end,
            _ => continue,
        };
        *field = unquote(value);
    }
    os
}

/// Values are quoted as a shell does it.
fn unquote(value: &str) -> String {
    let value = value.trim();
    let Some(inner) = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
        return value.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')).unwrap_or(value).to_owned();
    };
    let mut plain = String::with_capacity(inner.len());
    let mut letters = inner.chars();
    while let Some(letter) = letters.next() {
        plain.extend(if letter == '\\' { letters.next() } else { Some(letter) });
    }
    plain
}

impl Os {
    /// `22.04` of `22.04.3`; missing when the version is none or 0.
    fn major_minor(&self) -> Option<f64> {
        let digits = |text: &str| text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let major = digits(&self.version_id);
        let minor = self.version_id[major..].strip_prefix('.').map_or(0, |rest| digits(rest) + 1);
        if major == 0 { None } else { self.version_id[..major + minor].parse().ok().filter(|&version| version > 0.0) }
    }

    fn support_end(&self) -> Option<i64> {
        let date: Date = self.support_end.parse().ok()?;
        date.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|midnight| midnight.timestamp().as_second())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::linux::testing;

    #[test]
    fn a_file_with_every_kind_of_quotes() {
        let os = parse(
            "NAME=Fedora\\ Linux\nPRETTY_NAME=\"A \\\"fine\\\" one\"\n# VERSION=no\nVERSION='41 (Server)'\nID=fedora\n\
             VERSION_ID=41.2.7\nSUPPORT_END=2025-11-19\nUNKNOWN=x\nID_LIKE\n",
        );
        insta::assert_snapshot!(testing::text(METRICS, &Arc::new(os)));
    }

    #[test]
    fn versions() {
        for (text, expected) in [
            ("12", Some(12.0)),
            ("22.04", Some(22.04)),
            ("8.9.1", Some(8.9)),
            ("rolling", None),
            ("", None),
            ("7.", Some(7.0)),
        ] {
            assert_eq!(Os { version_id: text.into(), ..Os::default() }.major_minor(), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_quoted_value_comes_back(value in "[ -~]{0,20}") {
            let quoted: String = value.chars().flat_map(|c| {
                let escape = "\"\\$`".contains(c).then_some('\\');
                escape.into_iter().chain([c])
            }).collect();
            prop_assert_eq!(parse(&format!("NAME=\"{quoted}\"\n")).name, value);
        }
    }
}
