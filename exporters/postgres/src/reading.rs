//! What one sample yields: for each server its parts, or why it has none.

use std::sync::Arc;

use aura_model::{Name, Section};
use serde::Serialize;

use crate::{Statistics, Table, TableSizes};

/// All servers at one moment.
#[derive(Debug, Serialize)]
pub struct PostgresReading {
    /// In the order of the configuration.
    pub servers: Vec<ServerReading>,
}

/// One server at one moment.
#[derive(Clone, Debug, Serialize)]
pub struct ServerReading {
    /// Its name in the configuration.
    pub name: Name,
    /// Where it is.
    pub address: String,
    /// The role that we log in as.
    pub user: String,
    /// The database that we connect to.
    pub database: String,
    /// What it said, or why it says nothing.
    pub up: Section<Arc<Statistics>>,
    /// How long the sample took.
    pub seconds: f64,
    /// How long before this reading the server was asked, when its newest sample has not returned yet; else 0.
    pub age_seconds: f64,
    /// Samples so far.
    pub scrapes: u64,
    /// Connections made so far: one more after each restart of the server.
    pub connects: u64,
}

impl Statistics {
    /// Sizes of the tables of all databases that are watched.
    pub fn all_table_sizes(&self) -> impl Iterator<Item = &TableSizes> {
        let others = self.others.iter().filter_map(|other| other.tables.value()?.table_sizes.value());
        self.table_sizes.value().into_iter().chain(others).map(|sizes| &**sizes)
    }

    /// The tables of all databases that are watched.
    pub fn all_tables(&self) -> impl Iterator<Item = &Table> {
        let others = self.others.iter().filter_map(|other| other.tables.value()?.tables.value());
        self.tables.value().into_iter().chain(others).flat_map(|tables| tables.iter())
    }
}
