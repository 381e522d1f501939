//! Load averages from /proc/loadavg: `0.31 0.42 0.40 2/345 6789`.

use aura_model::{Context, Metric, Missing, rows};
use serde::Serialize;

use super::Collector;
use crate::{
    HostOptions,
    linux::kernel::{
        file::{Buffer, KeptFile},
        scan::{float, words},
    },
};

/// The runnable and uninterruptible tasks, averaged over 1, 5 and 15 minutes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Loadavg {
    /// Over one minute.
    pub one: f64,
    /// Over five minutes.
    pub five: f64,
    /// Over fifteen minutes.
    pub fifteen: f64,
}

pub(super) const METRICS: &[Metric<Loadavg>] = rows! { |load|
    gauge "node_load1" = load.one, "1m load average.";
    gauge "node_load15" = load.fifteen, "15m load average.";
    gauge "node_load5" = load.five, "5m load average.";
};

pub(super) struct Reader {
    file: KeptFile,
}

impl Collector for Reader {
    type Reading = Loadavg;

    fn open(_: &HostOptions, context: &Context) -> Self {
        Self { file: KeptFile::short_lines(context.paths.procfs.join("loadavg")) }
    }

    fn read(&mut self, buffer: &mut Buffer) -> Result<Loadavg, Missing> {
        let text = self.file.read(buffer)?;
        parse(text).ok_or_else(|| self.file.unreadable("three averages"))
    }
}

fn parse(text: &[u8]) -> Option<Loadavg> {
    let mut averages = words(text).map(float);
    Some(Loadavg { one: averages.next()??, five: averages.next()??, fifteen: averages.next()?? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linux::testing::{TREES, output};

    #[test]
    fn recorded_trees() {
        for tree in TREES {
            insta::assert_snapshot!(format!("loadavg@{tree}"), output(tree, &["loadavg"]));
        }
    }

    #[test]
    fn the_kernels_line() {
        let load = Loadavg { one: 0.31, five: 0.42, fifteen: 0.4 };
        assert_eq!(parse(b"0.31 0.42 0.40 2/345 6789\n"), Some(load));
    }

    #[test]
    fn a_torn_line_is_no_reading() {
        for text in ["", "0.31", "0.31 0.42", "0.31 x 0.40", "nan 0 0"] {
            assert_eq!(parse(text.as_bytes()), None, "{text:?}");
        }
    }
}
