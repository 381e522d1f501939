//! The sources there are. Each is registered by its one line below; its name is its key under `sources` in the
//! configuration, its options' type says what stands there, and the hub starts it through [`Visit`].

use aura_model::Source;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

sources! {
    /// The host: CPU, memory, disks, file systems, network, temperatures.
    host: aura_host::Host,
    /// GPUs: load, memory, temperatures, power, errors, the processes that use them.
    gpu: aura_gpu::Gpus,
    /// Ollama: models installed and loaded, the memory they take, and when they are unloaded.
    ollama: aura_ollama::Ollama,
    /// PostgreSQL: state, statistics, and the debates of its tables.
    postgres: aura_postgres::Postgres,
    /// Audit and event logs: JSON Lines files that are followed, counted and can be asked for events.
    audit: aura_audit::Audit,
    /// Roles of Aura installations: registry, taxonomy, drafts, migrations.
    roles: aura_roles::RoleFiles,
}

/// Does something with every source, each with its own types.
pub trait Visit {
    /// Called once a source, in the order of registration.
    fn visit<S: Source>(&mut self, options: &S::Options);
}

macro_rules! sources {
    ($($(#[$documentation:meta])* $name:ident: $source:ty,)+) => {
        /// What is watched, each with its own options.
        #[derive(Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
        #[serde(default, deny_unknown_fields)]
        pub struct Sources {
            $($(#[$documentation])* pub $name: <$source as Source>::Options,)+
        }

        impl Sources {
            /// The names of all sources.
            pub const NAMES: &[&str] = &[$(stringify!($name)),+];

            /// Shows every source to the visitor.
            pub fn visit(&self, visitor: &mut impl Visit) {
                $(
                    const { assert!(same(stringify!($name), <$source as Source>::NAME), "one name for one source") };
                    visitor.visit::<$source>(&self.$name);
                )+
            }
        }
    };
}
use sources;

const fn same(left: &str, right: &str) -> bool {
    let (left, right) = (left.as_bytes(), right.as_bytes());
    let mut index = 0;
    while index < left.len() && index < right.len() && left[index] == right[index] {
        index += 1;
    }
    index == left.len() && index == right.len()
}
