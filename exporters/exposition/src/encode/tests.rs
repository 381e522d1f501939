use aura_model::{Group, Metric, counter, each_group, gauge, unknown, walk};
use proptest::prelude::*;

use super::*;

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
    String::from_utf8(encode(|each| each_group(GROUPS, reading, each), format).text().to_vec()).expect("text is UTF-8")
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
}

#[test]
fn groups_can_be_had_alone() {
    let reading = Reading { label: "x".into(), bytes: 7, ratio: 1.0 };
    let encoding = encode(|each| each_group(GROUPS, &reading, each), Format::Text);
    assert_eq!(encoding.select(|_| true).concat(), encoding.text().to_vec());
    let second = "# HELP t_second Last.\n# TYPE t_second gauge\nt_second 7\n";
    assert_eq!(encoding.select(|group| group == "second").concat(), second.as_bytes());
    assert!(encoding.select(|group| group == "none").is_empty());
}

/// A source that hands over whatever it is told to: families, and labels and values of their samples.
type Odd = Vec<(String, Kind, Vec<(usize, Vec<(String, String)>)>)>;

const ODD: &[Group<Odd>] = &[Group {
    name: "odd",
    walk: |odd, emit| {
        for (name, kind, samples) in odd {
            emit.family(&Family { name, help: "Odd.", kind: *kind, unit: Unit::None, labels: &["a", "b"] });
            let declared = |(suffix, labels): &(usize, Vec<(String, String)>)| {
                *suffix == 0 && labels.iter().map(|(name, _)| &**name).eq(["a", "b"])
            };
            let declared = samples.iter().all(declared);
            for (number, (suffix, labels)) in samples.iter().enumerate() {
                let labels: Vec<(&str, &str)> = labels.iter().map(|(name, text)| (&**name, &**text)).collect();
                match labels[..] {
                    [(_, a), (_, b)] if declared => emit.sample(&[a, b], number.into()),
                    _ => emit.labelled(SUFFIXES[*suffix], &labels, number.into()),
                }
            }
        }
    },
    declare: |_| {},
}];

fn row(labels: &[(&str, &str)]) -> (usize, Vec<(String, String)>) {
    (0, labels.iter().map(|&(name, text)| (name.to_owned(), text.to_owned())).collect())
}

fn encoded(odd: &Odd, format: Format) -> (String, LeftOut) {
    let Encoding { text, left_out, .. } = encode(|each| each_group(ODD, odd, each), format);
    (String::from_utf8(text.to_vec()).unwrap(), left_out)
}

