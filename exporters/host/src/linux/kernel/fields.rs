//! Fields that the kernel names itself (/proc/meminfo, vmstat, netstat): our names for them are made once and
//! shared by all readings, for as long as the kernel lists the same fields in the same order.

use std::{collections::HashSet, sync::Arc};

use aura_model::{Emit, Family, Kind, Unit, Value};
use serde::{Serialize, Serializer, ser::SerializeMap};

/// Fields and their values, in the kernel's order. In JSON an object.
#[derive(Clone, Debug, PartialEq)]
pub struct Fields {
    names: Arc<[FieldName]>,
    values: Vec<Value>,
}

/// How a field is called here and on the wire.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct FieldName {
    /// As readings call it: `Active_anon`, `Tcp_CurrEstab`.
    pub(crate) field: String,
    /// The metric.
    pub(crate) metric: String,
    /// Its help.
    pub(crate) help: String,
    /// Its base unit.
    pub(crate) unit: Unit,
}

impl Fields {
    /// A field's value, if the kernel gives it and it is not filtered out.
    #[must_use]
    pub fn get(&self, field: &str) -> Option<Value> {
        self.iter().find(|(name, _)| *name == field).map(|(_, value)| value)
    }

    /// A field's value where it is a whole number that is not negative: bytes, counts.
    #[must_use]
    pub fn unsigned(&self, field: &str) -> Option<u64> {
        match self.get(field)? {
            Value::Unsigned(number) => Some(number),
            Value::Signed(_) | Value::Float(_) => None,
        }
    }

    /// All fields.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Value)> {
        self.names.iter().map(|name| name.field.as_str()).zip(self.values.iter().copied())
    }

    /// Publishes each as a metric of its own.
    pub(crate) fn emit(&self, kind: Kind, emit: &mut dyn Emit) {
        for (name, value) in self.names.iter().zip(&self.values) {
            emit.family(&Family { name: &name.metric, help: &name.help, kind, unit: name.unit, labels: &[] });
            emit.value(*value);
        }
    }

    /// What is needed to publish the same field of several readings together.
    pub(crate) fn named(&self) -> impl Iterator<Item = (&FieldName, Value)> {
        self.names.iter().zip(self.values.iter().copied())
    }
}

impl Serialize for Fields {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.values.len()))?;
        for (name, value) in self.iter() {
            match value {
                Value::Unsigned(number) => map.serialize_entry(name, &number)?,
                Value::Signed(number) => map.serialize_entry(name, &number)?,
                Value::Float(number) => map.serialize_entry(name, &number)?,
            }
        }
        map.end()
    }
}

/// Receives the entries of a file: a prefix that may be empty, the field, its value.
pub(crate) type Visit<'a> = &'a mut dyn FnMut(&[u8], &[u8], Value);

/// What a prefix and a field are called; nothing, if they are not wanted.
type NameOf = dyn Fn(&str, &str) -> Option<FieldName> + Send;

/// The fields of one file as they were last seen.
pub(crate) struct Catalogue {
    name: Box<NameOf>,
    keys: Vec<Key>,
    names: Arc<[FieldName]>,
}

struct Key {
    prefix: Box<[u8]>,
    field: Box<[u8]>,
    wanted: bool,
}

impl Catalogue {
    /// Nothing was seen yet.
    pub(crate) fn new(name: impl Fn(&str, &str) -> Option<FieldName> + Send + 'static) -> Self {
        Self { name: Box::new(name), keys: Vec::new(), names: Arc::default() }
    }

    /// Takes the values of a file. `walk` hands over its entries; a second time when they are not the ones
    /// known.
    pub(crate) fn read(&mut self, walk: impl Fn(Visit<'_>)) -> Fields {
        let mut values = Vec::with_capacity(self.names.len());
        let mut keys = self.keys.iter();
        let mut known = true;
        walk(&mut |prefix, field, value| match keys.next() {
            Some(key) if *key.field == *field && *key.prefix == *prefix => {
                if key.wanted {
                    values.push(value);
                }
            }
            _ => known = false,
        });
        if !known || keys.next().is_some() {
            values = self.learn(walk);
        }
        Fields { names: self.names.clone(), values }
    }

    /// Whether the file last read had no entry at all, wanted or not.
    pub(crate) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    fn learn(&mut self, walk: impl Fn(Visit<'_>)) -> Vec<Value> {
        let (mut names, mut values, mut seen) = (Vec::new(), Vec::new(), HashSet::new());
        self.keys.clear();
        walk(&mut |prefix, field, value| {
            let text = |bytes| str::from_utf8(bytes).ok().filter(|text| text.bytes().all(is_name));
            let name = text(prefix).zip(text(field)).and_then(|(prefix, field)| (self.name)(prefix, field));
            // A family is published once, whatever the kernel lists twice.
            let name = name.filter(|name| seen.insert(name.metric.clone()));
            self.keys.push(Key { prefix: prefix.into(), field: field.into(), wanted: name.is_some() });
            if let Some(name) = name {
                names.push(name);
                values.push(value);
            }
        });
        self.names = names.into();
        values
    }
}

/// What may stand in a metric's name, and the brackets of `Active(anon)`.
fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'(' | b')')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn name(prefix: &str, field: &str) -> Option<FieldName> {
        let field = format!("{prefix}_{field}");
        let wanted = !field.ends_with('x');
        wanted.then(|| FieldName { metric: field.clone(), help: String::new(), unit: Unit::None, field })
    }

    proptest! {
        #[test]
        fn a_catalogue_that_saw_other_files_reads_as_a_new_one(
            files in prop::collection::vec(prop::collection::vec(("[ab]?", "[a-cx]{1,2}", any::<u64>()), 0..6), 1..20)
        ) {
            let mut kept = Catalogue::new(name);
            for file in files {
                let walk = |visit: Visit<'_>| {
                    for (prefix, field, value) in &file {
                        visit(prefix.as_bytes(), field.as_bytes(), Value::Unsigned(*value));
                    }
                };
                let fields = kept.read(walk);
                prop_assert_eq!(&fields, &Catalogue::new(name).read(walk));
                prop_assert_eq!(&fields, &kept.read(walk));
                for (field, value) in fields.iter() {
                    let first = file.iter().find(|(prefix, name, _)| format!("{prefix}_{name}") == field);
                    prop_assert_eq!(first.map(|(_, _, value)| Value::Unsigned(*value)), Some(value));
                }
            }
        }
    }
}
