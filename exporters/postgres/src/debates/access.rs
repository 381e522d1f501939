//! Which tables of debates there are, and whether reading them runs nobody's code.
//!
//! Whoever owns a table decides what runs, with the reader's rights, when somebody else reads it: a view's functions,
//! a policy, a foreign table's server, the output of a type, and, already while the query is planned, functions in the
//! expressions of indexes, statistics and partitions. So a table is read only if it is a plain one that depends on
//! nothing but what PostgreSQL brought along, unless its owner is trusted.
//!
//! What was looked at may have changed when it is read. So it is looked at again in the transaction that reads, behind a
//! lock that keeps the table from being replaced, and where the server can be told that views and foreign tables are
//! out of the question, it is.

use tokio_postgres::{Error, Row};

use crate::{DebateOptions, failure::quoted, text::Column};

/// The tables, in the order in which they are asked about.
pub(crate) const TABLES: [&str; 3] = ["debates", "model_rankings", "debate_rounds"];

/// What may be said of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    Absent,
    /// It is not read, because of this; by whom it is owned.
    Refused {
        why: String,
        owner: String,
    },
    Plain,
    /// Whatever it is, its owner is trusted.
    Trusted,
}

impl Access {
    pub(crate) fn is_read(&self) -> bool {
        matches!(self, Self::Plain | Self::Trusted)
    }
}

/// A literal in SQL, whatever `standard_conforming_strings` says.
pub(crate) fn literal(text: &str) -> String {
    format!("E'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}

/// The table's full name.
pub(crate) fn full_name(options: &DebateOptions, table: &str) -> String {
    format!("{}.{}", quoted(&options.schema), quoted(table))
}

/// One row a table: its name, its owner, whether that one is trusted, and what speaks against reading it.
pub(crate) fn sql(options: &DebateOptions) -> String {
    let names = TABLES.map(literal).join(", ");
    let trusted = options.trusted_owners.iter().map(|owner| literal(owner)).collect::<Vec<_>>().join(", ");
    let trusted = if trusted.is_empty() { "false".to_owned() } else { format!("o.rolname IN ({trusted})") };
    let schema = literal(&options.schema);
    // Everything that is made by a user has a number from 16384 on, and what was made before is no user's.
    format!(
        "SELECT c.relname::pg_catalog.text, pg_catalog.pg_get_userbyid(c.relowner)::pg_catalog.text, \
         coalesce({trusted}, false), CASE \
         WHEN c.relkind NOT IN ('r', 'p') THEN 'is no plain table' \
         WHEN EXISTS (SELECT FROM pg_catalog.pg_class k WHERE k.oid = ANY (tree.oids) AND k.relkind NOT IN ('r', 'p')) \
         THEN 'has a part that is no plain table' \
         WHEN EXISTS (SELECT FROM pg_catalog.pg_class k WHERE k.oid = ANY (tree.oids) AND k.relrowsecurity) \
         THEN 'has row security' \
         WHEN EXISTS (SELECT FROM pg_catalog.pg_attribute a WHERE a.attrelid = ANY (tree.oids) AND a.attgenerated = 'v') \
         THEN 'has a column that is computed when it is read' \
         WHEN EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.refobjid >= 16384 \
         AND d.refclassid IN ('pg_catalog.pg_proc'::pg_catalog.regclass, 'pg_catalog.pg_type'::pg_catalog.regclass, \
         'pg_catalog.pg_operator'::pg_catalog.regclass, 'pg_catalog.pg_opclass'::pg_catalog.regclass, \
         'pg_catalog.pg_opfamily'::pg_catalog.regclass, 'pg_catalog.pg_am'::pg_catalog.regclass) \
         AND (d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND (d.objid = ANY (tree.oids) \
         OR d.objid IN (SELECT x.indexrelid FROM pg_catalog.pg_index x WHERE x.indrelid = ANY (tree.oids))) \
         OR d.classid = 'pg_catalog.pg_statistic_ext'::pg_catalog.regclass AND d.objid IN \
         (SELECT x.oid FROM pg_catalog.pg_statistic_ext x WHERE x.stxrelid = ANY (tree.oids)))) \
         THEN 'has a type, an index, a partition or statistics with code that is not PostgreSQL''s own' END \
         FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         LEFT JOIN pg_catalog.pg_roles o ON o.oid = c.relowner \
         CROSS JOIN LATERAL (WITH RECURSIVE parts (oid) AS (SELECT c.oid UNION \
         SELECT i.inhrelid FROM pg_catalog.pg_inherits i JOIN parts ON i.inhparent = parts.oid) \
         SELECT pg_catalog.array_agg(parts.oid) AS oids FROM parts) tree \
         WHERE n.nspname = {schema} AND c.relname IN ({names}) AND c.relkind IN ('r', 'p', 'v', 'm', 'f')"
    )
}

pub(crate) fn read(answer: &[Row]) -> Result<[Access; 3], Error> {
    let mut found = [Access::Absent, Access::Absent, Access::Absent];
    for row in answer {
        let name = String::at(row, 0)?;
        let (owner, trusted, why) = (String::at(row, 1)?, bool::at(row, 2)?, <Option<String> as Column>::at(row, 3)?);
        let Some(index) = TABLES.iter().position(|table| *table == name) else { continue };
        found[index] = match why {
            _ if trusted => Access::Trusted,
            Some(why) => Access::Refused { why, owner },
            None => Access::Plain,
        };
    }
    Ok(found)
}

/// What comes before these tables are read in a transaction; it fails, and nothing is read, where one of them is not
/// what it was. `version` is the server's.
pub(crate) fn guard(options: &DebateOptions, version: u32, tables: &[(&str, &Access)]) -> String {
    let mut plain = tables.iter().filter(|(_, access)| **access == Access::Plain).map(|(name, _)| *name).peekable();
    // A time with a zone is shown as UTC, as the installation writes those without.
    let mut guard = "SET LOCAL TimeZone = 'UTC'".to_owned();
    if plain.peek().is_none() {
        return guard;
    }
    // With row_security off, a policy is an error and not applied; constraints are not evaluated either.
    guard += "; SET LOCAL row_security = off; SET LOCAL constraint_exclusion = off";
    let all_plain = tables.iter().all(|(_, access)| **access == Access::Plain);
    if all_plain && restricts(version) {
        guard += "; SET LOCAL restrict_nonsystem_relation_kind = 'view, foreign-table'";
    }
    let looked_at = sql(options);
    for table in plain {
        let name = full_name(options, table);
        // None is left to divide by where it is not plain any more.
        guard += &format!(
            "; LOCK TABLE {name} IN ACCESS SHARE MODE; SELECT 1 / pg_catalog.count(*) FROM ({looked_at}) \
             AS looked (name, owner, trusted, why) WHERE looked.why IS NULL AND looked.name = {}",
            literal(table)
        );
    }
    guard
}

/// Whether the server knows `restrict_nonsystem_relation_kind`: from version 17 on, and before in updates.
fn restricts(version: u32) -> bool {
    let since = match version / 10_000 {
        13 => 16,
        14 => 13,
        15 => 8,
        16 => 4,
        _ => 0,
    };
    version % 10_000 >= since
}