#[test]
fn of_two_equal_series_the_first_stays_and_the_other_is_named() {
    let declared = || [("1", "x"), ("1", "y"), ("1", "x")].map(|(a, b)| row(&[("a", a), ("b", b)]));
    let odd = vec![
        ("t_declared".to_owned(), Kind::Gauge, declared().into()),
        (
            "t_odd".to_owned(),
            Kind::Gauge,
            declared()
                .into_iter()
                .chain([
                    row(&[("b", "y"), ("a", "1")]),
                    row(&[("a", "1"), ("c", "")]),
                    row(&[("a", "1")]),
                    row(&[("a", "1"), ("a", "2")]),
                    row(&[("1", "1")]),
                    row(&[("__name__", "t_other")]),
                ])
                .collect(),
        ),
    ];
    for format in [Format::Text, Format::OpenMetrics] {
        let (text, left_out) = encoded(&odd, format);
        let samples: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
        let expected = [
            r#"t_declared{a="1",b="x"} 0"#,
            r#"t_declared{a="1",b="y"} 1"#,
            r#"t_odd{a="1",b="x"} 0"#,
            r#"t_odd{a="1",b="y"} 1"#,
            r#"t_odd{a="1",c=""} 4"#,
        ];
        assert_eq!(samples, expected);
        assert_eq!(left_out.count, 7);
        let named = [r#"t_declared{a="1",b="x"}"#, r#"t_odd{a="1",b="x"}"#, r#"t_odd{b="y",a="1"}"#];
        assert_eq!(left_out.series[..3], named);
    }
}

#[test]
fn a_family_stands_once_under_every_name_that_it_takes() {
    let one = || vec![row(&[("a", "1")])];
    let with = |suffix| vec![(suffix, vec![("a".to_owned(), "1".to_owned())])];
    let odd: Odd = vec![
        ("t_twice".into(), Kind::Gauge, one()),
        ("t_empty".into(), Kind::Gauge, vec![]),
        ("t_twice".into(), Kind::Gauge, vec![row(&[("a", "2")])]),
        ("t_empty".into(), Kind::Gauge, one()),
        ("t_spread".into(), Kind::Histogram, with(2)),
        ("t_spread_sum".into(), Kind::Gauge, one()),
        ("t_spread".into(), Kind::Gauge, one()),
        ("t_twice_total".into(), Kind::Counter, one()),
        ("t-no-name".into(), Kind::Gauge, one()),
        ("".into(), Kind::Gauge, one()),
    ];
    let (text, left_out) = encoded(&odd, Format::Text);
    let samples: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    let names = ["t_twice", "t_empty", "t_spread_sum", "t_twice_total"];
    assert_eq!(samples, names.map(|name| format!("{name}{{a=\"1\"}} 0")));
    assert_eq!(left_out.count, 5);
    let (text, _) = encoded(&odd, Format::OpenMetrics);
    // The counter can't be called `t_twice` in OpenMetrics, as it would be alone.
    assert!(text.contains("# TYPE t_twice_total unknown\nt_twice_total{a=\"1\"} 0\n"), "{text}");
    assert_eq!(text.lines().filter(|line| !line.starts_with('#')).collect::<Vec<_>>(), samples);
}

/// What a scraper would see: each series' name and its labels that are not empty.
fn series(text: &str) -> Vec<(String, std::collections::BTreeMap<String, String>)> {
    let label =
        |pair: &str| pair.split_once('=').map(|(name, text)| (name.to_owned(), text.trim_matches('"').to_owned()));
    let sample = |line: &str| {
        let (series, _) = line.rsplit_once(' ').unwrap();
        let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
        let labels = labels.trim_end_matches('}').split(',').filter_map(label);
        (name.to_owned(), labels.filter(|(_, text)| !text.is_empty()).collect())
    };
    text.lines().filter(|line| !line.starts_with('#')).map(sample).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// Beside a reference that keeps the first of all samples that a scraper would take for one.
    #[test]
    fn no_series_is_there_twice_whatever_is_handed_over(
        odd in prop::collection::vec(
            (
                "t_[xy](_sum|_total)?",
                prop::sample::select(vec![Kind::Gauge, Kind::Counter, Kind::Histogram]),
                prop::collection::vec((0..4_usize, prop::collection::vec(("[abc]", "[12]?"), 0..4)), 0..12),
            ),
            0..6,
        )
    ) {
        let (mut families, mut names, mut rows, mut expected) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for (place, (name, _, samples)) in odd.iter().enumerate() {
            for (number, (suffix, labels)) in samples.iter().enumerate() {
                // The first family with samples has the name, and each name of a sample belongs to one family.
                let full = format!("{name}{}", SUFFIXES[*suffix]);
                let mut own = |wanted: &str| {
                    if !families.iter().any(|(name, _)| name == wanted) {
                        families.push((wanted.to_owned(), place));
                    }
                    families.contains(&(wanted.to_owned(), place))
                };
                if !own(name) || !own(&full) {
                    continue;
                }
                let mut labels = labels.clone();
                labels.sort();
                let count = labels.len();
                labels.dedup_by(|one, other| one.0 == other.0);
                labels.retain(|(_, text)| !text.is_empty());
                let row = (full.clone(), labels);
                if count == samples[number].1.len() && !has_twice(&samples[number].1) && !rows.contains(&row) {
                    rows.push(row);
                    expected.push(format!("{number}"));
                    names.push(full);
                }
            }
        }
        let (text, left_out) = encoded(&odd, Format::Text);
        let values: Vec<String> = text
            .lines()
            .filter(|line| !line.starts_with('#'))
            .map(|line| line.rsplit_once(' ').unwrap().1.to_owned())
            .collect();
        prop_assert_eq!(&values, &expected);
        let all: usize = odd.iter().map(|(_, _, samples)| samples.len()).sum();
        prop_assert_eq!(left_out.count as usize, all - expected.len());
        for format in [Format::Text, Format::OpenMetrics] {
            let (text, _) = encoded(&odd, format);
            let mut all = series(&text);
            let count = all.len();
            all.sort();
            all.dedup();
            prop_assert_eq!(all.len(), count, "{}", text);
            let heads: Vec<&str> = text.lines().filter(|line| line.starts_with("# TYPE ")).collect();
            let heads: Vec<&str> = heads.iter().filter_map(|head| head.split(' ').nth(2)).collect();
            let mut once = heads.clone();
            once.sort_unstable();
            once.dedup();
            prop_assert_eq!(once.len(), heads.len(), "{}", text);
        }
    }
}

fn has_twice(labels: &[(String, String)]) -> bool {
    labels.iter().enumerate().any(|(place, (name, _))| labels[..place].iter().any(|(other, _)| other == name))
}
