//! A PgBouncer before a PostgreSQL server.

use super::postgres::{Postgres, as_owner_words, owned};
use super::{Process, free_port, is_installed, sweep_up, wait_until};
use std::net::TcpStream;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use tempfile::TempDir;

/// A pooler that gives out connections for one transaction each.
#[derive(Debug)]
pub struct PgBouncer {
    _process: Process,
    dir: TempDir,
    port: u16,
}

impl PgBouncer {
    /// Starts one before a server.
    ///
    /// # Panics
    /// When none is installed, or it does not start.
    #[must_use]
    pub fn start(server: &Postgres) -> Self {
        assert!(is_installed("pgbouncer"), "this test needs PgBouncer; install it with `apt-get install -y pgbouncer`");
        let dir = owned();
        let (port, log) = (free_port(), dir.path().join("log"));
        let lines = format!(
            "[databases]\n* = host=127.0.0.1 port={} user=postgres\n[pgbouncer]\nlisten_addr = 127.0.0.1\n\
             listen_port = {port}\nunix_socket_dir =\nauth_type = any\npool_mode = transaction\n\
             default_pool_size = 20\nmax_client_conn = 1000\nlogfile = {}\n",
            server.port(),
            log.display()
        );
        let ini = dir.path().join("pgbouncer.ini");
        std::fs::write(&ini, lines).expect("its settings");
        let words = as_owner_words("pgbouncer", &[ini.to_string_lossy().into_owned()]);
        let process = Process::start(&words[0], &words[1..]);
        wait_until("PgBouncer listens", || TcpStream::connect(("127.0.0.1", port)).is_ok());
        PgBouncer { _process: process, dir, port }
    }

    /// The pooler before the server that the tests of this process share. It goes with the process.
    #[must_use]
    pub fn shared() -> &'static PgBouncer {
        static SHARED: OnceLock<PgBouncer> = OnceLock::new();
        SHARED.get_or_init(|| {
            let pooler = PgBouncer::start(Postgres::shared());
            sweep_up(pooler.dir.path());
            pooler
        })
    }

    /// Where it is, with a schema that no other test of this process uses.
    #[must_use]
    pub fn fresh_url(&self) -> String {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let schema = NEXT.fetch_add(1, Ordering::Relaxed);
        format!("postgres://postgres@127.0.0.1:{}/postgres?pgbouncer=true&schema=p{schema}", self.port)
    }
}
