//! Open files of the whole machine, from /proc/sys/fs/file-nr: `511\t0\t2466177` (open, always 0, the limit).

use aura_model::{Context, Metric, Missing, rows};
use serde::Serialize;

use super::Collector;
use crate::{
    HostOptions,
    linux::kernel::{
        file::{Buffer, KeptFile},
        scan::{number, words},
    },
};

/// File handles.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Filefd {
    /// Open now.
    pub allocated: u64,
    /// As many as may be.
    pub maximum: u64,
}

pub(super) const METRICS: &[Metric<Filefd>] = rows! { |files|
    gauge "node_filefd_allocated" = files.allocated, "File descriptor statistics: allocated.";
    gauge "node_filefd_maximum" = files.maximum, "File descriptor statistics: maximum.";
};

pub(super) struct Reader {
    file: KeptFile,
}

impl Collector for Reader {
    type Reading = Filefd;

    fn open(_: &HostOptions, context: &Context) -> Self {
        Self { file: KeptFile::one_line(context.paths.procfs.join("sys/fs/file-nr")) }
    }

    fn read(&mut self, buffer: &mut Buffer) -> Result<Filefd, Missing> {
        let text = self.file.read(buffer)?;
        parse(text).ok_or_else(|| self.file.unreadable("three numbers"))
    }
}

fn parse(text: &[u8]) -> Option<Filefd> {
    let mut numbers = words(text).map(number);
    let allocated = numbers.next()??;
    numbers.next()??;
    Some(Filefd { allocated, maximum: numbers.next()?? })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::linux::testing::{TREES, output};

    #[test]
    fn recorded_trees() {
        for tree in TREES {
            insta::assert_snapshot!(format!("filefd@{tree}"), output(tree, &["filefd"]));
        }
    }

    proptest! {
        #[test]
        fn three_numbers_are_read_and_fewer_are_not(numbers in prop::collection::vec(any::<u64>(), 0..4)) {
            let text: Vec<String> = numbers.iter().map(u64::to_string).collect();
            let expected = (numbers.len() == 3).then(|| Filefd { allocated: numbers[0], maximum: numbers[2] });
            prop_assert_eq!(parse(text.join("\t").as_bytes()), expected);
        }
    }
}
