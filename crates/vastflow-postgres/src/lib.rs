//! The PostgreSQL store of vastflow.

mod batch;
mod connect;
mod fail;
mod hints;
mod migrate;
mod options;
mod read;
mod runtime;
mod seam;
mod shared;
mod store;
mod submit;
mod task;
mod tls;
mod upkeep;
mod waves;
mod work;

pub use options::Options;
pub use store::PostgresStore;
