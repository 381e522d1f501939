use std::io::Read;

use aura_model::{Metric, counter, gauge, unknown, walk};
use proptest::prelude::*;

use super::*;
use crate::publish::prometheus::compress::gzip;

/// Label text, and the numbers of three families.
#[derive(Debug)]
struct Reading {
    label: String,
    bytes: u64,
    ratio: f64,
}

const METRICS: &[Metric<Reading>] = &[
    counter("t_received_bytes_total", "Bytes \"in\".\nAll \\ of them.", Unit::Bytes, &["device"], |reading, emit| {
        emit.one(&reading.label, reading.bytes);
    }),
    counter("t_commits", "A public counter without its suffix.", Unit::None, &[], |reading, emit| {
        emit.value(reading.bytes);
    }),
    gauge("t_load_ratio", "Load.", Unit::Ratio, &["device", "kind"], |reading, emit| {
        emit.sample(&[&reading.label, "all"], reading.ratio.into());
    }),
    gauge("t_never", "A family without samples.", Unit::None, &[], |_, _| {}),
    unknown("t_*_raw", "A family whose name the outside world gives.", Unit::None, &[], |reading, emit| {
        emit.family(&Family {
            name: "t_field_raw",
            help: "Field.",
            kind: Kind::Unknown,
            unit: Unit::None,
            labels: &[],
        });
        emit.labelled("_sum", &[("le", "+Inf"), ("text", &reading.label)], reading.bytes.into());
    }),
];

const GROUPS: &[Group<Reading>] = &[
    Group { name: "first", walk: |reading, emit| walk(METRICS, reading, emit), declare: |_| {} },
    Group { name: "none", walk: |_, _| {}, declare: |_| {} },
    Group {
        name: "second",
        walk: |reading, emit| {
            let family = Family { name: "t_second", help: "Last.", kind: Kind::Gauge, unit: Unit::None, labels: &[] };
            emit.family(&family);
            emit.value(reading.bytes);
        },
        declare: |_| {},
    },
];

fn text(reading: &Reading, format: Format) -> String {
    String::from_utf8(encode(GROUPS, reading, format).text().to_vec()).expect("text is UTF-8")
}

#[test]
fn both_formats_as_a_whole() {
    let reading = Reading { label: "a\\b\"c\nd".into(), bytes: 18_446_744_073_709_551_615, ratio: 0.25 };
    assert_eq!(
        text(&reading, Format::Text),
        r##"# HELP t_received_bytes_total Bytes "in".\nAll \\ of them.
# TYPE t_received_bytes_total counter
t_received_bytes_total{device="a\\b\"c\nd"} 18446744073709551615
# HELP t_commits A public counter without its suffix.
# TYPE t_commits counter
t_commits 18446744073709551615
# HELP t_load_ratio Load.
# TYPE t_load_ratio gauge
t_load_ratio{device="a\\b\"c\nd",kind="all"} 0.25
# HELP t_field_raw Field.
# TYPE t_field_raw untyped
t_field_raw_sum{le="+Inf",text="a\\b\"c\nd"} 18446744073709551615
# HELP t_second Last.
# TYPE t_second gauge
t_second 18446744073709551615
"##
    );
    let heads: Vec<String> =
        text(&reading, Format::OpenMetrics).lines().filter(|line| line.starts_with('#')).map(str::to_owned).collect();
    assert_eq!(
        heads,
        [
            r#"# HELP t_received_bytes Bytes \"in\".\nAll \\ of them."#,
            "# TYPE t_received_bytes counter",
            "# UNIT t_received_bytes bytes",
            "# HELP t_commits A public counter without its suffix.",
            "# TYPE t_commits unknown",
            "# HELP t_load_ratio Load.",
            "# TYPE t_load_ratio gauge",
            "# UNIT t_load_ratio ratio",
            "# HELP t_field_raw Field.",
            "# TYPE t_field_raw unknown",
            "# HELP t_second Last.",
            "# TYPE t_second gauge",
        ]
    );
}

fn unescape(text: &str) -> String {
    let mut characters = text.chars();
    let mut plain = String::new();
    while let Some(character) = characters.next() {
        plain.push(match character {
            '\\' => match characters.next() {
                Some('n') => '\n',
                Some(other) => other,
                None => panic!("a lone backslash in {text:?}"),
            },
            other => other,
        });
    }
    plain
}

proptest! {
    #[test]
    fn what_was_written_can_be_read_back(label in any::<String>(), bytes: u64, ratio: f64) {
        let reading = Reading { label, bytes, ratio };
        let text = text(&reading, Format::Text);
        let line = text.lines().find(|line| line.starts_with("t_load_ratio{")).expect("the sample");
        let (labels, value) = line.rsplit_once("\",kind=\"all\"} ").expect("labels, then the value");
        prop_assert_eq!(unescape(labels.strip_prefix("t_load_ratio{device=\"").expect("label")), reading.label);
        let value: f64 = value.replace("Inf", "inf").parse().expect("a number");
        prop_assert!(value == ratio || (value.is_nan() && ratio.is_nan()), "{value} for {ratio}");
    }

    #[test]
    fn sample_lines_are_the_same_in_both_formats(label in any::<String>(), bytes: u64, ratio: f64) {
        let reading = Reading { label, bytes, ratio };
        let samples = |format| -> Vec<String> {
            text(&reading, format).lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect()
        };
        prop_assert_eq!(samples(Format::Text), samples(Format::OpenMetrics));
    }

    #[test]
    fn pieces_make_one_gzip_member_and_one_zstd_stream(
        labels in prop::collection::vec("[ -~]{0,400}|[a-c]{0,4000}", 1..6), bytes: u64,
    ) {
        let encodings: Vec<Encoding> = labels
            .into_iter()
            .map(|label| encode(GROUPS, &Reading { label, bytes, ratio: 0.5 }, Format::Text))
            .collect();
        let plain: Vec<u8> = encodings.iter().flat_map(|encoding| encoding.text().to_vec()).collect();
        let packed = gzip(encodings.iter().map(Encoding::deflated)).concat();
        let mut unpacked = Vec::new();
        let mut decoder = flate2::bufread::GzDecoder::new(&packed[..]);
        decoder.read_to_end(&mut unpacked).expect("one valid member");
        prop_assert_eq!(&unpacked, &plain);
        prop_assert!(decoder.into_inner().is_empty(), "nothing follows the member");
        let frames: Vec<u8> = encodings.iter().flat_map(|encoding| encoding.zstd().to_vec()).collect();
        prop_assert_eq!(zstd::stream::decode_all(&frames[..]).expect("valid frames"), plain);
    }
}

#[test]
fn groups_can_be_had_alone() {
    let encoding = encode(GROUPS, &Reading { label: "x".into(), bytes: 7, ratio: 1.0 }, Format::Text);
    assert_eq!(encoding.select(|_| true).concat(), encoding.text().to_vec());
    let second = "# HELP t_second Last.\n# TYPE t_second gauge\nt_second 7\n";
    assert_eq!(encoding.select(|group| group == "second").concat(), second.as_bytes());
    assert!(encoding.select(|group| group == "none").is_empty());
}
