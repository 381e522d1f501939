//! What is done to a server.

use std::{
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc,
    thread,
};

use aura_tests::{PostgresServer, Random, TIMEOUT, wait_until};

const MOST_CLIENTS: usize = 7;

/// A client of the server that is told what to say.
pub(super) struct Client {
    process: Child,
    stdin: ChildStdin,
    lines: mpsc::Receiver<String>,
    pub(super) state: State,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum State {
    Idle,
    InTransaction,
    Holds,
    Waits,
}

impl Client {
    fn new(server: &PostgresServer, database: &str) -> Self {
        Self::of(server.psql(database))
    }

    /// One that nobody counts, as it cannot be told from the agent.
    pub(super) fn observer(server: &PostgresServer) -> Self {
        let mut command = server.psql("postgres");
        let (host, port) = (server.address().ip(), server.port());
        command.args(["-d", &format!("host={host} port={port} user=postgres dbname=postgres application_name=aura")]);
        Self::of(command)
    }

    fn of(mut command: Command) -> Self {
        command.args(["-v", "ON_ERROR_STOP=0"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut process = command.spawn().unwrap();
        let (sender, lines) = mpsc::channel();
        let output = BufReader::new(process.stdout.take().unwrap());
        thread::spawn(move || output.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        let stdin = process.stdin.take().unwrap();
        let mut client = Self { process, stdin, lines, state: State::Idle };
        client.say("SELECT 1");
        client
    }

    /// Says something, waits for its end, and returns what comes.
    pub(super) fn say(&mut self, sql: &str) -> String {
        self.begin(sql);
        self.finish()
    }

    /// Says something that may take until somebody else does something.
    fn begin(&mut self, sql: &str) {
        writeln!(self.stdin, "{sql};\n\\echo it is done").unwrap();
    }

    fn finish(&mut self) -> String {
        let mut said = String::new();
        loop {
            let line = self.lines.recv_timeout(TIMEOUT).expect("an answer");
            if line == "it is done" {
                return said;
            }
            said += &line;
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Everything that is done to the server.
pub(super) struct Load<'a> {
    pub(super) server: &'a PostgresServer,
    pub(super) random: Random,
    pub(super) clients: Vec<Client>,
    pub(super) tables: usize,
    pub(super) rows: u64,
    pub(super) deadlocks: u64,
}

impl Load<'_> {
    fn in_state(&self, state: State) -> Vec<usize> {
        (0..self.clients.len()).filter(|index| self.clients[*index].state == state).collect()
    }

    pub(super) fn step(&mut self) {
        let idle = self.in_state(State::Idle);
        let under_way = self.in_state(State::InTransaction);
        match self.random.below(9) {
            0 | 1 if self.clients.len() < MOST_CLIENTS => {
                self.clients.push(Client::new(self.server, "work"));
            }
            2 if !idle.is_empty() => drop(self.clients.remove(*self.random.one_of(&idle))),
            // While one holds the table, a reader would wait for a release that comes only after it.
            3 if !idle.is_empty() && self.in_state(State::Holds).is_empty() => {
                let client = &mut self.clients[*self.random.one_of(&idle)];
                client.say("BEGIN; SELECT count(*) FROM held");
                client.state = State::InTransaction;
            }
            4 if !under_way.is_empty() => {
                let end = *self.random.one_of(&["COMMIT", "ROLLBACK"]);
                let client = &mut self.clients[*self.random.one_of(&under_way)];
                client.say(end);
                client.state = State::Idle;
            }
            5 => {
                let (table, rows) = (self.tables, 1 + self.random.below(3000));
                let sql = format!(
                    "CREATE TABLE t_{table} (a int PRIMARY KEY, b text); \
                     INSERT INTO t_{table} SELECT n, repeat('x', 40) FROM generate_series(1, {rows}) n"
                );
                self.server.sql("postgres", &sql);
                (self.tables, self.rows) = (table + 1, self.rows + rows as u64);
            }
            6 if idle.len() >= 2 && self.in_state(State::Holds).is_empty() && under_way.is_empty() => {
                let lock = "BEGIN; LOCK TABLE held IN ACCESS EXCLUSIVE MODE";
                self.clients[idle[0]].say(lock);
                self.clients[idle[0]].state = State::Holds;
                self.clients[idle[1]].begin(lock);
                self.clients[idle[1]].state = State::Waits;
                let waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'";
                wait_until("the wait", || self.server.sql("postgres", waits) == "1");
            }
            7 if idle.len() >= 2 && self.in_state(State::Holds).is_empty() => {
                let (one, other) = (idle[0], idle[1]);
                let touch = |row: u8| format!("UPDATE rows SET b = b + 1 WHERE a = {row}");
                self.clients[one].say(&format!("BEGIN; {}", touch(1)));
                self.clients[other].say(&format!("BEGIN; {}", touch(2)));
                self.clients[one].begin(&touch(2));
                self.clients[other].begin(&touch(1));
                for index in [one, other] {
                    self.clients[index].finish();
                    self.clients[index].say("ROLLBACK");
                }
                self.deadlocks += 1;
            }
            _ => {
                // Whoever waits gets what it waits for, and lets go of it.
                for state in [State::Holds, State::Waits] {
                    for index in self.in_state(state) {
                        if state == State::Waits {
                            self.clients[index].finish();
                        }
                        self.clients[index].say("COMMIT");
                        self.clients[index].state = State::Idle;
                    }
                }
            }
        }
    }
}
