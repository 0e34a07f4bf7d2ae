//! Who may be told how runs ended, as the settings say.

use crate::complaint::Complaint;
use crate::config::Config;
use vastflow_server::callback::{CallbackError, Callbacks};

impl From<CallbackError> for Complaint {
    fn from(error: CallbackError) -> Self {
        Complaint::usage(error.to_string())
    }
}

/// Who may be told; none when nobody may.
pub(super) fn callbacks(config: &Config) -> Result<Option<Callbacks>, Complaint> {
    let list = |key| config.get(key).unwrap_or("").split(',').map(str::trim).filter(|one| !one.is_empty());
    if list("callbacks.allow").next().is_none() {
        return Ok(None);
    }
    let path = config.get("callbacks.secret_file").ok_or_else(|| {
        Complaint::usage("callbacks.allow names somebody, and nothing says what they know a callback by")
            .next("openssl rand -base64 32 > callbacks.secret, and callbacks.secret_file = \"callbacks.secret\"")
    })?;
    let secret = std::fs::read_to_string(path)
        .map_err(|why| Complaint::usage(format!("callbacks.secret_file {path:?} cannot be read: {why}")))?;
    let callbacks = Callbacks::signed(secret.trim())?;
    let callbacks = list("callbacks.allow").try_fold(callbacks, Callbacks::allow)?;
    Ok(Some(list("callbacks.networks").try_fold(callbacks, Callbacks::allow_network)?))
}
