//! All queries of a sample, one line each: the section of the reading that its answer is, and the query. Everything that
//! is done with each of them is made from this table.

use std::sync::Arc;

use aura_model::{GroupHealth, Missing, Reason, Section};
use serde::Serialize;

use crate::{
    Activity, BufferCache, Cluster, Database, DatabaseSizes, Debates, Features, Index, Locks, OtherDatabase,
    PostgresOptions, Ranking, Receivers, Roles, Rounds, Senders, Settings, Slots, SlowStatements, Standby, Statements,
    Table, TableSizes, Vacuums, Wal, activity,
    ask::{Asked, Sample},
    buffercache, cluster, databases, indexes, locks,
    query::{Ask, Known, Told},
    receiver, replication, settings, sizes, statements, tables, vacuum,
};

/// `section: answer = query;`, in the order in which missing sections are named. `then` puts another section, which is
/// no answer to one query, behind it in that order.
macro_rules! queries {
    (
        $(#[$meta:meta])* pub struct Statistics {
            $($(#[$rest_meta:meta])* pub $rest:ident: $rest_type:ty,)*
        }
        $($(#[$section_meta:meta])* $section:ident: $answer:ty = $query:expr $(, then $other:literal: $missing:expr)?;)*
    ) => {
        $(#[$meta])*
        pub struct Statistics {
            $($(#[$rest_meta])* pub $rest: $rest_type,)*
            $($(#[$section_meta])* pub $section: Section<Arc<$answer>>,)*
        }

        /// What is no answer to one query of a sample.
        pub(crate) struct Rest { $(pub $rest: $rest_type,)* }

        impl Statistics {
            /// The parts that are missing although the server answers, and why.
            pub fn missing(&self) -> impl Iterator<Item = (&'static str, &Missing)> {
                let parts = [
                    $(($query.name, told($query.told, self.$section.missing())), $(($other, $missing(self)),)?)*
                ];
                parts.into_iter().filter_map(|(part, missing)| Some((part, missing?)))
            }
        }

        /// The queries and what each last said.
        pub(crate) struct Queries { $(pub $section: Asked<$answer>,)* }

        impl Queries {
            pub(crate) fn new(options: &PostgresOptions) -> Self {
                Self { $($section: Asked::of(&$query, options),)* }
            }

            /// A new connection: nothing that was known holds.
            pub(crate) fn forget(&mut self) {
                $(self.$section.forget();)*
            }

            /// Asks all that is due in one round trip: with features what needs them, else all the others.
            pub(crate) async fn ask(&mut self, sample: &Sample<'_>, known: &Known<'_>) {
                tokio::join!($(async {
                    if $query.needs_features == known.features.is_some() {
                        self.$section.ask_query(&$query, sample, known).await;
                    }
                }),*);
            }

            /// Whether something is due that needs features.
            fn needs_features(&self, sample: &Sample<'_>, known: &Known<'_>) -> bool {
                [$($query.needs_features && self.$section.is_due(sample.now)
                    && matches!(($query.sql)(known, &self.$section), Ask::Sql(_))),*].contains(&true)
            }

            /// How the queries fared that are told of.
            pub(crate) fn health(&self) -> Vec<GroupHealth> {
                let mut each = Vec::new();
                $(if $query.told == Told::Collector && self.$section.was_asked() {
                    each.push(($query.every, self.$section.health()));
                })*
                each.sort_by_key(|(every, _)| *every);
                each.into_iter().map(|(_, health)| health).collect()
            }

            pub(crate) fn statistics(&self, rest: Rest) -> Statistics {
                Statistics { $($rest: rest.$rest,)* $($section: self.$section.answer(),)* }
            }

            #[cfg(test)]
            pub(crate) fn nothing(missing: &Missing, rest: Rest) -> Statistics {
                let off = || missing.clone();
                Statistics { $($rest: rest.$rest,)* $($section: Section::Off { missing: off() },)* }
            }

            #[cfg(test)]
            pub(crate) fn sql(&self, known: &Known<'_>) -> Vec<String> {
                let each = [$(($query.sql)(known, &self.$section)),*];
                each.into_iter().filter_map(|ask| if let Ask::Sql(sql) = ask { Some(sql) } else { None }).collect()
            }
        }
    };
}

queries! {
    /// What a server said. Each part is missing alone.
    #[derive(Debug, Serialize)]
    pub struct Statistics {
        /// `server_version_num`.
        pub version: u32,
        /// How a standby is connected to the server that it receives from.
        pub standby: Section<Arc<Standby>>,
        /// Sizes of databases.
        pub database_sizes: Section<Arc<DatabaseSizes>>,
        /// Sizes of tables.
        pub table_sizes: Section<Arc<TableSizes>>,
        /// Tables of other databases, when they are asked for.
        pub others: Vec<OtherDatabase>,
        /// Databases whose tables are not watched because there are too many.
        #[serde(skip)]
        pub left_out: Option<Missing>,
        /// Debates.
        pub debates: Section<Arc<Debates>>,
        /// Stored rankings of models.
        pub rankings: Section<Arc<Vec<Ranking>>>,
        /// Stored rounds of debates.
        pub rounds: Section<Arc<Vec<Rounds>>>,
        /// How long each query took when it was last asked.
        #[serde(skip)]
        pub health: Vec<GroupHealth>,
    }

    /// The server as a whole.
    cluster: Cluster = cluster::QUERY;
    /// Counters of each database.
    databases: Vec<Database> = databases::QUERY;
    /// Who is connected.
    activity: Activity = activity::QUERY;
    /// Locks by database and mode.
    locks: Vec<Locks> = locks::QUERY;
    /// Who receives our WAL.
    senders: Senders = replication::SENDERS_QUERY;
    /// Replication slots.
    slots: Slots = replication::SLOTS_QUERY;
    /// From whom we receive WAL.
    receivers: Receivers = receiver::QUERY;
    /// Vacuums that run.
    vacuums: Vacuums = vacuum::QUERY;
    /// How the buffer cache is used.
    buffer_cache: BufferCache = buffercache::QUERY;
    /// Settings as numbers.
    settings: Settings = settings::QUERY, then "database": database_sizes;
    /// Roles.
    roles: Roles = sizes::ROLES_QUERY;
    /// Files of the WAL.
    wal: Wal = sizes::WAL_QUERY;
    /// What the database offers beyond the usual.
    features: Features = sizes::FEATURES_QUERY;
    /// Counters of each table.
    tables: Vec<Table> = tables::QUERY, then "table_sizes": table_sizes;
    /// Counters of each index, when they are asked for.
    indexes: Vec<Index> = indexes::QUERY, then "other_databases": other_databases;
    /// The slowest statements.
    slow_statements: SlowStatements = statements::SLOW_QUERY;
    /// Statements that are published.
    statements: Statements = statements::QUERY, then "debates": debates;
}

impl Queries {
    /// An extension that is gone may have left its names to somebody else: before it is asked, it is looked for anew.
    pub(crate) fn look_for_extensions(&mut self, sample: &Sample<'_>, known: &Known<'_>) {
        let before = self.features.value().cloned();
        if before.is_some() && self.needs_features(sample, &Known { features: before.as_deref(), ..*known }) {
            self.features.set_due(None);
        }
    }
}

fn told(told: Told, missing: Option<&Missing>) -> Option<&Missing> {
    match told {
        Told::Collector | Told::Missing => missing,
        Told::Refused => refused(missing),
        Told::Nothing => None,
    }
}

/// What nobody asked for, or no extension offers, is not missed.
fn refused(missing: Option<&Missing>) -> Option<&Missing> {
    missing.filter(|missing| missing.reason != Reason::NotConfigured)
}

fn database_sizes(all: &Statistics) -> Option<&Missing> {
    refused(all.database_sizes.missing()).or_else(|| all.database_sizes.value()?.without.as_ref())
}

fn table_sizes(all: &Statistics) -> Option<&Missing> {
    refused(all.table_sizes.missing()).or_else(|| all.table_sizes.value()?.without.as_ref())
}

/// One of several databases stands for all: it names itself.
fn other_databases(all: &Statistics) -> Option<&Missing> {
    let first = || {
        all.others.iter().find_map(|other| {
            refused(other.tables.missing()).or_else(|| {
                let tables = other.tables.value()?;
                let indexes = tables.indexes.as_ref().and_then(Section::missing);
                let sizes = tables.table_sizes.missing().or_else(|| tables.table_sizes.value()?.without.as_ref());
                tables.tables.missing().or(sizes).or(indexes)
            })
        })
    };
    all.left_out.as_ref().or_else(first)
}

fn debates(all: &Statistics) -> Option<&Missing> {
    all.debates.missing()
}
