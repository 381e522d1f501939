//! Tables of metrics: what most sources hand over is a number for each row of something, under the same labels.

/// Declares a table of metrics, as the value of a `const … : &[Metric<R>]`.
///
/// A block says which rows there are and what labels a sample of each has; the lines in it say what is taken of the row,
/// in the order in which the families are published. A value may be an [`Option`]: a row without one has no sample.
///
/// ```
/// use aura_model::{Metric, gauge, rows};
///
/// struct Shelf { name: String, books: Vec<Book> }
/// struct Book { title: String, pages: u64, weight: Option<f64> }
/// struct Library { open: bool, shelves: Vec<Shelf> }
///
/// const METRICS: &[Metric<Library>] = rows! { |library|
///     gauge "library_open" = library.open, "Whether one can go in.";
///     for shelf in &library.shelves => { shelf: shelf.name } {
///         gauge "library_books" = shelf.books.len(), "Books on a shelf.";
///     }
///     for shelf in &library.shelves, Book { title, pages, weight } in &shelf.books => { shelf: shelf.name, title } {
///         gauge "library_book_pages" = *pages, "Pages of a book.";
///         gauge "library_book_weight_grams" = *weight, "Weight of a book, where it was weighed.";
///     }
///     gauge("library_visitors", "By hand, what is no such row.", aura_model::Unit::None, &[], |_, emit| emit.value(3_u64));
/// };
/// assert_eq!(METRICS[2].family.labels, ["shelf", "title"]);
/// ```
///
/// - A line is `gauge`, `counter` or `unknown`, the name, `in` with a [`Unit`](crate::Unit) where there is one, the
///   value, the help. It stands alone where the reading has one value and no labels.
/// - `for` takes several loops, the inner after the outer. What there is once or not at all is a loop over
///   `option.iter()`, and what is worked out once for the loops behind it is one over an array of one.
/// - Labels are given by reference: anything that derefs to `str`. One that is called as its variable stands alone.
/// - All else is an expression for a [`Metric`](crate::Metric), as the last line.
///
/// It becomes the loops that one would write by hand, one a metric: nothing is allocated, nothing called through a
/// pointer.
#[macro_export]
macro_rules! rows {
    (|$reading:ident| $($table:tt)*) => { $crate::rows!(@table $reading [] $($table)*) };

    // Takes one item after the other off the table; the metrics made so far are in brackets.
    (@table $reading:ident [$($done:tt)*]) => { &[$($done)*] };
    (@table $reading:ident $done:tt for $($row:pat in $rows:expr),+ => $labels:tt { $($lines:tt)* } $($rest:tt)*) => {
        $crate::rows!(@lines $reading $done [$($row in $rows),+] $labels { $($lines)* } $($rest)*)
    };
    (@table $reading:ident $done:tt $kind:ident $name:literal $(in $unit:ident)? = $value:expr, $help:expr; $($rest:tt)*) => {
        $crate::rows!(@lines $reading $done [] {} { $kind $name $(in $unit)? = $value, $help; } $($rest)*)
    };
    (@table $reading:ident [$($done:tt)*] $metric:expr; $($rest:tt)*) => {
        $crate::rows!(@table $reading [$($done)* $metric,] $($rest)*)
    };

    (@lines $reading:ident [$($done:tt)*] $loops:tt $labels:tt
        { $($kind:ident $name:literal $(in $unit:ident)? = $value:expr, $help:expr;)* } $($rest:tt)*) => {
        $crate::rows!(@table $reading [$($done)* $($crate::$kind(
            $name,
            $help,
            $crate::rows!(@unit $($unit)?),
            $crate::rows!(@names $labels),
            |$reading, emit| $crate::rows!(@each emit $loops $labels $value),
        ),)*] $($rest)*)
    };

    (@unit) => { $crate::Unit::None };
    (@unit $unit:ident) => { $crate::Unit::$unit };
    (@names { $($label:ident $(: $text:expr)?),* $(,)? }) => { &[$(stringify!($label)),*] };

    (@each $emit:ident [] { $($label:ident $(: $text:expr)?),* $(,)? } $value:expr) => {
        $emit.maybe(&[$($crate::rows!(@text $label $($text)?)),*], $value)
    };
    (@each $emit:ident [$row:pat in $rows:expr $(, $($inner:tt)+)?] $labels:tt $value:expr) => {
        for $row in $rows {
            $crate::rows!(@each $emit [$($($inner)+)?] $labels $value);
        }
    };
    (@text $label:ident) => { &$label };
    (@text $label:ident $text:expr) => { &$text };
}

#[cfg(test)]
mod tests {
    use crate::{Emit, Family, Metric, Value, walk};

    struct Shop {
        open: bool,
        till: Option<f64>,
        shelves: Vec<(String, Option<&'static str>, [u32; 2])>,
    }

    const METRICS: &[Metric<Shop>] = rows! { |shop|
        gauge "open" = shop.open, "A flag, and no label.";
        gauge "till" in Ratio = shop.till, "A value that may be missing.";
        for (name, owner, counts) in &shop.shelves, owner in owner.iter(), (place, count) in ["left", "right"].iter().zip(counts)
            => { shelf: name, type: owner.to_uppercase(), place } {
            counter "things_total" = *count, "Rows of rows, a label that is a word of the language, a name of its own.";
            unknown "scaled" = (*count > 1).then(|| f64::from(*count) / 2.0), "A row that has no sample.";
        }
        for (name, ..) in &shop.shelves => { name } {
            gauge "info" = 1, concat!("Whole", " numbers.");
        }
        crate::gauge("by_hand", "What is no row.", crate::Unit::None, &[], |_, emit| emit.value(7_u64));
    };

    #[derive(Default)]
    struct Text(String, Vec<&'static str>);

    impl Emit for Text {
        fn family(&mut self, _: &Family<'_>) {
            unreachable!("tables of rows are declared");
        }

        fn declared(&mut self, family: &Family<'static>) {
            self.0 += &format!("{:?} {} {:?}\n", family.kind, family.name, family.unit);
            self.1 = family.labels.to_vec();
        }

        fn sample(&mut self, values: &[&str], value: Value) {
            let labels: Vec<_> = self.1.iter().zip(values).map(|(label, text)| format!("{label}={text}")).collect();
            assert_eq!(labels.len(), self.1.len());
            self.0 += &format!("  {} {value:?}\n", labels.join(","));
        }

        fn labelled(&mut self, _: &str, _: &[(&str, &str)], _: Value) {
            unreachable!("rows have the labels that are declared");
        }
    }

    #[test]
    fn a_table_gives_what_its_loops_give() {
        let shelves = vec![("a".into(), Some("me"), [1, 2]), ("b".into(), None, [3, 4])];
        let mut text = Text::default();
        walk(METRICS, &Shop { open: true, till: None, shelves }, &mut text);
        insta::assert_snapshot!(text.0, @"
        Gauge open None
           Unsigned(1)
        Gauge till Ratio
        Counter things_total None
          shelf=a,type=ME,place=left Unsigned(1)
          shelf=a,type=ME,place=right Unsigned(2)
        Unknown scaled None
          shelf=a,type=ME,place=right Float(1.0)
        Gauge info None
          name=a Signed(1)
          name=b Signed(1)
        Gauge by_hand None
           Unsigned(7)
        ");
    }
}
